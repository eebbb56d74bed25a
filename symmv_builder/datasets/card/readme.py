"""README.md of a release: a data set card, with the front matter that the model hub reads."""

from collections.abc import Mapping
from typing import Any

from symmv_builder.datasets.card.escape import fenced, markdown, table, yaml_lines
from symmv_builder.datasets.card.features import hub_features
from symmv_builder.datasets.card.licence_file import licence_lines, model_table, terms_of_column
from symmv_builder.datasets.card.licences import OTHER
from symmv_builder.datasets.card.view import OPEN, View
from symmv_builder.datasets.clip_rules import described_cut
from symmv_builder.datasets.metadata import FIELD
from symmv_builder.records.edits import WHOLE_ENTRY
from symmv_builder.text import amount

_LIMITS = (
    "Annotation is made by models and rules, not by people, but for what is said to be corrected: "
    "it has their errors.",
    "Rows hold addresses and annotation; the recordings themselves are not part of the release, "
    "and what an address leads to may be gone or changed. The sha256 of a recording says whether "
    "one at hand is the one that was annotated.",
    "Splits are by song: versions of one song never stand on both sides of a split.",
    "Titles, artists and genres come from whoever published or recognised a recording, and may be "
    "wrong or empty.",
)


def readme(receipt: Mapping[str, Any]) -> str:
    """Write README.md."""
    view = View(receipt)
    lines = ["---", *yaml_lines(front_matter(view)), "---", ""]
    lines += [f"# {markdown(view.title)} {view.version}", ""]
    lines += [markdown(line) for line in view.description.splitlines()]
    lines += [
        "",
        *_counts(view),
        *_metadata(view),
        "",
        *_columns(view),
        "",
        *_loading(view),
        "",
        *_making(view),
    ]
    lines += ["", "## Licence", "", *licence_lines(view), ""]
    lines += ["[LICENSE.md](LICENSE.md) has the licences column by column.", ""]
    lines += [*_citation(view), "", *_takedown(view), "", *_known_limits(view)]
    return "\n".join(lines) + "\n"


def front_matter(view: View) -> dict[str, Any]:
    """Write the metadata of the card, as the hub and `datasets` read it."""
    licence: dict[str, Any] = {"license": view.licence.licence}
    if view.licence.licence == OTHER:
        licence |= {"license_name": "see-license-md", "license_link": "LICENSE.md"}
    video = ["video-classification"] if view.has_video else []
    files = [{"split": name, "path": f"shards/{name}-*.parquet"} for name in view.splits]
    config = {"config_name": "default", "data_files": files}
    splits = [
        {"name": name, "num_bytes": view.read_bytes(name), "num_examples": count}
        for name, count in view.splits.items()
    ]
    info = {
        # The hub's own fields are above; these are what `datasets` shows of a set that is loaded.
        "description": view.description,
        "license": view.licence.licence,
        "citation": citation(view),
        **({"homepage": view.about["homepage"]} if "homepage" in view.about else {}),
        "version": view.version,
        "features": hub_features(view.schema),
        "splits": splits,
        "download_size": view.size_bytes,
        "dataset_size": sum(map(view.read_bytes, view.splits)),
    }
    return {
        **licence,
        "pretty_name": view.title,
        "size_categories": [view.size_class],
        "task_categories": ["audio-classification", *video, "other"],
        "tags": view.tags,
        **({"configs": [config]} if files else {}),
        "dataset_info": info,
    }


def _counts(view: View) -> list[str]:
    rows = [(name, count) for name, count in view.receipt["splits"].items()]
    lines = ["## What is in it", ""]
    clips = f"{amount(view.rows, 'clip')} of " if view.is_clips else ""
    lines.append(
        f"{clips}{amount(view.entries, 'entry')} in "
        f"{amount(len(view.receipt['shards']), 'Parquet file')} "
        f"({view.size_bytes / 1e6:.1f} MB), schema {markdown(view.receipt['schema'])}. "
        "`sha256sum -c SHA256SUMS` checks all files."
    )
    head = ("split", "clips" if view.is_clips else "entries")
    lines += ["", *table(head, rows), "", "Put aside while building:", ""]
    reasons = view.receipt["rejections"]
    lines += table(("reason", "entries"), list(reasons.items())) if reasons else ["nothing."]
    lines += ["", "The command `report` of symmv-builder makes a page of figures of this folder."]
    if left_out := view.receipt.get("left_out"):
        lines += ["", f"Left out, because a recording is not there: {left_out}."]
    lines += _corrected(view)
    return [*lines, *_clips(view)] if view.is_clips else lines


def _corrected(view: View) -> list[str]:
    """Tell of how many entries people corrected what, and which rows are parts of their entries."""
    counts = dict(view.receipt.get("corrections", {}))
    lines = []
    if trimmed := counts.pop(WHOLE_ENTRY, 0):
        lines += [
            "",
            f"Of {trimmed} entries people kept a part. `dataset.json` says under `trimmed` which "
            "seconds of the video these are, and of the music; times of their rows count from "
            "there.",
        ]
    if counts:
        lines += ["", "Corrected by people:", "", *table(("what", "entries"), list(counts.items()))]
    return lines


def _clips(view: View) -> list[str]:
    """Tell how entries were cut, what a row holds of its entry, which clips were turned away."""
    reasons = view.receipt["clips_turned_away"]
    return [
        "",
        f"A row is a clip: entries were cut by {described_cut(view.receipt['clips'])}. Times of a "
        "row count from the start of its clip; `clip_start_s` and `clip_end_s` are seconds of the "
        "video, `clip_music_start_s` and `clip_music_end_s` of the music recording. "
        f"Without a clip: {amount(view.receipt['entries_without_clips'], 'entry')}.",
        "",
        "Clips turned away, and not their entries:",
        "",
        *(table(("reason", "clips"), list(reasons.items())) if reasons else ["none."]),
    ]


def _metadata(view: View) -> list[str]:
    """Tell what is known of the entries beside their recordings, and by whom."""
    rows = [
        (field["what"], field["entries"], ", ".join(f"{name} {n}" for name, n in field["common"]))
        for field in view.receipt.get(FIELD, ())
    ]
    if not rows:
        return []
    return [
        "",
        "## What is known of the entries",
        "",
        *table(("known", "entries", "most frequent values"), rows),
        "",
        "Licences are those that a site states of a video; they are notes, and no permission. A "
        "genre by tags is a guess of a model, and counted where nobody else named one.",
    ]


def _columns(view: View) -> list[str]:
    rows = [
        (
            *(column[part] for part in ("name", "type", "unit", "meaning")),
            ", ".join(view.models_of(column["name"])),
            "; ".join(terms_of_column(view, column["name"])),
        )
        for column in view.columns
    ]
    head = ("column", "type", "unit", "meaning", "models", "licences of the models")
    return [
        "## Columns",
        "",
        *table(head, rows),
        "",
        "`float32[768]` is a vector of 768 numbers; `bytes<float32[12288]>` is one that is kept as "
        "its bytes, little-endian: `numpy.frombuffer(item, 'float32')` reads it. A column names "
        "every model that has a part in it, also through what it was made of.",
        "",
        *model_table(view),
    ]


def _loading(view: View) -> list[str]:
    column = next((c["name"] for c in view.columns if c["name"] != "entry_id"), "entry_id")
    split = next(iter(view.splits), "train")
    tools = {
        "datasets": [
            "from datasets import load_dataset",
            "",
            f'rows = load_dataset(FOLDER, split="{split}")          # or streaming=True',
        ],
        "pyarrow": [
            "import pyarrow.dataset",
            "",
            'table = pyarrow.dataset.dataset(f"{FOLDER}/shards").to_table()',
        ],
        "polars": [
            "import polars",
            "",
            f'frame = polars.scan_parquet(f"{{FOLDER}}/shards/{split}-*.parquet").collect()',
        ],
        "duckdb": [
            "import duckdb",
            "",
            f"rows = duckdb.sql(f\"select entry_id, {column} from '{{FOLDER}}/shards/*.parquet'\")",
        ],
        "pandas": [
            "import pandas",
            "",
            'frame = pandas.read_parquet(f"{FOLDER}/shards")',
        ],
        "mlcroissant": [
            "import mlcroissant",
            "",
            'dataset = mlcroissant.Dataset(f"{FOLDER}/croissant.json")',
            f'for row in dataset.records("{split}"):',
            "    ...",
        ],
    }
    lines = ["## Loading it", "", "`FOLDER` is this folder, or the hub's `OWNER/NAME`", ""]
    lines[-2] += " for `datasets`; the others read files."
    for name, code in tools.items():
        lines += [f"### {name}", "", *fenced("\n".join(code), "python"), ""]
    return lines[:-1]


def _making(view: View) -> list[str]:
    recipe = view.facts["recipe"]
    lines = ["## How it was made", ""]
    lines.append(
        f"Built with symmv-builder {markdown(view.facts['builder'])}. Digest of what "
        f"shards and receipt depend on: `{view.receipt.get('state') or 'none'}`."
    )
    if recipe:
        about = f"The recipe (sha256 `{view.facts['recipe_sha256']}`):"
        lines += ["", about, "", *fenced(recipe, "toml")]
    else:
        lines += ["", "The recipe that it was made by is not known."]
    return lines


def citation(view: View) -> str:
    """Tell how to cite the release: what its makers say, else a plain entry of BibTeX."""
    if "citation" in view.about:
        return str(view.about["citation"])
    authors = " and ".join(view.about.get("authors", [])) or f"{OPEN}: its authors"
    title = view.title.translate(str.maketrans("", "", "{}\\"))
    key = f"{view.name}-{view.version}"
    return (
        f"@misc{{{key},\n  title = {{{title}}},\n  author = {{{authors}}},\n"
        f"  version = {{{view.version}}}\n}}"
    )


def _citation(view: View) -> list[str]:
    lines = ["## Citation", "", *fenced(citation(view), "bibtex")]
    if "homepage" in view.about:
        lines += ["", f"Homepage: {markdown(view.about['homepage'])}"]
    return lines


def _takedown(view: View) -> list[str]:
    contact = view.about.get("contact")
    who = (
        f"Write to {markdown(contact)}"
        if contact
        else f"{OPEN}: its makers have named no contact. Write to whoever gave you this copy"
    )
    return [
        "## Taking an entry down",
        "",
        f"{who}, with the `entry_id` or the address. The entry goes from the data set, this "
        "version is withdrawn, and the next one is released without it.",
    ]


def _known_limits(view: View) -> list[str]:
    return ["## Known limits", "", *(f"- {limit}" for limit in _LIMITS)]


def plain_readme(receipt: Mapping[str, Any]) -> str:
    """Write the card of a release that carries no facts, as earlier versions of the program did."""
    splits = ", ".join(f"{name} {count}" for name, count in receipt["splits"].items())
    lines = [
        f"# {receipt['dataset']} {receipt['version']}",
        "",
        f"{amount(receipt['entries'], 'entry')} ({splits}) in "
        f"{amount(len(receipt['shards']), 'Parquet shard')},",
        f"schema {receipt['schema']}. `sha256sum -c SHA256SUMS` checks them.",
        "",
        "| slot | model | version | weights (sha256) |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {m['slot']} | {m['backend']} | {m['version']} | {m['weights_sha256'][:16]} |"
        for m in receipt["models"]
    ]
    lines += ["", "Put aside while building:", ""]
    lines += [f"- {reason}: {count}" for reason, count in receipt["rejections"].items()]
    lines += [] if receipt["rejections"] else ["- nothing"]
    return "\n".join(lines) + "\n"
