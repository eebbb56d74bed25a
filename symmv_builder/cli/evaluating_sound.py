"""`symmv evaluate audio | kld | mcc`: generated music beside the real, as models hear it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from symmv_builder.backends import Loader, ModelHome, ModelIdentity, backend_class, names
from symmv_builder.cli import options
from symmv_builder.cli.saying import say
from symmv_builder.cli.verdict import (
    Split,
    complain_of,
    print_json,
    say_left_out,
    say_untrained,
)
from symmv_builder.datasets.evaluate import is_dataset
from symmv_builder.datasets.sounds import Ear, Heard, Question, hear_dataset, hear_files, paired
from symmv_builder.errors import StopRun
from symmv_builder.evaluation import frechet, published, semantics
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import Measured
from symmv_builder.storage.root import Root
from symmv_builder.training.vmcp.hearing import SLOT

# The embedding of the papers' Frechet distances that stand beside ours.
_PUBLISHED_OVER = "vggish"


Generated = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...", help="Generated music: recordings, MIDI, tables, folders, or a dataset."
    ),
]
Reference = Annotated[
    list[Path],
    typer.Option(help="The real music: files, folders or a dataset. May be repeated."),
]
Backend = Annotated[
    str | None,
    typer.Option(
        help=f"Model that hears recordings: {', '.join(names(SLOT))}.", show_default=names(SLOT)[0]
    ),
]
Sound = Annotated[
    options.Sounding,
    typer.Option(
        "--sound", help="Hear rows, and pieces of several files, as recordings or notes as played."
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(audio)
    app.command()(kld)
    app.command()(mcc)


class _Both:
    """Generated and real music as one model heard them, and which model that was."""

    def __init__(
        self,
        question: Question,
        generated: Sequence[Path],
        reference: Sequence[Path],
        backend: str | None,
        sound: options.Sounding,
        split: str,
        root: str | None,
    ) -> None:
        settings = options.settings(root)
        data = Root(settings.root)
        ear = Ear(Loader(settings.home), question, backend, sound.value)
        if not hasattr(backend_class(SLOT, ear.name), question):
            raise StopRun(f"{ear.name} gives no tags; a model that does is musicnn")
        with Counting() as counting:

            def heard(paths: Sequence[Path]) -> Heard:
                if len(paths) == 1 and is_dataset(data, str(paths[0])):
                    return hear_dataset(data, str(paths[0]), split, ear, tell=counting.tell)
                return hear_files(paths, ear, tell=counting.tell)

            self.ours, self.real = heard(generated), heard(reference)
        sides = (self.ours, self.real)
        by_model = any(side.by_model for side in sides)
        self.model = _identity(ear.name, settings.home) if by_model else None
        by_others = any(side.by_others for side in sides)
        self.name = " and ".join([ear.name] * by_model + ["tables of others"] * by_others)
        self.is_alone = not by_others
        untrained = [name for side in sides for name in side.untrained]
        if self.model and not self.model.trained:
            untrained.append(self.model.backend)
        self.untrained = sorted(set(untrained))

    def about(self, what: str) -> dict[str, Any]:
        """What JSON says of any of the metrics; `what` is what the model was asked for."""
        return {
            what: self.name,
            "model": asdict(self.model) if self.model else None,
            "untrained": self.untrained,
            "refused": [asdict(r) for r in (*self.ours.refused, *self.real.refused)],
            "unusable": {**self.ours.left_out, **self.real.left_out},
        }

    def say(self, generated: Sequence[Path], reference: Sequence[Path]) -> None:
        for paths, side in ((generated, self.ours), (reference, self.real)):
            say_left_out(str(paths[0]), side.left_out)
        say_untrained(self.untrained)

    def complain(self) -> None:
        complain_of(self.ours.refused, self.real.refused)


def _identity(name: str, home: ModelHome) -> ModelIdentity:
    identity: ModelIdentity = backend_class(SLOT, name).identify(home)
    return identity


def audio(
    paths: Generated,
    reference: Reference,
    backend: Backend = None,
    sound: Sound = options.Sounding.RECORDING,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Frechet audio distance between generated and real recordings, or their embeddings.

    Embeddings are .npy or .npz files of shape [n, d], from any model; recordings are embedded here,
    and MIDI files are played for it. Distances over different embeddings do not compare.
    """
    both = _Both("embed", paths, reference, backend, sound, split, root)
    ours, real = both.ours.table, both.real.table
    try:
        sets = [frechet.gaussian(table) for table in (ours, real)]
        for what, one in zip(("generated", "real"), sets, strict=True):
            if one.count < one.width:
                raise ValueError(
                    f"{one.count} {what} examples are fewer than the {one.width} dimensions of "
                    f"{both.name}"
                )
        distance = frechet.frechet_distance(*sets)
    except ValueError as error:
        raise StopRun(f"there is no Frechet distance: {error}") from error
    width = sets[0].width
    is_full = all(one.is_full for one in sets)
    is_comparable = (
        both.is_alone
        and both.model is not None
        and both.model.trained
        and both.model.backend == _PUBLISHED_OVER
    )
    figures = published.AUDIO if is_comparable else ()
    if as_json:
        print_json(
            {
                "metrics": {"fad": distance},
                **both.about("embedding"),
                "embeddings": {"generated": sets[0].count, "reference": sets[1].count},
                "dimensions": width,
                "is_full_rank": is_full,
                "published": [asdict(row) for row in figures],
            }
        )
    else:
        label = f"{both.name}: {sets[0].count} against {sets[1].count} embeddings"
        line = Measured(label, {"fad": distance})
        title = f"Frechet audio distance over {both.name}, {width} dimensions"
        tables.show(score_tables.scores_table(title, score_tables.AUDIO, figures, [line]))
        say(f"this distance compares with others over {both.name} alone")
        if not is_full:
            say(
                f"too few: with {width} embeddings of {width} dimensions or fewer on a side the "
                "covariance is not of full rank, and the distance comes out too large"
            )
        both.say(paths, reference)
    both.complain()


def kld(
    paths: Generated,
    reference: Reference,
    backend: Backend = None,
    sound: Sound = options.Sounding.RECORDING,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """V2Meow's divergence of class probabilities between each piece and its original (KLD).

    The classes are the tags of the model that hears; .npy files hold the probabilities [n, classes]
    of any classifier. Pieces are paired with originals by name, as by `evaluate beats`.
    """
    both = _Both("tag", paths, reference, backend, sound, split, root)
    pairs, alone = paired(both.ours, both.real)
    try:
        originals = [semantics.class_distribution(table) for _, table in both.real.named]
        pieces = [semantics.class_distribution(table) for _, table, _ in pairs]
        found = semantics.kld(pieces, originals, [number for *_, number in pairs])
    except ValueError as error:
        raise StopRun(f"there is no divergence: {error}") from error
    title = f"Divergence of class probabilities by {both.name}, {len(originals[0])} classes"
    facts = {**both.about("classifier"), "classes": len(originals[0])}
    _answer("kld", title, score_tables.KLD, found, facts, alone, as_json=as_json)
    if not as_json:
        say("V2Meow's figures are over AudioSet's classes by another classifier: none stands here")
        both.say(paths, reference)
    both.complain()


def mcc(
    paths: Generated,
    reference: Reference,
    backend: Backend = None,
    sound: Sound = options.Sounding.RECORDING,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """V2Meow's mean cosine similarity of embeddings of each piece and its original (MCC).

    Embeddings and pairs as by `evaluate audio` and `evaluate beats`; the nearest to the paper's
    MuLan that can be had is `--backend clap`.
    """
    both = _Both("embed", paths, reference, backend, sound, split, root)
    pairs, alone = paired(both.ours, both.real)
    originals = np.stack([table.mean(axis=0) for _, table in both.real.named])
    pieces = np.stack([table.mean(axis=0) for _, table, _ in pairs])
    found = semantics.mcc(pieces, originals, [number for *_, number in pairs])
    width = originals.shape[1]
    title = f"Cosine similarity of embeddings by {both.name}, {width} dimensions"
    facts = {**both.about("embedding"), "dimensions": width}
    _answer("mcc", title, score_tables.MCC, found, facts, alone, as_json=as_json)
    if not as_json:
        say("V2Meow's figures are over MuLan, which is not public: none stands here")
        both.say(paths, reference)
    both.complain()


def _answer(
    name: str,
    title: str,
    columns: Sequence[score_tables.Column],
    found: semantics.Agreement,
    facts: dict[str, Any],
    alone: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """JSON, or a table with what mismatched pairs give below."""
    if as_json:
        metrics = {name: found.own, f"{name}_others": found.others}
        about = {"pairs": found.pairs, "without_pair": list(alone), "published": []}
        print_json({"metrics": metrics, **facts, **about})
        return
    lines = [
        Measured(f"{found.pairs} pieces and their originals", {name: found.own}),
        Measured("each piece and the originals of others", {name: found.others}),
    ]
    tables.show(score_tables.scores_table(title, columns, (), lines))
    if alone:
        say(f"{len(alone)} without an original of their name: {', '.join(alone[:10])}")
