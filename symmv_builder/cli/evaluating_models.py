"""`symmv evaluate amt | regressor | vmcp | relevance`: what a trained model is worth on a split."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import say
from symmv_builder.cli.verdict import Split, print_json, say_left_out, say_untrained
from symmv_builder.datasets import evaluate as measure
from symmv_builder.errors import StopRun
from symmv_builder.evaluation import chord_hits, published
from symmv_builder.evaluation.published import Figures
from symmv_builder.pipeline.events import Tick
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import Column, Measured
from symmv_builder.storage.root import Root
from symmv_builder.vocab import MUVISYNC_LABELS

Model = Annotated[
    Path, typer.Option("--model", help="Folder of the training run whose best model is measured.")
]
On = Annotated[str, typer.Option("--dataset", help="Dataset to measure on.")]
Generated = Annotated[
    Path | None,
    typer.Option(
        "--music",
        help="Generated music instead of the rows' own: a folder of MIDI files or recordings "
        "(WAV, FLAC, MP3, MP4 ...), named by entry.",
        show_default=False,
    ),
]
Sound = Annotated[
    options.Sounding | None,
    typer.Option(
        "--sound",
        help="Hear music as recording or as notes are played (rendered). Default: as in training.",
        show_default=False,
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option("--pictures", help="Draw the confusion matrices into this folder."),
]

# Of what there was how many: no measure of the model.
_COUNTS = ("songs", "seconds", "videos")
# What the rows and columns of a model's confusion matrices are called.
_LABELS: Mapping[str, Sequence[str]] = {
    "chord": MUVISYNC_LABELS,
    "root": chord_hits.ROOT_NAMES,
    "quality": chord_hits.QUALITY_NAMES,
    "emotion": chord_hits.QUALITY_NAMES[:-1],
}


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model's own score gave: numbers by name, what was counted, matrices by name, and why
    a row could not be used, by entry.
    """

    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    facts: Mapping[str, Any]
    confusion: Mapping[str, Any]
    untrained: tuple[str, ...]
    left_out: Mapping[str, str]


def register(app: typer.Typer) -> None:
    app.command()(amt)
    app.command()(regressor)
    app.command()(vmcp)
    app.command()(relevance)


def amt(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    pictures: Pictures = None,
    as_json: options.AsJson = False,
) -> None:
    """Hits@1, 3 and 5 and the emotion matching loss of predicted chords; confusion of chords."""
    scored = run("amt.score", model, dataset, split, root)
    drawn = draw(scored.confusion, pictures)
    answer(
        "Chords, teacher-forced, mean over songs",
        score_tables.AMT,
        published.AMT,
        scored,
        (model, dataset, split),
        as_json=as_json,
    )
    say_drawn(drawn, as_json=as_json)


def regressor(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Root mean square error of note density and loudness estimated from video."""
    scored = run("amt.regressor.score", model, dataset, split, root)
    guess = {c.name: scored.metrics.get(f"baseline_{c.name}") for c in score_tables.REGRESSOR}
    answer(
        "Root mean square error over the seconds of a split",
        score_tables.REGRESSOR,
        published.REGRESSOR,
        scored,
        (model, dataset, split),
        as_json=as_json,
        beside=Measured("guessing the mean of the training split", guess),
    )


def vmcp(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    music: Generated = None,
    sound: Sound = None,
    as_json: options.AsJson = False,
) -> None:
    """Video-Music CLIP Precision: how often music finds its own video among others."""
    scored = run("vmcp.score", model, dataset, split, root, **given(music, sound))
    answer(
        "Music finds its video: P@k in percent, average rank",
        score_tables.VMCP,
        published.VMCP,
        scored,
        (model, dataset, split),
        as_json=as_json,
        beside=Measured("chance", scored.facts.get("chance", {})),
        pool=published.VMCP_POOL,
    )


def relevance(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    music: Generated = None,
    sound: Sound = None,
    as_json: options.AsJson = False,
) -> None:
    """GVMGen's cross-modal relevance (CMR) and temporal alignment (TA), by its evaluation model.

    The model is one that `symmv train vmcp --set objective=gvmgen` made.
    """
    scored = run("vmcp.relevance", model, dataset, split, root, **given(music, sound))
    others = {c.name: scored.metrics.get(f"{c.name}_mismatched") for c in score_tables.RELEVANCE}
    answer(
        "Music fits its video as a whole (CMR) and by time (TA)",
        score_tables.RELEVANCE,
        (),
        scored,
        (model, dataset, split),
        as_json=as_json,
        beside=Measured("each video with another one's music", others),
    )


def given(music: Path | None, sound: options.Sounding | None) -> dict[str, Any]:
    """What a score is told of the music to hear; `StopRun` where `music` is no folder."""
    told: dict[str, Any] = {}
    if music is not None:
        if not music.is_dir():
            raise StopRun(f"{music} is not a folder; --music takes a folder of music")
        told["music"] = music
    if sound is not None:
        told["sound"] = sound.value
    return told


def run(
    module: str, model: Path, dataset: str, split: str, root: str | None, **more: Any
) -> Scored:
    """Ask a trainer for its metrics; numbers that stand by themselves are metrics, too.

    `module` below `symmv_builder.training` is imported here: it brings torch.
    """
    settings = options.settings(root)
    data = Root(settings.root)
    if not model.is_dir():
        raise StopRun(f"{model} is not a folder; --model takes the folder of a training run")
    if split == measure.ALL_SPLITS:
        raise StopRun("a model is measured on one split; --split takes train, validation or test")
    _, _, receipt = measure.rows_of_split(data, dataset, split, ["entry_id"])
    score = importlib.import_module(f"symmv_builder.training.{module}").score
    with Counting() as counting:
        made: dict[str, Any] = score(
            model, data, dataset, split, settings.home.device, telling(counting), **more
        )
    confusion, left_out = dict(made.pop("confusion", {})), dict(made.pop("left_out", {}))
    named = {**made, **made.pop("metrics", {})}
    numbers = {name: value for name, value in named.items() if _is_number(value)}
    untrained = {*measure.untrained_models(receipt)}
    ear = named.get("embedding")
    if ear and not ear["trained"]:
        untrained.add(ear["backend"])
    return Scored(
        metrics={name: value for name, value in numbers.items() if name not in _COUNTS},
        counts={name: int(numbers[name]) for name in _COUNTS if name in numbers},
        facts={n: v for n, v in made.items() if n not in numbers and n != "metrics"},
        confusion={name: _labelled(name, matrix) for name, matrix in confusion.items()},
        untrained=tuple(sorted(untrained)),
        left_out=left_out,
    )


def telling(counting: Counting) -> Any:
    """What a trainer may tell: a `Tick`, or counts of what is done and what there is."""

    def tell(done: Any, of: int = 0, what: str = "songs") -> None:
        if isinstance(done, Tick):
            counting.tell(done.step, done.steps, done.part)
        else:
            counting.tell(int(done), of, what)

    return tell


def answer(
    title: str,
    columns: Sequence[Column],
    figures: Sequence[Figures],
    scored: Scored,
    what: tuple[Path, str, str],
    *,
    as_json: bool,
    beside: Measured | None = None,
    pool: int | None = None,
) -> None:
    """JSON, or a table with what has to be said below it."""
    model, dataset, split = what
    if as_json:
        print_json(
            {
                "model": str(model),
                "dataset": dataset,
                "split": split,
                **scored.counts,
                "metrics": scored.metrics,
                "architecture": scored.facts.get("model"),
                **{k: v for k, v in scored.facts.items() if k not in ("model", "dataset")},
                **({"confusion": scored.confusion} if scored.confusion else {}),
                "unusable": dict(scored.left_out),
                "untrained": list(scored.untrained),
                "published": [asdict(row) for row in figures],
            }
        )
        return
    lines = [Measured(f"{model} on {dataset}, {split}", scored.metrics)]
    if beside and beside.values:
        lines.append(beside)
    tables.show(score_tables.scores_table(title, columns, figures, lines))
    shown = {column.name for column in columns}
    others = {n: v for n, v in scored.metrics.items() if n not in shown and v == v}
    told = [f"{value} {name}" for name, value in scored.counts.items()]
    told += [f"{name} {value:.4g}" for name, value in others.items()]
    if told:
        say(", ".join(told))
    here = scored.metrics.get("pool")
    if pool is not None and here is not None and here != pool:
        say(f"the pool here is {here:.0f} videos, the paper's {pool}: the figures do not compare")
    ear = scored.facts.get("embedding")
    if ear:
        say(f"music heard by {ear['backend']}, {scored.facts['sound']}")
    say_left_out(dataset, scored.left_out)
    say_untrained(scored.untrained)


def draw(confusion: Mapping[str, Any], folder: Path | None) -> list[Path]:
    """A PNG of each confusion matrix in which anything was counted."""
    if folder is None:
        return []
    from symmv_builder.report.confusion import draw_confusion
    from symmv_builder.storage.root import disk_errors

    drawn = []
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, matrix in confusion.items():
            if not any(map(any, matrix["counts"])):
                continue
            path = folder / f"confusion-{name}.png"
            true = "fits the emotion" if name == "emotion" else "true"
            draw_confusion(
                path, matrix["counts"], matrix["labels"], title=f"Confusion: {name}", true=true
            )
            drawn.append(path)
    return drawn


def say_drawn(paths: Sequence[Path], *, as_json: bool) -> None:
    if not as_json:
        for path in paths:
            say(f"wrote {path}")


def _labelled(name: str, matrix: Any) -> dict[str, Any]:
    """Counts with the names of their rows and columns."""
    if isinstance(matrix, Mapping):
        counts, labels = matrix["counts"], matrix["labels"]
    else:
        counts, labels = matrix, _LABELS[name]
    rows = counts.tolist() if hasattr(counts, "tolist") else [list(row) for row in counts]
    return {"labels": list(labels), "counts": rows}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
