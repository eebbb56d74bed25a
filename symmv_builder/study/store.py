"""The answer store: serves the site of one study, and keeps what raters answer.

Whoever asks gets the files that the site held when the store began, found by their exact names. An
answer is JSON of at most `MOST_BYTES` from a page of this server (its `Origin` is compared), and
becomes a line of `answers/RATER.jsonl`, which is only ever appended to. The rater's name is 32
hexadecimal digits or is refused, so no name of a file comes from outside. Bytes of one file and the
number of files have limits. There is no encryption here: put a proxy with TLS before it where it
leaves this machine.
"""

import json
import logging
import os
import re
import threading
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from symmv_builder.errors import CannotRead, CannotWrite
from symmv_builder.files import parse_json
from symmv_builder.storage.root import disk_errors
from symmv_builder.study.answers import checked_state
from symmv_builder.study.key import ANSWERS, SITE, read_key

LOG = logging.getLogger(__name__)
MOST_BYTES = 256 * 1024
MOST_OF_A_RATER = 32 * 2**20
MOST_RATERS = 20_000
_PATIENCE_S = 30.0
_CHUNK = 1 << 16
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mp4": "video/mp4",
    ".wav": "audio/wav",
}
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")


class Store:
    """Where answers go; safe for threads. `hosts` are names that this server may be called by."""

    def __init__(self, folder: Path, hosts: Iterable[str] = ()) -> None:
        self.key = read_key(folder)
        self.hosts = frozenset(hosts)
        site = folder / SITE
        try:
            self.files = {
                path.name: path
                for path in site.iterdir()
                if path.suffix in _KINDS and path.is_file() and not path.is_symlink()
            }
            page = self.files["index.html"].read_text(encoding="utf-8")
        except (OSError, KeyError) as error:
            raise CannotRead(site, "the site of this study is not whole") from error
        self.page = page.replace('data-store=""', 'data-store="answers"', 1).encode()
        self.answers = folder / ANSWERS
        with disk_errors(folder):
            self.answers.mkdir(mode=0o700, exist_ok=True)
        self._lock = threading.Lock()
        self._sessions = len(self._kept())

    def _kept(self) -> list[Path]:
        return list(self.answers.glob("*.jsonl"))

    def next_session(self) -> int:
        """The session for the next rater, from 1, in turn."""
        with self._lock:
            self._sessions += 1
            return 1 + (self._sessions - 1) % len(self.key.sessions)

    def keep(self, body: bytes) -> HTTPStatus:
        """Append a state to its rater's file; what is wrong with it is the status."""
        try:
            state = parse_json(body)
            rater = checked_state(state, self.key.study)
            line = (json.dumps(state, allow_nan=False) + "\n").encode()
        except ValueError:
            return HTTPStatus.BAD_REQUEST
        path = self.answers / f"{rater}.jsonl"
        with self._lock:
            size = path.stat().st_size if path.exists() else 0
            if not size and len(self._kept()) >= MOST_RATERS:
                return HTTPStatus.INSUFFICIENT_STORAGE
            if size + len(line) > MOST_OF_A_RATER:
                return HTTPStatus.INSUFFICIENT_STORAGE
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
                handle = os.open(path, flags, 0o600)
                with os.fdopen(handle, "ab") as file:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                LOG.error("cannot keep an answer: %s", error)
                return HTTPStatus.INSUFFICIENT_STORAGE
        return HTTPStatus.NO_CONTENT


def open_server(folder: Path, *, host: str, port: int, hosts: Iterable[str] = ()) -> Any:
    """A server of one study, bound and not yet serving; `server_address` says where.

    `StopRun` where the folder holds no study, and where the address is taken.
    """
    store = Store(folder, {host, "localhost", "127.0.0.1", *hosts})
    handler = type("Requests", (_Requests,), {"store": store})
    try:
        server = ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise CannotWrite(f"{host}:{port}", error.strerror or str(error)) from error
    server.daemon_threads = True
    return server


class _Requests(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "study", ""
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        self._get(with_body=True)

    def do_HEAD(self) -> None:
        self._get(with_body=False)

    def do_POST(self) -> None:
        """Keep an answer, or give out the next session."""
        if not self._is_for_us() or not self._is_of_us():
            return self._refuse(HTTPStatus.FORBIDDEN)
        text = self.headers.get("Content-Length", "")
        length = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
        if self.path == "/session" and length == 0:
            return self._answer(
                HTTPStatus.OK,
                "application/json",
                json.dumps({"session": self.store.next_session()}).encode(),
            )
        if self.path != "/answers":
            return self._refuse(HTTPStatus.NOT_FOUND)
        if self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        if length < 0:
            return self._refuse(HTTPStatus.LENGTH_REQUIRED)
        if length > MOST_BYTES:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        status = self.store.keep(self.rfile.read(length))
        if status is HTTPStatus.NO_CONTENT:
            return self._answer(status, "", b"")
        return self._refuse(status)

    def _is_for_us(self) -> bool:
        """Whether we are called by a name of ours: that of another site could be bent to us."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        return host in self.store.hosts

    def _is_of_us(self) -> bool:
        origin = urlsplit(self.headers.get("Origin", ""))
        return origin.scheme in ("http", "https") and origin.netloc == self.headers.get("Host")

    def _get(self, *, with_body: bool) -> None:
        if not self._is_for_us():
            return self._refuse(HTTPStatus.FORBIDDEN)
        name = self.path.partition("?")[0].removeprefix("/") or "index.html"
        if name == "index.html":
            return self._answer(HTTPStatus.OK, _KINDS[".html"], self.store.page, with_body)
        path = self.store.files.get(name)
        if path is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        try:
            with path.open("rb") as file:
                self._send(file, path.stat().st_size, _KINDS[path.suffix], with_body)
        except (BrokenPipeError, ConnectionError, TimeoutError):
            self.close_connection = True
        return None

    def _send(self, file: BinaryIO, size: int, kind: str, with_body: bool) -> None:
        """A file, or the one range of it that a player asks for."""
        start, end = 0, size - 1
        byte_range = _RANGE.fullmatch(self.headers.get("Range", ""))
        if byte_range and (byte_range[1] or byte_range[2]):
            if byte_range[1]:
                start, end = int(byte_range[1]), min(int(byte_range[2] or end), end)
            else:
                start = max(0, size - int(byte_range[2]))
            if start > end:
                return self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self._head(HTTPStatus.PARTIAL_CONTENT, kind, end - start + 1)
            self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        else:
            self._head(HTTPStatus.OK, kind, size)
        self.end_headers()
        file.seek(start)
        remaining = end - start + 1 if with_body else 0
        while remaining > 0 and (data := file.read(min(remaining, _CHUNK))):
            self.wfile.write(data)
            remaining -= len(data)
        return None

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, with_body: bool = True) -> None:
        self._head(status, kind, len(body))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        if self.close_connection:
            self.send_header("Connection", "close")

    def log_message(self, format: str, *args: Any) -> None:
        LOG.debug("a request: %s", str(args)[:200])
