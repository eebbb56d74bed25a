"""Run the loopback video site: how it answers a request over HTTP, failures included."""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from symmv_builder.demo import pages
from symmv_builder.demo.catalogue import LASTING, REFUSALS, Description, Failure
from symmv_builder.demo.misbehaviour import Visit
from symmv_builder.demo.site import Site, entity_tag
from symmv_builder.errors import StopRun

_BLOCK = 16_384
_MOST_POSTED = 1 << 20
_TYPES = {
    ".mp4": "video/mp4", ".webm": "video/webm", ".m4a": "audio/mp4",
    ".flac": "audio/flac", ".wav": "audio/wav",
}  # fmt: skip
_PAGE_FAILURES = frozenset({Failure.TOO_MANY_REQUESTS, Failure.SERVER_ERROR})
_WATCH_FAILURES = frozenset(REFUSALS) | LASTING
_INVERTED = bytes(byte ^ 0xA5 for byte in range(256))
_INTACT_BYTES = 16


def answer_class(site: Site) -> type[BaseHTTPRequestHandler]:
    """Make the class of requests to one site."""
    return type("Answer", (_Answer,), {"site": site})


class _Answer(BaseHTTPRequestHandler):
    """The handler of one visitor's connection."""

    site: Site
    protocol_version = "HTTP/1.1"
    # A visitor that is silent for so long is gone.
    timeout = 60
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: what was asked is in `Site.visits`."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        parts = address.path.strip("/").split("/")
        routes: dict[str, Callable[[list[str], dict[str, str]], None]] = {
            "": self._front,
            "channel": self._channel,
            "playlist": self._playlist,
            "feeds": self._feed,
            "results": self._search,
            "watch": self._watch,
            "media": self._media,
        }
        route = routes.get(parts[0])
        if not self._is_meant_for_us():
            self._send(421, "text/plain", "another host")
        elif route is None:
            self._send_missing()
        else:
            try:
                route(parts[1:], query)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    def do_POST(self) -> None:
        """Add a video: ``/api/uploads`` with a JSON object."""
        length = self.headers.get("Content-Length", "")
        body = b""
        if length.isdigit() and int(length) <= _MOST_POSTED:
            body = self.rfile.read(int(length))
        else:
            self.close_connection = True
        is_json = self.headers.get_content_type() == "application/json"
        if self.path != "/api/uploads" or not self._is_meant_for_us() or not is_json:
            self._send_missing()
            return
        try:
            name = self.site.add_from_json(body)
        except ValueError as error:
            self._send(400, "application/json", json.dumps({"error": str(error)}))
        else:
            self._send(201, "application/json", json.dumps({"id": name}))

    def _is_meant_for_us(self) -> bool:
        """Check that the visitor knows where it is.

        Pages of other sites may not use a visitor.
        """
        return f"http://{self.headers.get('Host', '')}" == self.site.url

    def _front(self, _: list[str], __: dict[str, str]) -> None:
        self._send(200, "text/html", pages.front_page(self.site.channels()))

    def _channel(self, parts: list[str], query: dict[str, str]) -> None:
        channel = self.site.channel(parts[0]) if parts else None
        if self._turns_away("list", parts[0] if parts else ""):
            return
        if channel is None:
            self._send_missing()
            return
        facts = {"channel": channel.title, "verified": channel.verified}
        self._send_list(channel.title, self.site.newest(channel.name), query, facts)

    def _playlist(self, parts: list[str], query: dict[str, str]) -> None:
        playlist = self.site.playlist(parts[0]) if parts else None
        if self._turns_away("list", parts[0] if parts else ""):
            return
        if playlist is None:
            self._send_missing()
        else:
            self._send_list(*playlist, query, {})

    def _search(self, _: list[str], query: dict[str, str]) -> None:
        words = query.get("q", "")
        if not self._turns_away("search", words):
            self._send_list(words, self.site.search(words), query, {})

    def _feed(self, parts: list[str], query: dict[str, str]) -> None:
        channel = self.site.channel(query.get("channel_id", ""))
        if self._turns_away("feed", query.get("channel_id", "")):
            return
        if channel is None or parts != ["videos.xml"]:
            self._send_missing()
            return
        newest = self.site.newest(channel.name)[:15]
        self._send(200, "application/atom+xml", pages.feed(channel, newest))

    def _watch(self, _: list[str], query: dict[str, str]) -> None:
        upload = self.site.upload(query.get("v", ""))
        if upload is None:
            self._send_missing()
            return
        if self._turns_away("watch", upload.video_id, record=False):
            return
        number = self.site.behaviour.count("issued", upload.video_id)
        rule = self.site.behaviour.strikes(_WATCH_FAILURES, upload.video_id, number)
        channel = self.site.channel(upload.channel)
        if channel is not None:
            failure = rule.failure if rule else None
            data = pages.watch_data(upload, channel, failure, number)
            self.site.behaviour.record(Visit("watch", upload.video_id, 200))
            self._send(200, "text/html", pages.watch_page(data))

    def _turns_away(self, kind: str, name: str, *, record: bool = True) -> bool:
        """Answer 429 or 500 where that is switched on; note the visit where it is not."""
        number = self.site.behaviour.count(kind, name)
        rule = self.site.behaviour.strikes(_PAGE_FAILURES, name, number)
        status = 200
        if rule is not None:
            status = 429 if rule.failure is Failure.TOO_MANY_REQUESTS else 503
        if record or rule is not None:
            self.site.behaviour.record(Visit(kind, name, status))
        if rule is not None:
            self._send(status, "text/plain", "come back later")
        return rule is not None

    def _send_list(
        self,
        title: str,
        entries: list[dict[str, Any]],
        query: dict[str, str],
        facts: dict[str, Any],
    ) -> None:
        number = int(query["page"]) if query.get("page", "").isdecimal() else 1
        first = (max(1, number) - 1) * pages.PAGE_SIZE
        page = entries[first : first + pages.PAGE_SIZE]
        more = first + pages.PAGE_SIZE < len(entries)
        self._send(200, "text/html", pages.list_page(title, page, number, more, facts))

    def _send_missing(self) -> None:
        self._send(404, "text/plain", "there is no such thing")

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'",
        )
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _media(self, parts: list[str], query: dict[str, str]) -> None:
        """Send a file, whole or a part of it, in whatever state it is to arrive."""
        upload = self.site.upload(parts[0]) if parts else None
        path = upload.served.get(parts[1]) if upload and len(parts) == 2 else None
        if upload is None or path is None:
            self._send_missing()
            return
        behaviour = self.site.behaviour
        number = behaviour.count("media", upload.video_id)
        refusal = behaviour.strikes(
            {Failure.TOO_MANY_REQUESTS, Failure.FORBIDDEN, Failure.SERVER_ERROR},
            upload.video_id,
            number,
        )
        status = 0
        if refusal is not None:
            statuses = {Failure.TOO_MANY_REQUESTS: 429, Failure.FORBIDDEN: 403}
            status = statuses.get(refusal.failure, 503)
        elif behaviour.has_expired(upload.video_id, query.get("token", ""), number):
            status = 403
        if status:
            behaviour.record(Visit("media", upload.video_id, status))
            self._send(status, "text/plain", "no")
        else:
            self._send_file(upload.video_id, path, number)

    def _send_file(self, video_id: str, path: Path, number: int) -> None:
        size, tag = path.stat().st_size, entity_tag(path)
        if self.headers.get("If-None-Match") == tag:
            self._send_head(304, path, tag, {})
            return
        range_header = self.headers.get("Range", "")
        if self.headers.get("If-Range", tag) != tag:
            range_header = ""
        first, last = _range(range_header, size)
        status = 416 if first > last else 206 if range_header else 200
        visit = self.site.behaviour.record(Visit("media", video_id, status, first))
        if status == 416:
            headers = {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
            self._send_head(status, path, tag, headers)
            return
        headers = {"Content-Length": str(last - first + 1)}
        if range_header:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._send_head(status, path, tag, headers)
        if self.command == "HEAD":
            return
        sent_bytes = 0
        for block in self._blocks(video_id, path, first, last, number):
            self.site.behaviour.add_bytes(visit, len(block))
            self.wfile.write(block)
            sent_bytes += len(block)
        if sent_bytes < last - first + 1:
            self.close_connection = True

    def _send_head(self, status: int, path: Path, tag: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
        facts = {"Content-Type": kind, "ETag": tag, "Accept-Ranges": "bytes"}
        for name, value in (facts | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def _blocks(
        self, video_id: str, path: Path, first: int, last: int, number: int
    ) -> Iterator[bytes]:
        """Iterate over the bytes asked for: late, damaged or fewer, as it is switched on."""
        behaviour, size = self.site.behaviour, path.stat().st_size
        end = last + 1
        if behaviour.strikes({Failure.TRUNCATED}, video_id, number):
            end = min(end, size // 2)
        if number == 1 and behaviour.strikes({Failure.CUT_ONCE}, video_id, 1):
            end = min(end, size // 2)
        damaged = behaviour.strikes({Failure.DAMAGED}, video_id, number) is not None
        slow = behaviour.strikes({Failure.SLOW}, video_id, number)
        step = min(_BLOCK, max(1, round(slow.bytes_a_second / 20))) if slow else _BLOCK
        with path.open("rb") as handle:
            handle.seek(first)
            for start in range(first, end, step):
                block = handle.read(min(step, end - start))
                if damaged:
                    intact = max(0, _INTACT_BYTES - start)
                    block = block[:intact] + block[intact:].translate(_INVERTED)
                yield block
                if slow:
                    time.sleep(len(block) / slow.bytes_a_second)


def _range(header: str, size: int) -> tuple[int, int]:
    """Read the first and last byte of a Range header; the whole file where it asks for none.

    What cannot be satisfied comes out with the first byte after the last.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if not match or match.groups() == ("", ""):
        return 0, size - 1
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last) if last else size - 1, size - 1)


class _Server(ThreadingHTTPServer):
    """A server that takes it calmly when a visitor hangs up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


@contextmanager
def serve(description: Description, *, port: int = 0, seed: int = 0) -> Iterator[Site]:
    """Run a site on 127.0.0.1 until the block ends; port 0 takes any that is free."""
    site = Site(description, seed=seed)
    try:
        server = _Server(("127.0.0.1", port), answer_class(site))
    except OSError as error:
        raise StopRun(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from error
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    # Polled often, so that the end of the block is not felt.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
