"""What one listener makes of a recording when it sits in the pass alone."""

from pathlib import Path
from typing import Any

from symmv_builder.music.listening import Listener, listen


def heard(music: Path, listener: Listener, *besides: Any) -> Any:
    """Its record; `besides` is what its step reads beside the recording."""
    [finish] = listen(music, [listener])
    return finish(*besides)
