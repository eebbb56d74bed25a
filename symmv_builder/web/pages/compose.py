"""Music for a video of one's own: sent or linked, several takes, passages written anew."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from fastapi import FastAPI, Request, Response

from symmv_builder.api.composers import ModelAbout, about_model
from symmv_builder.api.takes import KINDS, LONGEST_TITLE, Project, Take, Wishes
from symmv_builder.errors import NotFound, StopRun
from symmv_builder.report.elements import Html, element
from symmv_builder.web import frame, media, ordering, take_page
from symmv_builder.web.desk import Desk, Form, go_to, html, session_of
from symmv_builder.web.guard import UPLOADS, Refused, Session
from symmv_builder.web.uploads import Upload, receive

# How many videos are received at once; each may be as large as a form can be.
MENU = ("/compose", "Compose")
_MOST_UPLOADS = 2


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""
    receiving = asyncio.Semaphore(_MOST_UPLOADS)

    @app.get("/compose")
    def home(request: Request) -> Response:
        return html(_home(desk, request))

    @app.post("/compose")
    async def order(request: Request) -> Response:
        if receiving.locked():
            raise Refused(503, "other videos are being received; send yours again in a minute")
        async with receiving:
            return go_to(await _ordered(desk, request))

    @app.get("/compose/{name}")
    def project(request: Request, name: str) -> Response:
        project = _project(desk, request, name)
        return html(_project_page(desk, request, project))

    @app.get("/compose/{name}/state")
    def state(request: Request, name: str) -> Response:
        told = [
            {"number": each.number, "state": each.state, "share": each.share, "doing": each.doing}
            for each in _project(desk, request, name).takes
        ]
        return Response(json.dumps({"takes": told}), media_type="application/json")

    @app.get("/compose/{name}/{number}/{kind}")
    def file(request: Request, name: str, number: str, kind: str) -> Response:
        project, take = _take(desk, request, name, number)
        path = take.file(kind)
        if path is None:
            raise NotFound("file", kind, project.title)
        kept_as = f"take-{take.number}.{kind}" if request.query_params.get("keep") else ""
        return media.filed(path, KINDS[kind], request.headers.get("range"), kept_as)

    _add_changes(app, desk)


def _add_changes(app: FastAPI, desk: Desk) -> None:
    """The forms of a project that is there."""

    @app.post("/compose/{name}/takes")
    def another(request: Request, name: str, fields: Form) -> Response:
        project = _project(desk, request, name)
        about = _about(desk, fields.get("model", ""))
        _order(desk, project, ordering.wishes_of(fields, about, desk.studio), _count(fields))
        return go_to(frame.address("compose", name))

    @app.post("/compose/{name}/delete")
    def delete(request: Request, name: str, fields: Form) -> Response:
        del fields  # nothing is said in them but the word of the session
        desk.takes.delete(_project(desk, request, name))
        return go_to(frame.address("compose"))

    @app.post("/compose/{name}/{number}/passage")
    def passage(request: Request, name: str, number: str, fields: Form) -> Response:
        project, take = _take(desk, request, name, number)
        about = _about(desk, take.wishes.model)
        _order(desk, project, _passage(desk, take, about, fields), 1)
        return go_to(frame.address("compose", name))

    @app.post("/compose/{name}/{number}/stop")
    def stop(request: Request, name: str, number: str, fields: Form) -> Response:
        del fields
        desk.writer.stop(_take(desk, request, name, number)[1])
        return go_to(frame.address("compose", name))

    @app.post("/compose/{name}/{number}/delete")
    def delete_take(request: Request, name: str, number: str, fields: Form) -> Response:
        del fields
        project, take = _take(desk, request, name, number)
        desk.takes.delete(project, take.number)
        return go_to(frame.address("compose", name))


def _project(desk: Desk, request: Request, name: str) -> Project:
    return desk.takes.project(session_of(request).owner, name)


def _take(desk: Desk, request: Request, name: str, number: str) -> tuple[Project, Take]:
    project = _project(desk, request, name)
    is_number = number.isascii() and number.isdigit() and len(number) < 9
    return project, project.take(int(number) if is_number else 0)


def _about(desk: Desk, model: str) -> ModelAbout:
    """What a model of this server heeds; `StopRun` where there is none of that name."""
    return about_model(desk.studio.model(model))


async def _ordered(desk: Desk, request: Request) -> str:
    """The page of the project that a form with a video or a link makes."""
    session = session_of(request)
    length = int(request.headers.get("content-length", 0))
    await asyncio.to_thread(desk.takes.check_room, length)
    with desk.takes.receiving(session.owner) as video:
        opened: list[BinaryIO] = []

        def open_file(fields: Mapping[str, str]) -> BinaryIO:
            del fields
            opened.append(video.open("xb"))
            return opened[0]

        try:
            upload = await receive(request, session, open_file)
        finally:
            for file in opened:
                file.close()

        def made() -> str:
            project = _kept(desk, session, upload, video if opened else None)
            return frame.address("compose", project.name)

        return await asyncio.to_thread(made)


def _kept(desk: Desk, session: Session, upload: Upload, video: Any) -> Project:
    """The project of a form, with the takes that it orders."""
    fields, link = upload.fields, upload.fields.get("link", "").strip()
    if link and video is not None:
        raise Refused(400, "send a video or give a link, not both")
    wishes = ordering.wishes_of(fields, _about(desk, fields.get("model", "")), desk.studio)
    count = _count(fields)
    if link:
        project = desk.takes.linked(session.owner, link, desk.settings.sites)
    elif video is not None:
        project = desk.takes.keep(session.owner, video, upload.filename[:LONGEST_TITLE])
    else:
        raise Refused(400, "choose a video, or give a link to one")
    try:
        _order(desk, project, wishes, count)
    except StopRun:
        # A project without a take is nothing that was asked for.
        desk.takes.delete(project)
        raise
    return project


def _count(fields: Mapping[str, str]) -> int:
    return int(ordering.number(fields, "takes", 1, 1, ordering.MOST_AT_ONCE))


def _order(desk: Desk, project: Project, wishes: Wishes, count: int) -> None:
    """Order so many takes, from seeds that follow each other."""
    for number in range(count):
        again = desk.takes.project(project.owner, project.name)
        desk.takes.order(again, replace(wishes, seed=wishes.seed + number))
    desk.writer.wake()


def _passage(desk: Desk, take: Take, about: ModelAbout, fields: Mapping[str, str]) -> Wishes:
    """What is asked of a passage: as its take was, but for what the form says."""
    if take.state != "done":
        raise Refused(400, "this take is not done: a passage is of one that is")
    start_s, end_s = (ordering.number(fields, name, None, 0, 36000) for name in ("from", "to"))
    if start_s is None or end_s is None or start_s >= end_s:
        raise Refused(400, "say from which second to which, the first before the other")
    own = {name for name in ("density", "temperature") if name in about.heeded}
    wishes = ordering.wishes_of(
        {name: value for name, value in fields.items() if name in own | {"seed"}},
        replace(about, options=tuple(o for o in about.options if o.name == "density")),
        desk.studio,
    )
    # Key, chords and tempo are those of the piece.
    kept = {n: v for n, v in take.wishes.options.items() if n not in ("tempo", "density")}
    return replace(
        take.wishes,
        key="",
        primer="",
        seed=wishes.seed,
        temperature=wishes.temperature,
        options={**kept, **wishes.options},
        passage=(take.number, float(start_s), float(end_s)),
    )


def _home(desk: Desk, request: Request) -> str:
    session, models = session_of(request), desk.composers()
    model = request.query_params.get("model", "")
    about = _about(desk, model)
    most = UPLOADS["/compose"] / 2**30
    video = element("input", type="file", name="video", accept="video/*")
    link = element(
        "input", type="url", name="link", maxlength=300, autocomplete="off",
        placeholder="https://www.youtube.com/watch?v=",
    )  # fmt: skip
    form = frame.form(
        "/compose", session,
        element(
            "div",
            frame.labelled(f"A video, at most 10 minutes and {most:g} GB", video),
            frame.labelled("or a link to its page", link),
            class_="fields",
        ),
        ordering.order_fields(about, Wishes(model), desk.studio),
        frame.button("Write music", class_="accept"),
        enctype="multipart/form-data",
    )  # fmt: skip
    lead = (
        "Send a video, and a model writes piano music for it. What you send stays on this server "
        "until you delete it."
    )
    parts = [
        take_page.model_choice(frame.address("compose"), models, model),
        element("section", element("h2", f"New music by {_named(model, about)}"), form),
        _projects(desk, session),
    ]
    return frame.page("Compose", *parts, session=session, lead=lead)


def _named(model: str, about: ModelAbout) -> str:
    return f"{model} ({about.title})" if model else "the starter model"


def _projects(desk: Desk, session: Session) -> Html:
    rows = []
    for each in desk.takes.projects(session.owner):
        is_open = sum(take.is_open for take in each.takes)
        done = sum(take.state == "done" for take in each.takes)
        state = f"{is_open} waiting or being written" if is_open else "done"
        link = frame.link(each.title, frame.address("compose", each.name))
        rows.append((link, done, state if each.takes else "no take", take_page.when(each.made_s)))
    if not rows:
        return frame.part("Your music", element("p", "Nothing was written for you yet."))
    table = frame.table(("video", "takes", "state", "sent (UTC)"), rows, "Your music", numbers=(1,))
    return frame.part("Your music", table)


def _project_page(desk: Desk, request: Request, project: Project) -> str:
    session, query = session_of(request), request.query_params
    shown = take_page.shown_take(project, query.get("take", ""))
    model = query.get("model", shown.wishes.model if shown else "")
    models, gone = desk.composers(), None
    if "model" not in query and model not in ("", *models):
        # Takes outlive the model that wrote them.
        gone = element("p", f"The model {model} is not on this server any more.", class_="note")
        model = ""
    base = shown.wishes if shown and shown.wishes.model == model else Wishes(model)
    seeds = [each.wishes.seed for each in project.takes]
    again = replace(base, seed=max(seeds, default=-1) + 1, passage=None)
    here, about = frame.address("compose", project.name), _about(desk, model)
    form = frame.form(
        f"{here}/takes", session, ordering.order_fields(about, again, desk.studio),
        frame.button("Write another take", key="n"),
    )  # fmt: skip
    parts = [
        take_page.progress(project, session),
        take_page.shown(project, shown, session, desk.studio) if shown else None,
        take_page.table(project, shown, session),
        frame.part(
            "Another take", gone, take_page.model_choice(here, models, model),
            element("p", f"By {_named(model, about)}.", class_="about"), form,
        ),
        frame.part(
            "Delete",
            element("p", "The video and all its takes go from this server."),
            frame.form(f"{here}/delete", session, frame.button("Delete this project")),
        ),
    ]  # fmt: skip
    return frame.page(
        project.title,
        *parts,
        session=session,
        scripts=("player.js", "keys.js", "compose.js"),
        unscripted_s=take_page.AGAIN_S if any(t.is_open for t in project.takes) else 0,
    )
