"""What a release knows beside its shards: who made each column, under which licences, by which
recipe. Gathered once, when a release is made, and kept in its receipt.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symmv_builder import backends
from symmv_builder.datasets.card.licences import is_commercial
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.recipe_writer import write_recipe
from symmv_builder.datasets.schemas import column_names
from symmv_builder.errors import StopRun
from symmv_builder.version import __version__

# Where a receipt keeps them.
FACTS = "facts"


def gather(
    receipt: Mapping[str, Any],
    recipe: Recipe | None,
    about: Mapping[str, Any],
    published: str | None,
) -> dict[str, Any]:
    """Gather the facts of a release of some shards, as plain values.

    `recipe` is the one that they were made by, `None` where it is not known; `about` is what
    their makers say of them (`about.read_about`), `published` the licence under which an import was
    published, `None` for what is no import.
    """
    text = write_recipe(recipe) if recipe else ""
    return {
        "about": dict(about),
        "builder": __version__,
        "recipe": text,
        "recipe_sha256": hashlib.sha256(text.encode()).hexdigest() if text else "",
        "models": {_name(m): _model_facts(m["slot"], m["backend"]) for m in receipt["models"]},
        "made_by": models_of_columns(receipt, recipe),
        "published": published,
    }


def _name(model: Mapping[str, Any]) -> str:
    return f"{model['slot']}={model['backend']}"


def _model_facts(slot: str, name: str) -> dict[str, Any]:
    """Give tool and licence of a model, and which others of its slot may be used commercially."""
    if not (about := _about(slot, name)):
        return {"tool": name, "licence": "", "instead": []}
    instead = [
        other
        for other in backends.names(slot)
        if other != name
        and not other.startswith("untrained")
        and (description := _about(slot, other))
        and is_commercial(description.licence)
    ]
    return {"tool": about.tool, "licence": about.licence, "instead": instead}


def _about(slot: str, name: str) -> backends.About | None:
    """Describe a model; `None` for one whose package is not installed any more or has a fault."""
    try:
        return backends.about(slot, name)
    except StopRun:
        return None


def models_of_columns(receipt: Mapping[str, Any], recipe: Recipe | None) -> dict[str, list[str]]:
    """List for every column the models that have a part in it, as ``slot=backend``.

    A column has those of its step and of all that its step reads. Where the recipe does not say
    it, every model of the shards counts as having a part.
    """
    models = [_name(model) for model in receipt["models"]]
    artifacts = {column.name: column.artifact for column in recipe.columns} if recipe else {}
    by_column = {}
    for name in column_names(receipt):
        if name not in artifacts:
            by_column[name] = models
        elif recipe:
            used = _models_below(recipe, artifacts[name], models)
            by_column[name] = [model for model in models if model in used]
    return by_column


def _models_below(recipe: Recipe, artifact: str, models: Sequence[str]) -> set[str]:
    """List the models of a result and of everything that it was made of.

    Where the shards were made with another model of a slot than the recipe says now, it is that.
    """
    makers = {use.makes: use for use in recipe.known}
    waiting, visited = [artifact], set[str]()
    # What an entry says of its song comes from whoever named the song.
    if artifact == "song":
        waiting = [use.makes for use in recipe.known if use.step.slot == "songs"]
    while waiting:
        name = waiting.pop()
        if name in makers and name not in visited:
            visited.add(name)
            waiting += makers[name].inputs
    below = set()
    for use in (makers[name] for name in visited if makers[name].step.slot):
        model_name = f"{use.step.slot}={use.model}"
        same_slot = [model for model in models if model.startswith(f"{use.step.slot}=")]
        below |= {model_name} if model_name in models else set(same_slot)
    return below


@dataclass(frozen=True, slots=True)
class Restricted:
    """Something in a release that is not known to allow commercial use: a model, or a source.

    `columns` are those that it has a part in, `instead` the models that would do without it.
    """

    name: str
    licence: str
    columns: tuple[str, ...]
    instead: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """One line for a person."""
        licence = self.licence or "its terms are not known"
        columns = ", ".join(self.columns)
        return f"{columns}: made by {self.name} ({licence})"

    @property
    def advice(self) -> str:
        """What does without it."""
        slot = self.name.partition("=")[0]
        if self.instead:
            return "build with " + " or ".join(f"`model` {slot}={name}" for name in self.instead)
        return (
            f"no other model of the slot {slot} is free of that: leave the columns out (`absent`)"
        )


def restricted(facts: Mapping[str, Any]) -> Iterator[Restricted]:
    """List the models of a release that are not known to allow commercial use."""
    for name, model in facts["models"].items():
        if not is_commercial(model["licence"]):
            columns = tuple(c for c, models in facts["made_by"].items() if name in models)
            if columns:
                yield Restricted(name, model["licence"], columns, tuple(model["instead"]))


def terms_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Give the licence of each thing in a release, by its name; empty where none is stated."""
    used = {name for models in facts["made_by"].values() for name in models}
    of_models = {name: facts["models"][name]["licence"] for name in sorted(used)}
    source = "what was imported" if facts["published"] is not None else "the recordings"
    return {**of_models, source: source_terms(facts)}


def source_terms(facts: Mapping[str, Any]) -> str:
    """Give the licence of what the rows were made from: published data, or recordings."""
    return str(facts["published"] or facts["about"].get("recordings", ""))
