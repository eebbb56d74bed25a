"""Entries as lines, and splits that belong to songs and do not move."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmv_builder.errors import StopRun
from symmv_builder.records import Entry, Listing, Source
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.manifests import (
    assign_splits,
    block,
    check_splits,
    read_blocklist,
    read_entries,
    read_splits,
    write_entries,
    write_splits,
)
from symmv_builder.storage.releases import find_releases
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

SYMMV = {"train": 1000, "validation": 70, "test": 70}
MUVISYNC = {"train": 8, "validation": 1, "test": 1}


def entry(name: str) -> Entry:
    video, music = Source("youtube", "KFNEtO7fO9M"), Source("file", f"{name}.cover")
    return Entry(name, "symmv", f"song-of-{name}", video=video, music=music)


def test_entries_come_back_sorted_one_a_line(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    assert read_entries(root, "symmv") == []
    write_entries(root, "symmv", [entry("b"), entry("a")])
    assert read_entries(root, "symmv") == [entry("a"), entry("b")]
    assert len((tmp_path / "symmv" / "entries.jsonl").read_text().splitlines()) == 2


LISTING = Listing(
    Source("youtube", "KFNEtO7fO9M"), "A song", "A band", categories=("Music",), view_count=7,
    language="en", licence="Creative Commons Attribution licence (reuse allowed)",
)  # fmt: skip


def test_what_a_site_said_of_a_video_stays_with_the_entry(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    told = replace(entry("a"), listing=LISTING)
    write_entries(root, "symmv", [told, entry("b")])
    assert read_entries(root, "symmv") == [told, entry("b")]
    first, second = (tmp_path / "symmv" / "entries.jsonl").read_text().splitlines()
    assert '"language": "en"' in first
    # An entry of a folder is the line that it was before there were listings.
    assert "listing" not in second
    for wrong in ('"view_count": "7"', '"view_count": true'):
        root.write("symmv/entries.jsonl", first.replace('"view_count": 7', wrong).encode())
        with pytest.raises(StopRun, match=r"entries\.jsonl, line 1"):
            read_entries(root, "symmv")
    root.write("symmv/entries.jsonl", first.replace('"en"', "5").encode())
    with pytest.raises(StopRun, match=r"entries\.jsonl, line 1"):
        read_entries(root, "symmv")


@pytest.mark.parametrize("line", ["{", "{}", '{"video": 1, "music": 2}', "[1]", '"text"', "null"])
def test_a_line_that_is_no_entry_stops_with_its_number(tmp_path: Path, line: str) -> None:
    root = Root(str(tmp_path))
    write_entries(root, "symmv", [entry("a")])
    root.write("symmv/entries.jsonl", (root.read("symmv/entries.jsonl") or b"") + line.encode())
    with pytest.raises(StopRun, match=r"entries\.jsonl, line 2"):
        read_entries(root, "symmv")


def test_an_identifier_that_climbs_out_of_its_folder_is_no_entry(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    write_entries(root, "symmv", [entry("a")])
    text = (root.read("symmv/entries.jsonl") or b"").decode()
    root.write(
        "symmv/entries.jsonl", text.replace('"entry_id": "a"', '"entry_id": "../a"').encode()
    )
    with pytest.raises(StopRun, match="entry_id"):
        read_entries(root, "symmv")


def test_splits_come_back(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    assert read_splits(root, "symmv") == {}
    write_splits(root, "symmv", {"b": "test", "a": "train"})
    assert read_splits(root, "symmv") == {"a": "train", "b": "test"}


def test_1140_songs_are_split_as_the_paper_says() -> None:
    splits = assign_splits((f"{n:05d}" for n in range(1140)), {}, SYMMV)
    assert Counter(splits.values()) == {"train": 1000, "validation": 70, "test": 70}


def test_748_songs_are_split_eight_to_one_to_one() -> None:
    counts = Counter(assign_splits((f"{n:03d}" for n in range(748)), {}, MUVISYNC).values())
    assert counts["train"] in (598, 599)
    assert counts["validation"] in (74, 75)
    assert counts["test"] in (74, 75)


def test_two_covers_of_a_song_stand_in_one_split() -> None:
    songs = [f"song-{n // 2}" for n in range(200)]
    assert assign_splits(songs, {}, MUVISYNC) == assign_splits(set(songs), {}, MUVISYNC)


def test_the_order_of_arrival_decides_nothing() -> None:
    songs = [f"song-{n}" for n in range(300)]
    assert assign_splits(songs, {}, SYMMV) == assign_splits(reversed(songs), {}, SYMMV)


names = st.sets(st.text("abcdefgh-0123", min_size=1, max_size=8), max_size=60)


@settings(max_examples=60, deadline=None)
@given(before=names, added=names, shares=st.sampled_from([SYMMV, MUVISYNC]))
def test_a_song_keeps_its_split_when_songs_are_added(
    before: set[str], added: set[str], shares: dict[str, int]
) -> None:
    frozen = assign_splits(before, {}, shares)
    after = assign_splits(before | added, frozen, shares)
    assert {song: after[song] for song in before} == frozen
    assert set(after) == before | added
    total = sum(shares.values())
    for split, share in shares.items():
        wanted = share * len(after) / total
        assert abs(list(after.values()).count(split) - wanted) < 2


DEEP = b"[" * 200_000
NOT_UTF8 = b'{"\xff": 1}'


def complaint(call: Callable[[], object]) -> str:
    with pytest.raises(StopRun) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("line", [DEEP, NOT_UTF8, b"\0", b'{"entry_id": "a"'])
def test_a_line_of_entries_that_nothing_can_read_is_named(tmp_path: Path, line: bytes) -> None:
    root = Root(str(tmp_path))
    write_entries(root, "symmv", [entry("a")])
    root.write("symmv/entries.jsonl", (root.read("symmv/entries.jsonl") or b"") + line)
    assert "entries.jsonl, line 2: this is not an entry" in complaint(
        lambda: read_entries(root, "symmv")
    )


def test_an_entry_that_is_there_twice_names_both_lines(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    write_entries(root, "symmv", [entry("a"), entry("b")])
    data = root.read("symmv/entries.jsonl") or b""
    root.write("symmv/entries.jsonl", data + data.splitlines()[0])
    said = complaint(lambda: read_entries(root, "symmv"))
    assert "entries.jsonl: it has the entry a in line 1 and in line 3" in said


def test_a_song_whose_title_is_no_text_is_no_entry(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    write_entries(root, "symmv", [entry("a")])
    data = root.read("symmv/entries.jsonl") or b""
    root.write("symmv/entries.jsonl", data.replace(b'"title": ""', b'"title": 5'))
    assert "text" in complaint(lambda: read_entries(root, "symmv"))


def test_a_mark_of_an_editor_at_the_start_is_passed_over(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    write_entries(root, "symmv", [entry("a")])
    write_splits(root, "symmv", {"song": "train"})
    block(root, [Source("youtube", "KFNEtO7fO9M")], "a wish", {})
    for name in ("symmv/entries.jsonl", "symmv/splits.json", "blocklist.jsonl"):
        root.write(name, b"\xef\xbb\xbf" + (root.read(name) or b""))
    assert read_entries(root, "symmv") == [entry("a")]
    assert read_splits(root, "symmv") == {"song": "train"}
    assert read_blocklist(root) == {Source("youtube", "KFNEtO7fO9M"): "a wish"}


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]", b'"x"', b"null", b"{}", DEEP, NOT_UTF8, b'{"site": "youtube"}',
        b'{"site": "nosuch", "video_id": "x", "reason": ""}',
        b'{"site": "youtube", "video_id": 5, "reason": ""}',
    ],
)  # fmt: skip
def test_a_bad_line_of_the_blocklist_is_named(tmp_path: Path, line: bytes) -> None:
    root = Root(str(tmp_path))
    block(root, [Source("youtube", "KFNEtO7fO9M")], "a wish", {})
    root.write("blocklist.jsonl", (root.read("blocklist.jsonl") or b"") + b"\n" + line)
    assert "blocklist.jsonl, line 3: this is not a recording with a reason" in complaint(
        lambda: read_blocklist(root)
    )


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"{", b"[]", b'"x"', b"null", b'{"song": 5}', DEEP, NOT_UTF8]
)
def test_splits_that_are_damaged_or_empty_stop_the_run(tmp_path: Path, data: bytes) -> None:
    root = Root(str(tmp_path))
    root.write("symmv/splits.json", data)
    assert "splits.json" in complaint(lambda: read_splits(root, "symmv"))


def test_splits_that_were_emptied_are_not_made_anew_beside_shards(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    check_splits(root, "symmv", {}, 0)
    check_splits(root, "symmv", {"song": "train"}, 12)
    assert "12 entries" in complaint(lambda: check_splits(root, "symmv", {}, 12))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"shards": []}', DEEP, NOT_UTF8])
def test_a_receipt_of_a_release_that_is_damaged_is_named(tmp_path: Path, data: bytes) -> None:
    root = Root(str(tmp_path))
    store = Store(root, root, Ledger("sqlite://"))
    root.write("releases/symmv-1.0.0.json", data)
    assert "symmv-1.0.0.json" in complaint(lambda: find_releases(store, "symmv"))
