"""Commands of the documentation start from a process that has imported what commands import.

An interpreter that imports torch, pandas and scipy anew takes 2-5 s of CPU, in each of some
hundred commands and their workers. Here a server imports them once (`python -m tests.warm SOCKET
PID`), and a small program that stands for `symmv` (and for `python FILE`) hands it its
arguments, folder, environment and open files; a fork of the server does the rest through the same
`symmv_builder.cli.main`, and its workers are forks in turn. How a command starts by itself is
shown by `tests/cli/test_start.py` and `tests/test_wheel.py`.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import psutil

import symmv_builder
from symmv_builder import plugins
from tests.forks import forked_workers

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(symmv_builder.__file__).parent
MODULES = (
    "torch",
    "pandas",
    "pyarrow.parquet",
    "scipy.signal",
    "scipy.optimize",
    "matplotlib.pyplot",
)
# Sent by the server where a command died without an answer, as by a signal.
KILLED = 137
CLIENT = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    socket.send_fds(server, [b"!"], [0, 1, 2])
    request = {{"arguments": [{kind!r}, *sys.argv[1:]], "folder": os.getcwd()}}
    server.sendall(json.dumps(request | {{"environment": dict(os.environ)}}).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or {killed}))
"""


def serve(path: str, until: int) -> None:
    """Answer requests as long as there is a process of that number."""
    for name in (*MODULES, *_own_modules()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Pages of memory stay shared with the forks as long as the collector does not touch them.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        listening.settimeout(1.0)
        while psutil.pid_exists(until):
            try:
                asked, _ = listening.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listening.close()
                _answer(asked)
            asked.close()


def _own_modules() -> list[str]:
    """The package's modules, but for flows: Prefect has its own way with the log."""
    above = PACKAGE.parent
    files = (path.relative_to(above).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = [".".join(path.parts).removesuffix(".__init__") for path in files]
    return [name for name in names if not name.endswith("__main__") and ".flows" not in name]


def _answer(asked: socket.socket) -> None:
    """One command in this process; its exit code goes to who asked. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked.settimeout(None)
    _, files, _, _ = socket.recv_fds(asked, 1, 3)
    request = json.loads(b"".join(iter(lambda: asked.recv(1 << 16), b"")))
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    # Packages may have been installed since the server looked.
    plugins.installed.cache_clear()
    with forked_workers():
        code = _ended(request["arguments"])
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(BrokenPipeError):
        asked.sendall(str(code).encode())
    os._exit(code)


def _ended(arguments: Sequence[str]) -> int:
    """The exit code of a command, or of a Python file."""
    kind, *words = arguments
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in paths if path and path not in sys.path]
    importlib.invalidate_caches()
    try:
        if kind == "symmv":
            sys.argv = ["symmv", *words]
            importlib.import_module("symmv_builder.cli").main()
        else:
            sys.argv = words
            sys.path.insert(0, str(Path(words[0]).resolve().parent))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        sys.stderr.write(f"{error.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 (as the interpreter does)
        traceback.print_exc()
        return 1
    return 0


def write_programs(folder: Path, path: Path) -> None:
    """`symmv` and `warm-python` in a folder for PATH, which ask the server at a socket."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (("symmv", "symmv"), ("warm-python", "file")):
        program = folder / name
        client = CLIENT.format(socket=str(path), kind=kind, killed=KILLED)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -ISc {shlex.quote(client)} "$@"\n')
        program.chmod(0o755)


def start(path: Path, environment: dict[str, str], until: int) -> None:
    """Start a server at a socket, which leaves with the process of that number."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", str(path), str(until)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    patience = time.monotonic() + 120
    while not path.exists():
        if server.poll() is not None or time.monotonic() > patience:
            server.kill()
            raise RuntimeError("the server of commands does not start")
        time.sleep(0.05)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
