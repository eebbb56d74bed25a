"""Chords against every released file at hand, against chorder, and against stand-ins."""

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.midi import read_beats, read_notes
from symmv_builder.backends.slots import ChordRecogniser
from symmv_builder.crawl.probe import probe_music
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music.chords import (
    hear_chords,
    name_chords,
    normalise_chords,
    voice_chords,
)
from symmv_builder.records import Beats, Chords, Key, Notes
from symmv_builder.vocab import MUVISYNC_LABELS, SYMMV_LABELS, SYMMV_ROOTS
from tests.hearing import heard
from tests.standins import StandInModel

TICKS_PER_S = 440


@pytest.fixture(scope="module")
def chorder() -> object:
    pytest.importorskip("chorder")
    return load("symbolic_chords", "chorder", ModelHome())


def steady(count: int, gap_s: float = 0.5, bar: int = 4) -> Beats:
    return Beats(
        times_s=np.asarray(np.arange(count) * gap_s, np.float64),
        positions=np.arange(count) % bar + 1,
    )


def blocks(*chords: tuple[float, float, tuple[int, ...]]) -> Notes:
    rows = sorted((start, pitch, end) for start, end, pitches in chords for pitch in pitches)
    table = np.array(rows)
    return Notes(table[:, 0], table[:, 2], table[:, 1], np.full(len(rows), 64))


C, G7, AM = (48, 60, 64, 67), (43, 59, 62, 65, 67), (45, 60, 64, 69)


def spans(chords: Chords) -> list[tuple[float, float, str]]:
    fields = (chords.starts_s.tolist(), chords.ends_s.tolist(), chords.labels)
    return [(round(a, 6), round(b, 6), c) for a, b, c in zip(*fields, strict=True)]


def test_one_chord_a_beat_and_equal_neighbours_are_joined(chorder: object) -> None:
    notes = blocks((0, 2, C), (2, 3, G7), (3, 4, AM))
    named = name_chords(notes, steady(8), model=chorder)  # type: ignore[arg-type]
    assert spans(named) == [(0, 2, "CM"), (2, 3, "G7"), (3, 4, "Am")]


def test_chords_follow_beats_that_are_not_steady(chorder: object) -> None:
    beats = Beats(times_s=np.array([1.0, 1.4, 2.4, 2.9, 3.6]), positions=np.array([1, 2, 3, 4, 1]))
    notes = blocks((1.0, 2.4, C), (2.4, 3.6, G7))
    named = name_chords(notes, beats, model=chorder)  # type: ignore[arg-type]
    assert spans(named) == [(1.0, 2.4, "CM"), (2.4, 3.6, "G7")]


def test_an_upbeat_before_the_first_beat_gets_a_chord(chorder: object) -> None:
    beats = Beats(times_s=np.array([1.0, 1.5, 2.0, 2.5]), positions=np.array([1, 2, 3, 4]))
    notes = blocks((0.0, 1.0, G7), (1.0, 3.0, C))
    named = name_chords(notes, beats, model=chorder)  # type: ignore[arg-type]
    assert spans(named) == [(0.0, 1.0, "G7"), (1.0, 3.0, "CM")]


def test_a_chord_does_not_begin_before_the_recording(chorder: object) -> None:
    beats = Beats(times_s=np.array([0.99, 1.99, 2.99]), positions=np.array([1, 2, 3]))
    notes = blocks((0.0, 2.99, C))
    named = name_chords(notes, beats, model=chorder)  # type: ignore[arg-type]
    assert spans(named) == [(0.0, 2.99, "CM")]


def test_silence_and_half_diminished_chords_are_gaps(chorder: object) -> None:
    notes = blocks((0, 1, C), (2, 3, (47, 62, 65, 69, 74, 81)), (3, 4, C))
    named = name_chords(notes, steady(8), model=chorder)  # type: ignore[arg-type]
    assert spans(named) == [(0, 1, "CM"), (3, 4, "CM")]


def test_all_twelve_roots_are_named(chorder: object) -> None:
    for root, name in enumerate(SYMMV_ROOTS):
        notes = blocks((0, 2, tuple(p + root for p in C)))
        named = name_chords(notes, steady(4), model=chorder)  # type: ignore[arg-type]
        assert named.labels == (f"{name}M",)


def test_no_notes_have_no_chords(chorder: object) -> None:
    named = name_chords(Notes([], [], [], []), steady(4), model=chorder)  # type: ignore[arg-type]
    assert named.labels == ()


def test_one_beat_is_a_rejection(chorder: object) -> None:
    with pytest.raises(RejectEntry) as caught:
        name_chords(blocks((0, 1, C)), steady(1), model=chorder)  # type: ignore[arg-type]
    assert caught.value.reason is Reason.NO_BEATS


@pytest.mark.long
@pytest.mark.twin("test_complete_chords_keep_the_released_ones_and_name_what_those_leave_out")
def test_the_released_chord_files_are_reproduced_and_completed(
    chorder: object, shared_data: Path
) -> None:
    files = sorted((shared_data / "symmv/texture").glob("*.mid"))
    assert len(files) == 60
    differ, roots = [], set()
    for path in files:
        notes, beats, model = read_notes(path), read_beats(path), Once(chorder)
        released, complete = (
            name_chords(notes, beats, variant=variant, model=model)  # type: ignore[arg-type]
            for variant in ("released", "complete")
        )
        lines = [
            f"{a * TICKS_PER_S:.0f} {b * TICKS_PER_S:.0f} {label}"
            for a, b, label in spans(released)
        ]
        text = (shared_data / "symmv/chord" / f"{path.stem.removesuffix('_new')}.txt").read_text()
        if lines != [line.strip() for line in text.splitlines() if line.strip()]:
            differ.append(path.stem)
        assert set(complete.labels) <= set(SYMMV_LABELS)
        ours = by_beat(complete)
        assert all(ours[beat] == label for beat, label in by_beat(released).items()), path.stem
        roots |= {label[:2] for label in ours.values()}
    assert differ == []
    assert {"Eb", "Bb"} <= roots


def test_complete_chords_keep_the_released_ones_and_name_what_those_leave_out(
    chorder: object,
) -> None:
    """One chord a beat of every root and three qualities: the release has ten of the roots."""
    shapes = [tuple(p + root for p in shape) for shape in (C, G7, AM) for root in range(12)]
    notes = blocks(*((float(n), n + 1.0, shape) for n, shape in enumerate(shapes)))
    beats, model = steady(2 * len(shapes)), Once(chorder)
    released, complete = (
        by_beat(name_chords(notes, beats, variant=variant, model=model))  # type: ignore[arg-type]
        for variant in ("released", "complete")
    )
    assert released.items() < complete.items()
    assert set(complete.values()) <= set(SYMMV_LABELS)
    assert {"Eb", "Bb"} <= {label[:2] for label in complete.values()}


class Once:
    """The model's first answer, given again: both variants begin with the same one."""

    def __init__(self, model: object) -> None:
        self.model, self.answer = model, None

    def name(self, *notes: object, **more: object) -> object:
        if self.answer is None:
            self.answer = self.model.name(*notes, **more)  # type: ignore
        return self.answer


def by_beat(chords: Chords) -> dict[int, str]:
    return {
        beat: label
        for start, end, label in spans(chords)
        for beat in range(round(start * 2), round(end * 2))
    }


class StandIn(StandInModel, ChordRecogniser):
    rate_hz = 8000
    mono = True

    def __init__(self, *found: tuple[float, float, str]) -> None:
        self.found = Chords(
            np.array([f[0] for f in found]),
            np.array([f[1] for f in found]),
            tuple(f[2] for f in found),
        )

    def recognise(self, samples: NDArray[np.float32]) -> Chords:
        assert samples.shape[1] == 1
        return self.found


def sound(folder: Path, duration_s: float) -> Path:
    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(bytes(2 * round(8000 * duration_s)))
    return path


def recognise(path: Path, model: StandIn, hop_s: float = 1.0) -> Chords:
    chords: Chords = heard(path, hear_chords(hop_s=hop_s, model=model), probe_music(path))
    return chords


def test_each_second_has_the_label_that_covers_most_of_it(tmp_path: Path) -> None:
    model = StandIn((0, 1.4, "C"), (1.4, 1.7, "G:7"), (1.7, 2.1, "C"), (2.1, 9.0, "A:min7"))
    chords = recognise(sound(tmp_path, 3.5), model)
    assert spans(chords) == [
        (0, 1, "C"), (1, 2, "C"), (2, 3, "A:min7"), (3, 3.5, "A:min7"),
    ]  # fmt: skip


def test_what_the_model_leaves_open_is_no_chord(tmp_path: Path) -> None:
    chords = recognise(sound(tmp_path, 3), StandIn((0.6, 1.6, "C")))
    assert chords.labels == ("N", "C", "N")


def test_a_finer_grid_can_be_asked_for(tmp_path: Path) -> None:
    model = StandIn((0, 0.5, "C"), (0.5, 2, "D"))
    assert recognise(sound(tmp_path, 1), model, hop_s=0.5).labels == ("C", "D")


def test_a_quality_sounds_its_own_intervals() -> None:
    chords = Chords(np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]), ("B:dim7", "N", "B:hdim7", "C"))
    notes = voice_chords(chords)
    voiced = {t: notes.pitches[notes.starts_s == t].tolist() for t in (0, 1, 2, 3)}
    assert voiced == {0: [71, 74, 77, 80], 1: [], 2: [71, 74, 77, 81], 3: [60, 64, 67]}


@pytest.mark.parametrize("labels", [(), ("N",), ("N", "N")])
def test_music_without_a_chord_is_put_aside_for_that(labels: tuple[str, ...]) -> None:
    times = list(range(len(labels)))
    with pytest.raises(RejectEntry, match="no chord was found") as error:
        voice_chords(Chords(np.array(times), np.array([time + 1 for time in times]), labels))
    assert error.value.reason == Reason.NO_CHORDS


def test_chords_move_to_c_major_or_a_minor() -> None:
    chords = Chords(np.array([0, 1, 2]), np.array([1, 2, 3]), ("E", "N", "B:7"))
    assert normalise_chords(chords, Key("E", "major", 1.0)).labels == ("C", "N", "G:7")
    assert normalise_chords(chords, Key("C#", "minor", 1.0)).labels == ("C", "N", "G:7")
    assert normalise_chords(chords, Key("E-", "major", 1.0)).labels == ("C#", "N", "G#:7")


def test_every_label_can_be_voiced_and_moved() -> None:
    times = np.arange(157.0)
    chords = Chords(times, times + 1, MUVISYNC_LABELS)
    assert len(np.unique(voice_chords(chords).starts_s)) == 156
    assert sorted(normalise_chords(chords, Key("F#", "major", 1)).labels) == sorted(MUVISYNC_LABELS)
