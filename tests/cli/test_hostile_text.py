"""Whatever a title, a channel, a detail or a file is called, no command harms the terminal.

A data root, a crawl and files are named by somebody who means harm; every command that
prints is run over them, with a terminal and without, and its output is searched.
"""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.records import Entry, Listing, ParsedTitle, SongInfo, Source
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import add_asset_bytes
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from tests.datasets.imports.small_releases import notes

NAME = (
    "x\x1b[41;5mred\x1b]0;owned\x07\x1b[2J\x9b41m\u202egnp.exe\u2066\u200b"
    "\r\nsymmv: done [bold]y :watch:"
)
HOSTILE = NAME + "[/bold]\u2028\U000e0041\0\udcff"
# What rich itself writes to a terminal is none of these; U+231A is the emoji of its `:watch:`.
FORBIDDEN = (
    "\x1b[41", "\x1b]0;", "\x07", "\x1b[2J", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028",
    "\U000e0041", "\0", "\u231a",
)  # fmt: skip
SECRET = "s3cret-of-ours"

# All commands in one process: {"name": "progress"} stands for what a long build shows.
RUN = """
import json, sys
from symmv_builder import cli
from symmv_builder.pipeline.events import Event, Tick
from symmv_builder.report import tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.learning import Learning
from symmv_builder.report.progress import Progress

def show(text):
    with Progress([text], every_s=0.0) as progress:
        progress.expect(2)
        for kind in ("begin", "step", "note", "rejected", "entry"):
            progress.on_event(Event(kind, text, text, reason=text, detail=text, seconds=1.0))
    with Counting(every_s=0.0) as counting:
        counting.tell(1, 2, text)
    with Learning(every_s=0.0) as learning:
        learning.on_tick(Tick(text, 1, 2, 0, {"loss": 1.0}))
    tables.show(tables.entries_table([tables.EntryRow(text, text, 1.0, key=text)], title=text))
    tables.show(tables.rejections_table([tables.RejectionRow(text, text, text, text)]))
    tables.show(tables.stages_table([tables.StageRow(text, text, 1, 1.0, 1.0)]))

if __name__ == "__main__":
    for arguments in json.load(open(sys.argv[1])):
        if arguments[0] == "progress":
            show(arguments[1])
            continue
        sys.argv = ["symmv", *arguments]
        try:
            cli.main()
        except SystemExit as end:
            print("=== ended", end.code, flush=True)
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """A root in which every text is hostile, and the calls that print something of it."""
    folder = tmp_path_factory.mktemp("hostile")
    root, place = Root(str(folder / "root")), ("--root", str(folder / "root"))
    root.write("README", b"")
    ledger = Ledger(f"sqlite:///{folder}/root/ledger.sqlite")
    entries = []
    for name in ("kept", "aside"):
        source = Source("file", name)
        ledger.record_assets({("file", name): add_asset_bytes(root, name.encode())})
        song = SongInfo(title=HOSTILE, artist=HOSTILE)
        entries.append(Entry(name, "symmv", name, video=source, music=source, song=song))
        reason = "silent" if name == "aside" else ""
        result = Result(name, "music_asset", "probe", "k", NAME, 1.0, reason, HOSTILE)
        ledger.record_results("symmv", [result])
    manifests.write_entries(root, "symmv", entries)
    evidence = [{"score": 0.5, "verdict": HOSTILE, "title": HOSTILE, "channel": HOSTILE,
                 "url": HOSTILE, "parts": {}}]  # fmt: skip
    items = Items(ledger)
    for letter, state in (("p", states.PROPOSED), ("v", states.REVIEW), ("r", states.REJECTED)):
        listing = Listing(Source("youtube", letter * 11), HOSTILE, channel=HOSTILE)
        items.add([
            Item(
                "symmv", listing, "channel:x", state, parsed=ParsedTitle(HOSTILE, HOSTILE, 0.5),
                official=Listing(Source("youtube", "o" * 11), HOSTILE, channel=HOSTILE),
                evidence=json.dumps(evidence), step="match", reason="no_match", detail=HOSTILE,
            )
        ])  # fmt: skip
    ledger.close()
    tunes, covers, out = folder / "tunes", folder / "pairs" / "covers", str(folder / "out")
    for each in (tunes, covers, folder / "pairs" / "videos"):
        each.mkdir(parents=True)
    (tunes / "good.mid").write_bytes(midi_bytes({"piano": notes([60, 64, 67, 72] * 8)}))
    (tunes / f"{NAME}.mid").write_bytes(b"MThd and no more")
    (covers / f"{NAME}.mp4").write_bytes(b"nothing")
    listed = str(folder / "release.json")
    Path(listed).write_text("{")
    return [
        ["progress", HOSTILE.encode(errors="replace").decode()],
        ["status", *place], ["status", "symmv", *place], ["status", NAME, *place],
        ["status", "symmv", "--json", *place],
        ["why", "kept", *place], ["why", "aside", *place], ["why", NAME, *place],
        *(["why", f"yt-{letter * 11}", *place] for letter in "pvr"),
        ["why", "yt-" + "p" * 11, "--json", *place],
        ["review", "symmv", *place], ["review", "symmv", "--json", *place],
        ["promote", "symmv", NAME, *place],
        ["takedown", "symmv", NAME, "--reason", NAME, *place],
        ["run", "key", str(tunes / f"{NAME}.mid")], ["run", "key", NAME], ["run", "title", NAME],
        ["run", "key", "--set", NAME, str(tunes / "good.mid")],
        ["import", "midi", str(tunes), "--workers", "1", *place],
        ["status", "midi", *place], ["show", "good", *place], ["show", "good", "--json", *place],
        ["import", "midi", NAME, *place],
        ["build", "symmv", "--from", str(folder / "pairs"), "--only", "music_asset", *place],
        ["build", "muvisync", "--from", NAME, *place],
        ["evaluate", "music", str(tunes / "good.mid"), str(tunes / f"{NAME}.mid")],
        ["export", NAME, out, *place], ["export", "midi", out + NAME.replace("/", ""), *place],
        ["schema", NAME], ["crawl", "symmv", "--sources", NAME, *place],
        ["takedown", "symmv", "kept", "--reason", NAME, *place],
        ["clean", *place], ["release", "symmv", NAME, *place], [NAME], ["status", f"--{NAME}"],
        ["status", "--root", f"nosuch://me:{SECRET}@{NAME}"],
    ]  # fmt: skip


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYMMV_")}
    return kept | {"TERM": "xterm-256color", "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}


def command(calls: Sequence[Sequence[str]], folder: Path) -> list[str]:
    (folder / "calls.json").write_text(json.dumps(calls))
    (folder / "run.py").write_text(RUN)
    return [sys.executable, str(folder / "run.py"), str(folder / "calls.json")]


def check(text: str) -> None:
    for mark in FORBIDDEN:
        at = text.find(mark)
        assert at < 0, f"{mark!r} in {text[max(0, at - 200) : at + 200]!r}"
    assert SECRET not in text
    assert "Traceback" not in text
    assert not any(line.startswith("symmv: done [bold]") for line in text.splitlines())
    # It was there, and it was shown as what it is.
    assert text.count("[bold]y :watch:") > 20


def test_no_command_passes_a_strangers_escapes_to_a_log(
    calls: list[list[str]], tmp_path: Path
) -> None:
    done = subprocess.run(
        command(calls, tmp_path), capture_output=True, env=environment(), check=False, timeout=300
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    check(out + err)
    assert "\x1b" not in out + err
    assert done.returncode == 0


def test_no_command_passes_a_strangers_escapes_to_a_terminal(
    calls: list[list[str]], tmp_path: Path
) -> None:
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        command(calls, tmp_path), stdin=theirs, stdout=theirs, stderr=theirs, env=environment()
    )
    os.close(theirs)
    shown = bytearray()
    # The last read fails: that is how a terminal says that nobody is at its other end.
    with suppress(OSError):
        while True:
            shown += os.read(mine, 65536)
    os.close(mine)
    assert process.wait(timeout=60) == 0
    text = shown.decode()
    check(text)
    assert "\x1b[1m" in text
