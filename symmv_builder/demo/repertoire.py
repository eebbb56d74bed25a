"""The demo's music: keyboard pieces and songs, every composer dead for more than a century.

The scores come out of the corpus inside music21's package; what is played of them, how
fast, and in which key they stand is written here. `play` gives a performance by the
rules of `performance`, with the truth that the demo compares its results with.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from symmv_builder.backends.music21 import Score, read_score
from symmv_builder.demo.performance import Manner, perform
from symmv_builder.records import Beats, Key, Notes


@dataclass(frozen=True, slots=True)
class KeyboardPiece:
    """A keyboard score, how much of it is played, and how.

    `tempo_bpm` counts the beat of the time signature; `times` repeats the whole excerpt.
    """

    name: str
    work: str
    title: str
    composer: str
    key: Key
    manner: Manner
    expand_repeats: bool = False
    times: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """A piece as played: its notes and beats in seconds, and what is true of it."""

    name: str
    title: str
    composer: str
    key: Key
    notes: Notes
    beats: Beats
    duration_s: float


PIECES = (
    KeyboardPiece(
        name="maple-leaf-rag",
        work="joplin/maple_leaf_rag",
        title="Maple Leaf Rag",
        composer="Scott Joplin",
        key=Key("A-", "major", 1.0),
        manner=Manner(tempo_bpm=92, freedom=0.35, pedal=False, seed=1),
        expand_repeats=True,
    ),
    KeyboardPiece(
        name="mazurka-op6-no2",
        work="chopin/mazurka06-2",
        title="Mazurka in C sharp minor, Op. 6 No. 2",
        composer="Frederic Chopin",
        key=Key("C#", "minor", 1.0),
        manner=Manner(tempo_bpm=144, freedom=1.0, seed=2),
    ),
    KeyboardPiece(
        name="polonaise-op1-no1",
        work="schumann_clara/polonaise_op1n1",
        title="Polonaise in E flat major, Op. 1 No. 1",
        composer="Clara Schumann",
        key=Key("E-", "major", 1.0),
        manner=Manner(tempo_bpm=92, freedom=0.7, seed=3),
        expand_repeats=True,
    ),
    KeyboardPiece(
        name="sonata-k545",
        work="mozart/k545/movement1_exposition",
        title="Sonata in C major, K. 545, first bars, twice",
        composer="Wolfgang Amadeus Mozart",
        key=Key("C", "major", 1.0),
        manner=Manner(tempo_bpm=126, freedom=0.5, pedal=False, seed=4),
        times=2,
    ),
    KeyboardPiece(
        name="sonata-h186",
        work="cpebach/h186",
        title="Sonata in A major, H. 186, Poco adagio",
        composer="Carl Philipp Emanuel Bach",
        key=Key("F#", "minor", 1.0),
        manner=Manner(tempo_bpm=58, freedom=0.9, seed=5),
    ),
)

# Songs whose videos a crawl must turn away: heard in part, never transcribed.
SONGS = (
    KeyboardPiece(
        name="prelude-bwv846",
        work="bach/bwv846",
        title="Prelude in C major, BWV 846",
        composer="Johann Sebastian Bach",
        key=Key("C", "major", 1.0),
        manner=Manner(tempo_bpm=72, freedom=0.6, seed=6),
    ),
    KeyboardPiece(
        name="lindenbaum",
        work="schubert/lindenbaum",
        title="Der Lindenbaum",
        composer="Franz Schubert",
        key=Key("E", "major", 1.0),
        manner=Manner(tempo_bpm=80, freedom=0.6, seed=7),
    ),
    KeyboardPiece(
        name="la-donna-e-mobile",
        work="verdi/laDonnaEMobile",
        title="La donna e mobile",
        composer="Giuseppe Verdi",
        key=Key("B", "major", 1.0),
        manner=Manner(tempo_bpm=46, freedom=0.4, seed=8),
    ),
)


def piece(name: str) -> KeyboardPiece:
    """Find the piece of that name; `KeyError` where there is none."""
    return {each.name: each for each in (*PIECES, *SONGS)}[name]


def play(piece: KeyboardPiece, *, longest_s: float = 46.0, seed: int | None = None) -> Performance:
    """Play the first whole bars of a piece that take no more than `longest_s`, as a person does."""
    score = _repeated(_score(piece.work, piece.expand_repeats), times=piece.times)
    manner = piece.manner if seed is None else replace(piece.manner, seed=seed)
    notes, beats, duration_s = perform(score, manner=manner, longest_s=longest_s)
    return Performance(piece.name, piece.title, piece.composer, piece.key, notes, beats, duration_s)


@cache
def _score(work: str, expand_repeats: bool) -> Score:
    """Read a score once: music21 takes seconds for it, and every piece is played more than once."""
    return read_score(work, expand_repeats=expand_repeats)


def _repeated(score: Score, *, times: int) -> Score:
    shifts = score.end_q * np.arange(times)
    return Score(
        onsets_q=np.concatenate([score.onsets_q + shift for shift in shifts]),
        durations_q=np.tile(score.durations_q, times),
        pitches=np.tile(score.pitches, times),
        staves=np.tile(score.staves, times),
        is_staccato=np.tile(score.is_staccato, times),
        beats_q=np.concatenate([score.beats_q + shift for shift in shifts]),
        beat_positions=np.tile(score.beat_positions, times),
        end_q=score.end_q * times,
    )
