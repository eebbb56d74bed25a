"""Timed lines out of the subtitles of a file, and into a file from a site's listing."""

from pathlib import Path

import pytest

from symmv_builder.backends import pyav
from symmv_builder.backends.pyav.captioned import add_captions
from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.backends.ytdlp.captions import choose
from symmv_builder.between import between
from symmv_builder.clips import Clip
from symmv_builder.crawl.fetch import fetch
from symmv_builder.demo.catalogue import Upload
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Source
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.video.lyrics import read_lyrics
from tests.loopback import CHANNEL, make_sound, make_video, running, video_id

VTT = """\
WEBVTT

00:00:00.250 --> 00:00:00.750
<i>Guten</i> Morgen,
Grüße

00:00:01.000 --> 00:00:01.500
\u001b[31m♪ la {x} ♪
"""
SRT = "1\n00:00:00,250 --> 00:00:00,750\nGuten Morgen\n\n2\n00:00:01,000 --> 00:00:01,500\nla\n"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    vtt, srt = folder / "words.vtt", folder / "words.srt"
    vtt.write_text(VTT, encoding="utf-8")
    srt.write_text(SRT, encoding="utf-8")
    sound = make_sound(folder / "sound.flac", seconds=2.0)
    return {
        "vtt": vtt,
        "srt": srt,
        "video": make_video(folder / "v.mp4"),
        "sound": sound,
    }


def packets(path: Path) -> list[tuple[str, bytes]]:
    """Every packet of pictures and sound, by the kind of its stream."""
    import av

    with av.open(str(path)) as container:
        read = [(p.stream.type, bytes(p)) for p in container.demux() if p.size]
    return sorted(pair for pair in read if pair[0] in ("audio", "video"))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_lines_are_read_out_of_a_file_whose_streams_stay_as_they_are(
    media: dict[str, Path], tmp_path: Path, suffix: str
) -> None:
    import av

    film = tmp_path / f"film{suffix}"
    with av.open(str(media["video"])) as source, av.open(str(film), "w") as target:
        copies = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    assert not len(read_lyrics(film).texts)
    before, facts = packets(film), pyav.probe(film, "0" * 64)
    assert add_captions(film, media["vtt"], "deu")
    assert packets(film) == before
    after = pyav.probe(film, "0" * 64)
    assert after.duration_s == pytest.approx(facts.duration_s, abs=0.002)
    lines = read_lyrics(film)
    assert lines.starts_s.tolist() == [0.25, 1.0]
    assert lines.ends_s.tolist() == [0.75, 1.5]
    assert lines.texts[0] == "Guten Morgen, Grüße"
    assert "\u001b" not in lines.texts[1]
    assert "la" in lines.texts[1]
    assert lines.language == "deu"
    # Once more, as after a crash in the middle: still one stream.
    assert add_captions(film, media["srt"], "deu")
    with av.open(str(film)) as container:
        assert len(container.streams.subtitles) == 1


def test_a_clip_has_the_lines_that_are_shown_in_it(media: dict[str, Path], tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(media["video"].read_bytes())
    assert add_captions(film, media["srt"], "deu")
    clip = Clip(0.5, 1.25, 0.5, 1.25, 0)
    lines = between(read_lyrics(film), clip)
    assert lines.texts == ("Guten Morgen", "la")
    assert lines.starts_s.tolist() == [0.0, 0.5]
    assert lines.ends_s.tolist() == [0.25, 0.75]


def test_what_is_no_subtitle_and_what_takes_none_changes_nothing(
    media: dict[str, Path], tmp_path: Path
) -> None:
    film, damaged = tmp_path / "film.mp4", tmp_path / "words.vtt"
    film.write_bytes(media["video"].read_bytes())
    damaged.write_bytes(b"\xff\xfe no subtitles \x00")
    assert not add_captions(film, damaged, "deu")
    assert film.read_bytes() == media["video"].read_bytes()
    assert not add_captions(media["sound"], media["vtt"], "deu")
    assert not list(tmp_path.glob("*captioned*"))
    with pytest.raises(RejectEntry) as caught:
        read_lyrics(damaged)
    assert caught.value.reason is Reason.NOT_MEDIA


def test_what_people_wrote_in_the_videos_own_language_is_taken_first() -> None:
    track = [{"ext": "json3", "url": "x"}, {"ext": "vtt", "url": "y"}]
    info = {
        "language": "de-DE",
        "subtitles": {"live_chat": track, "en": track, "de": track},
        "automatic_captions": {"fr": track},
    }
    assert choose(info) == ("de", track[1], "vtt")
    assert choose({**info, "language": None}) == ("en", track[1], "vtt")
    assert choose({"automatic_captions": {"fr": track}}) is None
    assert choose({"subtitles": {"../../x": track}}) is None


def test_a_crawl_brings_the_subtitles_of_the_listing_where_it_is_to(
    media: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_words, without, broken, plain = (video_id(n) for n in range(4))
    gone = tmp_path / "gone.vtt"
    gone.write_text("no subtitles")
    words = (("de", media["vtt"]),)
    uploads = (
        Upload(with_words, "A song", CHANNEL.name, media["video"], captions=words),
        Upload(without, "Another", CHANNEL.name, media["video"]),
        Upload(broken, "A third", CHANNEL.name, media["video"], captions=(("de", gone),)),
        Upload(plain, "A fourth", CHANNEL.name, media["video"], captions=words),
    )
    root, ledger = Root(str(tmp_path / "root")), Ledger("sqlite://")
    lines = {}
    with running(monkeypatch, *uploads):
        downloader = Downloader(LOOPBACK, sites=["demo"])
        for name in (with_words, without, broken, plain):
            source = Source("demo", name)
            done = fetch(
                downloader, source, root, ledger, kind="video", captions=name != plain,
                staging=tmp_path / "staging",
            )  # fmt: skip
            with open_asset(root, done.sha256) as path:
                lines[name] = read_lyrics(path)
    assert lines[with_words].texts[0] == "Guten Morgen, Grüße"
    assert lines[with_words].language == "deu"
    assert lines[without].texts == lines[broken].texts == lines[plain].texts == ()
