"""The frame of every page: its head, its menu, and the parts that several pages share."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlencode

from symmv_builder.report.elements import Html, element, joined
from symmv_builder.web.guard import Session

# What fits on a phone.
_FEW_COLUMNS = 4
# A text that is longer gets a wider column in its place.
_LONG = 20


def page(
    title: str,
    *inner: object,
    session: Session,
    lead: str = "",
    scripts: Sequence[str] = (),
    refresh_s: int = 0,
    unscripted_s: int = 0,
) -> str:
    """A whole page of elements and texts.

    With `refresh_s` it is asked for again after so many seconds, with `unscripted_s` only where no
    script runs that could look instead.
    """
    again = element("meta", http_equiv="refresh", content=refresh_s or unscripted_s)
    links = [element("a", name, href=address) for address, name in session.menu.items()]
    who = element("a", f"Reviewer: {session.reviewer or 'nobody yet'}", href="/name")
    return "<!doctype html>" + element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            again if refresh_s else element("noscript", again) if unscripted_s else None,
            element("title", f"{title} \u2013 symmv"),
            element("link", rel="stylesheet", href="/static/style.css"),
            element("link", rel="icon", href="/static/icon.svg"),
            *(element("script", src=f"/static/{name}", defer=True) for name in scripts),
        ),
        element(
            "body",
            element("a", "Skip to the content", href="#content", class_="skip"),
            element("nav", *links, who, aria_label="Pages"),
            element("header", element("h1", title), element("p", lead) if lead else None),
            element("main", *inner, id="content"),
        ),
        lang="en",
    )


def address(*parts: str, **query: object) -> str:
    """A path of names, whatever is in them, with a query of what is not empty.

    A name of a file that is not UTF-8 has no address: it leads to a page that is not there.
    """
    path = "/" + "/".join(quote(part, safe="", errors="replace") for part in parts)
    parameters = {name: value for name, value in query.items() if value not in ("", None, False)}
    return f"{path}?{urlencode(parameters, errors='replace')}" if parameters else path


def link(words: object, to: str, **more: object) -> Html:
    return element("a", words, href=to, **more)


def form(to: str, session: Session, *inner: object, **more: object) -> Html:
    """A form that changes something: it holds the word of the session."""
    word = element("input", type="hidden", name="word", value=session.word)
    return element("form", word, *inner, method="post", action=to, **more)


def button(words: str, *, key: str = "", **more: object) -> Html:
    """A button; with `key`, one that is pressed by this key, too."""
    shown = [words, element("kbd", key.upper())] if key else [words]
    return element("button", *shown, type="submit", data_key=key or None, **more)


def table(
    heads: Sequence[object],
    rows: Iterable[Iterable[object]],
    label: str,
    *,
    numbers: Iterable[int] = (),
) -> Html:
    """A table that scrolls by itself, of elements or texts; `numbers` are columns at right.

    One without rows says so.
    """
    right = frozenset(numbers)

    def cells(name: str, row: Iterable[object], **more: object) -> list[Html]:
        return [
            element(name, each, class_=_class(each, is_number=place in right), **more)
            for place, each in enumerate(row)
        ]

    body = [element("tr", *cells("td", row)) for row in rows]
    if not body:
        body = [element("tr", element("td", "none", colspan=max(1, len(heads))))]
    head = element("thead", element("tr", *cells("th", heads, scope="col")))
    whole = element("table", head, element("tbody", *body))
    return scrolling(whole, label, class_="wide many" if len(heads) > _FEW_COLUMNS else "wide")


def _class(inside: object, *, is_number: bool) -> str | None:
    if is_number:
        return "number"
    is_text = isinstance(inside, str) and not isinstance(inside, Html)
    return "long" if is_text and len(str(inside)) > _LONG else None


def scrolling(inner: object, label: str, *, class_: str = "wide") -> Html:
    """What may be wider than the window, and is moved within its box, with the keyboard, too."""
    return element("div", inner, class_=class_, tabindex=0, role="region", aria_label=label)


def facts(named: Mapping[str, object]) -> Html:
    """Names with their values."""
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", value))
            for name, value in named.items()
        ),
    )


def part(title: str, *inner: object, **more: object) -> Html:
    return element("section", element("h2", title), *inner, **more)


def card(*inner: object, **more: object) -> Html:
    return element("article", *inner, **more)


def labelled(words: str, control: Html) -> Html:
    """A control within its label."""
    return element("label", element("span", words), control)


def choice(name: str, options: Iterable[str], chosen: str, empty: str | None) -> Html:
    """A list to choose from; its first entry is none of them, where that has a name."""
    items = [] if empty is None else [element("option", empty, value="")]
    items += [element("option", each, selected=each == chosen) for each in options if each]
    return element("select", *items, name=name)


def cell(value: object) -> str:
    """A value of a table as text."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def together(*parts: object) -> Html:
    return joined(parts)
