"""Datasets, and the entries or clips of one: chosen by any column, ordered, page by page."""

from fastapi import FastAPI, Request, Response

from symmv_builder.api import browsing
from symmv_builder.api.browsing import Choice, Listing, Page, Row
from symmv_builder.report.elements import Html, element
from symmv_builder.web import frame
from symmv_builder.web.desk import Desk, html, session_of

MENU = ("/", "Datasets")
_PAGE_SIZES = (50, 200)
_STATES = ("made", "rejected", "open")
# Columns that stand in every table: the first few that are not empty. Where recordings come from
# says nothing to a person who looks for one, so it comes last.
_MOST_COLUMNS = 12
_LAST = ("_url", "_sha256", "song_id")


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""

    @app.get("/")
    def home(request: Request) -> Response:
        return html(_home(desk, request))

    @app.get("/browse/{dataset}")
    def browse(request: Request, dataset: str) -> Response:
        return html(_browse(desk, request, dataset))


def _home(desk: Desk, request: Request) -> str:
    statuses = desk.held()
    rows = [
        (
            frame.link(each.dataset, frame.address("browse", each.dataset)),
            frame.link("review", frame.address("review", each.dataset)),
            frame.link("crawl", frame.address("crawl", each.dataset)),
            each.entries,
            each.made,
            len(each.rejections),
            len(each.unfinished),
        )
        for each in statuses.datasets
    ]
    heads = ("dataset", "proposals", "progress", "entries", "made", "rejected", "open")
    faults = [element("p", str(fault), class_="note") for fault in statuses.faults]
    table = frame.table(heads, rows, "Datasets", numbers=(3, 4, 5, 6))
    if not rows:
        table = element("p", "Nothing was built or crawled here yet.")
    return frame.page("Datasets", table, *faults, session=session_of(request), lead=statuses.root)


def _browse(desk: Desk, request: Request, dataset: str) -> str:
    parameters = dict(request.query_params)
    of_clips = parameters.get("rows") == "clips"
    table = browsing.listing(desk.settings, dataset, of_clips=of_clips)
    choice = choice_of(parameters)
    page = browsing.choose(table, choice)
    here = frame.address("browse", dataset)
    what = "clips" if of_clips else "entries"
    parts = [
        _form(here, table, choice, parameters),
        element("p", f"{page.count} of {len(table.rows)} {what}", role="status"),
        _rows(dataset, table, page, parameters, choice),
        _pages(here, page, parameters),
    ]
    lead = "Select a heading to order by it. A value may begin with <, > or =."
    return frame.page(dataset, *parts, session=session_of(request), lead=lead)


def choice_of(parameters: dict[str, str]) -> Choice:
    """What a query asks for; whatever it does not say, or says wrongly, is the default."""
    page = parameters.get("page", "1")
    size = parameters.get("size", "")
    return Choice(
        text=parameters.get("text", ""),
        state=parameters.get("state", ""),
        column=parameters.get("column", ""),
        where=parameters.get("where", ""),
        sort=parameters.get("sort", ""),
        descending=parameters.get("order") == "down",
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
        page_size=int(size) if size in map(str, _PAGE_SIZES) else _PAGE_SIZES[0],
    )


def _form(here: str, table: Listing, choice: Choice, parameters: dict[str, str]) -> Html:
    fields = [
        frame.labelled(
            "Text", element("input", type="search", name="text", value=choice.text, maxlength=200)
        ),
        frame.labelled("State", frame.choice("state", _STATES, choice.state, "any")),
        frame.labelled("Column", frame.choice("column", table.columns, choice.column, "none")),
        frame.labelled(
            "Value",
            element("input", name="where", value=choice.where, maxlength=200, placeholder="> 100"),
        ),
        frame.labelled(
            "Rows", frame.choice("rows", ("clips",), parameters.get("rows", ""), "entries")
        ),
    ]
    show = element("button", "Show", type="submit")
    return element("form", *fields, show, action=here, method="get", class_="fields", role="search")


def _rows(
    dataset: str, table: Listing, page: Page, parameters: dict[str, str], choice: Choice
) -> Html:
    chosen = {choice.sort, choice.column}
    columns = [
        name
        for name in sorted(table.columns, key=lambda name: name.endswith(_LAST))
        if name in chosen or any(row[name] not in ("", None) for row in page.rows)
    ]
    columns = [
        name for place, name in enumerate(columns) if place < _MOST_COLUMNS or name in chosen
    ]
    heads = []
    for name in columns:
        order = "down" if name == choice.sort and not choice.descending else None
        query = {**parameters, "sort": name, "order": order, "page": None}
        mark = ("\u25bc" if choice.descending else "\u25b2") if name == choice.sort else ""
        heads.append(
            frame.link(f"{name} {mark}".strip(), frame.address("browse", dataset, **query))
        )
    rows = [[_cell(dataset, name, row) for name in columns] for row in page.rows]
    numbers = [
        place
        for place, name in enumerate(columns)
        if any(isinstance(row[name], int | float) for row in page.rows)
    ]
    return frame.table(heads, rows, f"Rows of {dataset}", numbers=numbers)


def _cell(dataset: str, name: str, row: Row) -> object:
    value = frame.cell(row[name])
    if name in ("entry", "clip"):
        return frame.link(value, frame.address("entry", dataset, value))
    return value


def _pages(here: str, page: Page, parameters: dict[str, str]) -> Html:
    def to(number: int) -> str:
        query = {**parameters, "page": number}
        return here + frame.address("", **query).removeprefix("/")

    before = frame.link("Previous", to(page.page - 1), rel="prev") if page.page > 1 else None
    after = frame.link("Next", to(page.page + 1), rel="next") if page.page < page.pages else None
    text = element("span", f"page {page.page} of {page.pages}")
    return element("nav", before, text, after, class_="pages", aria_label="Pages of the table")
