"""`symmv rank`: rows by how well their music fits their video, and a mark for the best."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.texts import left_out
from symmv_builder.cli import options
from symmv_builder.cli.evaluate.verdict import say_untrained
from symmv_builder.cli.saying import say
from symmv_builder.report.counting import Counting


def register(app: typer.Typer) -> None:
    app.command()(rank)


def rank(
    dataset: options.Dataset,
    model: Annotated[Path, typer.Option("--model", help="The folder of a run of `train vmcp`.")],
    best: Annotated[float, typer.Option(help="The share of the rows that is marked.")] = 0.1,
    split: Annotated[str, typer.Option(help="The split whose rows are ranked.")] = "train",
    subset: Annotated[str, typer.Option(help="What the marked rows are called.")] = "finetune",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank rows by how well their music fits their video, and mark the best share as a subset.

    As V2M chooses what a model is fine-tuned on; the similarity is that of a video-music CLIP of
    your own, or of GVMGen's evaluation model (train vmcp --set objective=gvmgen). The loader reads
    the marked rows: rows("train", subset="finetune").
    """
    from symmv_builder.api import ranking

    with Counting() as counting:
        result = ranking.rank(
            dataset,
            model,
            best=best,
            split=split,
            subset=subset,
            settings=options.settings(root),
            tell=lambda done, of: counting.tell(done, of, "rows"),
        )
    if as_json:
        answer = {"subset": subset, "split": split, "chosen": result.chosen, "rows": result.rows}
        answer |= {"left_out": result.left_out, "untrained": result.untrained}
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    least = result.rows[result.chosen - 1][1]
    say(
        f"{dataset}: {result.chosen} of {len(result.rows)} rows of {split} "
        f"are the subset {subset}, similarity {result.rows[0][1]:.3f} to {least:.3f}; "
        f"kept in {result.where}"
    )
    say_untrained(result.untrained)
    if result.left_out:
        say(left_out(dataset, result.left_out))
