"""Music is ordered for a video that is sent or linked: takes, passages, files, limits, owners."""

import json
import re
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import SubtitleSet

from symmv_builder.api import take_writer, takes
from symmv_builder.api.generating import Videos, WrittenPiece
from symmv_builder.api.take_writer import Studio, write_take
from symmv_builder.api.takes import Takes, Wishes
from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav.opening import Limits
from symmv_builder.demo.catalogue import Upload
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.records import Source
from symmv_builder.settings import read_settings
from symmv_builder.storage import manifests
from symmv_builder.training.composing import Piece
from symmv_builder.web.guard import HEADERS, UPLOADS
from tests.backends.test_soundtrack import HEADER
from tests.loopback import CHANNEL, running, video_id
from tests.report.hostile import STORED
from tests.web.rooms import Visitor, text_of
from tests.web.standin_take import REFUSE
from tests.web.studio import SECONDS, House, make_piece, make_video, send_video, states

ANN, BOB = "the token of a person called Ann", "the token of another one"


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_piece(tmp_path_factory.mktemp("made"))


@pytest.fixture
def house(tmp_path: Path, piece: Path) -> House:
    (tmp_path / "piece").symlink_to(piece)
    return House(tmp_path)


@pytest.fixture
def guest(house: House) -> Visitor:
    return house.visitor()


@pytest.fixture
def video(piece: Path) -> Path:
    return piece.parent / "video.mp4"


@pytest.fixture
def at(house: House, guest: Visitor, video: Path) -> str:
    """A project with two takes that are done."""
    at = send_video(guest, video, key="A minor", tempo="90", density="1.5", takes="2", follow="yes")
    house.writer.write_all()  # type: ignore[attr-defined]
    return at


def wishes(house: House) -> list[Wishes]:
    [project] = house.takes.projects("local")
    return [take.wishes for take in project.takes]


def test_what_a_form_orders_is_what_the_model_is_asked(house: House, at: str) -> None:
    options = {"tempo": 90.0, "density": 1.5}
    assert wishes(house) == [Wishes("", "A minor", "", seed, None, options) for seed in (1, 2)]
    [project] = house.takes.projects("local")
    assert (project.title, project.link) == ("holiday.mp4", "")
    assert at == f"/compose/{project.name}"


def test_a_take_stands_beside_its_roll_with_its_files(guest: Visitor, at: str) -> None:
    page = guest.get(at)
    assert "Take 2" in page
    assert page.count('class="melody"') == 10
    assert page.count('class="note"') == 2
    assert page.count("shot ") >= 2
    assert "Am, 1.50 to 3.00 s" in page
    for kind, kept in takes.KINDS.items():
        answer = guest.client.get(f"{at}/1/{kind}?keep=yes")
        assert answer.headers["content-type"].partition(";")[0] == kept
        assert answer.headers["content-disposition"] == f'attachment; filename="take-1.{kind}"'
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert len(answer.content) > 100
    part = guest.client.get(f"{at}/1/mp4", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert part.headers["content-disposition"] == "inline"
    for kind in ("json", "take.json", "%2e%2e%2ftake.json", "png"):
        assert guest.client.get(f"{at}/1/{kind}").status_code == 404, kind
    for number in ("3", "0", "-1", "x", "9" * 30, ".part-1", "%2e%2e%2f1"):
        assert guest.client.get(f"{at}/{number}/mp4").status_code == 404, number


def test_a_passage_keeps_what_its_take_was_ordered_with(
    house: House, guest: Visitor, at: str
) -> None:
    guest.get(at)
    form = {"from": "0.5", "to": "2", "seed": "9", "density": "2", "temperature": "0.8"}
    guest.send(f"{at}/2/passage", 303, **form)
    ordered = wishes(house)[-1]
    assert ordered == Wishes("", "", "", 9, 0.8, {"density": 2.0}, "", (2, 0.5, 2.0))
    assert "0.5 to 2 s of take 2 anew" in guest.get(at)
    for wrong in ({"from": ""}, {"to": "0.5"}, {"from": "x"}, {"to": "1e400"}, {"seed": "nan"}):
        guest.send(f"{at}/2/passage", 400, **(form | wrong))
    # The new one is not done yet.
    guest.send(f"{at}/3/passage", 400, **form)
    assert len(wishes(house)) == 3


def test_another_take_may_differ_in_all_that_can_be_ordered(
    house: House, guest: Visitor, at: str
) -> None:
    page = guest.get(at)
    assert 'name="seed" value="3"' in page
    (house.folder / "sounds").mkdir()
    (house.folder / "sounds" / "church organ.sf2").write_bytes(b"RIFF")
    guest.send(f"{at}/takes", seed="7", primer="Am F", soundfont="church organ.sf2", model="")
    assert wishes(house)[-1] == Wishes(
        "", "", "Am F", 7, None, {"follow": False}, "church organ.sf2"
    )
    assert "seed 7, chords Am F, steady, sound church organ.sf2" in guest.get(at)
    for wrong in (
        {"soundfont": "../../x.sf2"}, {"model": "../x"}, {"model": "nothing"}, {"key": "H minor"},
        {"tempo": "9000"}, {"tempo": "fast"}, {"density": "-1"}, {"takes": "6"}, {"seed": "1e99"},
    ):  # fmt: skip
        answer = guest.client.post(
            f"{at}/takes", data={"word": guest.word, **wrong}, headers={"origin": guest.origin}
        )
        assert answer.status_code in (400, 404), wrong
    assert len(wishes(house)) == 3


def test_takes_and_projects_are_deleted(house: House, guest: Visitor, at: str) -> None:
    guest.get(at)
    guest.send(f"{at}/1/delete")
    assert states(guest, at) == ["done"]
    guest.send(f"{at}/delete")
    assert guest.client.get(at).status_code == 404
    assert list((house.takes.folder / "local").iterdir()) == []


def test_takes_outlive_their_model_and_files_that_nobody_can_read(
    house: House, guest: Visitor, at: str
) -> None:
    [project] = house.takes.projects("local")
    held = project.folder / "2" / "take.json"
    held.write_text(held.read_text().replace('"model": ""', '"model": "gone"'))
    page = guest.get(at)
    assert "The model gone is not on this server any more." in page
    assert f'href="{at}/2/mp4?keep=yes"' in page
    held.write_text("")
    guest.send(f"{at}/takes")
    assert states(guest, at) == ["done", "waiting"]
    (project.folder / "project.json").write_text('{"title": "x", "made_s": "now"}')
    assert "Nothing was written for you yet" in guest.get("/compose")


def test_what_was_refused_is_told_without_places_of_this_machine(
    house: House, guest: Visitor, video: Path
) -> None:
    at = send_video(guest, video, primer=REFUSE)
    house.writer.write_all()  # type: ignore[attr-defined]
    text = text_of(guest.get(at + "?take=1"))
    assert "the file is no video" in text


def test_what_was_refused_names_the_fields_of_the_form(
    house: House, guest: Visitor, at: str
) -> None:
    [project] = house.takes.projects("local")
    refused = "the chords of `primer` say the key: leave out `key`, or `density`, not `<b>`"
    takes.write_state(replace(project.takes[0], state="failed", line=refused))
    text = text_of(guest.get(at))
    told = "the chords of “Chords to begin with” say the key: leave out “Key”, or “Density (1"
    assert told in text
    assert "`<b>`" in text


def test_hostile_names_are_texts_and_never_paths(house: House, guest: Visitor, video: Path) -> None:
    for name in ("../../evil.mp4", "/etc/passwd", "C:\\x\\..\\y.mp4", "\u202egpj.4pm", "a" * 900):
        send_video(guest, video, name=name)
    guest.get("/compose")
    send_video(guest, video, name=STORED.replace("\x1b", ""))
    files = {path.relative_to(house.folder).parts[0] for path in house.folder.rglob("*")}
    assert files <= {"takes", "piece", "root"}
    names = {path.name for path in (house.takes.folder / "local").iterdir()}
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in names)
    for place in ("/compose", *(f"/compose/{name}" for name in names)):
        page = guest.get(place)
        assert "<script>" not in page
        assert "\u202e" not in page
        assert re.search(r"<[^>]*\son\w+=", page) is None
    assert any("&lt;script&gt;" in guest.get(f"/compose/{name}") for name in names)


def test_a_form_is_refused_before_its_video_is_stored(
    house: House, guest: Visitor, video: Path
) -> None:
    guest.get("/compose")
    files = {"video": ("v.mp4", video.read_bytes(), "video/mp4")}
    ours = {"origin": guest.origin}
    for word, headers in ((guest.word, {"origin": "http://evil.example"}), (guest.word, {}),
                          ("0" * 64, ours), ("", ours)):  # fmt: skip
        answer = guest.client.post("/compose", data={"word": word}, files=files, headers=headers)
        assert answer.status_code == 403
    # A word behind the file is none.
    late: Any = [("video", ("v.mp4", b"x" * 100, "video/mp4")), ("word", (None, guest.word))]
    assert guest.client.post("/compose", files=late, headers=ours).status_code == 403
    for path in ("/name", "/review/x/y", "/compose/0123456789abcdef/takes", "/compose/"):
        sent = guest.client.post(path, data={"word": guest.word}, files=files, headers=ours)
        assert sent.status_code == 415, path
    length = {"content-length": str(UPLOADS["/compose"] + 1)}
    kind = {"content-type": "multipart/form-data; boundary=x"}
    sent = guest.client.post("/compose", content=b"", headers=ours | kind | length)
    assert sent.status_code == 413
    assert not list(house.takes.folder.rglob("*.json"))
    assert not list(house.takes.folder.rglob("*video*"))


def test_one_video_or_one_link_is_needed(house: House, guest: Visitor, video: Path) -> None:
    guest.get("/compose")
    ours = {"origin": guest.origin}
    empty = {"video": ("", b"", "application/octet-stream")}
    for fields, files, line in (
        ({}, empty, "choose a video"),
        ({"link": "https://youtu.be/jNQXAC9IVRw"}, {"video": ("v.mp4", b"x", "")}, "not both"),
        ({"link": "https://example.org/video"}, empty, "no link"),
        ({"link": "file:///etc/passwd"}, empty, "give the page"),
        ({"link": "holiday.mp4"}, empty, "give the page"),
        ({}, {"video": ("v.mp4", b"", "")}, "choose a video"),
    ):
        data = {"word": guest.word, "seed": "1", **fields}
        answer = guest.client.post("/compose", data=data, files=files, headers=ours)
        assert answer.status_code == 400, answer.text
        assert line in answer.text
    two = [("video", ("a.mp4", b"x", "")), ("video", ("b.mp4", b"x", ""))]
    data = {"word": guest.word}
    answer = guest.client.post("/compose", data=data, files=two, headers=ours)
    assert answer.status_code == 400
    assert house.takes.projects("local") == []
    assert list((house.takes.folder / "local").iterdir()) == []
    send_video(guest, video)


def test_a_link_is_fetched_by_the_rules_of_the_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: Path
) -> None:
    settings = read_settings({"HOME": str(tmp_path), "SYMMV_SITES": "demo"}, root=str(tmp_path))
    found = Takes(tmp_path / "takes")
    with pytest.raises(StopRun, match="of a site that is not crawled"):
        found.linked("local", "https://youtu.be/jNQXAC9IVRw", settings.sites)
    assert not (tmp_path / "takes").exists()
    written: list[Path] = []

    def write(videos: Videos, *_: object, **__: object) -> list[WrittenPiece]:
        written.extend(videos.files)
        return [WrittenPiece(Piece("video", {}, 120.0, SECONDS, {"notes": {}}), [], None)]

    monkeypatch.setattr(take_writer, "write", write)
    source = Source("demo", video_id(1))
    project = found.linked("local", source.url, settings.sites)
    take, studio = found.order(project, Wishes()), Studio(settings, tmp_path / "runs")
    with running(monkeypatch, Upload(source.video_id, "A holiday", CHANNEL.name, video)):
        write_take(project, take, studio)
    # Once: for the next take the video is here, and the site is not there any more.
    write_take(project, take, studio)
    assert written == [project.video] * 2
    assert project.video.stat().st_size > 1000
    # What was taken down is not fetched.
    manifests.block(settings.open_store().manifests, [source], "asked", {})
    other = found.linked("local", source.url, settings.sites)
    with pytest.raises(RejectEntry, match="taken down"):
        write_take(other, found.order(other, Wishes()), studio)


def test_nobody_sees_what_another_person_composes(house: House, video: Path) -> None:
    both = f"{ANN}, {BOB}"
    ann, bob, again = (house.visitor(token, both) for token in (ANN, BOB, ANN))
    at = send_video(ann, video, name="private.mp4")
    house.writer.write_all()  # type: ignore[attr-defined]
    assert "private.mp4" in ann.get("/compose")
    # The same person in another browser, and after a start of the server that has another secret.
    assert "private.mp4" in again.get("/compose")
    assert states(again, at) == ["done"]
    assert "private.mp4" not in bob.get("/compose")
    for path in (at, f"{at}/state", f"{at}/1/mp4", f"{at}/1/wav?keep=yes", f"{at}?take=1"):
        assert bob.client.get(path).status_code == 404, path
    for form in ("takes", "delete", "1/passage", "1/stop", "1/delete"):
        bob.get("/compose")
        bob.send(f"{at}/{form}", 404, **{"from": "0", "to": "1", "seed": "1"})
    assert states(ann, at) == ["done"]
    stranger = house.visitor(tokens=both)
    answer = stranger.client.get(f"{at}/1/mp4", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    # What a browser keeps is signed with the person's name in it: another name lets nobody in.
    kept = dict(bob.client.cookies)
    owner, _, signature = kept["access-8000"].partition(".")
    hers = ann.client.cookies["access-8000"].partition(".")[0]
    assert owner != hers
    for word, status in ((kept["access-8000"], 200), (f"{hers}.{signature}", 303)):
        bob.client.cookies.clear()
        for name, value in (kept | {"access-8000": word}).items():
            bob.client.cookies.set(name, value)
        assert bob.client.get("/compose", follow_redirects=False).status_code == status


def test_there_are_limits_on_the_disk_and_on_what_waits(
    house: House, guest: Visitor, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = send_video(guest, video, takes="5")
    guest.get(at)
    guest.send(f"{at}/takes", takes="5", seed="1")
    guest.send(f"{at}/takes", 400, seed="1")
    assert "10 of your takes wait" in send_video(guest, video, status=400)
    house.writer.write_all()  # type: ignore[attr-defined]
    assert len(house.takes.projects("local")) == 1
    house.takes.most_bytes = house.takes.used_bytes() + 100
    assert "there is no room" in send_video(guest, video, status=400)
    monkeypatch.setattr(takes, "MOST_PROJECTS", 1)
    house.takes.most_bytes = 2**30
    assert "delete some first" in send_video(guest, video, status=400)


def test_a_model_is_asked_what_it_heeds_alone(house: House, guest: Visitor) -> None:
    page = guest.get("/compose")
    for name in ("key", "primer", "tempo", "density", "follow", "temperature", "seed", "takes"):
        assert f'name="{name}"' in page
    for name in ("regressor", "pattern", "control", "soundfont"):
        assert f'name="{name}"' not in page
    assert 'name="model"' not in page.partition('action="/compose"')[0]
    assert guest.client.get("/compose?model=../../etc").status_code == 404
    # Trained ones are chosen first: what a form asks follows from the model's configuration.
    for name, kind, config in (
        ("mine", "amt", {"model": "amt"}),
        ("blind", "amt", {"model": "transformer"}),
        ("chains", "markov", {}),
        ("busyness", "regressor", {}),
    ):
        place = house.folder / "runs" / name / "best"
        place.mkdir(parents=True)
        about = json.dumps({"kind": kind, "config": config})
        (place / "checkpoint.json").write_text(about)
    page = guest.get("/compose?model=mine")
    listed = re.findall(r"<option[^>]*>([^<]*)", page.partition("</form>")[0])
    assert listed == ["The starter model", "blind", "chains", "mine"]
    asked = {
        model: set(re.findall(r'name="([a-z_]+)"', guest.get(f"/compose?model={model}")))
        for model in ("mine", "blind", "chains")
    }
    assert {"regressor", "pattern", "style", "density", "primer"} <= asked["mine"]
    assert not {"tempo", "follow"} & asked["mine"]
    assert asked["mine"] - asked["blind"] == {"regressor", "density"}
    assert not {"primer", "temperature"} & asked["chains"]
    assert guest.client.get("/compose?model=busyness").status_code == 400


@pytest.mark.parametrize(
    "contents", [b"<html><script>alert(1)</script>", b"\0" * 4096, b"RIFF...."]
)
def test_what_is_no_video_fails_in_one_line(tmp_path: Path, contents: bytes) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, root=str(tmp_path / "root"))
    found = Takes(tmp_path / "takes")
    with found.receiving("local") as place:
        place.write_bytes(contents)
        project = found.keep("local", place, "page.html")
    take = found.order(project, Wishes())
    with pytest.raises(RejectEntry):
        write_take(project, take, Studio(settings, tmp_path / "runs"))


def test_a_video_may_not_last_longer_than_the_page_says(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, root=str(tmp_path / "root"))
    found = Takes(tmp_path / "takes")
    with found.receiving("local") as place:
        place.write_bytes(video.read_bytes())
        project = found.keep("local", place, "")
    assert project.title == "a video"
    limits = Limits(max_duration_s=SECONDS - 1)
    monkeypatch.setattr(take_writer, "_LIMITS", limits)
    with pytest.raises(RejectEntry, match="too_long"):
        write_take(project, found.order(project, Wishes()), Studio(settings, tmp_path))


def test_the_starter_model_writes_for_a_video_and_leaves_its_subtitles(tmp_path: Path) -> None:
    """The one real run: a video with subtitles, a take, and a passage of it anew."""
    settings = read_settings({"HOME": str(tmp_path)}, root=str(tmp_path / "root"))
    found, studio = Takes(tmp_path / "takes"), Studio(settings, tmp_path / "runs")
    with found.receiving("local") as place:
        place.write_bytes(subtitled(make_video(tmp_path / "plain.mp4")))
        project = found.keep("local", place, "holiday.mp4")
    first = found.order(project, Wishes(seed=3, options={"tempo": 120.0, "density": 2.0}))
    assert "notes" in write_take(project, first, studio)
    mp4 = first.file("mp4")
    assert mp4 is not None
    with av.open(str(mp4)) as container:
        [track] = container.streams.subtitles
        lines = [bytes(packet)[2:] for packet in container.demux(track) if packet.size > 2]
        assert lines == [b"Guten Morgen"]
        assert len(container.streams.audio) == 1
    assert first.file("musicxml") is not None
    assert {"notes", "chords", "beats", "scenes", "parts"} <= set(first.records())
    # Of a video in which nobody looked for cuts no shot is claimed.
    told = json.loads(first.receipt.read_text())
    del told["cuts_s"]
    first.receipt.write_text(json.dumps(told))
    assert "scenes" not in first.records()
    project = found.project("local", project.name)
    second = found.order(project, Wishes(seed=4, passage=(1, 0.9, 2.1)))
    write_take(project, second, studio)
    old, new = (read_notes(take.receipt.with_suffix(".mid")) for take in (first, second))
    kept = [(each.starts_s < 0.99) | (each.starts_s >= 1.99) for each in (old, new)]
    for name in ("starts_s", "ends_s", "pitches", "velocities"):
        assert np.array_equal(getattr(old, name)[kept[0]], getattr(new, name)[kept[1]])


def subtitled(video: Path) -> bytes:
    """A video with a line of text in it, as MP4."""
    out = BytesIO()
    with av.open(str(video)) as source, av.open(out, "w", format="mp4") as target:
        pictures = target.add_stream_from_template(source.streams.video[0])
        text = target.add_stream("mov_text")
        assert isinstance(text.codec_context, SubtitleCodecContext)
        text.codec_context.time_base = Fraction(1, 1000)
        text.codec_context.subtitle_header = HEADER
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                target.mux(packet)
        said = b"0,0,Default,,0,0,0,,Guten Morgen"
        line = text.codec_context.encode_subtitle(SubtitleSet.create(said, 0, 1000))
        line.stream, line.time_base = text, Fraction(1, 1000)
        line.pts = line.dts = 500
        line.duration = 1000
        target.mux(line)
    return out.getvalue()
