"""One HTML page that shows what a build made, with its pictures, sound and videos inside it.

The page is a single file: it loads nothing from elsewhere, and a browser is told to refuse it if
it tried. Whatever is not ours (names, labels, errors) is escaped. It reads on a telephone and on
a wide screen, in light and in dark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from symmv_builder.records import Chords
from symmv_builder.report import markup
from symmv_builder.report.markup import PageMedia
from symmv_builder.report.tables import StageRow


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
    markup.write(path, render(page, path.parent))


def render(page: Page, folder: Path) -> str:
    """The page as text; files that are too large to lie inside it are linked from `folder`."""
    parts = []
    if page.music:
        parts.append(
            markup.part("music", page.music.title, _section(page.music, folder, heading=""))
        )
    for dataset in page.datasets:
        inner = [markup.paragraph(dataset.lead)]
        inner += [_section(entry, folder, heading="h3") for entry in dataset.entries]
        inner.append(
            markup.folded(f"A row of {dataset.name}, as read back", _columns(dataset.columns))
        )
        inner.append(
            markup.folded(f"What the stages of {dataset.name} cost", _stages(dataset.stages))
        )
        parts.append(markup.part(dataset.name, f"Dataset {dataset.name}", "".join(inner)))
    parts.append(markup.part("time", "Where the time went", _phases(page.phases)))
    parts.append(markup.part("models", "Models and their licences", _models(page.models)))
    if page.notices:
        items = "".join(f"<li>{markup.text(line)}</li>" for line in page.notices)
        parts.append(
            markup.part("left-out", "What was not done here", f'<ul class="notices">{items}</ul>')
        )
    steps = "".join(
        f"<li><p>{markup.text(what)}</p><pre><code>{markup.text(command)}</code></pre></li>"
        for command, what in page.next_steps.items()
    )
    parts.append(markup.part("next", "What to do next", f'<ol class="next">{steps}</ol>'))
    return markup.layout(page.title, page.lead, parts)


def _section(section: Section, folder: Path, *, heading: str) -> str:
    title = f"<{heading}>{markup.text(section.title)}</{heading}>" if heading else ""
    facts = markup.facts(section.facts.items())
    media = "".join(markup.media(each, folder) for each in section.shown)
    return (
        f"<article>{title}{markup.paragraph(section.lead)}{facts}"
        f"{_chords(section.chords)}{media}</article>"
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
            f'title="{start:.2f} to {end:.2f} s">{markup.text(label)}</span>'
        )
    return f'<div class="wide" tabindex="0"><div class="chords">{pieces}</div></div>'


def _columns(columns: Sequence[ColumnRow]) -> str:
    heads = ("column", "type", "unit", "meaning", "in the first row")
    rows = [(c.name, c.type, c.unit, c.meaning, c.value) for c in columns]
    return markup.table(heads, rows, ())


def _stages(stages: Sequence[StageRow]) -> str:
    heads = ("stage", "model", "entries", "seconds", "a second of media")
    rows = [
        (s.step, s.backend, s.entries, f"{s.seconds:.2f}", f"{s.seconds_per_media_second:.4f}")
        for s in stages
    ]
    return markup.table(heads, rows, heads[2:])


def _models(models: Sequence[ModelRow]) -> str:
    rows = [
        (m.task, m.name, m.tool, m.licence, "yes" if m.trained else "NO: random weights")
        for m in models
    ]
    return markup.table(("for", "model", "comes from", "licence", "trained"), rows, ())


def _phases(phases: Mapping[str, float]) -> str:
    longest = max(phases.values(), default=0.0) or 1.0
    bars = "".join(
        f"<div><dt>{markup.text(name)}</dt><dd><span style="
        f'"width:{100 * seconds / longest:.1f}%"></span>{seconds:.1f} s</dd></div>'
        for name, seconds in phases.items()
    )
    return f'<dl class="bars">{bars}</dl>'
