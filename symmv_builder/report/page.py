"""One HTML page that shows what a build made, with its pictures, sound and videos inside it.

The page is a single file: it loads nothing from elsewhere, and a browser is told to refuse it if
it tried. Whatever is not ours (names, labels, errors) is escaped. It reads on a telephone and on
a wide screen, in light and in dark.
"""

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from urllib.parse import quote

from symmv_builder.records import Chords
from symmv_builder.report.page_style import LAYOUT, STYLE
from symmv_builder.report.tables import StageRow
from symmv_builder.storage.outputs import replacing_file
from symmv_builder.text import harmless

# A larger file is named by its place beside the page instead of lying inside it.
_MOST_EMBEDDED_BYTES = 8 * 2**20
_KINDS = {
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
}


@dataclass(frozen=True, slots=True)
class PageMedia:
    """A picture, a video or a sound, and what is to be said under it."""

    path: Path
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """One entry, or one new piece: named facts, its chords as a strip, and what is seen of it."""

    title: str
    lead: str
    facts: Mapping[str, str]
    shown: Sequence[PageMedia]
    chords: Chords | None = None


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column of a row: what its schema says, and the value that was read back."""

    name: str
    type: str
    unit: str
    meaning: str
    value: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that was used: for what, its licence, and whether its weights were trained."""

    task: str
    name: str
    tool: str
    licence: str
    trained: bool


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """A dataset on the page: its entries, what a row of it holds, and what each stage cost."""

    name: str
    lead: str
    entries: Sequence[Section]
    columns: Sequence[ColumnRow]
    stages: Sequence[StageRow]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the page shows, in its order.

    `phases` are seconds by what was done; `notices` say what was left out, and why; `next_steps`
    are commands with what each does.
    """

    title: str
    lead: str
    music: Section | None
    datasets: Sequence[DatasetPart]
    phases: Mapping[str, float]
    models: Sequence[ModelRow]
    notices: Sequence[str]
    next_steps: Mapping[str, str]


def write_page(path: Path, page: Page) -> None:
    """Write the page as one HTML file, whole or not at all; errors as of `replacing_file`.

    `OSError` where a picture, sound or video that it shows cannot be read.
    """
    text = render(page, path.parent)
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render(page: Page, folder: Path) -> str:
    """The page as text; files that are too large to lie inside it are linked from `folder`."""
    parts = []
    if page.music:
        parts.append(_part("music", page.music.title, _section(page.music, folder, heading="")))
    for dataset in page.datasets:
        inner = [_paragraph(dataset.lead)]
        inner += [_section(entry, folder, heading="h3") for entry in dataset.entries]
        inner.append(_folded(f"A row of {dataset.name}, as read back", _columns(dataset.columns)))
        inner.append(_folded(f"What the stages of {dataset.name} cost", _stages(dataset.stages)))
        parts.append(_part(dataset.name, f"Dataset {dataset.name}", "".join(inner)))
    parts.append(_part("time", "Where the time went", _phases(page.phases)))
    parts.append(_part("models", "Models and their licences", _models(page.models)))
    if page.notices:
        items = "".join(f"<li>{_text(line)}</li>" for line in page.notices)
        parts.append(
            _part("left-out", "What was not done here", f'<ul class="notices">{items}</ul>')
        )
    steps = "".join(
        f"<li><p>{_text(what)}</p><pre><code>{_text(command)}</code></pre></li>"
        for command, what in page.next_steps.items()
    )
    parts.append(_part("next", "What to do next", f'<ol class="next">{steps}</ol>'))
    return LAYOUT.substitute(
        title=_text(page.title), lead=_text(page.lead), style=STYLE, body="\n".join(parts)
    )


def _text(value: object) -> str:
    """Anything as text of the page: harmless, and never markup."""
    return escape(harmless(value))


def _paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>" if text else ""


def _part(name: str, title: str, inner: str) -> str:
    return f'<section id="{_text(name)}"><h2>{_text(title)}</h2>{inner}</section>'


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{_text(title)}</summary>{inner}</details>"


def _section(section: Section, folder: Path, *, heading: str) -> str:
    title = f"<{heading}>{_text(section.title)}</{heading}>" if heading else ""
    facts = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
        for name, value in section.facts.items()
    )
    shown = "".join(_figure(each, folder) for each in section.shown)
    return (
        f"<article>{title}{_paragraph(section.lead)}<dl>{facts}</dl>"
        f"{_chords(section.chords)}{shown}</article>"
    )


def _chords(chords: Chords | None) -> str:
    """The chords as a strip whose pieces are as wide as they are long; equal neighbours are one."""
    if chords is None or not len(chords.labels):
        return ""
    spans = zip(chords.labels, chords.starts_s.tolist(), chords.ends_s.tolist(), strict=True)
    pieces = ""
    for label, group in groupby(spans, key=itemgetter(0)):
        same = list(group)
        start, end = same[0][1], same[-1][2]
        pieces += (
            f'<span style="flex-grow:{max(0.05, end - start):.2f}" '
            f'title="{start:.2f} to {end:.2f} s">{_text(label)}</span>'
        )
    return f'<div class="wide" tabindex="0"><div class="chords">{pieces}</div></div>'


def _figure(shown: PageMedia, folder: Path) -> str:
    kind = _KINDS[shown.path.suffix]
    address = _address(shown.path, kind, folder)
    if kind.startswith("image/"):
        inner = f'<img src="{address}" alt="{_text(shown.caption)}">'
        inner = f'<div class="wide" tabindex="0">{inner}</div>'
    elif kind.startswith("video/"):
        inner = f'<video controls playsinline preload="metadata" src="{address}"></video>'
    else:
        inner = f'<audio controls preload="metadata" src="{address}"></audio>'
    return (
        f'<figure class="{kind.partition("/")[0]}">{inner}'
        f"<figcaption>{_text(shown.caption)}</figcaption></figure>"
    )


def _address(path: Path, kind: str, folder: Path) -> str:
    if path.stat().st_size > _MOST_EMBEDDED_BYTES:
        return escape(quote(os.path.relpath(path, folder)))
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str]) -> str:
    """A table whose cells are texts; columns of `numbers` stand to the right."""
    classes = [' class="number"' if head in numbers else "" for head in heads]
    head = "".join(f"<th{c}>{_text(h)}</th>" for h, c in zip(heads, classes, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{c}>{_text(cell)}</td>" for cell, c in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _columns(columns: Sequence[ColumnRow]) -> str:
    heads = ("column", "type", "unit", "meaning", "in the first row")
    rows = [(c.name, c.type, c.unit, c.meaning, c.value) for c in columns]
    return _table(heads, rows, ())


def _stages(stages: Sequence[StageRow]) -> str:
    heads = ("stage", "model", "entries", "seconds", "a second of media")
    rows = [
        (s.step, s.backend, s.entries, f"{s.seconds:.2f}", f"{s.seconds_per_media_second:.4f}")
        for s in stages
    ]
    return _table(heads, rows, heads[2:])


def _models(models: Sequence[ModelRow]) -> str:
    rows = [
        (m.task, m.name, m.tool, m.licence, "yes" if m.trained else "NO: random weights")
        for m in models
    ]
    return _table(("for", "model", "comes from", "licence", "trained"), rows, ())


def _phases(phases: Mapping[str, float]) -> str:
    longest = max(phases.values(), default=0.0) or 1.0
    bars = "".join(
        f"<div><dt>{_text(name)}</dt><dd><span style="
        f'"width:{100 * seconds / longest:.1f}%"></span>{seconds:.1f} s</dd></div>'
        for name, seconds in phases.items()
    )
    return f'<dl class="bars">{bars}</dl>'
