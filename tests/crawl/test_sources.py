"""Lists of sources as people write them, right and wrong."""

from pathlib import Path

import pytest

from symmv_builder.crawl.sources import default_sources, read_id_list, read_sources
from symmv_builder.crawl.titles import Habits, parse_title
from symmv_builder.errors import StopRun


def written(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sources_of_the_package_can_be_read_and_are_reviewed() -> None:
    for dataset in ("symmv", "muvisync"):
        sources = read_sources(default_sources(dataset))
        assert sources
        assert all(source.reviewed for source in sources)
    assert sum(s.kind == "channel" for s in read_sources(default_sources("symmv"))) > 9


def test_a_source_carries_its_habits(tmp_path: Path) -> None:
    text = """
[[search]]
ref = "piano cover"

[[channel]]
ref = "@Someone"
order = "title-artist"
strip = ["Someone plays"]
separators = ["~"]

[[ids]]
file = "list.txt"
site = "demo"
"""
    search, channel, ids = read_sources(written(tmp_path, text))
    assert (search.kind, search.ref, search.habits) == ("search", "piano cover", Habits())
    assert channel.habits == Habits("title-artist", ("Someone plays",), ("~",))
    assert (ids.file, ids.site) == (tmp_path / "list.txt", "demo")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[channel]\n", "not TOML"),
        ('\n[[chanel]]\nref = "x"\n', "line 2: no source is of kind 'chanel'"),
        ('\n[channel]\nref = "x"\n', "line 2: write [[channel]], with two brackets"),
        ('\n\n[[channel]]\nname = "x"\n', "line 3: [[channel]]: ref is missing"),
        ('[[channel]]\nref = "x"\noder = "auto"\n', "line 3: [[channel]]: unknown key 'oder'"),
        (
            '[[channel]]\nref = "x"\nkinds = ["film", "opera"]\n',
            "line 3: [[channel]]: no video is of kind 'opera'; known: mv, film",
        ),
        (
            '[[channel]]\nref = "x"\norder = "backwards"\n',
            "line 3: [[channel]]: order is 'backwards'",
        ),
        (
            '[[channel]]\nref = "x"\nstrip = "y"\n',
            "line 3: [[channel]]: strip must be a list of texts",
        ),
        ("[[channel]]\nref = 5\n", "line 2: [[channel]]: ref must be a text"),
        ('[[ids]]\nref = "x"\nfile = "y"\n', "line 1: [[ids]]: give either ref"),
        ('[[feed]]\nref = "x"\n[[feed]]\nref = "y"\nsit = "z"\n', "line 5: [[feed]]: unknown key"),
        ('[[feed]]\nref = "x"\nfile = "y"\n', "line 3: [[feed]]: file is for ids alone"),
        ('[[channel]]\nref = "x"\n[[channel]]\nref = "X"\n', "line 3: channel X is listed twice"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StopRun) as caught:
        read_sources(written(tmp_path, text))
    assert said in str(caught.value)
    assert "sources.toml" in str(caught.value)


def test_an_id_list_becomes_listings_with_its_file_names_undone(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(
        "001-AC_DC - Thunderstruck (Official Video)\tv2AC41dglnM\r\n\n"
        "002-AronChupa - I'm an Albatraoz _ OFFICIAL VIDEO\tBznxx12Ptl0\n",
        encoding="utf-8",
    )
    first, second = read_id_list(path)
    assert first.source.video_id == "v2AC41dglnM"
    assert parse_title(first.title).artist == "AC/DC"
    assert parse_title(second.title).title == "I'm an Albatraoz"


@pytest.mark.parametrize("line", ["001-No tab here", "001-Title\tshort", "\tv2AC41dglnM"])
def test_a_wrong_line_of_an_id_list_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(f"001-A - B\tv2AC41dglnM\n{line}\n", encoding="utf-8")
    with pytest.raises(StopRun, match="line 2"):
        read_id_list(path)


def test_a_missing_file_stops_the_run(tmp_path: Path) -> None:
    for read in (read_sources, read_id_list):
        with pytest.raises(StopRun, match=r"cannot (be )?read"):
            read(tmp_path / "missing")


@pytest.mark.twin("test_an_id_list_becomes_listings_with_its_file_names_undone")
def test_every_row_of_a_published_list_is_read(shared_data: Path) -> None:
    found = read_id_list(shared_data / "muvisync" / "idlist_odd_rows.txt")
    assert len(found) == 374
    assert len({one.source for one in found}) == 374


def test_the_lists_of_a_checkout_are_those_of_the_package() -> None:
    root = Path(__file__).parents[2]
    in_package = {f.stem: f.read_text() for f in (root / "symmv_builder/sources").glob("*.toml")}
    folders = [folder for folder in (root / "manifests").iterdir() if folder.is_dir()]
    assert {f.name: (f / "sources.toml").read_text() for f in folders} == in_package
