"""DATASHEET.md of a release: the questions of Gebru et al., "Datasheets for Datasets" (2021).

What the program knows is filled in; what a person has to answer is marked (`OPEN`).
"""

from collections.abc import Mapping
from typing import Any

from symmv_builder.datasets.card.escape import markdown
from symmv_builder.datasets.card.view import OPEN, View
from symmv_builder.text import amount


def datasheet(receipt: Mapping[str, Any]) -> str:
    """Write DATASHEET.md."""
    view = View(receipt)
    lines = [
        f"# Data sheet of {markdown(view.title)} {view.version}",
        "",
        'The questions are those of Gebru et al., "Datasheets for Datasets", Communications of '
        f"the ACM 64(12), 2021. `{OPEN}` marks what only its makers can answer; they fill it in "
        "in a copy of this file, since a release never changes.",
    ]
    for section, answers in _sections(view).items():
        lines += ["", f"## {section}"]
        for question, answer in answers.items():
            lines += ["", f"**{question}**", "", answer]
    return "\n".join(lines) + "\n"


def _sections(view: View) -> dict[str, dict[str, str]]:
    return {
        "Motivation": _motivation(view),
        "Composition": _composition(view),
        "Collection process": _collection(view),
        "Preprocessing, cleaning, labelling": _labelling(view),
        "Uses": _uses(view),
        "Distribution": _distribution(view),
        "Maintenance": _maintenance(view),
    }


def _motivation(view: View) -> dict[str, str]:
    authors = ", ".join(map(markdown, view.about.get("authors", [])))
    return {
        "For what purpose was the dataset created?": OPEN,
        "Who created it, and on behalf of whom?": authors or OPEN,
        "Who funded it?": OPEN,
    }


def _composition(view: View) -> dict[str, str]:
    splits = ", ".join(f"{name} {count}" for name, count in view.splits.items()) or "none"
    rejections = sum(view.receipt["rejections"].values())
    reasons = ", ".join(f"{markdown(r)} {n}" for r, n in view.receipt["rejections"].items())
    left_out = view.receipt.get("left_out", 0)
    clips = (
        f"{amount(view.rows, 'clip')} of {amount(view.entries, 'entry')}"
        if view.is_clips
        else f"{view.entries}"
    )
    instance = (
        "An entry is a piece of music and a video (or one recording that is both), by their "
        "addresses and the sha256 of their files, with annotation of both."
        if view.has_video
        else "An entry is a piece of music, by its address and the sha256 of its file, with "
        "annotation of it."
    )
    addresses = "`music_url` and `video_url`" if view.has_video else "`music_url`"
    return {
        "What do the instances represent?": f"{instance} README.md has every column.",
        "How many instances are there?": f"{clips} ({splits}).",
        "Is it all possible instances or a sample?": f"{OPEN}. While building {rejections} "
        f"entries were put aside{f' ({reasons})' if reasons else ''}; {left_out} more lacked a "
        "recording.",
        "What data does an instance consist of?": f"{len(view.columns)} columns of text, numbers "
        "and features; no recordings.",
        "Is there a label or target?": f"{OPEN}. Any column can be one.",
        "Is information missing from instances?": "A column is there for all entries or for none; "
        "texts that are not known are empty.",
        "Are relationships between instances explicit?": "Yes: `song_id` is the same for versions "
        "of one song.",
        "Are there recommended splits?": "Yes, in `split`, drawn by song; a song's split never "
        "changes between versions.",
        "Are there errors, noise or redundancies?": "Annotation is by models and rules and has "
        "their errors; see README.md, known limits.",
        "Is it self-contained?": "The annotation is. The recordings are at the addresses in "
        f"{addresses}, which may go.",
        "Does it contain data that might be confidential, offensive, or about people?": f"{OPEN}. "
        "Titles and names of performers stand in it where they are known.",
    }


def _collection(view: View) -> dict[str, str]:
    steps = ", ".join(view.receipt.get("made_by", {})) or "not known"
    return {
        "How was the data acquired?": f"{OPEN}. Terms of what rows were made from: "
        f"{markdown(view.source_terms or 'not stated')}.",
        "With what mechanisms?": f"symmv-builder {markdown(view.facts['builder'])}, by the recipe "
        f"in README.md. Results: {markdown(steps)}.",
        "What was the sampling strategy?": OPEN,
        "Who was involved, and how were they paid?": OPEN,
        "Over what time was it collected?": OPEN,
        "Were there ethical reviews?": OPEN,
        "Were the people concerned told, and did they consent?": OPEN,
    }


def _labelling(view: View) -> dict[str, str]:
    models = ", ".join(
        f"{model['slot']} by {model['backend']} {model['version']}"
        for model in view.receipt["models"]
    )
    return {
        "Was there preprocessing, cleaning or labelling?": "Yes, by program. Models: "
        f"{markdown(models) or 'none'}.",
        "Is the raw data kept?": f"{OPEN}. It is not in the release.",
        "Is the software available?": "Yes: symmv-builder; README.md has recipe and versions.",
    }


def _uses(view: View) -> dict[str, str]:
    commerce = (
        "No model of a column forbids commercial use."
        if view.is_commercial
        else "Some columns are not known to be free for commercial use: see LICENSE.md."
    )
    return {
        "Has it been used for any tasks already?": OPEN,
        "What other tasks could it be used for?": (
            "Making music for video, retrieval between music and video, analysis of both, training "
            "of transcribers."
            if view.has_video
            else "Making music, analysis of it, training of transcribers."
        ),
        "Is there anything that might affect future uses?": commerce,
        "Are there tasks for which it should not be used?": OPEN,
    }


def _distribution(view: View) -> dict[str, str]:
    return {
        "How is it distributed?": f"As Parquet files with checksums, under version {view.version}.",
        "Under which licence?": f"{view.licence.licence}. {markdown(view.licence.reason)} "
        "See LICENSE.md.",
        "Have third parties imposed restrictions?": f"{OPEN}. Licences of models are in "
        "LICENSE.md.",
        "Do export controls or other rules apply?": OPEN,
    }


def _maintenance(view: View) -> dict[str, str]:
    contact = view.about.get("contact")
    return {
        "Who maintains it, and how can they be contacted?": markdown(contact) if contact else OPEN,
        "Is there an erratum?": OPEN,
        "Will it be updated?": f"{OPEN}. A version never changes; what changes has a new one.",
        "How are requests to remove data met?": "An entry is removed from the data set, versions "
        "that hold it are withdrawn, and the next version is released without it.",
        "Will older versions be kept?": "A version that holds an entry which was taken down is "
        "withdrawn.",
        "Can others extend or contribute?": OPEN,
    }
