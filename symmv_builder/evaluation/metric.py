"""What a metric is: a number with its definition, source, unit and direction.

A metric is declared where it is computed: a module of this package lists its own in ``METRICS``, a
trainer those of its models in its scores. Commands, tables and the reference read these
declarations, so a new metric touches one file. One of notes (`SongMetric`) is measured by
`symmv evaluate music` from then on, one of recordings (`EmbeddingMetric`) by `symmv evaluate
audio`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from symmv_builder.records import Floats, Ints

# Which values are better: high or low ones, or those nearest to the values of real music.
Best: TypeAlias = Literal["high", "low", "real", ""]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its `name`, and the `heading` and `digits` of its column in a table.

    `definition` says what is counted, `source` who defined it, `unit` what the value is in (a share
    is ``0-1``), `best` which values are better. `reads` are the results of a recipe that a row must
    hold for it, or what else is compared.
    """

    name: str
    heading: str
    digits: int = 3
    definition: str = ""
    source: str = ""
    unit: str = ""
    best: Best = ""
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PlayedNotes:
    """The notes of one song as metrics see them, fields ``[n]`` in any order, and its beats.

    `beats_s` rise, two at least; `None` where nothing is known of beats. `end_s` is where the song
    ends if that is after its last note.
    """

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    beats_s: Floats | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class SongMetric(Metric):
    """A metric of one song's notes: a number wherever there are two notes at least, else ``nan``.

    >>> import numpy as np
    >>> span = SongMetric("span", "Span", measure=lambda song: float(np.ptp(song.pitches)))
    >>> span.measure(PlayedNotes(np.zeros(2), np.ones(2), np.array([60, 67])))
    7.0
    """

    measure: Callable[[PlayedNotes], float] = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class EmbeddingMetric(Metric):
    """A metric of two sets of recordings, by embeddings ``[n, d]`` and ``[m, d]`` of one model.

    `measure` takes those of the generated recordings, then those of the real ones, and gives a
    finite number; `ValueError` where the embeddings do not allow one.

    >>> import numpy as np
    >>> shift = EmbeddingMetric("shift", "Shift", measure=lambda a, b: float(a.mean() - b.mean()))
    >>> shift.measure(np.ones((3, 2)), np.zeros((4, 2)))
    1.0
    """

    measure: Callable[[Floats, Floats], float] = field(kw_only=True)
