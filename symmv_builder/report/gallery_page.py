"""Generated pieces as one page: players and pictures by relative links, models and measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.report import markup
from symmv_builder.report.page_style import REPORT_STYLE
from symmv_builder.text import amount

_END = "This page plays the files beside it: send the whole folder."


@dataclass(frozen=True, slots=True)
class PieceCard:
    """One piece: its name, what is known of it, its player and picture, its measures."""

    title: str
    facts: Mapping[str, str]
    shown: Sequence[markup.PageMedia]
    metrics: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VideoGroup:
    """The pieces for one video, and where there are several a picture of all of them."""

    video: str
    cards: Sequence[PieceCard]
    comparison: markup.PageMedia | None = None


def render(title: str, groups: Sequence[VideoGroup], left_out: Sequence[str], folder: Path) -> str:
    """The page as HTML, for a file in `folder`: all links are relative to it."""
    parts = []
    for number, group in enumerate(groups):
        inner = ""
        if group.comparison is not None:
            media = markup.media(group.comparison, folder, embed=False)
            inner += f"<article><h3>Side by side</h3>{media}{_table(group.cards)}</article>"
        inner += "".join(_card(card, folder) for card in group.cards)
        parts.append(markup.part(f"video-{number}", group.video, inner))
    if left_out:
        items = "".join(f"<li>{markup.text(line)}</li>" for line in left_out)
        parts.append(markup.part("left-out", "What was left out", f"<ul>{items}</ul>"))
    count = sum(len(group.cards) for group in groups)
    lead = f"{amount(count, 'piece')} for {amount(len(groups), 'video')}."
    return markup.layout(title, lead, parts, style=REPORT_STYLE, end=_END)


def _card(card: PieceCard, folder: Path) -> str:
    media = "".join(markup.media(each, folder, embed=False) for each in card.shown)
    facts = markup.facts([*card.facts.items(), *card.metrics.items()])
    problem = f'<p class="note">{markup.text(card.problem)}</p>' if card.problem else ""
    return f"<article><h3>{markup.text(card.title)}</h3>{facts}{media}{problem}</article>"


def _table(cards: Sequence[PieceCard]) -> str:
    names = list(dict.fromkeys(name for card in cards for name in card.metrics))
    heads = ("piece", "model", *names)
    rows = [
        (
            card.title,
            card.facts.get("model", ""),
            *(card.metrics.get(name, "-") for name in names),
        )
        for card in cards
    ]
    return markup.table(heads, rows, names)
