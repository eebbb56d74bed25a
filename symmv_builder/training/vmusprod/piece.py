"""What a piece of music is asked to be, and what comes of it.

The music of a video lasts as long as the video (Zhuo et al. 2023, section 4.1): its tempo, which
the motion gives, says how many bars that takes, and the last bar is cut where the video ends.
"""

import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import MissingFeatures, WrongSetting
from symmv_builder.records import Chords, Key, Notes
from symmv_builder.training.vmusprod.ending import ended
from symmv_builder.training.vmusprod.following import (
    TempoMap,
    VideoTiming,
    follow_cuts,
    steady_beats,
)
from symmv_builder.training.vmusprod.sequences import chord_sequence
from symmv_builder.training.vmusprod.songs import STEPS_PER_BEAT, QuantisedSong
from symmv_builder.training.vmusprod.sounding import (
    chords_of_song,
    cut,
    merged,
    notes_of_song,
    struck_once,
)
from symmv_builder.training.vmusprod.tempo import (
    USUAL_MOTION,
    Clock,
    MotionRange,
    draw_tempo,
    mean_motion,
    steady,
)
from symmv_builder.training.vmusprod.tokens import NO_ROOT, Sequence
from symmv_builder.vocab import SYMMV_QUALITIES, SYMMV_ROOTS, pitch_class

Video = Mapping[str, NDArray[Any]]
FindKey = Callable[[Notes], Key]

MOST_SECONDS = 3 * 3600.0
# How long the last chord sounds at least.
SHORTEST_END_S = 1.0
# First words of a piece's seeds, so that its tempo and its stages draw unlike numbers.
_TEMPO, _LENGTH, _STAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Wish:
    """One piece: how long, for which video, from which seed.

    `video` holds columns of a row: ``motion`` ``[t]`` at 5 Hz, ``semantic`` ``[t, 512]`` at 6 Hz,
    ``colour`` ``[t, 12288]`` at 1 Hz, as far as the models saw them. Length is `seconds`, else
    `bars`, else what the songs learned from had. `tempo_bpm` overrules motion and corpus. With
    `shown` bar lines meet the video's cuts, as far as they can at about the same tempo
    (`following`), loudness changes with the scenes, and the piece ends on its tonic (`ending`).
    """

    seed: int = 0
    seconds: float | None = None
    bars: int | None = None
    tempo_bpm: float | None = None
    video: Video | None = None
    shown: VideoTiming | None = None


@dataclass(frozen=True, slots=True)
class PiecePlan:
    """The plan of a piece: tempo, bars, and where the music ends in seconds.

    `beats` are those of a piece that follows a video, `None` of one at a steady tempo; it ends on
    the chord that begins in its last bar, unless it is too short for that (`ends` is False).
    """

    wish: Wish
    tempo_bpm: float
    bars: int
    end_s: float
    beats: TempoMap | None = None
    ends: bool = False

    @property
    def clock(self) -> Clock:
        """Give the clock that maps the piece's steps to seconds."""
        return self.beats or steady(self.tempo_bpm)

    def seed_of(self, stage: int) -> int:
        """Derive the seed of a stage, by its number, from that of the piece."""
        words = np.random.SeedSequence([self.wish.seed, _STAGE, stage])
        return int(words.generate_state(1, np.uint64)[0])


@dataclass(frozen=True, slots=True, eq=False)
class ArrangedPiece:
    """A piece: its parts in seconds from 0, cut at `duration_s`, and the song in steps.

    Where melody and accompaniment are not told apart (the ablations of section 6.4), all notes
    are accompaniment; without chords, `chords` is empty. `beats` are the tempo map of a piece that
    follows a video.
    """

    melody: Notes
    accompaniment: Notes
    chords: Chords
    tempo_bpm: float
    duration_s: float
    seed: int
    song: QuantisedSong
    beats: TempoMap | None = None

    @property
    def notes(self) -> Notes:
        """Both parts in one track."""
        return merged(self.melody, self.accompaniment)


def plan_piece(wish: Wish, about: Mapping[str, Any], steps_per_bar: int) -> PiecePlan:
    """Plan tempo and bars of a piece from the models' summary of their corpus (`about`).

    The tempo is the wished one; else a video's motion between the corpus's least and greatest;
    else that of models trained without motion; else one drawn from the corpus. `StopRun` where
    the video's motion is needed and missing, or the wish cannot be met. For models that know of no
    video's motion the range is `tempo.USUAL_MOTION` where a video is followed.
    """
    if wish.seed < 0:
        raise WrongSetting("seed", wish.seed, "it has to be 0 or more")
    tempo_bpm = _tempo(wish, about)
    bar_s = steps_per_bar / STEPS_PER_BEAT * 60.0 / tempo_bpm
    if wish.seconds is not None:
        if not 0 < wish.seconds <= MOST_SECONDS:
            rule = f"it has to be above 0, {MOST_SECONDS:g} at most"
            raise WrongSetting("seconds", wish.seconds, rule)
        if wish.shown is not None:
            return _following(wish, wish.shown, wish.seconds, tempo_bpm, steps_per_bar)
        # A bar that would hold less than a thousandth of itself is not begun.
        return PiecePlan(
            wish, tempo_bpm, max(1, math.ceil(wish.seconds / bar_s - 1e-3)), wish.seconds
        )
    bars = wish.bars
    if bars is None:
        rng = np.random.default_rng([wish.seed, _LENGTH])
        bars = max(1, round(draw_tempo(about["bars_quantiles"], rng)))
    if not 0 < bars * bar_s <= MOST_SECONDS:
        raise WrongSetting("bars", bars, f"it has to be 1 or more, of {MOST_SECONDS:g} s at most")
    return PiecePlan(wish, tempo_bpm, bars, bars * bar_s)


def _following(
    wish: Wish, timing: VideoTiming, end_s: float, tempo_bpm: float, steps_per_bar: int
) -> PiecePlan:
    """Plan a piece that follows a video; a tempo that is asked for is kept as it is."""
    beats_per_bar = steps_per_bar // STEPS_PER_BEAT
    if wish.tempo_bpm is None:
        beats = follow_cuts(tempo_bpm, end_s, timing.cuts_s, beats_per_bar=beats_per_bar)
    else:
        beats = steady_beats(tempo_bpm, end_s)
    lines = beats.bar_lines_s(beats_per_bar, end_s)
    last = np.flatnonzero(lines <= end_s - SHORTEST_END_S)
    ends = bool(len(last)) and last[-1] > 0
    bars = int(last[-1]) + 1 if ends else max(1, len(lines))
    return PiecePlan(wish, beats.tempo_bpm, bars, end_s, beats, ends)


def _tempo(wish: Wish, about: Mapping[str, Any]) -> float:
    if wish.tempo_bpm is not None:
        if not 20 <= wish.tempo_bpm <= 400:
            raise WrongSetting("tempo_bpm", wish.tempo_bpm, "it can be 20 to 400")
        return wish.tempo_bpm
    if about["fixed_bpm"] is not None:
        return float(about["fixed_bpm"])
    if wish.video is not None and about["motion"] is not None and "motion" not in wish.video:
        needed_for = "from which the tempo follows; give a tempo"
        raise MissingFeatures("the video", ("motion",), needed_for)
    film = wish.video or {}
    motion: NDArray[Any] = wish.shown.motion if wish.shown else film.get("motion", np.zeros(0))
    if about["motion"] is not None and (wish.video is not None or len(motion)):
        return MotionRange(*about["motion"]).tempo_bpm(mean_motion(motion))
    if wish.shown is not None and len(motion):
        return USUAL_MOTION.tempo_bpm(mean_motion(motion))
    return draw_tempo(about["tempo_quantiles"], np.random.default_rng([wish.seed, _TEMPO]))


def arranged_piece(
    song: QuantisedSong, plan: PiecePlan, key: Key | None = None, find_key: FindKey | None = None
) -> ArrangedPiece:
    """Arrange a song for one piano (`sounding.struck_once`) and cut it where it is to end.

    With `key` it is moved there from the key that `find_key` hears (`shift_to`).
    """
    clock = plan.clock
    shortest_s = 0.5 * float(clock(np.array([1]))[0])
    if plan.ends and find_key is not None and len(song.onsets):
        song = ended(song, plan.bars - 1, _last_key(song, plan, find_key))
    if key is not None and find_key is not None and len(song.onsets):
        song = song.transposed(shift_to(find_key(merged(*notes_of_song(song, clock))), key))
    song = struck_once(song)
    melody, accompaniment = (
        cut(part, plan.end_s, shortest_s=shortest_s) for part in notes_of_song(song, clock)
    )
    if plan.wish.shown is not None:
        melody, accompaniment = (
            plan.wish.shown.shaped(part, plan.end_s) for part in (melody, accompaniment)
        )
    chords = chords_of_song(song, clock)
    is_before = chords.starts_s < plan.end_s - shortest_s
    labels = tuple(label for label, is_in in zip(chords.labels, is_before, strict=True) if is_in)
    ends_s = np.minimum(chords.ends_s[is_before], plan.end_s)
    return ArrangedPiece(
        melody=melody,
        accompaniment=accompaniment,
        chords=Chords(chords.starts_s[is_before], ends_s, labels),
        tempo_bpm=plan.tempo_bpm,
        duration_s=plan.end_s,
        seed=plan.wish.seed,
        song=song,
        beats=plan.beats,
    )


def _last_key(song: QuantisedSong, plan: PiecePlan, find_key: FindKey) -> Key:
    """Find the key in which a piece ends: its last chord's, a tonic, or else one that is heard."""
    sounding = song.chord_onsets.searchsorted((plan.bars - 1) * song.steps_per_bar, side="right")
    root, quality = (a[sounding - 1] for a in (song.chord_roots, song.chord_qualities))
    if root == NO_ROOT:
        return find_key(merged(*notes_of_song(song, plan.clock)))
    return Key(
        SYMMV_ROOTS[root], "minor" if quality == SYMMV_QUALITIES.index("m") else "major", 1.0
    )


def shift_to(own: Key, target: Key) -> int:
    """Compute the shift in semitones, -5 to 6, from one key into the scale of another.

    Between major and minor the relative key is met: whether a piece in that scale is heard as
    major or as minor is what it was written to be.
    """

    def scale(key: Key) -> int:
        return key.tonic_class + (3 if key.mode == "minor" else 0)

    return (scale(target) - scale(own) + 5) % 12 - 5


def parse_key(text: str) -> Key:
    """Parse a key such as ``C major``, ``f# minor``, ``E- major``; `StopRun` for anything else."""
    try:
        tonic, mode = text.split()
        return Key(tonic[:1].upper() + tonic[1:], mode.lower(), 1.0)
    except ValueError:
        raise WrongSetting("key", text, "write a tonic and a mode, as in F# minor") from None


def parse_primer(text: str, steps_per_bar: int = 16) -> QuantisedSong:
    """Parse the chords that a piece begins with into a song without notes.

    Bars are separated by blanks, chords within a bar by commas: ``Am F C,G7``. A chord is a
    root with a quality of `vocab.SYMMV_QUALITIES`, which may be left out for major; the chords of
    a bar are equally long and begin on beats. `StopRun` where the text does not say that.
    """
    steps, chords = [], []
    beats = steps_per_bar // STEPS_PER_BEAT
    bars = text.split()
    for bar, names in enumerate(bars):
        named = names.split(",")
        if beats % len(named):
            problem = f"{len(named)} chords do not share a bar of {beats} beats"
            raise WrongSetting("primer", names, problem)
        for place, name in enumerate(named):
            steps.append((bar * beats + place * beats // len(named)) * STEPS_PER_BEAT)
            chords.append(_chord(name))
    if not bars:
        raise WrongSetting("primer", text, "it names no chord; write it as in Am F C G")
    changes = [i for i in range(len(chords)) if i == 0 or chords[i] != chords[i - 1]]
    table = np.array([(steps[i], *chords[i]) for i in changes], dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    return QuantisedSong(
        onsets=nothing,
        durations=nothing,
        pitches=nothing,
        is_melody=nothing.astype(np.bool_),
        chord_onsets=table[:, 0],
        chord_roots=table[:, 1],
        chord_qualities=table[:, 2],
        steps_per_bar=steps_per_bar,
        bars=len(bars),
        tempo_bpm=120.0,
        beats=np.arange(len(bars) * beats),
    )


def _chord(name: str) -> tuple[int, int]:
    root = name[:2] if name[1:2] in ("#", "b", "-") else name[:1]
    try:
        return pitch_class(root), SYMMV_QUALITIES.index(name[len(root) :] or "M")
    except ValueError:
        qualities = " ".join(SYMMV_QUALITIES)
        raise WrongSetting("chord", name, f"write a root and one of {qualities}") from None


def primer_of(song: QuantisedSong, plans: Many[PiecePlan]) -> Sequence:
    """Make the tokens of a primer; `StopRun` where a piece has fewer bars than the primer."""
    shortest = min(plan.bars for plan in plans)
    if song.bars > shortest:
        problem = f"a piece of {shortest} bars has no room for it"
        raise WrongSetting("primer", f"{song.bars} bars", problem)
    return chord_sequence(song, end=False)
