"""A report and a gallery whose every text is a stranger's, for tests of what pages do with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.datasets.statistics.compared import differences
from symmv_builder.datasets.statistics.whole import describe
from symmv_builder.report import dataset_page, gallery_page
from symmv_builder.report.dataset_page import DatasetPage, SampleCard
from symmv_builder.report.ink import new_figure, save
from symmv_builder.report.markup import PageMedia
from symmv_builder.storage import receipts
from symmv_builder.storage.shards import ShardWriter, as_plain
from tests.datasets.released import SYMMV, made
from tests.synthetic_rows import make_row

# Markup, an end of an attribute, a control character, a change of direction, half a character.
EVIL = (
    '</text></svg><script>alert("x")</script>\'"><img src=x onerror=alert(1)>'
    "$x^2$\x1b[31m\u202e\udc80&"
)
# What Arrow can hold of it.
STORED = EVIL.replace("\udc80", "")


def page(folder: Path) -> Path:
    """``report.html`` of two datasets side by side, with a sample."""
    (folder / "data").mkdir()
    store = made(folder / "data", "symmv", models=SYMMV)
    rows = []
    for number in range(12):
        split = ("train", "train", "validation", "test")[number // 3]
        row = make_row("symmv", number, split=split)
        row |= {"title": STORED, "artist": STORED, "genre": STORED if number % 2 else "Pop"}
        row["chords_labels"] = tuple(f"C{STORED}" for _ in row["chords_labels"])
        row["tempo_bpm"] += number
        rows.append(row)
    rows.sort(key=lambda row: (row["split"], row["entry_id"]))
    receipt = receipts.read_receipt(store.root, "symmv") or {}
    shards = ShardWriter(store.root, "symmv", published_schema("symmv")).write(rows)
    receipt |= {"shards": as_plain(shards), "rejections": {}}
    receipts.write_receipt(store.root, "symmv", receipt)
    store.ledger.record_results("symmv", [])
    found = describe(store, "symmv")
    store.ledger.close()
    other = replace(found.statistics, label=EVIL, notes=(EVIL,), facts={EVIL: EVIL})
    picture, sound = folder / "sample.png", folder / "sample.wav"
    save(new_figure(2, 1), picture)
    sound.write_bytes(wave())
    sample = SampleCard(
        EVIL, {EVIL: EVIL}, [PageMedia(picture, EVIL), PageMedia(sound, EVIL)], EVIL
    )
    tests = differences(found.songs, found.songs)
    whole = DatasetPage(EVIL, EVIL, (found.statistics, other), tests, [sample])
    drawn = dataset_page.draw_figures(whole, folder)
    path = folder / "report.html"
    path.write_text(dataset_page.render(whole, drawn, folder), encoding="utf-8")
    return path


def gallery(folder: Path) -> Path:
    """``gallery.html`` with one group of two pieces, whose files have hostile names."""
    base = folder / "a 'b' #1 <i>.png"
    save(new_figure(2, 1), base)
    sound = folder / 'x "y" & z.wav'
    sound.write_bytes(wave())
    card = gallery_page.PieceCard(
        EVIL, {EVIL: EVIL}, [PageMedia(sound, EVIL), PageMedia(base, EVIL)], {EVIL: EVIL}, EVIL
    )
    groups = [gallery_page.VideoGroup(EVIL, [card, card], PageMedia(base, EVIL))]
    path = folder / "gallery.html"
    path.write_text(gallery_page.render(EVIL, groups, [EVIL], folder), encoding="utf-8")
    return path


def wave() -> bytes:
    """A tenth of a second of a tone as a WAV file."""
    samples = (3000 * np.sin(np.arange(800) / 4)).astype("<i2").tobytes()
    head = b"WAVEfmt " + b"".join(
        int(value).to_bytes(size, "little")
        for value, size in ((16, 4), (1, 2), (1, 2), (8000, 4), (16000, 4), (2, 2), (16, 2))
    )
    body = head + b"data" + len(samples).to_bytes(4, "little") + samples
    return b"RIFF" + len(body).to_bytes(4, "little") + body
