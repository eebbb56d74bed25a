"""Tables as spreadsheet programs save them, and what is said of those that cannot be read."""

import csv
import io
from pathlib import Path

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.tables import last_column, read_table

ROWS = [["music", "video", "title"], ["a.wav", "b.mp4", "Café, live"], ["c.wav", "d.mp4", ""]]


def written(delimiter: str = ",", end: str = "\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(ROWS)
    return text.getvalue()


def values(folder: Path, data: bytes) -> list[list[str]]:
    path = folder / "pairs.csv"
    path.write_bytes(data)
    return [[row[name] for name in ROWS[0]] for row in read_table(path, ("music", "video"))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_a_table_is_read_however_it_was_saved(
    delimiter: str, end: str, encoding: str, tmp_path: Path
) -> None:
    assert values(tmp_path, written(delimiter, end).encode(encoding)) == ROWS[1:]


@pytest.mark.parametrize(
    "text",
    [
        ' Music , VIDEO ,title\n\n a.wav ,\tb.mp4 , "Café, live" \n , , \n\nc.wav,d.mp4\n\n',
        "sep=;\nmusic;video;title;;\na.wav;b.mp4;Café, live;;\n;;;;\nc.wav;d.mp4;;;\n",
        'title,video,music\n"Café, live",b.mp4,a.wav\n,d.mp4,c.wav\n',
    ],
)
def test_capitals_blanks_and_empty_lines_do_not_count(text: str, tmp_path: Path) -> None:
    assert values(tmp_path, text.encode()) == ROWS[1:]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n;;\n", "is empty"),
        (b"musik,video\na,b\n", "line 1: the columns are musik, video; it needs music, video"),
        (b"music,video,Music\na,b,c\n", "line 1: a column is named twice"),
        (b"music,video\na,b\n\na,b,c\n", "line 4: 3 values for 2 columns"),
        (b'music,video\na,b\n"a,b\nc,d\n', "line 3: a quotation mark is not closed"),
        (b"music,video\n" + b"a" * 200_000 + b",b\n", "line 2: field larger"),
        (b"PK\x03\x04\0\0\0\0", "it holds NUL"),
        (b"\xff\xfea", "is no table"),
    ],
)
def test_what_cannot_be_read_is_one_line(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match=said) as caught:
        values(tmp_path, data)
    assert "pairs.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_knows_the_line_on_which_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('music,video,title\n\na,b,"two\nlines"\nc,d,\n')
    rows = read_table(path, ("music",))
    assert [(row.number, row["title"]) for row in rows] == [(3, "two\nlines"), (5, "")]
    assert rows[0]["of no such column"] == ""


@pytest.mark.parametrize("mark", ["\t", ";", ","])
def test_the_last_column_of_a_list(mark: str) -> None:
    assert last_column(f" 001-A Title {mark} KFNEtO7fO9M \n") == ("001-A Title", "KFNEtO7fO9M")
    assert last_column("nothing") == ("nothing", "")
