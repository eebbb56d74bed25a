"""Measure music, annotations and models by the metrics of the papers, beside the papers' figures.

Each metric is a function of `music`, `accuracy`, `models` or `sound` here that gives a report;
`evaluate` calls any of them by its name and gives plain data.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.errors import UnknownName, WrongArguments
from symmv_builder.settings import read_settings
from symmv_builder.training import model_scores

# Where each metric's function is, and how `evaluate` hands on what is to be measured; beside these
# are the scores of trained models.
_METRICS = {
    "music": ("music", "music"),
    "beats": ("music", "beats"),
    **dict.fromkeys(("transcription", "chords", "melody", "key"), ("accuracy", "accuracy")),
    **{name: ("sound", name) for name in ("audio", "kld", "mcc")},
}


def estimate_and_reference(what: Sequence[str | Path]) -> tuple[str, str]:
    """Name the estimate and the reference among beats; `WrongArguments` where there are not two."""
    if len(what) != 2:
        raise WrongArguments("name ESTIMATE and REFERENCE, or generated music and a `reference`")
    return str(what[0]), str(what[1])


def evaluate(
    metric: str,
    *what: str | Path,
    root: str | Path | None = None,
    tell: Callable[[int, int, str], None] = lambda done, of, what: None,
    **options: Any,
) -> dict[str, Any]:
    """Compute what `symmv evaluate METRIC --json` prints, with `what` for its arguments.

    `options` are those of the command, by name: ``dataset``, ``split``, ``reference``, ``model``
    and so on. A value that is no number is `None`. `StopRun` for a metric that is not known, and
    where there is nothing to measure; files that cannot be read are named under ``refused``.

    Examples:
        >>> measured = sb.evaluate("music", dataset="midi", split="all", root="data")
        >>> measured["songs"], sorted(measured["metrics"])
        (10, ['ebr', 'ioi', 'pce', 'pe', 'sc'])
    """
    scores = [name for name in model_scores() if name not in _METRICS]
    metrics = _METRICS | dict.fromkeys(scores, ("models", "score"))
    if metric not in metrics:
        raise UnknownName("metric", metric, tuple(metrics))
    module, name = metrics[metric]
    if metric == "beats" and not options.get("reference"):
        # Of two names: tracked beats against annotated ones.
        estimate_and_reference(what)
        module, name = "accuracy", "accuracy"
    function = getattr(import_module(f"{__name__}.{module}"), name)
    settings = read_settings(root=root)
    # Every option that names files takes its text, too.
    options = {n: str(value) if isinstance(value, Path) else value for n, value in options.items()}
    if module in ("accuracy", "models"):
        what = (metric, *what)
    report = function(settings, *what, tell=tell, **options)
    answer: dict[str, Any] = plain(report.as_json())
    return answer


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold; a float that is no number becomes `None`."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
