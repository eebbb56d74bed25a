"""A message goes through the notification block that is named, and says nothing dangerous."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from pydantic import SecretStr

from flows.notify import notify

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that takes messages: its url, and what it was sent."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", taken
    server.shutdown()
    server.server_close()


def save_webhook(name: str, url: str) -> str:
    made: Any = CustomWebhookNotificationBlock
    block = made(name=name, url=url, json_data={"title": "{{subject}}", "text": "{{body}}"})
    block.save(name, overwrite=True)
    return f"custom-webhook/{name}"


def test_a_message_goes_through_the_block(webhook: tuple[str, list[dict[str, Any]]]) -> None:
    url, taken = webhook
    state = notify(
        "crawl ended as Failed",
        "title \x1b[31m\u202e",
        save_webhook("here", url),
        return_state=True,
    )
    assert state.is_completed()
    [message] = taken
    assert message["title"] == "crawl ended as Failed"
    assert "title" in message["text"]
    assert not set(message["text"]) & set("\x1b\u202e")


def test_without_a_block_it_is_logged_and_said_so() -> None:
    state = notify("a", "b", return_state=True)
    assert (state.name, state.is_completed()) == ("Logged", True)


def test_what_cannot_be_sent_stops_with_one_line() -> None:
    nobody = save_webhook("nobody", "http://127.0.0.1:9/")
    secret: Any = Secret(value=SecretStr("x"))
    secret.save("a-secret", overwrite=True)
    for block, said in (
        ("slack-webhook/nothing", "no block"),
        ("no-kind/nothing", "no block"),
        ("words", "no block"),
        ("secret/a-secret", "sends notifications"),
        (nobody, "does not take"),
    ):
        state = notify("a", "b", block, return_state=True)
        assert state.name == "Stopped", block
        assert said in str(state.message)
        assert "\n" not in str(state.message)
