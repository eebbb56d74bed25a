"""How work goes on: trainings with their losses, builds, crawls with their funnel, breakers."""

import time

from fastapi import FastAPI, Request, Response

from symmv_builder.api import questions, runs
from symmv_builder.report import loss_curves
from symmv_builder.report.elements import Html, element
from symmv_builder.text import amount
from symmv_builder.web import frame, raters
from symmv_builder.web.desk import Desk, html, session_of

MENU = ("/runs", "Runs")
_EVERY_S = 15


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""

    @app.get("/runs")
    def trainings(request: Request) -> Response:
        return html(_trainings(desk, request))

    @app.get("/runs/{name}")
    def training(request: Request, name: str) -> Response:
        return html(_training(desk, request, name))

    @app.get("/crawl/{dataset}")
    def progress(request: Request, dataset: str) -> Response:
        return html(_progress(desk, request, dataset))


def _refreshing(request: Request) -> tuple[int, Html]:
    """Every how many seconds the page is asked for again, and the link that changes it."""
    here = request.url.path
    if request.query_params.get("follow"):
        return _EVERY_S, element("p", frame.link("Stop following", here))
    link = frame.link(f"Follow: again every {_EVERY_S} s", f"{here}?follow=yes")
    return 0, element("p", link)


def _trainings(desk: Desk, request: Request) -> str:
    rows = []
    for name in runs.training_runs(desk.runs):
        run = runs.training_run(desk.runs, name)
        last = ", ".join(
            f"{split} {measure} {curve[-1][1]:.4g}"
            for measure, splits in run.curves.items()
            for split, curve in splits.items()
        )
        link = frame.link(run.name, frame.address("runs", run.name))
        rows.append((link, run.step, _ago(run.written_s), run.fault or last))
    every_s, follow = _refreshing(request)
    heads = ("run", "step", "wrote last", "values")
    inner: list[object] = [frame.table(heads, rows, "Trainings", numbers=(1,))]
    if not rows:
        inner = [element("p", f"No run lies in {desk.runs}.", class_="note")]
    builds, studies = _builds(desk), _studies(desk)
    breakers = _breakers(desk)
    return frame.page(
        "Runs", follow, frame.part("Trainings", *inner), builds, studies, breakers,
        session=session_of(request), refresh_s=every_s,
    )  # fmt: skip


def _training(desk: Desk, request: Request, name: str) -> str:
    run = runs.training_run(desk.runs, name)
    drawn = [
        frame.card(
            element("h2", measure), frame.scrolling(loss_curves.draw(measure, curves), measure)
        )
        for measure, curves in run.curves.items()
    ]
    every_s, follow = _refreshing(request)
    fault = element("p", run.fault, class_="note") if run.fault else None
    model = name.partition(": ")[0]
    hear = None
    if model in desk.composers():
        to = frame.address("compose", model=model)
        hear = element("p", frame.link("Hear what it has learned so far", to))
    lead = f"step {run.step}, wrote last {_ago(run.written_s)}"
    return frame.page(
        name, follow, hear, fault, element("div", *drawn, class_="charts"),
        session=session_of(request), lead=lead, refresh_s=every_s,
    )  # fmt: skip


def _builds(desk: Desk) -> Html:
    rows = []
    for each in desk.held().datasets:
        done = each.made + len(each.rejections)
        bar = element("progress", value=done, max=max(1, each.entries), aria_label=each.dataset)
        link = frame.link(each.dataset, frame.address("crawl", each.dataset))
        rows.append((link, bar, f"{done} of {each.entries}"))
    inner: list[Html] = [frame.table(("dataset", "progress", "entries"), rows, "Builds")]
    if not rows:
        inner = [element("p", "Nothing was built or crawled here yet.")]
    if pages := runs.flow_pages():
        inner.append(element("p", frame.link("Flows and their schedules, in Prefect", pages)))
    return frame.part("Builds", *inner)


def _studies(desk: Desk) -> Html | None:
    """The listening studies that are served here, and where raters come in."""
    rows = [
        (frame.link(each.key.title, raters.address(each)), each.raters) for each in desk.studies
    ]
    if not rows:
        return None
    table = frame.table(("study", "raters so far"), rows, "Listening studies", numbers=(1,))
    return frame.part("Listening studies", table)


def _breakers(desk: Desk) -> Html:
    rows = [(each.name, f"{each.rests_s:.0f} s") for each in runs.open_breakers(desk.settings)]
    if not rows:
        return frame.part("Breakers", element("p", "Crawls may use the network."))
    table = frame.table(("kept from", "goes on in"), rows, "Breakers")
    return frame.part("Breakers", table)


def _progress(desk: Desk, request: Request, dataset: str) -> str:
    [status] = questions.statuses(desk.settings, dataset).datasets
    stages = [
        (each.artifact, each.step, each.backend, each.made, each.rejected, f"{each.seconds:.1f}")
        for each in status.stages
    ]
    away = [
        (each["step"], each["reason"], each["entries"])
        for each in questions.rejections(status.rejections)
    ]
    crawled = [
        tuple(each[name] for name in ("state", "step", "reason", "items"))
        for each in runs.crawl_funnel(desk.settings, dataset)
    ]
    every_s, follow = _refreshing(request)
    heads = ("result", "step", "model", "made", "turned away", "seconds")
    parts = [
        follow,
        frame.part("Crawl", frame.table(("state", "step", "reason", "recordings"), crawled,
                                        "Funnel of the crawl", numbers=(3,))),
        frame.part("Stages", frame.table(heads, stages, "Stages", numbers=(3, 4, 5))),
        frame.part("Turned away", frame.table(("step", "reason", "entries"), away,
                                              "Turned away", numbers=(2,))),
        _breakers(desk),
    ]  # fmt: skip
    lead = (
        f"{status.made} made, {len(status.rejections)} rejected, {len(status.unfinished)} open "
        f"of {amount(status.entries, 'entry')}"
    )
    title = f"Progress of {dataset}"
    return frame.page(title, *parts, session=session_of(request), lead=lead, refresh_s=every_s)


def _ago(written_s: float) -> str:
    seconds = max(0, round(time.time() - written_s))
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} seconds ago"
