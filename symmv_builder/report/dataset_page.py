"""The report of a dataset, or of two side by side: one page, and its figures as PNG and SVG.

Figures lie in the page as SVG whose colours are those of the page, so they are light in the light
and dark in the dark. Figures that a dataset has nothing for are named with the reason.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.report import charts, ink, markup
from symmv_builder.report.figure import Content, Difference, Figure, Statistics, TableFigure
from symmv_builder.report.page_style import REPORT_STYLE
from symmv_builder.text import harmless

# Colours of the drawings that are the page's own.
_INKS = {
    ink.INK: "--ink",
    ink.FAINT: "--faint",
    ink.RULE: "--rule",
    ink.PAPER: "--card",
    ink.ACCOMPANIMENT: "--accent",
}
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_IDS = re.compile(r'( id="|url\(#|href="#)')
_SIZE = re.compile(r'^(<svg[^>]*?) (?:width|height)="[^"]*"')


@dataclass(frozen=True, slots=True)
class SampleCard:
    """A pair: what it is called, what is known of it, its picture and its sound as files."""

    title: str
    facts: Mapping[str, str]
    shown: Sequence[markup.PageMedia]
    note: str = ""


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """Everything that the page shows. `statistics` are of one dataset or two."""

    title: str
    lead: str
    statistics: Sequence[Statistics]
    differences: Sequence[Difference]
    samples: Sequence[SampleCard]
    no_samples: str = ""


def draw_figures(page: DatasetPage, folder: Path) -> dict[str, Path]:
    """Write every figure that can be drawn as ``NAME.png`` and ``NAME.svg``; the SVGs by name."""
    drawn = {}
    for figure in page.statistics[0].figures:
        contents = _contents(page, figure.name)
        if picture := charts.draw(contents) if contents else None:
            for kind in ("png", "svg"):
                ink.save(picture, folder / f"{figure.name}.{kind}", dpi=150)
            drawn[figure.name] = folder / f"{figure.name}.svg"
    return drawn


def render(page: DatasetPage, drawn: Mapping[str, Path], folder: Path) -> str:
    """The page as HTML; `drawn` are the SVGs of `draw_figures`, `folder` that of the page."""
    first = page.statistics[0]
    cards, tables, absent = [], [], []
    for figure in first.figures:
        if figure.name in drawn:
            cards.append(_card(page, figure, drawn[figure.name]))
        elif _contents(page, figure.name):
            tables.append(_tables(page, figure))
        absent += _absent(page, figure.name)
    parts = [_heads(page), _figures(cards), *tables]
    if page.differences:
        parts.insert(1, _differences(page))
    parts.append(_samples(page, folder))
    if absent:
        items = "".join(f"<li>{line}</li>" for line in absent)
        parts.append(markup.part("absent", "What is not shown", f"<ul>{items}</ul>"))
    parts.append(_how())
    return markup.layout(page.title, page.lead, parts, style=REPORT_STYLE)


def _contents(page: DatasetPage, name: str) -> list[tuple[str, Content]]:
    contents = ((each.label, each.figure(name).content) for each in page.statistics)
    return [(label, content) for label, content in contents if content is not None]


def _absent(page: DatasetPage, name: str) -> list[str]:
    lines = []
    for each in page.statistics:
        figure = each.figure(name)
        if figure.content is None:
            where = f"{each.label}: " if len(page.statistics) > 1 else ""
            title, why = markup.text(figure.title), markup.text(f"{where}{figure.absent}")
            lines.append(f"<b>{title}</b>: {why}.")
    return lines


def _heads(page: DatasetPage) -> str:
    parts = []
    for each in page.statistics:
        notes = "".join(f'<p class="note">{markup.text(note)}</p>' for note in each.notes)
        title = f"<h3>{markup.text(each.label)}</h3>" if len(page.statistics) > 1 else ""
        parts.append(f"<article>{title}{markup.facts(each.facts.items())}{notes}</article>")
    return markup.part("what", "What it holds", "".join(parts))


def _figures(cards: Sequence[str]) -> str:
    return markup.part("figures", "Figures", f'<div class="cards">{"".join(cards)}</div>')


def _card(page: DatasetPage, figure: Figure, svg: Path) -> str:
    alone = [label for label, _ in _contents(page, figure.name)]
    whose = f" Of {alone[0]} alone." if len(alone) < len(page.statistics) else ""
    drawing = inline(svg.read_text(encoding="utf-8"), figure.name, figure.title)
    return (
        f'<article id="{markup.text(figure.name)}"><h3>{markup.text(figure.title)}</h3>'
        f'<p class="about">{markup.text(figure.about + whose)}</p>'
        f"{drawing}{_query(figure)}</article>"
    )


def _query(figure: Figure) -> str:
    if not figure.query:
        return ""
    code = f"<pre><code>{markup.text(figure.query)}</code></pre>"
    return f'<details class="query"><summary>How to make these numbers</summary>{code}</details>'


def inline(svg: str, name: str, title: str) -> str:
    """A drawing of matplotlib's as part of a page: its colours, its own ids, as wide as its place.

    >>> inline('<?xml?><svg width="9pt" viewBox="0 0 9 9"><g id="a"/></svg>', "tempo", "Tempo")
    '<svg role="img" aria-label="Tempo" viewBox="0 0 9 9"><g id="tempo-a"/></svg>'
    """
    drawing = _METADATA.sub("", svg[svg.index("<svg") :]).strip()
    # Once for the width and once for the height.
    drawing = _SIZE.sub(r"\1", _SIZE.sub(r"\1", drawing))
    drawing = _IDS.sub(lambda match: f"{match[1]}{name}-", drawing)
    for colour, variable in _INKS.items():
        drawing = drawing.replace(colour, f"var({variable})")
    return drawing.replace("<svg", f'<svg role="img" aria-label="{markup.text(title)}"', 1)


def _tables(page: DatasetPage, figure: Figure) -> str:
    inner = [markup.paragraph(figure.about)]
    for label, content in _contents(page, figure.name):
        if isinstance(content, TableFigure):
            if len(page.statistics) > 1:
                inner.append(f"<h3>{markup.text(label)}</h3>")
            numbers = [
                head
                for place, head in enumerate(content.heads)
                if content.rows and not isinstance(content.rows[0][place], str)
            ]
            rows = [[_cell(cell) for cell in row] for row in content.rows]
            inner.append(markup.table(content.heads, rows, numbers))
    return markup.part(
        figure.name, figure.title, f"<article>{''.join(inner)}{_query(figure)}</article>"
    )


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return harmless(value, 200)


def _differences(page: DatasetPage) -> str:
    first, second = (each.label for each in page.statistics)
    heads = ("measure", first, second, "test", "effect", "p, corrected", "differs")
    rows = [
        (
            each.measure,
            each.first,
            each.second,
            each.test,
            f"{each.effect:.3f}",
            _p(each.p_adjusted),
            "yes" if each.p_adjusted < 0.05 else "not shown",
        )
        for each in page.differences
        if not each.absent
    ]
    about = (
        "One row a song, two-sided. The effect of Mann-Whitney is the chance that an entry of the "
        "first has the greater value (0.5: none), that of chi-square is Cramér's V (0: none). "
        "P-values are corrected for their number by Holm's method; many entries make small "
        "differences certain, so read the effect."
    )
    left = "".join(
        f"<li><b>{markup.text(each.measure)}</b>: {markup.text(each.absent)}.</li>"
        for each in page.differences
        if each.absent
    )
    inner = markup.paragraph(about) + markup.table(heads, rows, ("effect", "p, corrected"))
    if left:
        inner += f"<p>Not tested:</p><ul>{left}</ul>"
    return markup.part("differences", "Do they differ?", f"<article>{inner}</article>")


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _samples(page: DatasetPage, folder: Path) -> str:
    if not page.samples:
        return markup.part("samples", "A sample of pairs", markup.paragraph(page.no_samples))
    inner = ""
    for sample in page.samples:
        inner += article_of(sample, folder)
    return markup.part("samples", "A sample of pairs", inner)


def article_of(sample: SampleCard, folder: Path) -> str:
    """A pair as HTML with its picture and its player inside; every text is escaped."""
    media = "".join(markup.media(each, folder) for each in sample.shown)
    note = f'<p class="note">{markup.text(sample.note)}</p>' if sample.note else ""
    return (
        f"<article><h3>{markup.text(sample.title)}</h3>"
        f"{markup.facts(sample.facts.items())}{media}{note}</article>"
    )


def _how() -> str:
    return markup.part(
        "how",
        "How to make these numbers yourself",
        "<p>Queries in SQL run by duckdb in the folder of the dataset, which holds "
        "<code>shards/</code>; a call of Python takes the data root as <code>ROOT</code>. All "
        "numbers lie in <code>report.json</code> beside this page, every figure as PNG and "
        "SVG.</p>",
    )
