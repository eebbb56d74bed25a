"""Draws the pictures of the documentation: `python docs/pictures.py [FOLDER]`.

They show what the pipeline itself finds in recordings that the demo makes on the spot. Takes about
a minute; run it when a drawing or a stage has changed, and look at the result before committing it.
Pictures of pages are made in a browser, by `tests/web/test_pictures.py`.
"""

import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from PIL import Image

import symmv_builder as sb
from symmv_builder.demo.drawings import Drawing
from symmv_builder.demo.media import MediaPlan, make_media

WIDTH = 1200
COLOURS = 64
PIECE = "sonata-k545"
SECONDS = 28.0


def main(arguments: list[str]) -> int:
    """Make the recordings, build a dataset of them, draw its entry into the folder."""
    out = Path(arguments[0] if arguments else "docs/images")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        entry = annotate(Path(place))
        sheets = {path.suffixes[-2]: path for path in entry.draw(Path(place) / "drawn")}
        stack([sheets[".frames"], sheets[".notes"]], out / "entry.png")
    return 0


def annotate(place: Path) -> sb.StoredEntry:
    """A piano take and a drawn video, through every stage of SymMV; CLIP is not in the picture."""
    drawing = Drawing(426, 240, Fraction(24), SECONDS, 7)
    wanted = (
        MediaPlan(f"pairs/{PIECE}.cover.flac", piece=PIECE, longest_s=SECONDS),
        MediaPlan(f"pairs/{PIECE}.video.mp4", drawing=drawing),
    )
    make_media(place / "media", selection=wanted, progress=lambda _: None)
    dataset = sb.open_dataset("symmv", str(place / "data"), models={"clip": "untrained"})
    dataset.build(place / "media" / "pairs", workers=1)
    return dataset[PIECE]


def stack(pictures: list[Path], target: Path) -> None:
    """Pictures below each other as one PNG of `WIDTH` pixels and `COLOURS` colours."""
    scaled = []
    for path in pictures:
        picture = Image.open(path).convert("RGB")
        height = round(picture.height * WIDTH / picture.width)
        scaled.append(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))
    whole = Image.new("RGB", (WIDTH, sum(picture.height for picture in scaled)), "white")
    top = 0
    for picture in scaled:
        whole.paste(picture, (0, top))
        top += picture.height
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
