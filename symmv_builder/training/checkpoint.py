"""Checkpoints: tensors as safetensors, everything else as JSON, nothing pickled.

A run's folder holds ``checkpoints/00001200/`` with ``model.safetensors``,
``optimizer.safetensors``, ``checkpoint.json`` and the hashes of the three in ``SHA256SUMS``, and
``best/`` with the model of the lowest validation loss. Whoever reads a checkpoint compares its
bytes with the hashes. A checkpoint is written beside its place and moved there, so a kill leaves
the one before it; older ones than the last two are removed.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from symmv_builder.errors import (
    CannotWrite,
    Damaged,
    NoCheckpoint,
    OtherCheckpoint,
    OtherConfiguration,
    StopRun,
    Untrained,
    WrongWeights,
)
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.root import disk_errors, flush_to_disk
from symmv_builder.training.journal import METRICS, read_metrics
from symmv_builder.training.run_folders import (
    DESCRIPTION,
    aside,
    checkpoints_in,
    described_in,
    finished,
    is_begun,
    kind_at,
    latest,
    run_and_stages,
    stages,
    standing_at,
    trainers_in,
)

CHECKPOINTS_KEPT = 2
_FILES = {"model.safetensors", "optimizer.safetensors", "checkpoint.json"}
# The first format had no checksums.
FORMAT = 2
SUMS = "SHA256SUMS"
_HOW_LONG = ("steps", "patience", "validate_every", "checkpoint_every", "log_every")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint without its tensors.

    `kind` names the trainer and, of several models, which it is (``amt``, ``vmusprod.chord``:
    `trainer_of`); `config` is the configuration's fields; `state` is where the run stands (step,
    epoch, place in the data, best loss); `about` is what a user of the model must know: statistics
    of the data that it learned from, and which models made them.
    """

    folder: Path
    kind: str
    config: Mapping[str, Any]
    state: Mapping[str, Any]
    about: Mapping[str, Any]


def save(
    run: Path,
    *,
    kind: str,
    config: Mapping[str, Any],
    state: Mapping[str, Any],
    about: Mapping[str, Any],
    module: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    best: bool = False,
) -> Path:
    """Write a checkpoint of step ``state["step"]`` and return its folder.

    With `best`, the model alone goes to ``best/`` instead.
    """
    place = run / "best" if best else place_of(run, int(state["step"]))
    description: dict[str, Any] = {
        "format": FORMAT,
        "kind": kind,
        "config": dict(config),
        "state": dict(state),
        "about": dict(about),
        "optimizer_groups": [],
    }
    files = {"model.safetensors": _tensors(module)}
    if optimizer is not None and not best:
        files["optimizer.safetensors"], description["optimizer_groups"] = _flatten(
            optimizer.state_dict()
        )
    text = json.dumps(description, indent=1) + "\n"
    with disk_errors(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear(place.parent)
        temporary = place.with_name(f".{place.name}.new")
        try:
            temporary.mkdir()
            for name, tensors in files.items():
                _write_tensors(tensors, temporary / name)
            (temporary / DESCRIPTION).write_text(text)
            (temporary / SUMS).write_text(_sums(temporary, (*files, DESCRIPTION)))
            for path in temporary.iterdir():
                flush_to_disk(path)
            _replace(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if not best:
            for older in finished(run)[:-CHECKPOINTS_KEPT]:
                shutil.rmtree(older, ignore_errors=True)
    return place


def place_of(run: Path, step: int) -> Path:
    """Name the folder of a run's checkpoint of a step."""
    return run / "checkpoints" / f"{step:08d}"


def _replace(temporary: Path, place: Path) -> None:
    """Move a folder to its place; one that stands there goes first out of the way, then away."""
    old_place = aside(place)
    _flush_folder(temporary)
    if place.exists():
        place.rename(old_place)
    temporary.rename(place)
    _flush_folder(place.parent)
    shutil.rmtree(old_place, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Set right what killed writers left in a folder: only one process writes a run."""
    for path in folder.glob(".*"):
        name = path.stem.removeprefix(".")
        if path.suffix not in (".old", ".new") or not (name == "best" or name.isdecimal()):
            continue
        if path.suffix == ".old" and not (folder / name).exists():
            path.rename(folder / name)
        else:
            shutil.rmtree(path)


def _flush_folder(folder: Path) -> None:
    """Make sure that names in a folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(folder: Path, kind: str) -> Checkpoint:
    """Read what a checkpoint's folder says of itself.

    `StopRun` where it is damaged or not of `kind`.

    `folder` may also be a run's: then its ``best/`` is meant, or else its newest checkpoint.
    """
    if not (folder / DESCRIPTION).is_file():
        best = standing_at(folder / "best")
        place = best if (best / DESCRIPTION).is_file() else latest(folder)
        if place is None:
            raise no_checkpoint(folder)
        folder = place
    # Only checkpoints of the first format have none.
    if (folder / SUMS).exists():
        _require_whole(folder)
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        form = int(description["format"])
        if form != FORMAT:
            raise StopRun(
                f"{path} is of format {form}, this version reads {FORMAT}: train anew into "
                "another folder"
            )
        checkpoint = Checkpoint(
            folder,
            str(description["kind"]),
            dict(description["config"]),
            dict(description["state"]),
            dict(description["about"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        cause = f"{type(error).__name__}: {_line(error)}"
        raise Damaged(path, f"is not a checkpoint: {cause}", _way_out(folder)) from error
    if not (folder / SUMS).exists():
        _require_whole(folder)
    if checkpoint.kind != kind:
        raise OtherCheckpoint(folder, checkpoint.kind, kind)
    return checkpoint


def no_checkpoint(folder: Path) -> NoCheckpoint:
    """Tell a training that was ended early from a folder in which nobody has trained."""
    return Untrained(folder) if is_begun(folder) else NoCheckpoint(folder)


def _require_whole(folder: Path) -> None:
    for damaged, problem in verify_checkpoint(folder):
        raise Damaged(damaged, problem, _way_out(folder))


def _sums(folder: Path, names: Iterable[str]) -> str:
    """Write a line of hash and name for each file, as `sha256sum --check` reads them."""
    return "".join(f"{hash_file(folder / name)}  {name}\n" for name in sorted(names))


def verify_checkpoint(folder: Path) -> Iterator[tuple[Path, str]]:
    """List every file of a checkpoint that is missing or not as it was written, and how."""
    sums = folder / SUMS
    try:
        *lines, end = sums.read_text(encoding="ascii").split("\n")
        expected = {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        yield sums, f"cannot be read: {_line(error)}"
        return
    if end or not {"model.safetensors", DESCRIPTION} <= set(expected) <= _FILES:
        yield sums, f"does not name the files of a checkpoint, but {', '.join(expected) or 'none'}"
        return
    for name, sha256 in expected.items():
        path = folder / name
        try:
            if hash_file(path) != sha256:
                yield path, "is damaged: its bytes are not those that were written (SHA256SUMS)"
        except OSError as error:
            yield path, f"cannot be read: {error.strerror}"


def verify_run(run: Path) -> list[tuple[Path, str]]:
    """List what is missing or damaged in a run's folder or that of one of its stages, and how.

    Every checkpoint is compared with its hashes, and the journal is read. Empty where all is
    sound. `StopRun` where the folder holds no run.
    """
    runs = run_and_stages(run)
    if not runs:
        raise no_checkpoint(run)
    problems = [
        problem for one in runs for place in checkpoints_in(one) for problem in _problems(place)
    ]
    for one in runs:
        try:
            read_metrics(one)
        except StopRun as error:
            problems.append((one / METRICS, str(error)))
    return problems


def _problems(place: Path) -> list[tuple[Path, str]]:
    problems = list(verify_checkpoint(place))
    if not problems:
        try:
            read(place, kind_at(place))
        except StopRun as error:
            problems = [(place / DESCRIPTION, str(error))]
    return problems


def trainer_in(folder: Path) -> str:
    """Name the trainer whose run, or whose single checkpoint, a folder holds.

    `StopRun` where there is none, where it cannot be read, or where there are several.
    """
    names = trainers_in(folder)
    if not names:
        for damaged in (*described_in(folder), *(folder / stage for stage in stages(folder))):
            read(damaged, "")
        raise no_checkpoint(folder)
    if len(names) > 1:
        several = " and ".join(sorted(names))
        raise StopRun(f"{folder} holds runs of {several}; give the folder of one")
    return names.pop()


def standing(
    run: Path, kind: str, config: Mapping[str, Any], *, free: Sequence[str] = ()
) -> Checkpoint | None:
    """Read the newest checkpoint of a run, to go on from; `None` where the run has not begun.

    `StopRun` where it is of another configuration. Fields that only say how long and how often
    may differ, so that a run can be made longer, and those in `free`.
    """
    folder = latest(run)
    if folder is None:
        return None
    saved = read(folder, kind)
    names = {*config, *saved.config} - {*_HOW_LONG, *free}
    odd = sorted(name for name in names if config.get(name) != saved.config.get(name))
    if odd:
        raise OtherConfiguration(run, odd)
    return saved


def load_module(checkpoint: Checkpoint, module: nn.Module, new: Sequence[str] = ()) -> None:
    """Put a checkpoint's weights into a module; `StopRun` where they are not its own.

    Tensors whose names begin with one of `new` stay as they are in the module. Weights stored in
    half precision, as a package brings them, become those of a module in single precision.
    """
    path = checkpoint.folder / "model.safetensors"
    module = bare(module)
    tensors = {n: t.float() if t.dtype == torch.half else t for n, t in _read_tensors(path).items()}
    fresh = {n: tensor for n, tensor in module.state_dict().items() if n.startswith(tuple(new))}
    tensors |= fresh
    expected = {name: _form(tensor) for name, tensor in module.state_dict().items()}
    own = {name: _form(tensor) for name, tensor in tensors.items()}
    if expected != own:
        odd = sorted(set(expected.items()) ^ set(own.items()))[0][0]
        theirs, ours = (forms.get(odd, "not there") for forms in (own, expected))
        problem = f"tensor {odd} is {theirs}, the model's is {ours}"
        raise WrongWeights(checkpoint.kind, f"{path} does not fit its configuration: {problem}")
    module.load_state_dict(tensors)


def bare(module: nn.Module) -> nn.Module:
    """Unwrap a module from what shares its gradients or has compiled it."""
    while True:
        inner = module.module if isinstance(module, DistributedDataParallel) else module
        inner = getattr(inner, "_orig_mod", inner)
        if inner is module:
            return module
        module = inner


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def load_optimizer(checkpoint: Checkpoint, optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's optimiser state back; `StopRun` where it holds none."""
    path = checkpoint.folder / "optimizer.safetensors"
    tensors = _read_tensors(path)
    try:
        description = json.loads((checkpoint.folder / DESCRIPTION).read_text(encoding="utf-8"))
        groups = [_tuples(group) for group in description["optimizer_groups"]]
        state = _unflatten(tensors)
        _refuse_other_shapes(state, optimizer)
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        problem = f"{path} does not fit the model: {error}"
        raise WrongWeights(checkpoint.kind, problem) from error


def _tuples(group: Mapping[str, Any]) -> dict[str, Any]:
    """Restore a group of parameters as the optimiser gave it: JSON turned tuples into lists."""
    return {n: tuple(v) if isinstance(v, list) and n != "params" else v for n, v in group.items()}


def _unflatten(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, field = name.partition(".")
        state.setdefault(int(number), {})[field] = tensor
    return state


def _refuse_other_shapes(
    state: Mapping[int, Mapping[str, Tensor]], optimizer: torch.optim.Optimizer
) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, fields in state.items():
        for field, tensor in fields.items():
            if tensor.ndim and tensor.shape != parameters[number].shape:
                shapes = f"{list(tensor.shape)}, not {list(parameters[number].shape)}"
                raise ValueError(f"{field} of parameter {number} has shape {shapes}")


@contextmanager
def understood(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what is missing or of another kind in a checkpoint's description into a `StopRun`."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cause = f"{type(error).__name__}: {_line(error)}"
        path, remedy = checkpoint.folder / DESCRIPTION, _way_out(checkpoint.folder)
        raise Damaged(path, f"does not say what it should: {cause}", remedy) from error


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Copy a module's tensors to the CPU, each with memory of its own as safetensors wants."""
    return {n: _own(tensor) for n, tensor in bare(module).state_dict().items()}


def _own(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().cpu().clone().contiguous()


def _flatten(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    tensors = {
        f"{number}.{field}": _own(value)
        for number, fields in state["state"].items()
        for field, value in fields.items()
        if value is not None
    }
    return tensors, [dict(group) for group in state["param_groups"]]


def _write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise CannotWrite(path, _line(error)) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        remedy = _way_out(path.parent)
        raise Damaged(path, f"cannot be read: {_line(error)}", remedy) from error


def _way_out(folder: Path) -> str:
    """Tell what to do about a damaged checkpoint, by what else its run has."""
    others = "the newest checkpoint" if folder.name == "best" else "the checkpoint before it"
    return f"where it is damaged, remove the folder {folder}: {others} counts then"


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
