"""The media of the quick tour: two short pieces, each as a piano cover and as a drawn video.

``covers/`` and ``videos/`` hold them under equal names, so the folder is what a person's own
pairs look like. The videos alone, which have sound, are the folder of the other dataset.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from symmv_builder.demo.drawings import Drawing
from symmv_builder.demo.media import DemoMedia, MediaPlan, make_media

_SECONDS = 12.0
_STRINGS = 48
# A piece, and the seed of the video that is drawn for it, three or four shots.
_PAIRS = (("sonata-k545", 30), ("maple-leaf-rag", 29))


def quick_plans() -> tuple[MediaPlan, ...]:
    """Plan the four files of the quick tour, in the order in which they are made."""
    plans = []
    for number, (piece, seed) in enumerate(_PAIRS):
        plans.append(MediaPlan(f"covers/{piece}.flac", piece=piece, longest_s=_SECONDS))
        drawing = Drawing(426, 240, Fraction(20), _SECONDS, seed)
        plans.append(
            MediaPlan(
                f"videos/{piece}.mp4",
                piece=piece,
                performer=301 + number,
                program=_STRINGS,
                longest_s=_SECONDS,
                drawing=drawing,
            )
        )
    return tuple(plans)


def make_quick_media(folder: Path, progress: Callable[[str], None]) -> DemoMedia:
    """Make what is not there yet of the quick tour's files; errors as of `make_media`."""
    return make_media(folder, progress=progress, selection=quick_plans())
