"""How the reference pages are written: tables, docstrings and values as Markdown."""

import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars and line breaks in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in line) + " |\n"
        for line in lines
    )


def plain(value: Any) -> str:
    """A setting's value as a recipe would write it, a long hash cut."""
    text = json.dumps(value) if not callable(value) else str(value)
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1...", text)


def inspect_doc(thing: Any) -> str:
    """A docstring without its indentation, empty where there is none."""
    return inspect.getdoc(thing) or ""


def inline(text: str) -> str:
    """Text of a docstring or of `--help` as one line of Markdown, options as code."""
    text = " ".join(text.split()).replace("``", "`")
    text = re.sub(r"(?<![`\w])<([\w-]+)>", r"&lt;\1&gt;", text)
    parts = text.split("`")  # every second one is code
    parts[::2] = [re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", part) for part in parts[::2]]
    return "`".join(parts)


def on_page_content(html: str, **_: Any) -> str:
    """Mark options for the style, which keeps each on one line (a hook of MkDocs)."""
    return re.sub(r"<code>(-{1,2}[\w-]+)</code>", r'<code class="option">\1</code>', html)


def prose(text: str | None) -> str:
    """A docstring as paragraphs of Markdown; tables and what is indented stay as they are."""
    blocks: list[str] = []
    for block in re.split(r"\n[ \t]*\n", (text or "").replace("\b", "").strip("\n")):
        if block.startswith("    ") and blocks and blocks[-1].startswith("    "):
            blocks[-1] += "\n\n" + block
        else:
            blocks.append(block)
    return "\n".join(map(markdown, blocks)) + "\n"


def markdown(block: str) -> str:
    """One block of a docstring: code, a table, a list or a paragraph."""
    if block.startswith(("    ", "===")):
        return fenced(textwrap.dedent(block))
    return f"{block}\n" if block.startswith(("- ", "* ")) else f"{inline(block)}\n"


def fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"
