"""Listening studies: all that raters see of this server, by an application of its own.

Who rates needs no token and has no session: the pages of everybody else are no part of this
application, whatever is asked of it. Of a study it gives the files of the site, and takes answers.
"""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from symmv_builder.api.study import Store
from symmv_builder.web import media
from symmv_builder.web.guard import Access, App, RatersGuard, body_of

# Where `symmv web` serves studies, each under its name.
STUDIES = "/study/"
_READ = ("GET", "HEAD")


def address(store: Store) -> str:
    """The path under which `symmv web` serves a study: it tells nothing about it."""
    return f"{STUDIES}{store.name}/"


def make_app(stores: Mapping[str, Store], access: Access) -> App:
    """The studies, each under its path, behind a guard of their own."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for at, store in stores.items():
        _add(app, at, store)
    return RatersGuard(app, access, Store.most_bytes)


def _add(app: FastAPI, at: str, store: Store) -> None:
    @app.api_route(at, methods=[*_READ])
    @app.api_route(f"{at}index.html", methods=[*_READ])
    def begin() -> Response:
        return Response(store.page, media_type="text/html; charset=utf-8")

    @app.get(at.rstrip("/") or at)
    def whole() -> Response:
        # Files are named from here: without the slash they would be looked for elsewhere.
        return RedirectResponse(at)

    @app.post(f"{at}session")
    def session() -> dict[str, int]:
        return {"session": store.next_session()}

    @app.post(f"{at}answers")
    async def answers(request: Request) -> Response:
        body = await body_of(request.receive, store.most_bytes)
        return Response(status_code=await run_in_threadpool(store.keep, body))

    @app.api_route(f"{at}{{name}}", methods=[*_READ])
    def file(request: Request, name: str) -> Response:
        named = store.file(name)
        if named is None:
            return Response("Not Found\n", 404, media_type="text/plain; charset=utf-8")
        path, kind = named
        return media.filed(path, kind, request.headers.get("range"))
