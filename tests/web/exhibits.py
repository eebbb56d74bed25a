"""What the pictures of the documentation show: a small data root of recordings made on the spot.

Everything in it is what the package makes of them: entries by the stages of SymMV, scores of
matches by the crawl's own rule, losses by a training, pieces by the starter model. CLIP alone is
untrained, and nothing of it is seen. Takes two to three minutes of a processor core.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import symmv_builder as sb
from symmv_builder.api import correcting, study
from symmv_builder.api.gallery import gallery
from symmv_builder.api.study import Store as AnswerStore
from symmv_builder.crawl.match import rank
from symmv_builder.crawl.titles import parse_title
from symmv_builder.demo.drawings import Drawing
from symmv_builder.demo.media import MediaPlan, make_media
from symmv_builder.demo.repertoire import piece
from symmv_builder.music.align import hear_alignment
from symmv_builder.pipeline.keys import digest
from symmv_builder.records import Listing, Provenance, Source
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.results import Result
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from tests.hearing import heard

DATASET = "symmv"
SHOWN = "sonata-k545"
SECONDS = 16.0
# A piece, its genre, and the seed of the video that is drawn for it.
_PAIRS = {
    SHOWN: ("Classical", 29),
    "maple-leaf-rag": ("Ragtime", 7),
    "mazurka-op6-no2": ("Romantic", 30),
    "polonaise-op1-no1": ("Romantic", 31),
}
# Its video shows one picture: it is turned away.
_STILL = {"sonata-h186": ("Classical", 32)}
# What a crawl may find of them: the cover, and what a search for the official video gives.
_FINDS = {
    SHOWN: (
        "k545",
        "Mozart - Sonata in C major, K. 545 (Piano Cover)",
        [
            ("Mozart - Sonata in C major, K. 545 (Official Video)", "Mozart", 120_000_000),
            ("Mozart - Sonata in C major, K. 545 (Karaoke Version)", "Karaoke Night", 340_000),
        ],
    ),
    "maple-leaf-rag": (
        "mapl",
        "Maple Leaf Rag - Scott Joplin | Piano Cover by Loopback Keys",
        [
            ("Scott Joplin - Maple Leaf Rag (Official Video)", "Scott Joplin", 84_000_000),
            ("Scott Joplin - Maple Leaf Rag (Official Lyric Video)", "Scott Joplin", 97_000_000),
            ("Maple Leaf Rag - Scott Joplin (Guitar Cover)", "Six Strings", 450_000),
        ],
    ),
}
# A model that learns a little in a quarter of a minute.
_TRAINING: Mapping[str, Any] = {
    "stages": "chord", "steps": 60, "chord_epochs": 60, "warmup": 10, "log_every": 1,
    "width": 64, "heads": 2, "feedforward": 128, "encoder_layers": 1, "decoder_layers": 1,
    "compile": False,
}  # fmt: skip
_STUDY = """\
title = "Which music suits the video?"
models = ["first", "second"]
questions = "v2meow"
raters = 8
headphones = "off"
attention = 0
hear = 0.0
seed = 7
"""


@dataclass(frozen=True, slots=True)
class Exhibits:
    """The settings of the data root, and what lies beside it."""

    settings: Settings
    runs: Path
    video: Path
    report: Path
    gallery: Path
    study: AnswerStore


def make_exhibits(folder: Path) -> Exhibits:
    """Make everything below a folder."""
    pairs = make_pairs(folder / "media")
    root = folder / "root"
    dataset = sb.open_dataset(DATASET, root, models={"clip": "untrained"})
    dataset.build(pairs, workers=1)
    settings = read_settings(root=root)
    propose(settings, pairs)
    beats, chords = dataset[SHOWN].beats, dataset[SHOWN].chords
    for words in (
        ("beat", beats.times_s[7], beats.times_s[7] + 0.02),
        ("chord", chords.starts_s[1], "Em"),
        ("add-cut", 1.5),
    ):
        correcting.correct(settings, DATASET, SHOWN, *words, by="Ann")
    sb.train(
        "vmusprod", DATASET, folder / "runs" / "v-musprod", preset="small", root=root,
        **_TRAINING,
    )  # fmt: skip
    videos = [pairs / f"{name}.mp4" for name in (SHOWN, "maple-leaf-rag")]
    pieces = folder / "pieces"
    for seed, name in enumerate(("first", "second")):
        sb.generate(videos, out=pieces / name, seed=seed)
    (pieces / "study.toml").write_text(_STUDY)
    study.make(pieces / "study.toml", folder / "study")
    return Exhibits(
        settings,
        folder / "runs",
        videos[0],
        dataset.report(folder / "report", samples=1).page,
        gallery(pieces).page,
        study.open_store(folder / "study"),
    )


def make_pairs(folder: Path) -> Path:
    """Piano takes with drawn videos, and the table that says which belong together."""
    plans, rows = [], [("music", "video", "title", "artist", "genre")]
    for number, (name, (genre, seed)) in enumerate((_PAIRS | _STILL).items()):
        width, height = ((426, 240), (320, 240), (480, 270))[number % 3]
        plans.append(MediaPlan(f"pairs/{name}.flac", piece=name, longest_s=SECONDS))
        plans.append(
            MediaPlan(
                f"pairs/{name}.mp4",
                piece=name,
                performer=301 + number,
                program=48,
                longest_s=SECONDS,
                drawing=Drawing(width, height, Fraction(24), SECONDS, seed),
                is_still=name in _STILL,
            )
        )
        about = piece(name)
        rows.append((f"{name}.flac", f"{name}.mp4", about.title, about.composer, genre))
    make_media(folder, selection=tuple(plans), progress=lambda _: None)
    with (folder / "pairs" / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "pairs"


def propose(settings: Settings, pairs: Path) -> None:
    """Proposals of a crawl: the recordings of entries, under the titles of a video site."""
    store = settings.open_store()
    sidecars, items = Sidecars(store.root, DATASET), Items(store.ledger)
    assets = store.ledger.assets()
    for name, (short, title, others) in _FINDS.items():
        song = parse_title(title)
        cover = Listing(Source("youtube", f"cov-{short}-01"), title, "Loopback Keys")
        listings = [
            Listing(Source("youtube", f"off-{short}-{number:02d}"), each, channel, view_count=views)
            for number, (each, channel, views) in enumerate(others)
        ]
        scored = rank(song, listings, cover_duration_s=SECONDS)
        evidence = [
            {
                "title": each.listing.title,
                "channel": each.listing.channel,
                "score": each.score,
                "parts": dict(each.parts),
            }
            for each in scored
        ]
        best = scored[0]
        item = Item(
            DATASET, cover, "a playlist", state=states.PROPOSED, parsed=song,
            official=best.listing, score=best.score, evidence=json.dumps(evidence),
        )  # fmt: skip
        items.add([item])
        for source, kind in ((cover.source, "cover"), (best.listing.source, "video")):
            asset = assets["file", f"{name}.{kind}"]
            store.ledger.record_assets({(source.site, source.video_id): asset})
        _align(sidecars, store, entry_id_of(cover.source), pairs / name)
    store.ledger.close()


def _align(sidecars: Sidecars, store: Store, entry_id: str, pair: Path) -> None:
    """What screening stores of a pair: which moments of its recordings are the same."""
    record = heard(pair.with_suffix(".flac"), hear_alignment(), pair.with_suffix(".mp4"))
    by = Provenance("align", 1, "{}", "", "", "", True, "")
    key = digest([entry_id, "align"])
    sidecars.save(entry_id, "alignment", key, record, by)
    result = Result(entry_id, "alignment", "align", key, "", 0.0)
    store.ledger.record_results(DATASET, [result])
