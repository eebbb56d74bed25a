"""The quick tour: two pairs through both builds, new music for one video, and one page of it all.

What is done goes through the same functions as a person's own data. CLIP is the untrained one
here: its weights would have to be fetched, and looking with them takes minutes on a processor.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from symmv_builder import datasets
from symmv_builder.api.dataset import Dataset, open_dataset
from symmv_builder.api.generating import Order, Tell, Videos, WrittenPiece, write
from symmv_builder.datasets.recipe_file import SPLITS
from symmv_builder.demo.media import DemoMedia, Truth
from symmv_builder.demo.quick import make_quick_media
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.settings import Settings, read_settings

__all__ = ["QuickDemo", "prepare"]

NOTICES = (
    "CLIP is NOT TRAINED here: its weights are not fetched in a quick tour. The columns semantic "
    "and emotion have the right shapes and no meaning. A build of your own takes the trained one.",
    "Nothing was crawled: both pairs were made on this machine. `symmv demo` crawls a site of "
    "its own, screens what it finds, and shows what is turned away.",
    "Nothing was trained: `symmv demo` trains every model for about a minute.",
)


@dataclass(frozen=True)
class QuickDemo:
    """The quick tour's folder: its media, its datasets by name, and seconds by what was done."""

    out: Path
    media: DemoMedia
    settings: Settings
    datasets: Mapping[str, Dataset]
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long a block took."""
        started = monotonic()
        yield
        self.phases[what] = monotonic() - started

    def folder_of(self, name: str) -> Path:
        """Give the folder that a dataset takes in: the pairs, or the videos alone."""
        return self.media.folder if self.datasets[name].recipe.pairs else self.videos

    @property
    def videos(self) -> Path:
        """The folder of the videos with sound."""
        return self.media.folder / "videos"

    @property
    def pictures(self) -> Path:
        """The folder of piano rolls and contact sheets."""
        return self.out / "pictures"

    def truths(self) -> dict[str, Truth]:
        """Give the truth about each recording that we made, by ``SITE:ID``."""
        truths = {}
        for truth in self.media.truths:
            path = Path(truth.path)
            side = "cover" if path.parts[0] == "covers" else "video"
            truths[f"file:{path.stem}.{side}"] = truth
            if side == "video":
                truths[f"file:{path.stem}"] = truth
        return truths

    def read_back(self, name: str) -> list[dict[str, Any]]:
        """Read every row of a dataset's shards; `StopRun` where they do not hold what was made."""
        dataset = self.datasets[name]
        rows = [row for split in SPLITS for row in dataset.rows(split)]
        cards = {}
        for entry in dataset:
            by_name: dict[str, Any] = dict(entry.records)
            cards[entry.entry_id] = len(by_name["notes"].pitches)
        if {row["entry_id"]: len(row["notes_pitches"]) for row in rows} != cards:
            raise StopRun(f"the shards of {name} in {self.settings.root} are not what was built")
        return rows

    def compose(self, tell: Tell) -> WrittenPiece:
        """New music for the first video by the starter model; takes the place of the last run's.

        `RejectEntry` where the video cannot be read, `StopRun` where no starter model is here.
        """
        video = sorted(self.videos.glob("*.mp4"))[0]

        def refuse(video: object, error: RejectEntry) -> None:
            raise error

        [composition] = write(
            Videos((video,)),
            None,
            Order(),
            self.out / "music",
            self.settings,
            picture=True,
            refuse=refuse,
            tell=tell,
        )
        return composition


def prepare(out: Path, say: Callable[[str], None]) -> QuickDemo:
    """Make the media below `out`, and open both datasets in ``out/data``; `say` is told of both.

    What an earlier run finished is kept. `StopRun` where a package that this needs is missing.
    """
    started = monotonic()
    media = make_quick_media(out / "media", say)
    root = str(out / "data")
    opened = {
        name: open_dataset(name, root, way="default", models={"clip": "untrained"})
        for name in datasets.NAMES
    }
    tour = QuickDemo(out, media, read_settings(root=root), opened)
    tour.phases["making the recordings"] = monotonic() - started
    return tour
