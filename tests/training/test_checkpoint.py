"""Checkpoints: nothing is lost by a kill, nothing is believed that is not one."""

import copy
import json
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from symmv_builder.errors import (
    CannotWrite,
    Damaged,
    NoCheckpoint,
    OtherCheckpoint,
    StopRun,
    Untrained,
    WrongWeights,
)
from symmv_builder.storage.assets import hash_file
from symmv_builder.training import checkpoint, run_folders

ROOT = Path(__file__).resolve().parents[2]


def model(seed: int = 0, width: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, width), nn.LayerNorm(width), nn.Linear(width, 2))


def sign(folder: Path) -> None:
    """Hash the files of a checkpoint as they are now: what is wrong is then what they say."""
    names = ("checkpoint.json", "model.safetensors", "optimizer.safetensors")
    there = [name for name in names if (folder / name).is_file()]
    sums = [f"{hash_file(folder / name)}  {name}\n" for name in there]
    (folder / "SHA256SUMS").write_text("".join(sums))


def save(run: Path, step: int, module: nn.Module | None = None, **options: Any) -> Path:
    return checkpoint.save(
        run,
        kind="toy",
        config={"lr": 0.1, "sizes": (1, 2)},
        state={"step": step, "best": 0.1 + 0.2},
        about={"models": ["clip"]},
        module=module if module is not None else model(step),
        **options,
    )


def learn(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> list[float]:
    """Losses of some steps; what a step sees depends on its number alone."""
    losses = []
    for step in steps:
        torch.manual_seed(step)
        x = torch.randn(8, 3)
        loss = (module(x) - x[:, :2] ** 2).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.9, 0.98), eps=1e-9),
    "Adam with amsgrad": lambda p: torch.optim.Adam(p, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.01),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    module = model()
    optimizer = OPTIMIZERS[name](module.parameters())
    learn(module, optimizer, range(5))
    save(tmp_path, 5, module, optimizer=optimizer)
    groups = copy.deepcopy(optimizer.state_dict()["param_groups"])
    wanted = learn(module, optimizer, range(5, 12))

    again = model(seed=99)
    other = OPTIMIZERS[name](again.parameters())
    held = checkpoint.read(tmp_path / "checkpoints" / "00000005", "toy")
    checkpoint.load_module(held, again)
    checkpoint.load_optimizer(held, other)
    assert other.state_dict()["param_groups"] == groups
    assert learn(again, other, range(5, 12)) == wanted
    assert all(
        torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True)
    )


def test_a_schedule_goes_on_where_it_was(tmp_path: Path) -> None:
    module = model()
    optimizer = torch.optim.Adam(module.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    for step in range(3):
        learn(module, optimizer, range(step, step + 1))
        schedule.step()
    save(tmp_path, 3, module, optimizer=optimizer)
    other = torch.optim.Adam(model().parameters(), lr=1.0)
    checkpoint.load_optimizer(checkpoint.read(tmp_path, "toy"), other)
    assert other.param_groups[0]["lr"] == 1 / 4
    assert other.param_groups[0]["initial_lr"] == 1.0


def test_what_a_checkpoint_says_comes_back_as_json_holds_it(tmp_path: Path) -> None:
    folder = save(tmp_path, 7)
    held = checkpoint.read(folder, "toy")
    assert held.folder == folder
    assert held.state == {"step": 7, "best": 0.1 + 0.2}
    assert held.config == {"lr": 0.1, "sizes": [1, 2]}
    assert held.about == {"models": ["clip"]}


def test_tied_and_strided_weights_are_saved(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 3)
            self.other = nn.Linear(3, 3)
            self.other.weight = self.one.weight
            self.register_buffer("turned", torch.arange(6.0).reshape(2, 3).T)

    first, second = Tied(), Tied()
    save(tmp_path, 1, first)
    checkpoint.load_module(checkpoint.read(tmp_path, "toy"), second)
    assert torch.equal(first.one.weight, second.one.weight)
    assert second.other.weight is second.one.weight
    assert torch.equal(first.turned, second.turned)  # type: ignore[arg-type]


def test_a_compiled_module_is_saved_under_its_own_names(tmp_path: Path) -> None:
    module = model(5)
    save(tmp_path, 1, torch.compile(module))  # type: ignore[arg-type]
    again = model(6)
    checkpoint.load_module(checkpoint.read(tmp_path, "toy"), again)
    checkpoint.load_module(checkpoint.read(tmp_path, "toy"), torch.compile(model()))  # type: ignore[arg-type]
    assert all(
        torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True)
    )


def test_only_the_newest_two_are_kept_and_best_stays(tmp_path: Path) -> None:
    assert run_folders.latest(tmp_path) is None
    save(tmp_path, 10, best=True)
    for step in (99999999, 9, 100000000):
        save(tmp_path, step)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["100000000", "99999999"]
    newest = run_folders.latest(tmp_path)
    assert newest is not None
    assert newest.name == "100000000"
    assert not (tmp_path / "best" / "optimizer.safetensors").exists()
    assert checkpoint.read(tmp_path, "toy").state["step"] == 10, "of a run, the best is meant"
    save(tmp_path, 20, best=True)
    assert checkpoint.read(tmp_path, "toy").state["step"] == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "checkpoints"]


# What is killed in the middle of: each is called by `save`, in this order.
MOMENTS = ("save_file", "flush_to_disk", "_replace", "Path.rename", "Path.rename twice")
KILLED = """
import os, signal, sys
from pathlib import Path
from symmv_builder.training import checkpoint
from tests.training.test_checkpoint import MOMENTS, save

def die_in(run, moment, best):
    save(run, 1, best=best)
    left = [2 if moment.endswith("twice") else 1]
    name = moment.split()[0].split(".")[-1]
    owner = Path if moment.startswith("Path") else checkpoint
    real = getattr(owner, name)

    def die(*arguments):
        left[0] -= 1
        if not left[0]:
            if moment == "save_file":
                Path(arguments[1]).write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(owner, name, die)
    save(run, 1 if best or moment.endswith("twice") else 2, best=best)

for moment in MOMENTS:
    for which in ("best", "numbered"):
        child = os.fork()
        if child == 0:
            die_in(Path(sys.argv[1]) / f"{moment} {which}", moment, which == "best")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs, each killed at a moment of its second save."""
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", KILLED, folder], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("which", ["best", "numbered"])
def test_a_kill_in_the_middle_leaves_the_checkpoint_before(
    moment: str, which: str, killed: Path
) -> None:
    run = killed / f"{moment} {which}"
    held = checkpoint.read(run, "toy")
    assert held.state["step"] == 1
    again = model(seed=99)
    checkpoint.load_module(held, again)
    assert torch.equal(again[0].weight, model(1)[0].weight)  # type: ignore[index]
    if which == "numbered":
        assert run_folders.latest(run) == held.folder
    # The next writer sets right what was left.
    place = save(run, 3, best=which == "best")
    assert checkpoint.read(place, "toy").state["step"] == 3
    left = {path.name for path in place.parent.iterdir()}
    assert left == ({"best"} if which == "best" else {"00000001", "00000003"})


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with files_of_at_most(1000), pytest.raises(CannotWrite) as stop:
        save(tmp_path, 2, model(width=400))
    assert "\n" not in str(stop.value)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["00000001"]


def test_a_folder_without_a_checkpoint_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoCheckpoint, match="holds no checkpoint"):
            checkpoint.read(folder, "toy")


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl"])
def test_a_training_that_was_ended_before_its_first_checkpoint_is_no_empty_folder(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).touch()
    for read in (lambda: checkpoint.read(tmp_path, "toy"), lambda: checkpoint.trainer_in(tmp_path)):
        with pytest.raises(Untrained, match=r"the training in .* has no checkpoint yet"):
            read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not a checkpoint"),
        (b"[]", "is not a checkpoint"),
        (b"\xff\xfe\x00", "is not a checkpoint"),
        (pickle.dumps({"kind": "toy"}), "is not a checkpoint"),
        (b'{"format": 2, "kind": "toy"}', "is not a checkpoint: KeyError: 'config'"),
        (b'{"format": 1}', "is of format 1, this version reads 2"),
        (b'{"a":' * 100_000, "is not a checkpoint: RecursionError"),
    ],
)
def test_a_damaged_or_foreign_description_is_one_line(
    text: bytes, message: str, tmp_path: Path
) -> None:
    folder = save(tmp_path, 1)
    (folder / "checkpoint.json").write_bytes(text)
    with pytest.raises(StopRun, match=r"checkpoint.json is damaged: .*; .* remove the folder"):
        checkpoint.read(folder, "toy")
    sign(folder)
    with pytest.raises(StopRun, match=message) as stop:
        checkpoint.read(folder, "toy")
    assert "\n" not in str(stop.value)


def test_a_checkpoint_without_checksums_is_damaged_or_old(tmp_path: Path) -> None:
    folder = save(tmp_path, 1)
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(StopRun, match="SHA256SUMS cannot be read"):
        checkpoint.read(folder, "toy")
    text = (folder / "checkpoint.json").read_text().replace('"format": 2', '"format": 1')
    (folder / "checkpoint.json").write_text(text)
    with pytest.raises(StopRun, match="is of format 1, this version reads 2: train anew"):
        checkpoint.read(folder, "toy")


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_found(tmp_path: Path) -> None:
    module = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    learn(module, optimizer, range(1))
    folder = save(tmp_path, 1, module, optimizer=optimizer)
    save(tmp_path, 1, module, best=True)
    assert checkpoint.verify_run(tmp_path) == []
    for path in [*folder.iterdir(), *(tmp_path / "best").iterdir()]:
        whole = path.read_bytes()
        for place in range(0, len(whole), 7):
            for bit in (0, 5):
                flipped = bytearray(whole)
                flipped[place] ^= 1 << bit
                path.write_bytes(flipped)
                [(damaged, problem), *_] = checkpoint.verify_run(tmp_path)
                assert damaged.parent == path.parent
                assert "\n" not in problem
                with pytest.raises(StopRun, match=r"remove the folder") as stop:
                    checkpoint.read(path.parent, "toy")
                assert "\n" not in str(stop.value)
        path.write_bytes(whole)
    assert checkpoint.verify_run(tmp_path) == []
    (folder / "model.safetensors").unlink()
    assert checkpoint.verify_run(tmp_path) == [
        (folder / "model.safetensors", "cannot be read: No such file or directory")
    ]


def test_a_run_s_stages_and_its_journal_are_verified(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="holds no checkpoint"):
        checkpoint.verify_run(tmp_path)
    save(tmp_path / "chord", 1)
    save(tmp_path / "melody", 1, best=True)
    (tmp_path / "melody" / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"st\n{"step": 2}\n')
    [(path, problem)] = checkpoint.verify_run(tmp_path)
    assert path == tmp_path / "melody" / "metrics.jsonl"
    assert "line 2 is none of a training" in problem


@pytest.mark.parametrize(
    ("part", "key"), [("state", "loader"), ("state", "step"), ("about", "width")]
)
def test_a_description_that_lacks_what_is_asked_is_one_line(
    part: str, key: str, tmp_path: Path
) -> None:
    held = checkpoint.read(save(tmp_path, 1), "toy")
    said = f"does not say what it should: KeyError: '{key}x'; .* remove the folder"
    with pytest.raises(StopRun, match=said), checkpoint.understood(held):
        getattr(held, part)[f"{key}x"]


def test_a_checkpoint_of_another_model_is_one_line(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(OtherCheckpoint, match="is a checkpoint of toy, not of amt"):
        checkpoint.read(tmp_path, "amt")


class Trap:
    """Whoever unpickles this writes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (open, (self.path, "w"))


def foreign_files(folder: Path) -> Iterator[bytes | None]:
    whole = (folder / "model.safetensors").read_bytes()
    yield None
    yield b""
    yield whole[:-5]
    yield whole[:20]
    yield pickle.dumps(Trap(str(folder / "sprung")))
    torch.save({"trap": Trap(str(folder / "sprung"))}, folder / "pickled")
    yield (folder / "pickled").read_bytes()


def test_damaged_or_pickled_tensors_are_one_line_and_never_run(tmp_path: Path) -> None:
    module = model()
    optimizer = torch.optim.Adam(module.parameters())
    learn(module, optimizer, range(1))
    folder = save(tmp_path, 1, module, optimizer=optimizer)
    held = checkpoint.read(folder, "toy")
    loads: tuple[tuple[str, Callable[[], None]], ...] = (
        ("model", lambda: checkpoint.load_module(held, module)),
        ("optimizer", lambda: checkpoint.load_optimizer(held, optimizer)),
    )
    files = list(foreign_files(folder))
    for name, load in loads:
        for data in files:
            path = folder / f"{name}.safetensors"
            path.unlink(missing_ok=True)
            if data is not None:
                path.write_bytes(data)
            with pytest.raises(Damaged, match=rf"{name}\.safetensors cannot be read: \S") as stop:
                load()
            assert "\n" not in str(stop.value)
    assert not (folder / "sprung").exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.Linear(3, 4), "tensor .* is"),
        (model(width=5), r"tensor 0.bias is float32\[4\], the model's is float32\[5\]"),
        (model().double(), r"is float32\[4\], the model's is float64\[4\]"),
        (model()[:2], r"tensor 2.bias is float32\[2\], the model's is not there"),  # type: ignore[index]
    ],
)
def test_weights_of_another_shape_or_kind_are_one_line(
    other: nn.Module, message: str, tmp_path: Path
) -> None:
    save(tmp_path, 1)
    with pytest.raises(StopRun, match=message):
        checkpoint.load_module(checkpoint.read(tmp_path, "toy"), other)


def test_an_optimiser_of_another_model_is_one_line(tmp_path: Path) -> None:
    module = model()
    optimizer = torch.optim.Adam(module.parameters())
    learn(module, optimizer, range(2))
    folder = save(tmp_path, 1, module, optimizer=optimizer)
    held = checkpoint.read(folder, "toy")
    for others in (model(width=5), nn.Linear(3, 4)):
        with pytest.raises(WrongWeights, match="does not fit the model"):
            checkpoint.load_optimizer(held, torch.optim.Adam(others.parameters()))
    text = json.loads((folder / "checkpoint.json").read_text())
    del text["optimizer_groups"]
    (folder / "checkpoint.json").write_text(json.dumps(text))
    sign(folder)
    with pytest.raises(WrongWeights, match="does not fit the model"):
        checkpoint.load_optimizer(held, optimizer)


def test_the_kind_of_its_checkpoints_says_whose_a_run_is(tmp_path: Path) -> None:
    def keep(run: Path, kind: str) -> Path:
        return checkpoint.save(
            run, kind=kind, config={}, state={"step": 1}, about={}, module=model()
        )

    single = keep(tmp_path / "one", "toy")
    assert checkpoint.trainer_in(tmp_path / "one") == "toy"
    assert checkpoint.trainer_in(single) == "toy"
    keep(tmp_path / "parts" / "chord", "toy.chord")
    assert checkpoint.trainer_in(tmp_path / "parts") == "toy"
    assert run_folders.stages(tmp_path / "parts") == {"chord": "toy.chord"}
    # A folder of runs is none: the run in it is no stage, for its kind does not say so.
    with pytest.raises(NoCheckpoint, match="holds no checkpoint"):
        checkpoint.trainer_in(tmp_path)
    keep(tmp_path / "one" / "melody", "other.melody")
    with pytest.raises(StopRun, match="holds runs of other and toy; give the folder of one"):
        checkpoint.trainer_in(tmp_path / "one")
    (single / "checkpoint.json").write_text("{")
    with pytest.raises(StopRun, match=r"checkpoint\.json is damaged"):
        checkpoint.trainer_in(single)
