"""Contact sheets and piano rolls: PNGs that hold something, whatever the text."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from symmv_builder.records import Beats, Chords, FeatureTrack, Key, Notes, Parts
from symmv_builder.report.contact_sheet import draw_contact_sheet, tints
from symmv_builder.report.ink import clock_time, plain
from symmv_builder.report.piano_roll import draw_piano_roll
from symmv_builder.report.piece_picture import Shown, draw_pieces, frame_times
from symmv_builder.timeline import Clock

HOSTILE = "$x_1$ \\frac [bold] %s \x1b[31m\n{0}"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def shares(path: Path, colour: tuple[int, int, int], tolerance: int = 40) -> float:
    away = np.abs(pixels(path).astype(int) - colour).max(axis=2)
    return float((away <= tolerance).mean())


def frames(count: int) -> list[tuple[float, np.ndarray]]:
    return [(2.0 * n, np.full((48, 80, 3), (0, 160, 90), np.uint8)) for n in range(count)]


def tracks() -> dict[str, FeatureTrack]:
    rng = np.random.default_rng(0)
    emotion = rng.dirichlet(np.ones(6), 20).astype(np.float32)
    red = np.zeros((20, 3, 8, 8), np.float32)
    red[:, 0, 6, 6] = 1.0
    return {
        "motion": FeatureTrack("motion", 1.0, rng.random((20, 1)).astype(np.float32), Clock.VIDEO),
        "emotion": FeatureTrack("emotion", 1.0, emotion, Clock.VIDEO),
        "colour": FeatureTrack("colour", 1.0, red.reshape(20, -1), Clock.VIDEO),
    }


def test_a_contact_sheet_shows_its_frames_and_tracks(tmp_path: Path) -> None:
    path = tmp_path / "sheets" / "a.png"
    draw_contact_sheet(path, frames(7), [2.0 * n for n in range(1, 7)], title=HOSTILE,
                       duration_s=20.0, **tracks())  # fmt: skip
    assert shares(path, (0, 160, 90), 4) > 0.25
    assert shares(path, (255, 19, 19), 45) > 0.02
    assert [each.name for each in path.parent.iterdir()] == ["a.png"]


def test_a_contact_sheet_of_one_scene_and_one_of_very_many(tmp_path: Path) -> None:
    draw_contact_sheet(tmp_path / "one.png", frames(1), [], title="one", duration_s=3.0)
    many = [float(n) for n in range(1, 300)]
    draw_contact_sheet(tmp_path / "many.png", frames(300), many, title="many", duration_s=600.0)
    assert pixels(tmp_path / "one.png").shape[0] < pixels(tmp_path / "many.png").shape[0] < 2500


def test_a_contact_sheet_needs_a_frame(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        draw_contact_sheet(tmp_path / "x.png", [], [], title="x", duration_s=1.0)


def test_tints_are_the_colours_that_a_histogram_counts() -> None:
    white, reddish = np.zeros((3, 9, 9), np.float32), np.zeros((3, 9, 9), np.float32)
    white[0, 4, 4] = 0.4
    reddish[0, 8, 8] = 0.4
    assert tints(white.ravel()) == pytest.approx(np.ones((48, 3)))
    assert tints(reddish.ravel())[0] == pytest.approx([1.0, np.exp(-3), np.exp(-3)])
    with pytest.raises(ValueError, match="RGB-uv"):
        tints(np.ones(10, np.float32))


def music() -> tuple[Notes, Parts, Beats, Chords]:
    starts = np.arange(40) * 0.5
    pitches = np.where(np.arange(40) % 2, 48, 76)
    notes = Notes(
        np.asarray(starts, np.float64),
        np.asarray(starts + 0.45, np.float64),
        pitches,
        np.full(40, 90),
        pedal_starts_s=np.array([1.0]),
        pedal_ends_s=np.array([3.0]),
    )
    steps = np.arange(40) * 2
    parts = Parts(
        np.asarray(starts, np.float64),
        np.asarray(starts + 0.45, np.float64),
        pitches,
        np.full(40, 90),
        steps,
        np.full(40, 2),
        pitches > 60,
    )
    beats = Beats(np.asarray(starts, np.float64), np.arange(40) % 4 + 1)
    labels = tuple(("Am", "F#:min7", "N", "Dbsus4", "$?$")[n % 5] for n in range(40))
    return (
        notes,
        parts,
        beats,
        Chords(np.asarray(starts, np.float64), np.asarray(starts + 0.5, np.float64), labels),
    )


def test_a_piano_roll_shows_melody_and_accompaniment_in_two_colours(tmp_path: Path) -> None:
    notes, parts, beats, chords = music()
    both, plain_roll = tmp_path / "both.png", tmp_path / "plain.png"
    draw_piano_roll(both, notes, parts=parts, beats=beats, chords=chords,
                    key=Key("B-", "minor", 0.9), title=HOSTILE)  # fmt: skip
    draw_piano_roll(plain_roll, notes, title="b")
    for colour in ((209, 73, 91), (45, 106, 159)):
        assert shares(both, colour) > 0.003
    assert shares(plain_roll, (209, 73, 91)) < 0.0005
    assert shares(plain_roll, (45, 106, 159)) > 0.006


def test_a_piano_roll_of_nothing_is_an_empty_staff(tmp_path: Path) -> None:
    draw_piano_roll(
        tmp_path / "a.png",
        Notes(np.array([]), np.array([]), np.array([]), np.array([])),
        title="nothing",
        chords=Chords(np.array([]), np.array([]), ()),
        beats=Beats(np.array([]), np.array([])),
    )
    assert pixels(tmp_path / "a.png").std() > 1


def test_a_longer_roll_has_more_lines(tmp_path: Path) -> None:
    notes, *_ = music()
    for name, seconds in (("short", 10.0), ("long", 40.0)):
        draw_piano_roll(tmp_path / f"{name}.png", notes, title=name, seconds=seconds)
    short, long = (pixels(tmp_path / f"{name}.png").shape[0] for name in ("short", "long"))
    assert long > 1.5 * short


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    notes, *_ = music()
    for name in ("a", "b"):
        draw_piano_roll(tmp_path / name, notes, title="same", seconds=5.0)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_text_is_one_printable_line_of_bounded_length() -> None:
    assert plain("a\x1b[31m\nb") == "a\ufffd[31m b"
    assert len(plain("x" * 500, 20)) == 20
    assert clock_time(75.26) == "1:15.3"
    assert clock_time(59.97) == "1:00.0"


def test_pieces_stand_under_the_frames_and_cuts_of_their_video(tmp_path: Path) -> None:
    notes, parts, beats, chords = music()
    loudness = np.linspace(0.01, 0.2, 20)
    one = Shown(HOSTILE, notes, parts, beats, chords, loudness)
    green = np.full((48, 80, 3), (0, 160, 90), np.uint8)
    shots = [(time_s, green) for time_s in frame_times(20.0)]
    paths = [tmp_path / f"{name}.png" for name in ("one", "cut", "two", "bare")]
    draw_pieces(paths[0], [one], title=HOSTILE, seconds=20.0, frames=shots)
    cuts = [1.0 * n for n in range(20)]
    draw_pieces(paths[1], [one], title=HOSTILE, seconds=20.0, frames=shots, cuts_s=cuts)
    draw_pieces(paths[2], [one, Shown("b", notes)], title="x", seconds=20.0, frames=shots)
    draw_pieces(paths[3], [Shown("b", notes)], title="x", seconds=20.0)
    assert shares(paths[0], (0, 160, 90), 4) > 0.1
    cut = (224, 160, 48)
    assert shares(paths[1], cut, 30) > shares(paths[0], cut, 30) + 0.001
    heights = [pixels(path).shape[0] for path in paths]
    assert heights[3] < heights[0] == heights[1] < heights[2]
    with pytest.raises(ValueError, match="one at least"):
        draw_pieces(tmp_path / "none.png", [], title="x", seconds=1.0)


def test_a_long_piece_has_longer_lines_and_no_more_of_them(tmp_path: Path) -> None:
    notes, *_ = music()
    for name, seconds in (("five", 300.0), ("sixty", 3600.0)):
        draw_pieces(tmp_path / f"{name}.png", [Shown("a", notes)], title="a", seconds=seconds)
    assert pixels(tmp_path / "five.png").shape == pixels(tmp_path / "sixty.png").shape
    assert len(frame_times(3600.0)) == len(frame_times(300.0)) == 40
