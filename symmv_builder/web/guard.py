"""What stands before every page: hosts, origins, tokens, sizes, and the headers of all answers.

A page of another site that is open in the same browser may send requests here. It cannot read an
answer (no header allows it), cannot name this server by a name of its own (`Host` is compared), and
cannot make it do anything: a POST must come from a page of ours (`Origin`) and hold a word that
only such a page knows (`Session.word`).
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from symmv_builder.errors import WrongSetting
from symmv_builder.text import clean_line

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHORTEST_TOKEN = 16
MOST_BODY_BYTES = 16 * 1024
_FORM = "application/x-www-form-urlencoded"
# Where a file may be sent to, and how many bytes it may have with the fields around it.
UPLOADS = {"/compose": 2**30}
_MOST_FIELDS = 20
_OPEN_PATHS = ("/login", "/static/")
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With "no-referrer" browsers send forms without their origin.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come: by which host, and with which token; an empty one lets everybody in.

    Several tokens are separated by commas, one a person: what a person composes is seen with that
    person's token alone (`owner_of`).
    `secret` signs what browsers keep; it is drawn anew for every start of the server. Names of
    cookies hold the `port`: browsers keep those of all servers of a host together.
    `names` are those by which it is called from elsewhere, by a proxy that speaks TLS.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = field(default="", repr=False)
    names: tuple[str, ...] = ()
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def check(self) -> None:
        """`StopRun` where others could come without a token, or with one that can be guessed."""
        if (not self.is_loopback or self.names) and not self.token:
            problem = "others can reach it there: say a token, which they have to know"
            raise WrongSetting("host", (*self.names, self.host)[0], problem)
        for token in self.tokens:
            if len(token) < SHORTEST_TOKEN:
                problem = f"it can be guessed; it has {SHORTEST_TOKEN} characters at least"
                raise WrongSetting("token", "*" * len(token), problem)

    @property
    def tokens(self) -> list[str]:
        return [each for part in self.token.split(",") if (each := part.strip())]

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    def allows(self, host: str) -> bool:
        """Whether a request may name the server so; without a host of its own it has any name."""
        name = _host_name(host)
        if name is None:
            return False
        if self.host in ("0.0.0.0", "::"):
            return True
        if name in self.names:
            return True
        return name == self.host or (self.is_loopback and name in LOOPBACK)

    def origins(self, scheme: str, host: str) -> tuple[str, ...]:
        """Where pages of ours come from that were asked for at a host of ours."""
        # What comes by a proxy was asked for with TLS, and reaches us without.
        return (
            f"{scheme}://{host}",
            *([f"https://{host}"] if _host_name(host) in self.names else []),
        )

    def sign(self, what: str, session: str) -> str:
        """A word that belongs to a session and cannot be made without the secret."""
        return hmac.new(self.secret, f"{what}:{session}".encode(), hashlib.sha256).hexdigest()

    def cookie(self, name: str, value: str) -> str:
        """A cookie that no script reads and no other site's request brings along."""
        return f"{name}-{self.port}={quote(value, safe='.')}; Path=/; HttpOnly; SameSite=Strict"

    def owner_of(self, text: str) -> str:
        """Who has a token, by a name that does not tell it; empty for what is none."""
        owners = [_owner(token) for token in self.tokens if _same(text, token)]
        return owners[0] if owners else ""

    def access_word(self, owner: str, session: str) -> str:
        """What a browser keeps when it has come in: who it is, signed for its session."""
        return f"{owner}.{self.sign(f'access:{owner}', session)}"

    def owner_in(self, word: str, session: str) -> str:
        """Who a browser is by what it kept; empty where it was not made here for this session."""
        owner = word.partition(".")[0]
        is_ours = owner in map(_owner, self.tokens)
        return owner if is_ours and _same(word, self.access_word(owner, session)) else ""


def _owner(token: str) -> str:
    return hashlib.sha256(f"owner:{token}".encode()).hexdigest()[:16]


def _host_name(host: str) -> str | None:
    """The name in a `Host` header without its port; `None` for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return None
    name = parts.hostname
    if not name or "@" in host or parts.path or parts.query or (port is not None and port < 1):
        return None
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _same(first: str, second: str) -> bool:
    return hmac.compare_digest(first.encode("utf-8", "replace"), second.encode())


@dataclass(frozen=True, slots=True)
class Session:
    """A browser: its number, the word of its forms, whether it may come in, who sits there.

    `owner` is whose takes it sees: of the person whose token it has, or of this machine. `menu`
    are the addresses of the pages that are named on every page, with their words.
    """

    number: str
    signed: str
    word: str
    is_in: bool
    reviewer: str = ""
    owner: str = ""
    menu: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that is answered with a status and one line, and done nothing for."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


class _Guard:
    """What every request passes: which server it names, whose page sent it, what it brings."""

    # What a POST may be: its type, and how many bytes it has at most.
    bodies: Mapping[str, int] = MappingProxyType({})

    def __init__(self, app: App, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        cookies: list[str] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                is_ours = scope["path"].startswith("/static/")
                message["headers"] = _safe(message.get("headers", ()), cookies, keep=is_ours)
            await send(message)

        try:
            headers = _headers(scope)
            self._check(scope, headers)
            await self._let_in(scope, headers, cookies, receive, sending)
        except Refused as refused:
            await _answer(sending, refused.status, refused.line)

    async def _let_in(
        self,
        scope: Scope,
        headers: Mapping[str, str],
        cookies: list[str],
        receive: Receive,
        send: Send,
    ) -> None:
        """Hand on a request that was found in order; `cookies` go out with the answer."""
        del headers, cookies
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        if not self._access.allows(host):
            raise Refused(400, "this server has another name")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise Refused(405, "pages are read, and forms are sent")
        if scope["method"] != "POST":
            return
        if headers.get("origin") not in self._access.origins(scope["scheme"], host):
            raise Refused(403, "this form was sent by a page of another site")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        most = self._most(kind, scope["path"])
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise Refused(411, "a form says how long it is")
        if len(length) > 12 or int(length) > most:
            raise Refused(413, f"a form has at most {most} bytes")

    def _most(self, kind: str, path: str) -> int:
        if kind not in self.bodies:
            raise Refused(415, "forms alone are taken")
        return self.bodies[kind]


class RatersGuard(_Guard):
    """Stands before a listening study: whoever has its address may rate, and do nothing else.

    Nothing is kept in a rater's browser by this server, so no page of another site can act in a
    rater's name; an answer is JSON all the same, from a page of ours.
    """

    def __init__(self, app: App, access: Access, most_bytes: int) -> None:
        super().__init__(app, access)
        self.bodies = {"application/json": most_bytes, "": 0}


class Guard(_Guard):
    """The outermost part of the server; what it lets through has ``scope["session"]``.

    What lies under `apart` goes to another application, which has a guard of its own.
    """

    bodies = MappingProxyType({_FORM: MOST_BODY_BYTES})

    def __init__(
        self, app: App, access: Access, menu: Mapping[str, str], apart: Mapping[str, App]
    ) -> None:
        super().__init__(app, access)
        self._menu, self._apart = menu, apart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for path, app in self._apart.items():
            if scope.get("path", "").startswith(path):
                await app(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def _let_in(
        self,
        scope: Scope,
        headers: Mapping[str, str],
        cookies: list[str],
        receive: Receive,
        send: Send,
    ) -> None:
        session = self._session(headers)
        if session.signed not in headers.get("cookie", ""):
            cookies.append(self._access.cookie("session", session.signed))
        scope["session"] = session
        if not session.is_in and not scope["path"].startswith(_OPEN_PATHS):
            await _answer(send, 303, "log in first", location="/login")
            return
        await self._app(scope, receive, send)

    def _most(self, kind: str, path: str) -> int:
        if kind == "multipart/form-data" and path in UPLOADS:
            return UPLOADS[path]
        return super()._most(kind, path)

    def _session(self, headers: Mapping[str, str]) -> Session:
        ending = f"-{self._access.port}"
        sessions = {
            name.removesuffix(ending): value
            for name, value in _cookies(headers.get("cookie", "")).items()
            if name.endswith(ending)
        }
        number, _, signature = sessions.get("session", "").partition(".")
        if not _same(signature, self._access.sign("session", number)):
            number = secrets.token_hex(16)
        signed = f"{number}.{self._access.sign('session', number)}"
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        owner = "local"
        if self._access.token:
            kept_word = sessions.get("access", "")
            owner = self._access.owner_of(bearer) or self._access.owner_in(kept_word, number)
        reviewer = clean_line(unquote(sessions.get("reviewer", "")))
        word = self._access.sign("form", number)
        return Session(number, signed, word, bool(owner), reviewer, owner, self._menu)


def is_word(text: str, session: Session) -> bool:
    """Whether a form says the word of its browser's session."""
    return _same(text, session.word)


async def body_of(receive: Receive, most: int) -> bytes:
    """What a request brings; `Refused` where that is more than `most` bytes, or breaks off."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the form did not come to its end")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refused(413, f"a form has at most {most} bytes")
        if not message.get("more_body"):
            return bytes(body)


async def fields_of(receive: Receive, session: Session) -> dict[str, str]:
    """The fields of a form that a page of ours sent; `Refused` for anything else."""
    body = await body_of(receive, MOST_BODY_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Refused(400, "this is no form of ours") from error
    fields = dict(pairs)
    if not is_word(fields.pop("word", ""), session):
        raise Refused(403, "this form is out of date: open the page again")
    return fields


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by name; `Refused` where one of those that are looked at is there twice."""
    texts: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in texts and name in ("host", "origin", "content-length", "content-type"):
            texts[name] = ""
        else:
            texts[name] = value.decode("latin-1")
    return texts


def _cookies(text: str) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(text)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _safe(headers: Any, cookies: list[str], *, keep: bool) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with ours; a browser may `keep` the package's own files a while."""
    kept = [(name, value) for name, value in headers if name.lower().decode() not in HEADERS]
    policy = HEADERS | ({"cache-control": "max-age=300"} if keep else {})
    ours = [(name.encode(), value.encode()) for name, value in policy.items()]
    return [*kept, *ours, *((b"set-cookie", each.encode()) for each in cookies)]


async def _answer(send: Send, status: int, line: str, **more: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in more.items()]
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *headers]})
    await send({"type": "http.response.body", "body": f"{line}\n".encode()})
