"""Nobody else gets in, nothing of a stranger runs, and no name becomes a path."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder.api import questions
from symmv_builder.errors import StopRun, UnknownName
from symmv_builder.settings import Settings
from symmv_builder.web.guard import HEADERS, MOST_BODY_BYTES, Access
from symmv_builder.web.media import span_of
from tests.web.rooms import DATASET, ENTRY, Visitor, make_root, proposal, visitor

PAGES = (
    "/",
    f"/browse/{DATASET}",
    f"/browse/{DATASET}?rows=clips",
    f"/entry/{DATASET}/{ENTRY}",
    f"/review/{DATASET}/{proposal(0)}",
    f"/decisions/{DATASET}",
    f"/crawl/{DATASET}",
    "/compose",
    "/runs",
    "/name",
    "/login",
)
TOKEN = "a token of more than sixteen letters"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture
def guest(settings: Settings) -> Visitor:
    return visitor(settings)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_escapes_what_strangers_wrote(guest: Visitor, path: str) -> None:
    page = guest.is_called("Ann").get(path)
    assert re.findall(r"<(?!/)(script|iframe|object|embed|style)[^>]*>", page) == [
        "script" for _ in re.findall(r'<script src="/static/[a-z]+\.js" defer></script>', page)
    ]
    assert re.search(r"<[^>]*\son\w+=", page) is None
    assert re.search(r"<[^>]*\sstyle=", page) is None
    assert "alert(" not in re.sub(
        r"&lt;script&gt;alert\(&quot;x&quot;\)|onerror=alert\(1\)", "", page
    )
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_texts_of_strangers_are_on_the_pages(guest: Visitor) -> None:
    """The test above has something to find."""
    for path in PAGES[1:2] + PAGES[3:6]:
        assert "&lt;script&gt;" in guest.get(path), path


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/static/style.css", "/static/../guard.py"])
def test_every_answer_has_strict_headers(guest: Visitor, path: str) -> None:
    answer = guest.client.get(path)
    kept = {"cache-control": "max-age=300"} if path == "/static/style.css" else {}
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS | kept
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1", "", "127.0.0.1:0/x", "["]
)
def test_a_name_that_is_not_ours_is_refused(guest: Visitor, host: str) -> None:
    assert guest.client.get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_ours(guest: Visitor, host: str) -> None:
    assert guest.client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1:8000", "http://127.0.0.1:8001", None],
)
def test_a_form_of_another_page_does_nothing(guest: Visitor, origin: str | None) -> None:
    guest.get("/name")
    headers = {"origin": origin} if origin is not None else {}
    form = {"word": guest.word, "name": "Mallory"}
    assert guest.client.post("/name", data=form, headers=headers).status_code == 403


def test_a_form_without_the_word_of_this_browser_does_nothing(
    guest: Visitor, settings: Settings
) -> None:
    other = visitor(settings)
    other.get("/name")
    for word in ("", "0" * 64, other.word, "\u00e9"):
        guest.word = word
        guest.send("/name", status=403, name="Mallory")


def test_a_form_is_small_and_a_form(guest: Visitor) -> None:
    guest.get("/name")
    guest.send("/name", status=413, name="x" * MOST_BODY_BYTES)
    guest.send("/name", status=400, name="x" * 41)
    guest.send("/name", status=400, **{f"field{number}": "x" for number in range(30)})
    headers = {"origin": guest.origin, "content-type": "application/json"}
    assert guest.client.post("/name", content="{}", headers=headers).status_code == 415

    def stream() -> Iterator[bytes]:
        yield b"name=x"

    headers["content-type"] = "application/x-www-form-urlencoded"
    assert guest.client.post("/name", content=stream(), headers=headers).status_code == 411


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_pages_are_read_and_forms_are_sent_and_nothing_else(guest: Visitor, method: str) -> None:
    assert guest.client.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/browse/%2e%2e", "/browse/..%2f..%2fetc", "/entry/symmv/..",
        "/entry/symmv/%2e%2e%2fledger.sqlite", "/media/symmv/../music", "/media/%2e%2e/x/music",
        f"/media/symmv/{ENTRY}/ledger.sqlite", f"/media/symmv/{ENTRY}/%2e%2e",
        "/media/symmv/x/music",
        "/static/%2e%2e%2fguard.py", "/static/guard.py", "/static/", "/runs/%2e%2e",
        "/browse/nobody", "/review/nobody/x", "/decisions/../symmv", "/openapi.json", "/docs",
        "/browse/assets", f"/review/symmv/{'x' * 300}", "/browse/%00", "/entry/symmv/a%0ab",
        "/crawl/%00", "/crawl/nobody",
    ],
)  # fmt: skip
def test_no_name_becomes_a_path(guest: Visitor, path: str) -> None:
    guest.is_called("Ann")
    assert guest.client.get(path).status_code in (400, 404), path


@pytest.mark.parametrize("name", ["..", ".", "../root", "a\0"])
def test_no_name_of_a_dataset_leaves_the_root(settings: Settings, name: str) -> None:
    """A client may not take `..` out of an address as a browser does."""
    Path(settings.root, "..", "entries.jsonl").write_text("not an entry\n")
    with pytest.raises(UnknownName):
        questions.statuses(settings, name)


def test_a_redirect_stays_here(guest: Visitor) -> None:
    for to in ("//evil.example", "/\\evil.example", "https://evil.example", "/\r\nX: 1", "/\t/x"):
        guest.get("/name")
        assert guest.send("/name", name="Ann", next=to) == "/"
    assert guest.send("/name", name="Ann", next="/runs") == "/runs"


def test_with_a_token_nothing_is_seen_without_it(settings: Settings) -> None:
    guest = visitor(settings, token=TOKEN)
    for path in (*PAGES[:-1], f"/media/{DATASET}/{ENTRY}/music"):
        answer = guest.client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert ENTRY not in answer.text
    guest.get("/login")
    guest.send("/login", status=403, token="something else")
    assert guest.client.get("/", follow_redirects=False).status_code == 303
    assert guest.send("/login", token=TOKEN) == "/"
    assert DATASET in guest.get("/")


def test_the_token_of_one_browser_lets_no_other_one_in(settings: Settings) -> None:
    first = visitor(settings, token=TOKEN)
    first.get("/login")
    first.send("/login", token=TOKEN)
    kept = dict(first.client.cookies)
    thief = visitor(settings, token=TOKEN)
    thief.client.cookies.set("access-8000", kept["access-8000"])
    assert thief.client.get("/", follow_redirects=False).status_code == 303
    for value in ("", "x", "%E9"):
        thief.client.cookies.set("session-8000", value)
        assert thief.client.get("/", follow_redirects=False).status_code == 303
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert visitor(settings, token=TOKEN).client.get("/", headers=bearer).status_code == 200


def test_cookies_are_read_by_no_script_and_sent_by_no_other_site(guest: Visitor) -> None:
    answer = guest.client.get("/")
    assert answer.headers["set-cookie"].endswith("; HttpOnly; SameSite=Strict")


def test_another_host_needs_a_token_that_cannot_be_guessed() -> None:
    Access().check()
    Access("::1").check()
    Access("0.0.0.0", token=TOKEN).check()
    for access in (Access("0.0.0.0"), Access("192.0.2.1"), Access(token="short")):
        with pytest.raises(StopRun, match="token"):
            access.check()
    assert "short" not in repr(Access(token="short"))


def test_a_recording_comes_whole_or_in_ranges(guest: Visitor, settings: Settings) -> None:
    path = f"/media/{DATASET}/{ENTRY}/video"
    whole = guest.client.get(path)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    data = whole.content
    assert data[4:8] == b"ftyp"
    for asked, first, last in (
        ("bytes=0-9", 0, 9),
        ("bytes=100-", 100, len(data) - 1),
        ("bytes=-7", len(data) - 7, len(data) - 1),
        (f"bytes=5-{10**14}", 5, len(data) - 1),
    ):
        part = guest.client.get(path, headers={"range": asked})
        assert part.status_code == 206
        assert part.content == data[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
        assert part.headers["content-length"] == str(last - first + 1)
    for asked in (f"bytes={len(data)}-", "bytes=9-3", "bytes=-0", "bytes=-"):
        assert guest.client.get(path, headers={"range": asked}).status_code == 416
    for asked in ("bytes=0-1,3-4", "lines=1-2", f"bytes={'9' * 400}-"):
        assert guest.client.get(path, headers={"range": asked}).content == data
    del settings


def test_an_empty_file_has_no_range() -> None:
    assert span_of("0", "", 0) is None
    assert span_of("", "5", 0) is None


def test_what_no_browser_plays_is_not_sent(tmp_path: Path) -> None:
    settings = make_root(tmp_path)
    store = settings.open_store()
    store.root.write("assets/aa/" + "a" * 64, b"<html><script>alert(1)</script>")
    store.ledger.record_assets({("youtube", "p" * 8 + "000"): "a" * 64})
    answer = visitor(settings).client.get(f"/media/{DATASET}/{proposal(0)}/music")
    assert answer.status_code == 415
    assert b"script" not in answer.content


def test_what_was_taken_down_is_not_shown(tmp_path: Path) -> None:
    from symmv_builder.storage import manifests
    from tests.web.rooms import source

    settings = make_root(tmp_path)
    store = settings.open_store()
    guest = visitor(settings)
    assert guest.client.get(f"/media/{DATASET}/{ENTRY}/music").status_code == 200
    manifests.block(store.manifests, [source("e", 0)], "asked", {})
    assert guest.client.get(f"/media/{DATASET}/{ENTRY}/music").status_code == 404
