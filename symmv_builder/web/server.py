"""The server: an application of all pages behind the guard, and the loop that answers on a port."""

import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from symmv_builder.api.study import Store
from symmv_builder.api.take_writer import Studio, TakeWriter
from symmv_builder.api.takes import Takes
from symmv_builder.errors import NotFound, StopRun, UnknownName, WrongSetting
from symmv_builder.report.page_style import STYLE
from symmv_builder.settings import Settings
from symmv_builder.web import frame, pages, raters
from symmv_builder.web.desk import Desk, html
from symmv_builder.web.guard import Access, App, Guard, Refused

PORT = 8765
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# Connections; a browser has up to six, and a hall of raters comes at once.
_MOST_AT_ONCE = 256
_log = logging.getLogger(__name__)


def make_app(
    settings: Settings,
    access: Access,
    runs_in: Path = Path("runs"),
    writer: TakeWriter | None = None,
    studies: Sequence[Store] = (),
) -> App:
    """All pages of a data root, behind the guard; `studies` are rated apart from them.

    `runs_in` is where folders of trainings lie. What people compose is written by `writer` while
    the application is served; without one it lies in the folder `takes`.
    """
    writer = writer or TakeWriter(Takes(Path("takes")), Studio(settings, runs_in))

    @asynccontextmanager
    async def writing(_: FastAPI) -> AsyncIterator[None]:
        writer.takes.clear()
        writer.wake()
        yield
        writer.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=writing)
    desk = Desk(settings, access, runs_in, writer, studies)
    pages.add_pages(app, desk)
    files = _static_files()

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(files[name], media_type=f"{kind}; charset=utf-8")

    @app.exception_handler(StopRun)
    def stopped(request: Request, error: StopRun) -> Response:
        status = 404 if isinstance(error, NotFound | UnknownName) else 400
        return _said(request, status, str(error))

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        return _said(request, error.status, error.line)

    @app.exception_handler(OSError)
    def unreadable(request: Request, error: OSError) -> Response:
        # Where it lies is for who runs the server.
        _log.warning("%s: %s", request.url.path, error)
        line = f"something that is stored cannot be read: {error.strerror or 'no reason is known'}"
        return _said(request, 500, line)

    @app.exception_handler(HTTPException)
    def no_page(request: Request, error: HTTPException) -> Response:
        return _said(request, error.status_code, str(error.detail))

    by_address = {raters.address(each): each for each in studies}
    rating = raters.make_app(by_address, access)
    return Guard(app, access, pages.menu(), {raters.STUDIES: rating})


def _static_files() -> dict[str, bytes]:
    """The package's own files by name; the sheet is that of all pages with what these add to it."""
    folder = resources.files("symmv_builder.web").joinpath("static")
    files = {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
    return files | {"style.css": STYLE.encode() + files["style.css"]}


def _said(request: Request, status: int, line: str) -> Response:
    title = {404: "Not here", 403: "Not allowed"}.get(status, "That does not work")
    text = frame.page(title, session=request.scope["session"], lead=line)
    return html(text, status)


def answer(app: App, access: Access, *, tell: Callable[[str], object] = lambda _: None) -> None:
    """Answer until the process is interrupted; `tell` gets the address once it can be opened.

    `StopRun` where the port is taken.
    """
    try:
        is_v6 = ":" in access.host
        listening = socket.create_server(
            (access.host, access.port), family=socket.AF_INET6 if is_v6 else socket.AF_INET
        )
    except OSError as error:
        problem = f"nothing can listen there: {error.strerror or error}"
        raise WrongSetting("port", access.port, problem, where=access.host) from error
    with listening:
        config = uvicorn.Config(
            app,
            # Its own arrangement would close the handlers of whoever calls this.
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_keep_alive=5,
            ws="none",
        )
        host = f"[{access.host}]" if is_v6 else access.host
        tell(f"http://{host}:{listening.getsockname()[1]}/")
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            # The usual end.
            return
