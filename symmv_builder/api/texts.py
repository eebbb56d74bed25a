"""Values of Python as the texts that settings are read from."""

from typing import Any


def setting_text(value: Any) -> str:
    """A setting as the command line writes it: ``true``, ``none``, ``1,2``."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
