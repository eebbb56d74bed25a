"""HTML that all pages share: texts of strangers escaped, media inside or beside the page, tables.

A page loads nothing from elsewhere: its policy bars every address but files beside it.
"""

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from symmv_builder.report.page_style import LAYOUT, STYLE
from symmv_builder.storage.outputs import replacing_file
from symmv_builder.text import harmless

# A larger file is named by its place beside the page instead of lying inside it.
MOST_EMBEDDED_BYTES = 8 * 2**20
_KINDS = {
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
}
WHOLE = "This page is one file and loads nothing: it can be sent as it is."


@dataclass(frozen=True, slots=True)
class PageMedia:
    """A picture, a video or a sound, and what is to be said under it."""

    path: Path
    caption: str


def write(path: Path, html: str) -> None:
    """Write a page as one file, whole or not at all; errors as of `replacing_file`."""
    with replacing_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def layout(title: str, lead: str, body: Iterable[str], *, style: str = "", end: str = WHOLE) -> str:
    """A whole page of parts that are HTML already; `title`, `lead` and `end` are texts."""
    return LAYOUT.substitute(
        title=text(title), lead=text(lead), style=STYLE + style, body="\n".join(body), end=text(end)
    )


def text(value: object) -> str:
    """Anything as text of the page: harmless, and never markup."""
    return escape(harmless(value))


def paragraph(words: str) -> str:
    """A paragraph; nothing for no words."""
    return f"<p>{text(words)}</p>" if words else ""


def part(name: str, title: str, inner: str) -> str:
    """A section of the page with its heading; `inner` is HTML."""
    return f'<section id="{text(name)}"><h2>{text(title)}</h2>{inner}</section>'


def folded(title: str, inner: str) -> str:
    """HTML that is shown when its title is opened."""
    return f"<details><summary>{text(title)}</summary>{inner}</details>"


def facts(named: Iterable[tuple[str, object]]) -> str:
    """Names with their values."""
    inner = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in named
    )
    return f"<dl>{inner}</dl>"


def media(item: PageMedia, folder: Path, *, embed: bool = True) -> str:
    """A picture or a player with its caption; what is large, or not to `embed`, is linked."""
    kind = _KINDS[item.path.suffix]
    address = address_of(item.path, folder, embed=embed)
    if kind.startswith("image/"):
        inner = f'<img src="{address}" alt="{text(item.caption)}">'
        inner = f'<div class="wide" tabindex="0">{inner}</div>'
    elif kind.startswith("video/"):
        inner = f'<video controls playsinline preload="metadata" src="{address}"></video>'
    else:
        inner = f'<audio controls preload="metadata" src="{address}"></audio>'
    return (
        f'<figure class="{kind.partition("/")[0]}">{inner}'
        f"<figcaption>{text(item.caption)}</figcaption></figure>"
    )


def address_of(path: Path, folder: Path, *, embed: bool = True) -> str:
    """A file as what an attribute may hold: its bytes, or its place as seen from `folder`."""
    if not embed or path.stat().st_size > MOST_EMBEDDED_BYTES:
        return escape(quote(os.path.relpath(path, folder)))
    return inside(path.read_bytes(), _KINDS[path.suffix])


def inside(data: bytes, kind: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str]) -> str:
    """A table whose cells are texts; columns of `numbers` stand to the right."""
    classes = [' class="number"' if head in numbers else "" for head in heads]
    head = "".join(f"<th{c}>{text(h)}</th>" for h, c in zip(heads, classes, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{c}>{text(cell)}</td>" for cell, c in zip(row, classes, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
