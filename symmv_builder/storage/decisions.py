"""What people decided about recordings that a crawl proposes: a line of the manifest each.

``DATASET/decisions.jsonl`` is only ever added to. The last line of a reviewer about an entry holds;
a decision is undone by a further line, or by taking lines out of the file again, with git for
example: nothing else is stored of it.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from symmv_builder.records import Entry, Source
from symmv_builder.storage import lines, manifests
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from symmv_builder.text import clean_line

ACCEPT, REJECT, SKIP, UNDO = "accept", "reject", "skip", "undo"
VERDICTS = (ACCEPT, REJECT, SKIP, UNDO)
LONGEST_NAME, LONGEST_REASON = 40, 200
_NAME = "decisions"


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's decision on an entry, when (UTC, ISO 8601), and why; rejections have a reason.

    `about` is the state in which the crawl showed it, ``review`` or ``proposed``.
    """

    entry_id: str
    reviewer: str
    verdict: str
    time: str
    about: str
    reason: str = ""

    def __post_init__(self) -> None:
        # The rules for ids are those of entries.
        Entry(self.entry_id, "any", "any", Source("file", "any"), Source("file", "any"))
        datetime.fromisoformat(self.time)
        if self.verdict not in VERDICTS:
            raise ValueError(f"not a verdict: {self.verdict!r}; known: {', '.join(VERDICTS)}")
        if self.verdict == REJECT and not self.reason:
            raise ValueError("a rejection needs a reason")
        for name, most in (("reviewer", LONGEST_NAME), ("reason", LONGEST_REASON)):
            text = getattr(self, name)
            if text != clean_line(text) or len(text) > most:
                raise ValueError(f"{name} is one clean line of at most {most} characters")
        if not self.reviewer:
            raise ValueError("a decision needs the name of who decided")


def read_decisions(root: Root, dataset: str) -> list[Decision]:
    """Read all decisions in file order; `StopRun` for a malformed line. Empty without a file."""
    name, what = f"{dataset}/{_NAME}.jsonl", "a decision"
    decisions = []
    for number, fields in manifests.read_lines(root, name, what):
        with manifests.at_line(root, name, number, what):
            decisions.append(Decision(**fields))
    return decisions


def add_decisions(store: Store, dataset: str, decisions: Iterable[Decision]) -> None:
    """Append lines; those that are in the file stay as they are, byte for byte.

    Two writers at once wait for each other; whoever writes the dataset is not waited for.
    """
    new = [asdict(each) for each in decisions]
    with lines.alone(store, dataset, _NAME):
        lines.append(store, dataset, _NAME, new)
