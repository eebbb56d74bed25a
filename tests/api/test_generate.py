"""`symmv_builder.generate` by the package's own model: files, links, and what cannot be scored."""

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import symmv_builder as sb
from symmv_builder import cli
from symmv_builder.api.generating import Order, Videos, write
from symmv_builder.api.take_writer import _progress
from symmv_builder.backends import clip
from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav import probe
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.crawl.links import is_link, source_of
from symmv_builder.datasets.seen import cuts_of, watch_files
from symmv_builder.demo.catalogue import Failure, Upload
from symmv_builder.demo.site import Site
from symmv_builder.records import Source
from symmv_builder.settings import read_settings
from symmv_builder.storage import manifests
from symmv_builder.storage.items import Items
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from tests.loopback import CHANNEL, make_video, running, video_id

GOOD, GONE, MUTE = (Source("demo", video_id(n)) for n in (1, 2, 3))
RATE = 12
# Shots of a video of 24 s: the bars of 100 beats to the minute, where the motion says another.
CUTS_S = (2 * 2.4, 5 * 2.4, 6 * 2.4)


def call(*words: object) -> int:
    sys.argv = ["symmv", "generate", *map(str, words)]
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def write_shots(path: Path, cuts_s: tuple[float, ...], seconds: float) -> Path:
    """Shots of unlike colours, in each of which fine grain moves a little."""
    rng = np.random.default_rng(5)
    edges = [round(cut * RATE) for cut in cuts_s]
    colours = ((40, 60, 160), (190, 120, 40), (60, 150, 70), (200, 200, 180))
    grain = rng.integers(0, 32, (48, 96, 3))
    shots = [(np.array(c) + grain).astype(np.uint8) for c in colours[: len(edges) + 1]]
    frames = (
        np.roll(shots[int(np.searchsorted(edges, n, side="right"))], n % 3, axis=1)[:, :64]
        for n in range(round(seconds * RATE))
    )
    write_video(path, frames, frame_rate=Fraction(RATE), preset="ultrafast")
    return path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("desk")
    write_shots(place / "shots.mp4", CUTS_S, 24.0)
    make_video(place / "silent.mp4", with_sound=False)
    make_video(place / "loud.mp4")
    return place


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYMMV_SITES", "demo")
    monkeypatch.setenv("SYMMV_ROOT", str(tmp_path / "data"))


@pytest.fixture
def site(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    sources = (GOOD, GONE, MUTE)
    uploads = (Upload(s.video_id, "A holiday", CHANNEL.name, desk / "loud.mp4") for s in sources)
    with running(monkeypatch, *uploads) as running_site:
        running_site.fail(Failure.REMOVED, GONE.video_id)
        running_site.fail(Failure.BOT_CHECK, MUTE.video_id)
        yield running_site


def test_progress_says_what_is_watched_written_and_what_follows(desk: Path) -> None:
    told: list[tuple[int, int, str]] = []
    pieces = write(
        Videos.of([str(desk / "shots.mp4")]),
        None,
        Order(seed=3, seconds=4.0),
        Path("generated"),
        read_settings(),
        refuse=lambda video, error: pytest.fail(f"{video}: {error}"),
        tell=lambda done, of, what: told.append((done, of, what)),
    )
    assert len(list(pieces)) == 1
    assert told[0] == (0, 0, "watching shots.mp4")
    assert told[-1] == (1, 1, "writing sound and video of shots")
    composing = [(done, what) for done, of, what in told if of == 100]
    assert composing == sorted(composing, key=lambda each: each[0])
    assert {what for _, what in composing} == {
        f"{stage}, piece 1 of 1" for stage in ("chord", "melody", "accompaniment")
    }
    assert len(composing) + 1 + len([of for _, of, _ in told if not of]) == len(told)
    # So a take is told in a browser.
    shown = [_progress(*each) for each in told]
    assert shown[0] == {"share": 0.0, "doing": "looking at the video"}
    assert shown[-1]["doing"] == "writing: sound, score and video"
    assert "writing: melody" in {each["doing"] for each in shown}


def test_a_video_alone_is_enough_and_nothing_is_asked_of_a_network(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model or the network was asked for")

    monkeypatch.setattr(clip.VitB32, "identify", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    [files] = sb.generate(desk / "shots.mp4", seed=3)
    assert [path.suffix for path in files] == [".mid", ".wav", ".mp4", ".png", ".json"]
    facts = json.loads(files[-1].read_text())
    assert facts["run"] == "starter"
    assert all(word in facts["about_model"] for word in ("POP909", "MIT", "no video"))
    # Cuts lie on bars of a tempo near that of the motion, and the end on the last of them.
    assert facts["cuts_s"] == pytest.approx(CUTS_S, abs=1 / RATE)
    assert facts["cuts_on_bars"] == 3
    assert facts["tempo_bpm"] == pytest.approx(100.0)
    notes = read_notes(files[0])
    assert notes.starts_s.max() == pytest.approx(9 * 2.4, abs=0.05)
    assert notes.ends_s.max() == pytest.approx(24.0, abs=0.01)
    scored = probe(files[2], "0" * 64)
    assert scored.duration_s == pytest.approx(24.0, abs=0.05)
    sound = probe(files[1], "0" * 64)
    assert sound.duration_s == pytest.approx(24.0, abs=1e-3)
    assert files[3].read_bytes().startswith(b"\x89PNG")


def test_cuts_are_found_for_models_that_do_not_read_them(desk: Path) -> None:
    """Every piece is shown under the cuts of its video, whatever of it the model saw."""
    blind: Any = SimpleNamespace(dataset="symmv", reads=frozenset(), learned_from=())
    refused: list[object] = []
    [video] = watch_files(
        [desk / "shots.mp4"], blind, read_settings().home, {}, lambda *of: refused.append(of)
    )
    assert cuts_of(video.row) == pytest.approx(CUTS_S, abs=1 / RATE)
    assert cuts_of({}) is None
    assert refused == []


def test_a_steady_piece_keeps_its_tempo(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(desk / "silent.mp4", "--steady", "--tempo", 133, "--no-picture") == 0
    said = capsys.readouterr()
    assert "POP909" in said.err
    assert "133 bpm; mid wav mp4 json" in said.out
    facts = json.loads(Path("generated/silent.json").read_text())
    assert "tempo_map" not in facts


def test_a_link_is_fetched_and_scored_and_nothing_of_it_is_kept(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(GOOD.url, "--no-picture") == 0, capsys.readouterr().err
    made = sorted(path.name for path in Path("generated").iterdir())
    assert made == [f"demo-{GOOD.video_id}.{kind}" for kind in ("json", "mid", "mp4", "wav")]
    assert [path.name for path in tmp_path.iterdir()] == ["generated"]


def test_a_link_that_is_refused_is_one_line_and_the_others_go_on(
    site: Site, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(GONE.url, desk / "silent.mp4", "--no-picture") == 1
    said = capsys.readouterr()
    assert f"symmv: {GONE.url}: video_removed: " in said.err
    assert said.out.startswith("generated/silent: 2.0 s")


def test_what_was_taken_down_is_not_fetched(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    manifests.block(Root(str(tmp_path / "data")), [GOOD], "asked by its owner", {})
    assert call(GOOD.url) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == (
        f"symmv: {GOOD.url}: copyright: it was taken down and is not fetched again: asked by its "
        "owner"
    )
    assert not site.visits()


def test_a_refusal_keeps_everybody_away(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    assert call(MUTE.url) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
    known = Items(Ledger(f"sqlite:///{tmp_path}/data/ledger.sqlite")).breaker("network")
    assert known is not None
    assert call(GOOD.url) == 1
    assert "the site refuses us; the network rests for another" in capsys.readouterr().err


def test_a_site_that_is_not_crawled_is_refused_before_anything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("https://youtu.be/jNQXAC9IVRw") == 2
    assert "is of a site that is not crawled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("link", "source"),
    [
        ("https://www.youtube.com/watch?v=jNQXAC9IVRw", ("youtube", "jNQXAC9IVRw")),
        ("https://youtube.com/watch?list=PL1&v=jNQXAC9IVRw&t=4s", ("youtube", "jNQXAC9IVRw")),
        ("http://m.youtube.com/watch?v=jNQXAC9IVRw#x", ("youtube", "jNQXAC9IVRw")),
        ("https://youtu.be/jNQXAC9IVRw?si=abc", ("youtube", "jNQXAC9IVRw")),
        ("https://www.youtube.com/shorts/jNQXAC9IVRw", ("youtube", "jNQXAC9IVRw")),
        ("https://www.bilibili.com/video/BV1xx411c7mD/?p=1", ("bilibili", "BV1xx411c7mD")),
    ],
)
def test_a_link_means_its_id_alone(link: str, source: tuple[str, str]) -> None:
    assert is_link(link)
    assert source_of(link) == Source(*source)


@pytest.mark.parametrize(
    "link",
    [
        "https://youtube.com.evil.example/watch?v=jNQXAC9IVRw",
        "https://evil.example/https://youtu.be/jNQXAC9IVRw",
        "https://user:secret@youtu.be/jNQXAC9IVRw",
        "https://youtu.be/jNQXAC9IVRw1",
        "https://youtu.be/../../etc",
        "https://www.youtube.com/watch?x=1#&v=jNQXAC9IVRw",
        "https://www.youtube.com/playlist?list=PL123456789012",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
    ],
)
def test_a_link_to_anything_else_is_refused(link: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert is_link(link)
    assert call(link) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "is no link to a video" in line
    assert "secret" not in line


def test_names_of_files_are_no_links() -> None:
    assert not any(is_link(name) for name in ("a.mp4", "C:\\a.mp4", "./x/y.mp4", "a:b.mp4", ""))


def broken(place: Path, desk: Path, kind: str) -> Path:
    """A file that no music can be written for."""
    path = place / f"{kind}.mp4"
    if kind == "sound":
        path = path.with_suffix(".wav")
        write_sound(path, np.zeros((44100, 1), np.float32), 44100)
    elif kind == "text":
        path.write_text("not a video")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        whole = (desk / "shots.mp4").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("sound", 1, "no_video: "),
        ("text", 1, "not_media: "),
        ("empty", 1, "empty_file: "),
        ("cut", 1, "unreadable: "),
        ("folder", 2, "is not a file"),
        ("nothing", 2, "is not a file"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(
    kind: str, code: int, says: str, desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = broken(tmp_path, desk, kind)
    assert call(path) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("symmv: ")]
    [line] = [line for line in lines if "POP909" not in line]
    assert line.startswith(f"symmv: {path}")
    assert says in line
    assert not Path("generated").exists()


def test_a_tenth_of_a_second_is_scored(desk: Path, tmp_path: Path) -> None:
    write_shots(tmp_path / "blink.mp4", (), 0.1)
    assert call(tmp_path / "blink.mp4", "--no-picture") == 0
    sound = probe(Path("generated/blink.wav"), "0" * 64)
    assert sound.duration_s == pytest.approx(
        probe(tmp_path / "blink.mp4", "0" * 64).duration_s, abs=0.02
    )


def test_a_video_that_is_there_already_is_told_before_anything_is_watched(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("generated").mkdir()
    Path("generated/silent.png").write_text("a picture of one's own")
    assert call(desk / "silent.mp4") == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "silent.png is there and was not made by this" in line
