"""Signs of life: what tells a run that is at work from one whose process has died.

Prefect's server keeps a run as Running until its process says otherwise, and one that was killed
says nothing. So every flow of ours touches its run at the server every few seconds; the time of
the last touch is in the server's database and outlives a restart of either.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from uuid import UUID

import httpx
from prefect import get_client
from prefect.context import FlowRunContext

SIGN_EVERY_S = 5.0


@contextmanager
def signs_of_life() -> Iterator[None]:
    """Touch the flow's run from a thread while this is entered; nothing outside of a flow."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        yield
        return
    end = threading.Event()
    arguments = (context.flow_run.id, end)
    thread = threading.Thread(target=copy_context().run, args=(_touch, *arguments), daemon=True)
    thread.start()
    try:
        yield
    finally:
        # It is not waited for: a server that is away would hold up whoever leaves.
        end.set()


def _touch(run: UUID, end: threading.Event) -> None:
    process = {"infrastructure_pid": f"{os.uname().nodename}:{os.getpid()}"}
    while not end.is_set():
        try:
            with get_client(sync_client=True) as client:
                while not end.is_set():
                    client.request(
                        "PATCH", "/flow_runs/{id}", path_params={"id": run}, json=process
                    )
                    end.wait(SIGN_EVERY_S)
        except (httpx.HTTPError, RuntimeError, OSError):
            # The server is away; a new client looks for it anew.
            end.wait(SIGN_EVERY_S)
