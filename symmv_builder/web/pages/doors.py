"""How one comes in and says who one is: the token, and the name of a reviewer."""

import time

from fastapi import FastAPI, Request, Response

from symmv_builder.api.reviewing import LONGEST_NAME
from symmv_builder.report.elements import element
from symmv_builder.text import clean_line
from symmv_builder.web import frame
from symmv_builder.web.desk import Desk, Form, go_to, html, session_of
from symmv_builder.web.guard import Refused

# Nobody types faster than this; a program that guesses is slowed down.
_WRONG_S = 0.5


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""

    @app.get("/login")
    def login(request: Request) -> Response:
        field = element("input", type="password", name="token", required=True, maxlength=200,
                        autocomplete="current-password")  # fmt: skip
        inner = frame.form(
            "/login", session_of(request), frame.labelled("Token", field), frame.button("Enter"),
            class_="fields",
        )  # fmt: skip
        return html(frame.page("Who comes?", inner, session=session_of(request)))

    @app.post("/login")
    def enter(request: Request, fields: Form) -> Response:
        owner = desk.access.owner_of(fields.get("token", ""))
        if not owner:
            time.sleep(_WRONG_S)
            raise Refused(403, "this is not the token")
        word = desk.access.access_word(owner, session_of(request).number)
        return _kept(go_to("/"), desk.access.cookie("access", word))

    @app.get("/name")
    def name(request: Request) -> Response:
        session = session_of(request)
        field = element("input", name="name", required=True, maxlength=LONGEST_NAME,
                        value=session.reviewer, autocomplete="nickname")  # fmt: skip
        after = element("input", type="hidden", name="next",
                        value=_own(request.query_params.get("next", "")))  # fmt: skip
        inner = frame.form(
            "/name", session, after, frame.labelled("Name", field), frame.button("That is me"),
            class_="fields",
        )  # fmt: skip
        lead = "Stands beside every decision that you make."
        return html(frame.page("Your name", inner, session=session, lead=lead))

    @app.post("/name")
    def say_name(fields: Form) -> Response:
        said = clean_line(fields.get("name", ""))
        if not 0 < len(said) <= LONGEST_NAME:
            raise Refused(400, f"a name has at most {LONGEST_NAME} characters")
        to = _own(fields.get("next", ""))
        return _kept(go_to(to), desk.access.cookie("reviewer", said))


def _kept(response: Response, cookie: str) -> Response:
    response.headers.append("set-cookie", cookie)
    return response


def _own(address: str) -> str:
    """A path of this server as it was said, else the first page: never another host's."""
    is_own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_own and address.isascii() and address.isprintable() else "/"
