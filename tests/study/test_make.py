"""A study is made blind, whole or not at all, and its file is read strictly."""

import io
import json
import re
import wave
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.api import study
from symmv_builder.errors import MalformedFile, NotFound, OutputExists
from symmv_builder.study import tones
from symmv_builder.study.config import read_config
from symmv_builder.study.key import read_key
from tests.study.making import answer, clip, made_study, pieces

MODELS = {"ourmodel": 2, "theirmodel": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    title = '</title><script>alert("x")</script>\u202e\x1b[31m'
    return made_study(folder, MODELS, questions="symmv", title=title, consent="<img src=x>\n& so")


def data_of(site: Path) -> Any:
    [found] = re.findall(r'data-study="([^"]*)"', (site / "index.html").read_text())
    return json.loads(unescape(found))


def test_raters_see_no_name_of_a_model_or_a_video(made: Path) -> None:
    site = made / "site"
    for path in site.iterdir():
        assert re.fullmatch(r"[0-9a-f]{16}\.(mp4|wav)|index\.html|study\.(js|css)", path.name)
        data = path.read_bytes()
        assert not any(name in data for name in (b"ourmodel", b"theirmodel", b"video0", b"take1"))
        assert str(made.parent).encode() not in data


def test_the_right_answers_of_checks_are_not_in_the_site(made: Path) -> None:
    data, key = data_of(made / "site"), read_key(made)
    assert set(data["checks"]) == set(key.checks)
    assert all(isinstance(file, str) for file in data["checks"].values())
    assert "quietest" not in data
    sizes = {(made / "site" / file).stat().st_size for file in data["checks"].values()}
    assert len(sizes) == 1


def test_the_page_runs_its_own_script_alone_and_texts_are_texts(made: Path) -> None:
    text = (made / "site" / "index.html").read_text()
    assert "default-src 'none'; script-src 'self'" in text
    assert "unsafe" not in text
    assert re.findall(r"<script[^>]*>", text) == ['<script src="study.js">']
    assert "<img" not in text
    assert not re.search(r"https?://", text)
    assert data_of(made / "site")["consent"] == ["<img src=x>", "& so"]


def test_sessions_of_the_page_are_those_of_the_key(made: Path) -> None:
    """Whichever piece is written first, the one that stands first is the one of the key."""
    data, key = data_of(made / "site"), read_key(made)
    files: dict[str, set[str]] = {}
    for session, shown in zip(data["sessions"], key.sessions, strict=True):
        for (name, swapped), each in zip(session, shown, strict=True):
            assert name == key.named(each)
            if name in key.checks:
                continue
            media = data["trials"][name]["media"]
            first = media[::-1][0] if swapped else media[0]
            model, video = key.trials[name].pieces[int(each.is_swapped)]
            files.setdefault(f"{model} {video}", set()).add(first)
    assert len(files) == 4
    assert all(len(names) == 1 for names in files.values())


def test_metadata_is_wiped_and_the_rest_is_as_it_was(made: Path, tmp_path: Path) -> None:
    from symmv_builder.study.blind_mp4 import copy_blind

    source = clip(tmp_path / "a.mp4", 1)
    data = source.read_bytes()
    box = b"SECRETMODEL"
    extra = (8 + len(box)).to_bytes(4, "big") + b"uuid" + box
    source.write_bytes(data + extra)
    copy_blind(source, tmp_path / "b.mp4")
    blind = (tmp_path / "b.mp4").read_bytes()
    assert len(blind) == len(data) + len(extra)
    assert b"SECRETMODEL" not in blind
    assert b"udta" in data
    assert b"udta" not in blind
    start = data.index(b"mdat")
    assert blind[start : start + 500] == data[start : start + 500]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no MP4"),
        (b"RIFF" + b"x" * 50, "no MP4"),
        (b"\0\0\0\x10ftypisom\0\0\0\0", "no index"),
        (b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x04moov", "damaged"),
        (b"\0\0\0\x10ftypisom\0\0\0\0" + b"\xff\xff\xff\xffmoov", "damaged"),
    ],
)
def test_what_is_no_mp4_is_refused_and_nothing_is_left(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    pieces(tmp_path, MODELS)
    (tmp_path / "pieces" / "ourmodel" / "video1.take1.mp4").write_bytes(data)
    (tmp_path / "s.toml").write_text(
        'models = ["pieces/ourmodel", "pieces/theirmodel"]\nquestions = "v2meow"\n'
    )
    with pytest.raises(MalformedFile, match=problem):
        study.make(tmp_path / "s.toml", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "pieces", "s.toml"]


def test_a_study_is_replaced_when_asked_and_never_with_answers(tmp_path: Path) -> None:
    folder = made_study(tmp_path, MODELS, questions="v2meow")
    config = tmp_path / "study.toml"
    before = read_key(folder).study
    with pytest.raises(OutputExists, match="holds a study"):
        study.make(config, folder)
    study.make(config, folder, overwrite=True)
    assert read_key(folder).study != before
    answer(folder, folder / "answers", 1, lambda *_: 1)
    with pytest.raises(OutputExists, match="answers of raters"):
        study.make(config, folder, overwrite=True)
    with pytest.raises(OutputExists, match="no study"):
        study.make(config, tmp_path / "pieces", overwrite=True)


def test_videos_of_one_model_alone_are_named_and_two_pieces_for_one_video_refused(
    tmp_path: Path,
) -> None:
    pieces(tmp_path, {"a": 3, "b": 1})
    config = tmp_path / "s.toml"
    config.write_text('models = ["pieces/a", "pieces/b"]\nquestions = "v2meow"\n')
    made = study.make(config, tmp_path / "study")
    assert (made.units, len(made.left_out)) == (1, 2)
    clip(tmp_path / "pieces" / "b" / "video0.other.mp4", 3)
    with pytest.raises(MalformedFile, match="two pieces for the video 'video0'"):
        study.make(config, tmp_path / "again")
    (tmp_path / "pieces" / "none").mkdir()
    config.write_text('models = ["pieces/a", "pieces/none"]\nquestions = "v2meow"\n')
    with pytest.raises(NotFound, match=r"VIDEO\.mp4"):
        study.make(config, tmp_path / "again")


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('colour = "red"', 2, "colour"),
        ("raters = 0", 2, "raters"),
        ('raters = "many"', 2, "raters"),
        ("hear = 2", 2, "hear"),
        ("hear = nan", 2, "hear"),
        ('questions = "mine"', 2, "questions"),
        ('headphones = "yes"', 2, "headphones"),
        ('against = "nobody"', 2, "against"),
        ('table = "nowhere.csv"', 2, "table"),
        ('[[question]]\nname = "Bad Name"\ntext = "?"', 3, "question.name"),
        ('[[question]]\nname = "ok"\ntext = "?"\npoints = 99', 5, "question.points"),
        ('[[question]]\nname = "ok"\ntext = "?"\nkind = "trio"', 5, "question.kind"),
        ('[[question]]\nname = "ok"\nwords = "?"', 4, "question.words"),
        ("title = ", 2, ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(
    tmp_path: Path, text: str, line: int, key: str
) -> None:
    for model in MODELS:
        (tmp_path / model).mkdir()
    path = tmp_path / "study.toml"
    path.write_text(f'models = ["ourmodel", "theirmodel"]\n{text}\n')
    with pytest.raises(MalformedFile) as caught:
        read_config(path)
    assert (caught.value.line, caught.value.key) == (line, key)


def test_models_and_questions_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "a").mkdir(parents=True)
    path = tmp_path / "study.toml"
    for text, problem in (
        ('questions = "symmv"', "the folder of one model"),
        ('models = ["c"]', "not a folder"),
        ('models = ["a", "b/a"]\nquestions = "symmv"', "two folders are called 'a'"),
        ('models = ["a"]', "no question is asked"),
        ('models = ["a"]\nquestions = "symmv"', "folders of two models"),
        (
            'models = ["a", "b"]\nquestions = "symmv"\n[[question]]\nname = "melody"\ntext = "?"',
            "two questions are called 'melody'",
        ),
    ):
        path.write_text(text)
        with pytest.raises(MalformedFile, match=problem):
            read_config(path)


def samples(data: bytes) -> Any:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768


def test_the_headphone_check_has_a_quieter_tone_and_one_in_opposite_phase() -> None:
    sound = samples(tones.headphone_check(quietest=2, antiphase=0))
    span = round((tones.TONE_S + tones.SILENCE_S) * tones.RATE_HZ)
    first, middle, last = (sound[place * span : place * span + tones.RATE_HZ] for place in range(3))
    assert np.allclose(first[:, 0], -first[:, 1], atol=1e-4)
    assert np.allclose(middle[:, 0], middle[:, 1])
    level = [20 * np.log10(np.sqrt((part[:, 0] ** 2).mean())) for part in (first, middle, last)]
    assert level[1] - level[0] == pytest.approx(0, abs=0.01)
    assert level[2] - level[1] == pytest.approx(-6, abs=0.01)
    # In the air the two channels of the first one cancel.
    assert np.abs(first.sum(axis=1)).max() < 1e-3
    spectrum = np.abs(np.fft.rfft(middle[:, 0]))
    assert np.argmax(spectrum) == 200
    with pytest.raises(ValueError, match="two of three"):
        tones.headphone_check(1, 1)


def test_tones_to_count_are_as_many_as_they_should_be() -> None:
    for count in range(1, tones.MOST_COUNTED + 1):
        loud = np.abs(samples(tones.tones_to_count(count))[:, 0]) > 0.15
        starts = np.flatnonzero(loud)
        assert (np.diff(starts) > tones.RATE_HZ * 0.2).sum() + 1 == count
