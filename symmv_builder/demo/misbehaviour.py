"""When the loopback video site fails, and what it was asked: the two things tests turn on.

Failures are drawn from a seed, the video and how often it was asked for, never from a
clock or a shared generator: two runs that ask the same are answered the same, whatever
the order of the threads.
"""

import hashlib
import threading
from collections.abc import Collection
from dataclasses import dataclass, replace

from symmv_builder.demo.catalogue import LASTING, Failure


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: for what (``watch``, ``media``, ``list``, ...), and what was sent of it."""

    kind: str
    name: str
    status: int
    first_byte: int = 0
    sent_bytes: int = 0


@dataclass(slots=True)
class ActiveFailure:
    """A failure that is switched on, for one video or for all of them."""

    failure: Failure
    video_id: str | None
    probability: float
    times: int | None
    bytes_a_second: float


class Misbehaviour:
    """The failures that are switched on, and the record of all visits; safe for threads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._rules: list[ActiveFailure] = []
        self._visits: list[Visit] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._expired: set[tuple[str, str]] = set()

    def fail(
        self,
        failure: Failure,
        video_id: str | None = None,
        *,
        probability: float = 1.0,
        times: int | None = None,
        bytes_a_second: float = 20_000.0,
    ) -> None:
        """Switch a failure on, for one video or for all; `times` bounds how often it strikes."""
        with self._lock:
            self._rules.append(ActiveFailure(failure, video_id, probability, times, bytes_a_second))

    def heal(self, video_id: str | None = None) -> None:
        """Switch off the failures of one video, or all of them."""
        with self._lock:
            self._rules = [
                r for r in self._rules if video_id is not None and r.video_id != video_id
            ]

    def count(self, kind: str, name: str) -> int:
        """Note that something is asked for; how often it has been now, from 1."""
        with self._lock:
            self._counts[kind, name] = number = self._counts.get((kind, name), 0) + 1
            return number

    def strikes(self, among: Collection[Failure], name: str, number: int) -> ActiveFailure | None:
        """Find the first failure among these that strikes the `number`-th request for `name`."""
        with self._lock:
            for rule in self._rules:
                if (
                    rule.failure in among
                    and rule.video_id in (None, name)
                    and rule.times != 0
                    and self._draw(rule, name, number) < rule.probability
                ):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return None

    def fate(self, name: str) -> Failure | None:
        """Find the failure of a video whoever asks and however often, if there is one."""
        rule = self.strikes(LASTING, name, 0)
        return rule.failure if rule else None

    def has_expired(self, name: str, token: str, number: int) -> bool:
        """Check whether an address of media is dead, as the first that is tried may be."""
        if number == 1 and self.strikes({Failure.FORBIDDEN_ONCE}, name, 1):
            with self._lock:
                self._expired.add((name, token))
        return (name, token) in self._expired

    def _draw(self, rule: ActiveFailure, name: str, number: int) -> float:
        occasion = 0 if rule.failure in LASTING else number
        text = f"{self._seed} {rule.failure} {name} {occasion}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64

    def record(self, visit: Visit) -> int:
        """Note a visit before it is answered, so that whoever has the answer finds it noted."""
        with self._lock:
            self._visits.append(visit)
            return len(self._visits) - 1

    def add_bytes(self, number: int, count: int) -> None:
        """Note bytes that are about to be sent in answer to a visit."""
        with self._lock:
            visit = self._visits[number]
            self._visits[number] = replace(visit, sent_bytes=visit.sent_bytes + count)

    def visits(self, kind: str | None = None, name: str | None = None) -> list[Visit]:
        """List what was asked for and answered, in the order in which the answers began."""
        with self._lock:
            return [
                visit
                for visit in self._visits
                if (kind is None or visit.kind == kind) and (name is None or visit.name == name)
            ]
