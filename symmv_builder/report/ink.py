"""What the pictures for people share: colours, and text that is only ever text.

Names come from users' files. matplotlib would read ``$...$`` in them as mathematics and
leave odd control characters in the picture: `plain` and ``parse_math=False`` prevent it.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symmv_builder.storage.outputs import replacing_file
from symmv_builder.text import harmless

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#23262f"
FAINT = "#8a8f9c"
RULE = "#d9dce3"
PAPER = "#ffffff"
MELODY = "#d1495b"
ACCOMPANIMENT = "#2d6a9f"
# One colour a word of `vocab.EMOTIONS`: exciting fearful tense sad relaxing neutral.
EMOTION_COLOURS = ("#f2a541", "#5b4b8a", "#c8553d", "#4d7ea8", "#7fb069", "#c9ccd3")


def plain(text: str, longest: int = 90) -> str:
    """A text as one harmless line, cut with an ellipsis where it is too long for a picture."""
    return harmless(text, longest)


def clock_time(seconds: float) -> str:
    """``m:ss.t``, the way a player shows it."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def new_figure(width: float, height: float) -> "Figure":
    """A figure in inches drawn without a display and apart from pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def bare(axes: Any) -> None:
    """Take away the frame and the ticks of an axes."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=8, colors=FAINT)


def save(figure: "Figure", path: Path, *, dpi: int = 110) -> None:
    """Write a PNG that is whole or not there, or an SVG where the name ends so.

    The same drawing gives the same bytes. Texts of an SVG stay texts: whoever shows it brings the
    font.
    """
    import matplotlib

    form = "svg" if path.suffix == ".svg" else "png"
    # What both formats would say of the program and of the day is left out.
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    steady = {"svg.hashsalt": path.stem, "svg.fonttype": "none"}
    with (
        replacing_file(path) as temporary,
        warnings.catch_warnings(),
        matplotlib.rc_context(steady),
    ):
        # A title may hold letters that the font lacks: boxes are drawn, and that is all.
        warnings.filterwarnings("ignore", message=".*missing from.*font")
        figure.savefig(temporary, format=form, dpi=dpi, metadata=metadata)
