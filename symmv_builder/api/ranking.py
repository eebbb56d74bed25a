"""A ranking of rows by how well their music fits their video; its best share becomes a subset."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.datasets import subsets
from symmv_builder.datasets.evaluate import untrained_models
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.remembered import require_receipt
from symmv_builder.datasets.subsets import FINETUNE, Subset
from symmv_builder.errors import NoSuchPath, WrongSetting
from symmv_builder.settings import Settings, read_settings

__all__ = ["FINETUNE", "Ranked", "rank"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Every row of a split with its similarity (-1..1), the best first.

    The first `chosen` are the rows of the subset, which is kept at `where`; `left_out` says why a
    row has no place, by name. `untrained` are the models with random weights that the rows were
    made with.
    """

    rows: tuple[tuple[str, float], ...]
    chosen: int
    where: str
    left_out: dict[str, str]
    untrained: tuple[str, ...] = ()


def rank(
    dataset: str,
    model: str | Path,
    *,
    best: float = 0.1,
    split: str = "train",
    subset: str = FINETUNE,
    root: str | Path | None = None,
    settings: Settings | None = None,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Ranked:
    """Rank a split by the ``vmcp`` run in the folder `model`, and mark its `best` share (0-1].

    The run is of either objective: a video-music CLIP, or GVMGen's evaluation model.

    At least one row is marked. ``open_dataset(NAME).rows(split, subset=...)`` reads the rows that
    are. The same run and shards give the same subset. `StopRun` where run, dataset or split is
    missing or does not fit.
    """
    if not 0.0 < best <= 1.0:
        raise WrongSetting("best", str(best), "it has to be a share above 0, at most 1")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", subset):
        raise WrongSetting("subset", subset, "it has to be 1 to 40 of a-z, 0-9, - and _")
    own = settings or read_settings(root=root)
    folder = Path(model)
    if not folder.is_dir():
        raise NoSuchPath(folder, "folder of a training run")
    stored = own.open_store(read_only=True)
    untrained = untrained_models(require_receipt(stored.root, stored.manifests, dataset))
    # Imported here: it brings torch.
    from symmv_builder.training.vmcp.rank import rank as rank_rows

    with explaining(stored.manifests, dataset):
        ranking = rank_rows(folder, stored.root, dataset, split, own.home.device, tell)
    count = max(1, round(best * len(ranking.rows)))
    names = tuple(name for name, _ in ranking.rows[:count])
    about = {
        "by": "similarity of music and video",
        "model": folder.name,
        "best": best,
        "least": ranking.rows[count - 1][1],
        **({"untrained": list(untrained)} if untrained else {}),
    }
    content = Subset(split, names, ranking.shards, about)
    where = subsets.write_subset(own.open_store().root, dataset, subset, content)
    return Ranked(ranking.rows, count, where, ranking.left_out, untrained)
