"""Lists of labelled videos (YouTube-8M, MusicCaps, AIST++): ids, labels, splits, and mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from symmv_builder.datasets.imports import published_licence, recipe, scan
from symmv_builder.datasets.imports.tree import Tree
from symmv_builder.errors import MalformedFile, UnknownName
from tests.datasets.imports.small_releases import Call, Read

CAPTIONS = """\
ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,extra,is_audioset_eval
-0Gj8-vB1q4,30,40,"/m/0140xf,/m/02cjck","['slow', 'piano']","A slow, sad piano.",4,False,True
_xyZ12345AB,0,10,/m/0140xf,['fast'],A fast one.,5,False,False
"""
VOCABULARY = "Index,KnowledgeGraphId,Name\n0,/m/03,Game\n11,/m/02,Music video\n7,/m/01,\n"
VIDEOS = "id,labels\nnXSc,0 11\n0sf943sWZl1,7\nABCD,11\n"
TRAIN = "gBR_sBM_cAll_d04_mBR0_ch01\ngPO_sFM_cAll_d10_mPO1_ch02\ngPO_sFM_cAll_d11_mPO1_ch03\n"


def write(folder: Path, **files: str) -> Path:
    """Files of these contents; of a name ``__`` is a slash, and the last ``_`` a dot."""
    for name, text in files.items():
        path = folder / ".".join(name.rsplit("_", 1)).replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def musiccaps(folder: Path, text: str = CAPTIONS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "musiccaps-public.csv").write_text(text, encoding="utf-8")
    return folder


def youtube_8m(folder: Path, **changed: str) -> Path:
    files = {"vocabulary_csv": VOCABULARY, "videos_csv": VIDEOS}
    answer = 'i("nXSc","0sf943sWZls");\n'
    return write(folder, **(files | {"ids__nXSc_js": answer} | changed))


def aist(folder: Path, **changed: str) -> Path:
    files = {
        "splits__crossmodal_train_txt": TRAIN,
        "splits__crossmodal_test_txt": "gHO_sBM_cAll_d20_mHO5_ch01\n",
        "ignore_list_txt": "gPO_sFM_cAll_d11_mPO1_ch03\n",
    }
    return write(folder, **(files | changed))


def said(tree: Tree) -> dict[str, dict[str, object]]:
    """What the list says of each video, by its address."""
    return {s.entry.video.url: json.loads(s.texts["labels.json"]) for s in tree.songs}


def test_captions_become_entries_to_fetch_with_their_seconds_and_split(tmp_path: Path) -> None:
    tree = scan("musiccaps", musiccaps(tmp_path))
    slow, fast = tree.songs
    assert slow.entry.video == slow.entry.music
    assert said(tree)["https://www.youtube.com/watch?v=-0Gj8-vB1q4"] == {
        "labels": ["slow", "piano"],
        "caption": "A slow, sad piano.",
        "start_s": 30.0,
        "end_s": 40.0,
    }
    assert tree.splits == {slow.entry.song_id: "test", fast.entry.song_id: "train"}


def test_short_ids_are_those_that_the_site_explains(tmp_path: Path) -> None:
    tree = scan("youtube-8m", youtube_8m(tmp_path))
    labels = {url[-11:]: each["labels"] for url, each in said(tree).items()}
    assert labels == {"0sf943sWZls": ["Game", "Music video"], "0sf943sWZl1": ["label 7"]}
    assert tree.left_out == ("1 short ids that no .js explains",)
    [song] = scan("youtube-8m", tmp_path, label="music video").songs
    assert song.entry.entry_id == "0sf943sWZls"
    with pytest.raises(UnknownName, match="Musik"):
        scan("youtube-8m", tmp_path, label="Musik")


def test_a_name_of_a_dance_says_genre_situation_and_music(tmp_path: Path) -> None:
    tree = scan("aist", aist(tmp_path))
    assert said(tree)["file:gBR_sBM_c01_d04_mBR0_ch01"]["labels"] == [
        *("dance", "break", "basic dance", "music BR0")
    ]
    assert tree.splits == {"BR0": "train", "PO1": "train", "HO5": "test"}
    assert tree.left_out == ("1 dances of ignore_list.txt",)
    assert len(tree.songs) == 3


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("musiccaps", lambda p: p, "holds no musiccaps-public.csv"),
        (
            "musiccaps",
            lambda p: musiccaps(p, CAPTIONS.replace("_xyZ12345AB", "xyz")),
            "line 3: column ytid: 'xyz' is no id",
        ),
        (
            "musiccaps",
            lambda p: musiccaps(p, CAPTIONS.replace(",30,40,", ",30,30,")),
            "line 2: column end_s: 30 s is no later",
        ),
        (
            "musiccaps",
            lambda p: musiccaps(p, CAPTIONS.replace(",0,10,", ",nan,10,")),
            "line 3: column start_s: 'nan'",
        ),
        (
            "musiccaps",
            lambda p: musiccaps(p, CAPTIONS.replace("['fast']", "__import__('os')")),
            "line 3: column aspect_list: this should be a list",
        ),
        (
            "musiccaps",
            lambda p: musiccaps(p, CAPTIONS.replace("False,True", "False,yes")),
            "line 2: column is_audioset_eval: 'yes'",
        ),
        (
            "musiccaps",
            lambda p: musiccaps(p, CAPTIONS.replace("_xyZ12345AB", "-0Gj8-vB1q4")),
            "line 3: -0Gj8-vB1q4 stands in line 2, too",
        ),
        ("youtube-8m", lambda p: p, "holds no vocabulary.csv"),
        (
            "youtube-8m",
            lambda p: youtube_8m(p, videos_csv="id,labels\nnXSc,0 12\n"),
            "line 2: column labels: '12' is no number of vocabulary.csv",
        ),
        (
            "youtube-8m",
            lambda p: youtube_8m(p, videos_csv="id,labels\nsomething,0\n"),
            "line 2: column id: 'something' is no id",
        ),
        (
            "youtube-8m",
            lambda p: youtube_8m(p, vocabulary_csv="Index,Name\nx,Game\n"),
            "line 2: column index: 'x' is no number",
        ),
        ("youtube-8m", lambda p: youtube_8m(p, a_js="alert(1)\n"), "a.js, line 1: column 1: this"),
        ("aist", lambda p: p, "holds no splits/crossmodal_train.txt"),
        (
            "aist",
            lambda p: aist(p, splits__crossmodal_val_txt="\n gXX_sBM_cAll_d04_mBR0_ch01\n"),
            "line 2: column 2: 'gXX_sBM_cAll_d04_mBR0_ch01' is no name",
        ),
        (
            "aist",
            lambda p: aist(p, splits__crossmodal_val_txt="gBR_sBM_cAll_d05_mBR0_ch01\n"),
            "line 1: column 1: the music BR0 is in train, too",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_where(
    name: str, make: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    with pytest.raises(MalformedFile) as error:
        scan(name, make(tmp_path))
    assert message in str(error.value)


@pytest.mark.parametrize(("name", "make"), [("musiccaps", musiccaps), ("aist", aist)])
def test_a_list_is_a_dataset_of_labels_until_its_recordings_are_there(
    name: str, make: Callable[[Path], Path], tmp_path: Path, call: Call, read: Read
) -> None:
    code, told, _ = call("import", name, make(tmp_path / name), "--root", tmp_path / "root")
    assert code == 0
    assert f"{name}: {2 if name == 'musiccaps' else 3} made, 0 rejected" in told
    _, rows = read(tmp_path / "root", name)
    assert all(row["labels"] for row in rows)
    assert not {"video_sha256", "music_sha256"} & set(rows[0])
    assert published_licence(name)
    assert {use.makes for use in recipe(name).uses} == {"labels", "music_asset", "video_asset"}
