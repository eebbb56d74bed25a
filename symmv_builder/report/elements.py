"""HTML and SVG as values: an element escapes whatever is put into it, text and attributes alike.

>>> str(element("p", "1 < 2", title='"'))
'<p title="&quot;">1 &lt; 2</p>'
"""

from collections.abc import Iterable
from typing import TypeAlias

from symmv_builder.report import markup

# Elements of HTML that have no end.
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Text that is markup already: of `element`, or a constant of our own."""

    __slots__ = ()


Inner: TypeAlias = object


def element(name: str, /, *inner: Inner, **attributes: object) -> Html:
    """An element. `inner` are elements, or anything else, which becomes harmless text.

    Attributes: ``_`` in a name is ``-``, and one at its end is left away (``class_``); `True` is
    an attribute without a value, `None` and `False` are none. Names are ours, values need not be.
    """
    attribute_text = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{markup.text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{attribute_text}>")
    return Html(f"<{name}{attribute_text}>{joined(inner)}</{name}>")


def joined(parts: Iterable[Inner]) -> Html:
    """Elements and texts one after the other; `None` is nothing."""
    return Html(
        "".join(
            part if isinstance(part, Html) else markup.text(part)
            for part in parts
            if part is not None
        )
    )
