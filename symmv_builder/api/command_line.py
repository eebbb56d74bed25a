"""Commands as texts, printed or shown on a page for a person to type."""

import shlex


def command_line(*words: str, root: str | None = None) -> str:
    """Write ``symmv WORDS --root ROOT`` as a shell takes it: quoted where it has to be.

    `root` is the data root that the command has to act on, `None` where it finds that one by
    itself.

    >>> command_line("build", "symmv", root="data two")
    "symmv build symmv --root 'data two'"
    """
    return shlex.join(["symmv", *words, *(["--root", root] if root else [])])
