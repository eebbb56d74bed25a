"""Commands that a command prints for the person who called it to type next.

Each acts on the data root of the call: a printed command without its `--root` would change another
one. Environment and configuration files hold for the next call as they did for this one.
"""

from contextvars import ContextVar

from symmv_builder.api.command_line import command_line

_root: ContextVar[str | None] = ContextVar("root", default=None)


def remember_root(root: str | None) -> str | None:
    """Keep the `--root` of this call, as a callback of the option; gives it back."""
    _root.set(root)
    return root


def root_of_call() -> str | None:
    """Give the `--root` of this call, `None` where it has none."""
    return _root.get()


def command(*words: str) -> str:
    """Write a command in backquotes, with the `--root` of this call."""
    return f"`{command_line(*words, root=root_of_call())}`"
