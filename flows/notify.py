"""Tell a person that a run has failed or that a breaker is open.

`prefect.yaml` has an automation that starts this for either. It sends through one of Prefect's
notification blocks (mail, Slack, a webhook and others), which is made once at the server:

    prefect block register -m prefect.blocks.notifications
    prefect block create slack-webhook

The block's name, such as `slack-webhook/symmv`, is the deployment's parameter `block`.
"""

from typing import Any

from prefect import flow, get_run_logger
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed

from symmv_builder.errors import StopRun
from symmv_builder.text import harmless

from .edge import whole_run

BREAKER_OPENED = "symmv.breaker.opened"
_MOST_CHARACTERS = 2000


@flow(name="notify", persist_result=False)
@whole_run
def notify(subject: str, body: str, block: str = "") -> State[Any]:
    """Send a message through the notification block `block`; without one it is only logged.

    Ends as `Stopped` where the server has no such block, or what it stands for does not take the
    message.
    """
    subject, body = harmless(subject, 200), harmless(body, _MOST_CHARACTERS)
    if not block:
        get_run_logger().warning("%s: %s (not sent: no block is named)", subject, body)
        return Completed(name="Logged", message=f"{subject}; not sent: no block is named")
    # Typed as a coroutine, and really called at once where no loop runs, as here.
    channel: Any = _channel(block)
    try:
        channel.notify(body, subject)
    except Exception as error:  # each kind of block raises what its library does
        raise StopRun(f"{block} does not take the message: {type(error).__name__}") from error
    return Completed(message=f"{subject}; sent through {block}")


def _channel(block: str) -> NotificationBlock:
    try:
        channel = Block.load(block)
    except ValueError as error:
        raise StopRun(
            f"the server has no block {block!r}; `prefect block ls` lists those that it has"
        ) from error
    if not isinstance(channel, NotificationBlock):
        raise StopRun(f"{block} is no block that sends notifications")
    return channel


def say_breaker_opened(dataset: str, message: str) -> None:
    """Tell Prefect's server that a crawl rests; what listens there, an automation says."""
    emit_event(
        BREAKER_OPENED,
        resource={"prefect.resource.id": f"symmv.dataset.{dataset}", "symmv.dataset": dataset},
        payload={"message": harmless(message, _MOST_CHARACTERS)},
    )
