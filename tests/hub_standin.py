"""A stand-in of the model hub's API on loopback: data set repositories that take commits.

It keeps what it is sent (`Hub.repositories`), refuses other tokens than its own, and fails where a
test tells it to (`Hub.faults`). It knows the calls that `huggingface_hub` makes to create a
repository, to upload files (the large ones by Git LFS), to commit, list, tag and squash.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_" + "t" * 34


@dataclass
class Repository:
    """Revisions by name (``main``, tags), each with its files; main's commits in `history`."""

    name: str
    private: bool
    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    history: list[dict[str, bytes]] = field(default_factory=list)

    @property
    def main(self) -> dict[str, bytes]:
        return self.revisions["main"]

    @property
    def tags(self) -> list[str]:
        return sorted(name for name in self.revisions if name != "main")


@dataclass
class Fault:
    """The answer to a call whose method and path match, `times` times after the first `after`."""

    pattern: str
    code: int
    times: int = 1
    after: int = 0


@dataclass
class Hub:
    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def fault(self, call: str) -> int:
        """The code of the fault that a call meets; 0 where it meets none."""
        for fault in self.faults:
            if re.search(fault.pattern, call):
                if fault.after:
                    fault.after -= 1
                elif fault.times:
                    fault.times -= 1
                    return fault.code
        return 0


@contextmanager
def running() -> Iterator[Hub]:
    """A hub at `Hub.url` until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        call = f"{self.command} {path}"
        with self.hub.lock:
            self.hub.calls.append(call)
            code = self.hub.fault(call)
            if code:
                return self.say(code, {"error": f"told to fail; your token is {TOKEN}"})
            if path.startswith("/lfs/"):
                return self.put_object(path.removeprefix("/lfs/"), body)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.say(401, {"error": "Invalid credentials"})
            self.say(*self.act(path, body))

    def say(self, code: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def put_object(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            return self.say(400, {"error": "other bytes"})
        self.hub.objects[oid] = body
        self.say(200, {})

    def act(self, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self.batch(json.loads(body))
        found = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/([^/]+)(?:/(.*))?)?", path)
        if not found or found[1] not in self.hub.repositories:
            return 404, {"error": "Repository not found"}
        repository, what, rest = self.hub.repositories[found[1]], found[2], found[3] or ""
        if what is None:
            return 200, {"id": found[1], "private": repository.private, "sha": "0" * 40}
        act = getattr(self, f"do_{what.replace('-', '_')}")
        answer: tuple[int, Any] = act(repository, rest, body)
        return answer

    def create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else ""
        name = name or asked["name"]
        url = {"url": f"{self.hub.url}/datasets/{name}"}
        if name in self.hub.repositories:
            return 409, {"error": "You already created this dataset repo", **url}
        start = {".gitattributes": b"*.parquet filter=lfs\n"}
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repositories[name] = Repository(name, private, {"main": dict(start)}, [start])
        return 200, url

    def batch(self, asked: dict[str, Any]) -> tuple[int, Any]:
        objects = []
        for each in asked["objects"]:
            entry = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.hub.objects:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}
            objects.append(entry)
        return 200, {"transfer": "basic", "objects": objects}

    def do_refs(self, repository: Repository, rest: str, body: bytes) -> tuple[int, Any]:
        def ref(name: str, kind: str) -> dict[str, str]:
            return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": "0" * 40}

        tags = [ref(name, "tags") for name in repository.tags]
        return 200, {"branches": [ref("main", "heads")], "converts": [], "tags": tags}

    def do_tree(self, repository: Repository, rest: str, body: bytes) -> tuple[int, Any]:
        if rest not in repository.revisions:
            return 404, {"error": "no such revision"}
        items = []
        for path, data in sorted(repository.revisions[rest].items()):
            item: dict[str, Any] = {"type": "file", "path": path, "size": len(data)}
            item["oid"] = _blob(data)
            if path.endswith(".parquet"):
                sha256 = hashlib.sha256(data).hexdigest()
                item["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 130}
            items.append(item)
        return 200, items

    def do_preupload(self, repository: Repository, rest: str, body: bytes) -> tuple[int, Any]:
        files = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if each["path"].endswith(".parquet") else "regular",
                "shouldIgnore": False,
            }
            for each in json.loads(body)["files"]
        ]
        return 200, {"files": files}

    def do_commit(self, repository: Repository, rest: str, body: bytes) -> tuple[int, Any]:
        files = dict(repository.main)
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.hub.objects:
                    return 400, {"error": "an object is missing"}
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        repository.revisions["main"] = files
        repository.history.append(files)
        oid = f"{len(repository.history):040x}"
        url = f"{self.hub.url}/datasets/{repository.name}/commit/{oid}"
        return 200, {"success": True, "commitUrl": url, "commitOid": oid}

    def do_tag(self, repository: Repository, rest: str, body: bytes) -> tuple[int, Any]:
        if self.command == "DELETE":
            return (200, {}) if repository.revisions.pop(rest, None) is not None else (404, {})
        name = json.loads(body)["tag"]
        if name in repository.revisions:
            return 409, {"error": "it is there"}
        repository.revisions[name] = dict(repository.revisions[rest])
        return 200, {}

    def do_super_squash(self, repository: Repository, rest: str, body: bytes) -> tuple[int, Any]:
        repository.history = [repository.main]
        return 200, {}
