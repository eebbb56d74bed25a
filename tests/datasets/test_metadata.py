"""What is known of the entries of a dataset: counted by who said it, in status and card."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from symmv_builder.assemble import assemble_row
from symmv_builder.cli import app
from symmv_builder.datasets import questions
from symmv_builder.datasets.card import card
from symmv_builder.datasets.metadata import KnownCount, count_metadata, facts_of
from symmv_builder.datasets.release import release
from symmv_builder.datasets.takedown import take_down
from symmv_builder.records import Entry, Listing, MusicLabels, SongInfo, Source, TimedText
from symmv_builder.schema import METADATA, Column, arrow_schema
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

HOSTILE = "| [x](y) \u202e"
COLUMNS = (
    Column("entry_id", "string", "", "", "entry.entry_id"),
    Column("genre", "string", "", "", "song.genre"),
    *METADATA,
    Column("genre_by_tags", "string", "", "", "music_labels.genre"),
    Column("instruments", "list<string>", "", "", "music_labels.instruments"),
    Column("lyrics", "list<string>", "", "", "lyrics.texts"),
    Column("lyrics_language", "string", "", "", "lyrics.language"),
)


def source(number: int) -> Source:
    return Source("youtube", f"aaaaaaaa{number:03d}")


def listing(number: int, licence: str, language: str = "") -> Listing:
    return Listing(
        source(number), "A", channel="Ch", uploaded="20240102", view_count=3, licence=licence,
        language=language, kind="mv", categories=("Music",),
    )  # fmt: skip


SONGS = (
    SongInfo(genre="Pop", identified_by="shazam", isrc="QZES71982312", lyrics_url="https://x.y"),
    SongInfo(genre="Pop", identified_by="shazam"),
    SongInfo(genre=HOSTILE),
    SongInfo(identified_by="title"),
)
LISTINGS = (
    listing(0, "Creative Commons Attribution license (reuse allowed)", "de"),
    listing(1, ""),
    None,
    replace(listing(3, ""), uploaded="", view_count=None),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    root = Root(str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/root/ledger.sqlite"))
    entries = [
        Entry(f"e{i}", "gvmgen", f"e{i}", source(i), source(i), song, listed)
        for i, (song, listed) in enumerate(zip(SONGS, LISTINGS, strict=True))
    ]
    labels = [MusicLabels("rock", 0.4, ("guitar", "drums")), MusicLabels("", 0.0, ())]
    lyrics = [TimedText([1.0], [2.0], ("la",), "deu"), TimedText([], [], ())]  # type: ignore[arg-type]
    # Of the last entry there are two rows, as of one with two clips.
    rows = []
    for entry in [*entries, entries[-1]]:
        heard, said = labels[entry.entry_id == "e1"], lyrics[entry.entry_id > "e0"]
        records = {"music_labels": heard, "lyrics": said}
        rows.append(assemble_row(COLUMNS, entry, "train", records))
    manifests.write_entries(root, "gvmgen", entries)
    schema = arrow_schema(COLUMNS, "gvmgen")
    rows = [row | {"split": "train"} for row in rows]
    written = shards.ShardWriter(root, "gvmgen", schema, target_bytes=10**9).write(rows)
    receipt = {
        "dataset": "gvmgen", "schema": "gvmgen", "columns": schema.names, "state": "as built",
        "described": [column.describe() for column in COLUMNS], "entries": 4,
        "splits": {"train": 5}, "rejections": {}, "models": [], "artifacts": [],
        "shards": shards.as_plain(written),
    }  # fmt: skip
    shards.write_receipt(root, "gvmgen", receipt)
    return store


def test_every_line_counts_entries_and_says_who_said_it(store: Store) -> None:
    receipt = shards.read_receipt(store.root, "gvmgen") or {}
    known = {each.what: each for each in count_metadata(store.root, "gvmgen", receipt)}
    assert {what: each.entries for what, each in known.items()} == {
        "genre, by Shazam": 2,
        "genre, by whoever listed it": 1,
        "genre, by tags alone": 1,
        "instruments, by tags": 3,
        "kind": 3,
        "categories": 3,
        "language": 1,
        "licence": 1,
        "Creative Commons": 1,
        "channel": 3,
        "year of upload": 2,
        "views": 2,
        "ISRC": 1,
        "address of lyrics": 1,
        "timed lyrics": 1,
        "language of timed lyrics": 1,
    }
    assert known["genre, by tags alone"].common == (("rock", 1),)
    assert known["instruments, by tags"].common == (("drums", 3), ("guitar", 3))
    assert known["ISRC"].common == ()
    assert known["year of upload"].text == "2024 2"


def test_columns_that_are_not_there_are_not_counted(store: Store) -> None:
    receipt = (shards.read_receipt(store.root, "gvmgen") or {}) | {"columns": ["entry_id", "genre"]}
    known = count_metadata(store.root, "gvmgen", receipt)
    assert [each.what for each in known] == ["genre, by Shazam"]
    assert count_metadata(store.root, "gvmgen", receipt | {"columns": ["entry_id"]}) == ()


def test_counts_that_a_build_has_kept_are_told_without_a_shard(store: Store) -> None:
    receipt = shards.read_receipt(store.root, "gvmgen") or {}
    counted = count_metadata(store.root, "gvmgen", receipt)
    shards.write_receipt(store.root, "gvmgen", receipt | facts_of(store.root, "gvmgen", receipt))
    for shard in receipt["shards"]:
        store.root.remove(f"gvmgen/{shard['path']}")
    assert questions.status(store, "gvmgen").metadata == counted


def test_status_shows_it_and_says_where_shards_cannot_be_read(store: Store, tmp_path: Path) -> None:
    state = questions.status(store, "gvmgen")
    assert KnownCount("timed lyrics", 1) in state.metadata
    root = str(tmp_path / "root")
    shown = CliRunner().invoke(app, ["status", "gvmgen", "--root", root])
    assert "genre, by tags alone" in shown.stdout
    assert "\u202e" not in shown.stdout
    plain = CliRunner().invoke(app, ["status", "gvmgen", "--root", root, "--json"])
    [described] = json.loads(plain.stdout)
    assert described["metadata"][0] == {
        "what": "genre, by Shazam",
        "entries": 2,
        "common": [["Pop", 2]],
    }
    receipt = shards.read_receipt(store.root, "gvmgen") or {}
    Path(store.root.path(f"gvmgen/{receipt['shards'][0]['path']}")).write_bytes(b"damaged")
    state = questions.status(store, "gvmgen")
    assert state.metadata == ()
    assert "damaged" in state.metadata_fault or "cannot be read" in state.metadata_fault


def test_the_card_of_a_release_has_it(store: Store) -> None:
    text = card(release(store, "gvmgen", "1.0.0"), "README.md").decode()
    section = text.partition("## What is known of the entries")[2].partition("## ")[0]
    assert "| genre, by Shazam | 2 | Pop 2 |" in section
    assert "by whoever listed it | 1 |" in section
    assert "[x](y)" not in section


def test_what_an_entry_alone_had_leaves_every_count_with_it(store: Store, tmp_path: Path) -> None:
    receipt = shards.read_receipt(store.root, "gvmgen") or {}
    shards.write_receipt(store.root, "gvmgen", receipt | facts_of(store.root, "gvmgen", receipt))
    release(store, "gvmgen", "1.0.0")
    assert "genre, by whoever listed it | 1" in told(tmp_path, "1.0.0")
    take_down(store, "gvmgen", "e2", "asked by the artist")
    after = told(tmp_path, "1.0.1")
    assert "genre, by whoever listed it | 0" in after
    for text in (after, Path(store.root.path("gvmgen/dataset.json")).read_text()):
        assert json.dumps(HOSTILE)[1:-1] not in text
    counts = {each.what: each.entries for each in questions.status(store, "gvmgen").metadata}
    assert (counts["genre, by whoever listed it"], counts["genre, by Shazam"]) == (0, 2)


def told(folder: Path, version: str) -> str:
    """Read the card and the receipt of a release."""
    released = folder / "root/releases"
    receipt = (released / f"gvmgen-{version}.json").read_text()
    return (released / "gvmgen" / version / "README.md").read_text() + receipt
