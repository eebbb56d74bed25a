"""What each slot asks of its models: one abstract class a slot.

A backend subclasses the class of its slot and is `typing.final`, so mypy reports a method that
is missing, misspelt or of another signature in the backend itself. Stages annotate the model
that they are given with the same class.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import WrongSetting
from symmv_builder.pipeline.keys import ModelIdentity
from symmv_builder.records import Beats, Chords, Ints, Notes, SongInfo

# An answer that may still be computed elsewhere: calling it waits for it.
Later: TypeAlias = Callable[[], NDArray[np.float32]]
# Makes of RGB pictures uint8 ``[h, w, 3]`` what a network is shown of them, ``[n, ...]``.
Prepare: TypeAlias = Callable[[Sequence[NDArray[np.uint8]]], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ModelHome:
    """The place where models live and run.

    It is never part of a key: the identity of what is found there is.

    `paths` maps a backend's name to a checkpoint, a folder or an interpreter.
    """

    device: str = "cpu"
    precision: str = "fp32"
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class About:
    """The facts about a model that a person wants to know before using it.

    `weights` says how they are had; they are `fetched` where `identify` downloads what is missing.
    """

    tool: str
    licence: str
    weights: str
    fetched: bool = False


class Model(ABC):
    """A model of any slot: it can say what it is without being loaded.

    `backend` is the name that a recipe calls it by. A class that the table does not list is
    found by it; the others may leave it out. `needs` are the modules that run it, as they are
    imported; a plan is refused where one of them is not installed.
    """

    slot: ClassVar[str]
    backend: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        """Tell name, version and hash of the weights; loads nothing and imports nothing heavy.

        `StopRun` where the weights are not there.
        """

    @classmethod
    @abstractmethod
    def about(cls) -> About:
        """Tell tool, licence, and how to get the weights."""

    @abstractmethod
    def __init__(self, home: ModelHome) -> None:
        """Load the model; `StopRun` where it does not load."""


class Transcriber(Model):
    """Finds notes in samples at the rate, and in as many channels, as it asks for."""

    rate_hz: ClassVar[int]
    mono: ClassVar[bool]

    @abstractmethod
    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        """Transcribe samples ``[n, channels]`` to notes, with the pedal if the model hears it."""


class PianoTranscriber(Transcriber):
    """Notes of a recording of a piano alone."""

    slot = "piano"


class PolyphonicTranscriber(Transcriber):
    """Notes of a recording of any instruments."""

    slot = "polyphonic"


class BeatTracker(Model):
    """Finds beats in samples at the rate, and in as many channels, as it asks for."""

    slot = "beats"
    rate_hz: ClassVar[int]
    mono: ClassVar[bool]

    @abstractmethod
    def track(self, samples: NDArray[np.float32]) -> Beats:
        """Track beats of samples ``[n, channels]`` with their places in the bar; maybe none."""


class ChordRecogniser(Model):
    """Finds chords in samples at the rate, and in as many channels, as it asks for."""

    slot = "chords"
    rate_hz: ClassVar[int]
    mono: ClassVar[bool]

    @abstractmethod
    def recognise(self, samples: NDArray[np.float32]) -> Chords:
        """Recognise chords of samples ``[n, channels]``, labelled with `vocab.MUVISYNC_LABELS`."""


class ChordNamer(Model):
    """Names the chord of each beat of notes."""

    slot = "symbolic_chords"

    @abstractmethod
    def name(
        self,
        starts: Ints,
        ends: Ints,
        pitches: Ints,
        *,
        ticks_per_beat: int,
        positions: Ints | None = None,
    ) -> Sequence[tuple[int, str] | None]:
        """Name root (0-11) and chorder's quality of each beat, `None` where there is no chord.

        Starts and ends ``[n]`` are ticks from the first beat. `positions` are the beats' places
        in the bar, 1 for a downbeat, at least one for each beat.
        """


class ClipModel(Model):
    """Embeds pictures, and words into the same space where it `knows_words`.

    `scale` multiplies their cosines. A model of patches has the numbers of its last layer, `tokens`
    of `token_width` for each picture; others have none.
    """

    slot = "clip"
    title: ClassVar[str]
    dimensions: ClassVar[int]
    knows_words: ClassVar[bool] = True
    tokens: ClassVar[int] = 0
    token_width: ClassVar[int] = 0
    scale: float

    @abstractmethod
    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed RGB pictures ``[h, w, 3]`` as ``[n, dimensions]``, not normalised."""

    @abstractmethod
    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Embed words or sentences as ``[n, dimensions]``, not normalised."""

    def embed_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give the last layer ``[n, tokens, token_width]`` of RGB pictures ``[h, w, 3]``.

        The token of the whole picture comes first, where there is one, then the patches row by
        row. `StopRun` for a model that has none.
        """
        raise WrongSetting("model", self.title, "it has no tokens of patches")

    def start_images(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        """Begin `embed_images`; what comes back gives its embeddings.

        A model of another device or process computes while its caller goes on. Here it is done
        before this returns.
        """
        embedded = self.embed_images(pictures)
        return lambda: embedded

    def start_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        """Begin `embed_patches`, as `start_images` does."""
        embedded = self.embed_patches(pictures)
        return lambda: embedded


class SplitClip(ClipModel):
    """A model in two halves: pictures are prepared where they are decoded, the network is anywhere.

    So one network can serve many processes (`clip_server`). What it is shown of a picture has the
    shape `input_shape` and the type `input_type`.
    """

    input_shape: ClassVar[tuple[int, ...]]
    input_type: ClassVar[type[np.generic]]

    @classmethod
    @abstractmethod
    def preparation(cls, home: ModelHome) -> Prepare:
        """Give the first half, without reading weights; `StopRun` for malformed settings."""

    @abstractmethod
    def start_inputs(self, inputs: NDArray[Any], *, patches: bool = False) -> Later:
        """Begin the second half: embeddings ``[n, dimensions]`` of inputs ``[n, *input_shape]``.

        With `patches` the last layer ``[n, tokens, token_width]``.
        """


class CutFinder(ABC):
    """Looks at every frame of one video, small, in order."""

    layout: ClassVar[str]
    interpolation: ClassVar[str]

    @abstractmethod
    def size(self, width: int, height: int) -> tuple[int, int]:
        """Give width and height wanted of a picture that is displayed at this size."""

    @abstractmethod
    def see(self, picture: NDArray[np.uint8], time_s: float) -> None:
        """Look at the next frame, ``[h, w, 3]`` in `layout`, shown at `time_s`."""

    @abstractmethod
    def cuts(self) -> list[int]:
        """Find the frames with which a new shot begins, by number, rising; never 0."""


class SceneModel(Model):
    """Makes one `CutFinder` a video."""

    slot = "scenes"

    @abstractmethod
    def finder(
        self, *, threshold: float | None = None, min_scene_frames: int | None = None
    ) -> CutFinder:
        """Make a finder; `None` stands for the detector's own default."""


class FlowModel(Model):
    """Finds how far each pixel moves from one picture to the next."""

    slot = "flow"

    @abstractmethod
    def flow(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pixels to the right and down, ``[h, w, 2]``, of two grey pictures ``[h, w]``."""


class MomentModel(Model):
    """Embeds a moment of a video: pictures of `side` pixels each way, `rate_hz` a second."""

    slot = "moments"
    width: ClassVar[int]
    side: ClassVar[int]
    rate_hz: ClassVar[float]
    least_pictures: ClassVar[int]

    @abstractmethod
    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed RGB pictures ``[t, side, side, 3]``, in order, as ``[width]``."""


class TextModel(Model):
    """Finds lines of text in one picture."""

    slot = "text"
    layout: ClassVar[str]

    @abstractmethod
    def size(self, width: int, height: int) -> tuple[int, int]:
        """Give width and height wanted of a picture that is displayed at this size."""

    @abstractmethod
    def text_mask(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Mark the pixels of a picture ``[h, w, 3]`` in `layout` in lines of text, ``[h, w]``."""


class SongModel(Model):
    """Knows songs by `excerpt_s` seconds of mono sound."""

    slot = "songs"
    rate_hz: ClassVar[int]
    excerpt_s: ClassVar[float]

    @abstractmethod
    def recognise(self, samples: NDArray[np.float32]) -> SongInfo | None:
        """Recognise the song of samples ``[n]``, `None` if unknown; `RetryLater` if not reached."""


class AudioEmbedder(Model):
    """Embeds sound, one vector of `width` numbers for each `segment_s` seconds."""

    slot = "audio_embedding"
    width: ClassVar[int]
    segment_s: ClassVar[float]

    @abstractmethod
    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Embed samples ``[n]`` or ``[n, c]`` as ``[segments, width]``, one segment at least."""


class Tagger(Model):
    """Says of mono sound at `rate_hz` how likely each of its `tags` is."""

    slot = "tags"
    rate_hz: ClassVar[int]
    segment_s: ClassVar[float]
    tags: ClassVar[tuple[str, ...]]

    @abstractmethod
    def tag_at(
        self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Likelihoods ``[s, tags]``, 0-1, of the `segment_s` seconds of samples ``[n]`` from each
        start ``[s]`` on; what lies behind the last sample is silence."""


class SpeechDetector(Model):
    """Hears in mono sound at `rate_hz` whether somebody speaks, each `hop_s` seconds."""

    slot = "speech"
    rate_hz: ClassVar[int]
    hop_s: ClassVar[float]

    @abstractmethod
    def likelihood(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the probability of speech, 0-1, ``[frames]``, of samples ``[n]``."""


class SourceSeparator(Model):
    """Takes stereo sound at `rate_hz` apart into `stems`, whose sum is about the sound again."""

    slot = "separation"
    rate_hz: ClassVar[int]
    stems: ClassVar[tuple[str, ...]]

    @abstractmethod
    def extract(self, samples: NDArray[np.float32], stems: Sequence[str]) -> NDArray[np.float32]:
        """Sum some of the stems of samples ``[n, 2]`` to ``[n, 2]``."""


class AudioCodec(Model):
    """Turns mono sound at `rate_hz` into codes and back: `codebooks` numbers each `hop` samples.

    Codes lie below `codebook_size`; the first codebook says most, each next one what is left.
    """

    slot = "codec"
    rate_hz: ClassVar[int]
    hop: ClassVar[int]
    codebooks: ClassVar[int]
    codebook_size: ClassVar[int]

    @abstractmethod
    def encode(self, samples: NDArray[np.float32]) -> Ints:
        """Encode samples ``[n]`` as codes ``[t, codebooks]``, silence filling the last hop."""

    @abstractmethod
    def decode(self, codes: Ints) -> NDArray[np.float32]:
        """Decode codes ``[t, codebooks]`` of one call of `encode` to samples ``[t * hop]``."""


class Soundfont(Model):
    """A file of recorded instruments, from which notes are rendered."""

    slot = "soundfont"
    path: Path


SLOTS: dict[str, type[Model]] = {
    kind.slot: kind
    for kind in (
        PianoTranscriber,
        PolyphonicTranscriber,
        BeatTracker,
        ChordRecogniser,
        ChordNamer,
        ClipModel,
        SceneModel,
        FlowModel,
        MomentModel,
        TextModel,
        SongModel,
        AudioEmbedder,
        Tagger,
        SpeechDetector,
        AudioCodec,
        SourceSeparator,
        Soundfont,
    )
}
