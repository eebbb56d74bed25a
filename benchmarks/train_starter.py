"""Train the starter model of the package on POP909.

    python benchmarks/train_starter.py POP909 WORK [--bundle-only]

`POP909` is a folder of songs, 001/001.mid and so on; `WORK` is a folder for the imported songs and
the training's run, which goes on from where it stopped. What `symmv_builder/starter/songs.json`
lists is learned from, as `symmv_builder/starter/training.toml` says: three stages one after
another, then their best weights go in half precision into `symmv_builder/starter/run`. There the
layers that say the fields of a token are adjusted as `training.toml` says (`drawing`): whoever
draws at a temperature of 1 draws at those. Of a copy of POP909 with more songs only
those in the list are used; a copy that lacks one is refused. One processor core takes
about an hour. `--bundle-only` takes a run that is there already.

`benchmarks/starter_music.py` measures the music that the model writes.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from symmv_builder import starter
from symmv_builder.training import checkpoint
from symmv_builder.training.vmusprod.grammar import N_ROOT
from symmv_builder.training.vmusprod.models import StageModel, design_of
from symmv_builder.training.vmusprod.tokens import BAR

HERE = starter.path().parent
SONGS, TRAINING = HERE / "songs.json", HERE / "training.toml"
DATASET = "pop909"
SPLITS = ("train", "validation", "test")


def import_songs(folder: Path, work: Path) -> Path:
    """The root of a dataset of the songs in the list; they must fall into the splits listed."""
    listed = json.loads(SONGS.read_text())
    copy, root = work / "songs", work / "root"
    for number in (number for split in SPLITS for number in listed[split]):
        if not (copy / number).is_dir():
            shutil.copytree(folder / number, copy / number)
    _symmv(("import", DATASET, str(copy), "--root", str(root)))
    if splits_of(root) != {split: listed[split] for split in SPLITS}:
        raise SystemExit(f"the songs in {root} are not split as in {SONGS}")
    return root


def splits_of(root: Path) -> dict[str, list[str]]:
    """The songs of each split of an imported dataset, in order."""
    frozen: Mapping[str, str] = json.loads((root / DATASET / "splits.json").read_text())
    return {name: sorted(s for s, split in frozen.items() if split == name) for name in SPLITS}


def train(root: Path, run: Path) -> None:
    """Every stage to its number of steps, or on from where it stopped."""
    training = tomllib.loads(TRAINING.read_text())
    for stage, steps in training["steps"].items():
        settings = {**training["settings"], "stages": stage, "steps": steps}
        options = (
            part for name, value in settings.items() for part in ("--set", f"{name}={value}")
        )
        where = ("--data", DATASET, "--root", str(root), "--out", str(run))
        _symmv(("train", "vmusprod", *where, "--preset", training["preset"], *options))


def _symmv(arguments: Iterable[str]) -> None:
    command = [sys.executable, "-c", "from symmv_builder.cli import main; main()", *arguments]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def bundle(run: Path, out: Path) -> None:
    """The best weights of each stage of a run as a run of its own, in half precision."""
    drawing = tomllib.loads(TRAINING.read_text())["drawing"]
    shutil.rmtree(out, ignore_errors=True)
    for stage in ("chord", "melody", "accompaniment"):
        content = checkpoint.read(run / stage, f"vmusprod.{stage}")
        model = StageModel(design_of(content.about["design"]))
        checkpoint.load_module(content, model)
        adjust(model, **drawing[stage])
        data = content.state["data"]
        entries = {split: sorted(data[split]["entries"]) for split in ("train", "validation")}
        state: dict[str, Any] = {name: content.state[name] for name in ("step", "epoch", "best")}
        checkpoint.save(
            out / stage,
            kind=content.kind,
            config=content.config,
            state=state,
            about={**content.about, "entries": entries},
            module=model.half(),
            best=True,
        )
        for path in (out / stage / "best").iterdir():
            path.chmod(0o644)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size} bytes")


def adjust(
    model: StageModel, *, bar: float = 0.0, none: float = 0.0, **temperatures: float
) -> None:
    """Divide the scores of fields' values by temperatures, and add to some of them.

    `bar` is added to the score of a bar's end, `none` to that of no chord.
    """
    with torch.no_grad():
        for field, temperature in temperatures.items():
            layer = model.heads.kind if field == "type" else model.heads.fields[field]
            for parameter in layer.parameters():
                parameter /= temperature
        model.heads.fields["barbeat"].bias[BAR] += bar
        if none:
            model.heads.fields["root"].bias[N_ROOT] += none


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    work = Path(sys.argv[2])
    if "--bundle-only" not in sys.argv:
        train(import_songs(Path(sys.argv[1]), work), work / "run")
    bundle(work / "run", starter.path())


if __name__ == "__main__":
    main()
