"""The model of another process, as the stages of a worker see it.

Pictures are prepared here, on the worker's core, and sent; what comes back are embeddings. A few
requests may be unanswered, so that the worker decodes on while its pictures wait and are computed.

Waiting counts as the time of the step that waits, as it does where each worker has a copy and all
of them share one card: the line holds a few forwards of each worker, which are seconds, and the
patience of a step is minutes. A process that stands still would cost every worker the patience,
and entries would be blamed for it: so whoever gets no byte for `answer_s`, which is less than the
patience, stops the run instead. Loading the model happens outside of steps, and has their limit.
"""

import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.clip_server.wire import (
    MOST_PICTURES,
    MOST_TEXT_BYTES,
    MOST_UNANSWERED,
    MOST_WORDS,
    SCALE,
    Kind,
    fill,
    pack_words,
    read,
    send,
    split_class,
)
from symmv_builder.backends.slots import ClipModel, Later, SplitClip
from symmv_builder.errors import ModelLost, WrongSetting

_FACTS = ("title", "dimensions", "knows_words", "tokens", "token_width")


@dataclass(frozen=True, slots=True)
class Address:
    """The socket of a model's process, and the token that it has to be told first."""

    path: str
    token: bytes = field(repr=False)


@dataclass(slots=True)
class _Answer:
    """The place of an answer, and whether it has come."""

    rows: NDArray[np.float32]
    is_here: bool = False


class Proxy(ClipModel):
    """A model that runs elsewhere; `class_for` gives the class for one of a name."""

    kind: ClassVar[type[SplitClip]]
    name: ClassVar[str]

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return cls.kind.identify(home)

    @classmethod
    def about(cls) -> About:
        return cls.kind.about()

    def __init__(self, home: ModelHome, address: Address, answer_s: float) -> None:
        """Connect, and wait until the model is loaded; `ModelLost` where its process is gone."""
        self._prepare = self.kind.preparation(home)
        self._unanswered: deque[_Answer] = deque()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.connect(address.path)
            self._connection.sendall(address.token)
            send(self._connection, Kind.HELLO, 0, b"")
            [self.scale] = SCALE.unpack(read(self._connection, SCALE.size))
        except OSError as error:
            raise ModelLost(self.name) from error
        self._connection.settimeout(answer_s)

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self.start_images(pictures)()

    def embed_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self.start_patches(pictures)()

    def start_images(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        return self._start(Kind.IMAGES, pictures, (self.dimensions,))

    def start_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        return self._start(Kind.PATCHES, pictures, (self.tokens, self.token_width))

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        if not self.knows_words:
            raise WrongSetting("model", self.name, "it embeds no words")
        if not words:
            return np.zeros((0, self.dimensions), np.float32)
        body = pack_words(words)
        if len(words) > MOST_WORDS or len(body) > MOST_TEXT_BYTES:
            raise ValueError(f"{len(words)} texts are more than fit one request")
        return self._rows(self._ask(Kind.WORDS, len(body), body, (len(words), self.dimensions)))

    def _start(
        self, kind: Kind, pictures: Sequence[NDArray[np.uint8]], shape: tuple[int, ...]
    ) -> Later:
        answers = []
        for first in range(0, len(pictures), MOST_PICTURES):
            inputs = self._prepare(pictures[first : first + MOST_PICTURES])
            answers.append(self._ask(kind, len(inputs), inputs.data, (len(inputs), *shape)))
        nothing = np.zeros((0, *shape), np.float32)
        return lambda: np.concatenate([nothing, *map(self._rows, answers)])

    def _ask(
        self, kind: Kind, count: int, body: bytes | memoryview, shape: tuple[int, ...]
    ) -> _Answer:
        while len(self._unanswered) >= MOST_UNANSWERED:
            self._receive()
        answer = _Answer(np.empty(shape, np.float32))
        try:
            send(self._connection, kind, count, body)
        except OSError as error:
            raise self._lost(error) from error
        self._unanswered.append(answer)
        return answer

    def _rows(self, answer: _Answer) -> NDArray[np.float32]:
        while not answer.is_here:
            self._receive()
        return answer.rows

    def _receive(self) -> None:
        """Wait for the oldest answer."""
        answer = self._unanswered.popleft()
        try:
            fill(self._connection, answer.rows.data)
        except OSError as error:
            raise self._lost(error) from error
        answer.is_here = True

    def _lost(self, error: OSError) -> ModelLost:
        if isinstance(error, TimeoutError):
            return ModelLost(self.name, f"has stood still for {self._connection.gettimeout():g} s")
        return ModelLost(self.name)


def class_for(name: str) -> type[Proxy]:
    """Make the class that stands for the model `name`: it says what the model's class says."""
    kind = split_class(name)
    facts = {fact: getattr(kind, fact) for fact in _FACTS}
    proxy: Any = type(f"{kind.__name__}Proxy", (Proxy,), {"kind": kind, "name": name, **facts})
    return cast("type[Proxy]", proxy)
