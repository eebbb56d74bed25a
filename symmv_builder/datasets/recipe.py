"""A recipe: which stages, with which parameters and models, make a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from symmv_builder import backends
from symmv_builder.backends import ModelHome
from symmv_builder.clips import Cut, way_of
from symmv_builder.errors import StopRun, UnknownName
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.step import Use
from symmv_builder.schema import BUILT_IN_ARTIFACTS, CLIP, ENTRY, METADATA, Column


@dataclass(frozen=True, slots=True)
class ClipRules:
    """The rules by which entries are cut into clips, and the screens that a clip must pass.

    Where an entry is two recordings, `clocks` says which music belongs to a stretch of the video:
    what its alignment says (``aligned``), or the same seconds, as if both began ``together``. A
    screen is a step that looks at records of a build; it is shown what the clip holds of them, and
    turns the clip away without its entry. An entry lasts as long as the result `duration_of`, a
    recording or a track; empty stands for its video, or for its music where no video is read.
    """

    cut: Cut
    clocks: Literal["aligned", "together"] = "aligned"
    screens: tuple[Use, ...] = ()
    duration_of: str = ""

    @property
    def way(self) -> str:
        """What a recipe calls its way to cut: ``windows``, ``scenes`` or ``beats``."""
        return way_of(self.cut)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A dataset as code; all of it enters the keys of what it makes.

    `pairs` says whether an entry is made of two recordings (a cover and a video) or of
    one that is both. `shares` are the proportions of the splits. `screening` is what a pair
    out of a crawl must pass before it is proposed; what it has in common with `uses` is
    made once. `beside` is made where it is asked for (`--only`) or by the screening, and is part of
    the rows where all entries have it. `results` are those whose columns the rows hold, in the
    rows' order; `absent` are columns that are left out. `schema` names the published schema that
    the rows follow, and `release` the published dataset of which the entries are an import, where
    these are not called as the dataset is. With `clips` a row is a clip and not a whole entry, with
    `metadata` rows also have what is known of an entry without its recordings (`schema.METADATA`).
    """

    name: str
    uses: tuple[Use, ...]
    shares: Mapping[str, int]
    pairs: bool
    screening: tuple[Use, ...] = ()
    beside: tuple[Use, ...] = ()
    results: tuple[str, ...] = ()
    schema: str = ""
    absent: frozenset[str] = field(default_factory=frozenset)
    clips: ClipRules | None = None
    metadata: bool = False
    release: str = ""

    @property
    def schema_name(self) -> str:
        return self.schema or self.name

    @property
    def release_name(self) -> str:
        """The published dataset of which the entries are an import, if they are one."""
        return self.release or self.name

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that a row has when everything is made: the entry's, and the results'."""
        uses = {use.makes: use for use in self.known}
        artifacts = BUILT_IN_ARTIFACTS | set(uses)
        columns = [
            *(column for column in ENTRY if column.artifact in artifacts),
            *(CLIP if self.clips else ()),
            *(METADATA if self.metadata else ()),
            *(c for name in self.results if name in uses for c in uses[name].columns(uses)),
        ]
        return tuple(column for column in columns if column.name not in self.absent)

    @property
    def is_cut_by_alignment(self) -> bool:
        """Whether the alignment of an entry says which music belongs to a clip."""
        return self.clips is not None and self.pairs and self.clips.clocks == "aligned"

    @property
    def clip_inputs(self) -> tuple[str, ...]:
        """The results that have to be there to cut an entry into clips; none without `clips`."""
        if self.clips is None:
            return ()
        by = () if self.clips.way == "windows" else (self.clips.way,)
        clocks = ("alignment",) if self.is_cut_by_alignment else ()
        screened = (name for use in self.clips.screens for name in use.inputs)
        return tuple(dict.fromkeys((self.duration_of, *by, *clocks, *screened)))

    @property
    def duration_of(self) -> str:
        """The result that says how long an entry is, to be cut into clips."""
        if self.clips and self.clips.duration_of:
            return self.clips.duration_of
        # Of music without a video, the music's clock is the only one.
        return "video_asset" if "video_asset" in {u.makes for u in self.uses} else "music_asset"

    @property
    def known(self) -> tuple[Use, ...]:
        """All that rows may be made of, also what is not made unless it is asked for."""
        return (*self.uses, *self.beside)

    def needed_for(self, artifacts: Sequence[str]) -> tuple[Use, ...]:
        """List the uses that make some artifacts and what these are made of, in order.

        The facts of a recording go with whatever reads it: they are its first test, and say
        which file it was. `StopRun` with the known names where one is unknown; `uses`
        where none is named.
        """
        makers = {use.makes: use for use in self.known}
        unknown = sorted(set(artifacts) - set(makers))
        if unknown:
            raise UnknownName("result", unknown[0], tuple(makers), where=self.name)
        needed: set[str] = set()
        waiting = list(artifacts or [use.makes for use in self.uses])
        while waiting:
            name = waiting.pop()
            if name in makers and name not in needed:
                needed.add(name)
                waiting += [*makers[name].inputs, *(f"{i}_asset" for i in makers[name].inputs)]
        return tuple(use for use in self.known if use.makes in needed)


def with_models(recipe: Recipe, choices: Mapping[str, str]) -> Recipe:
    """Copy the recipe with other models: `choices` maps a slot to a backend's name.

    ``clip=untrained`` stands for the untrained model that is as wide as the recipe's own.
    """
    slots = {use.step.slot for use in (*recipe.known, *recipe.screening) if use.step.slot}
    unknown = sorted(set(choices) - slots)
    if unknown:
        raise UnknownName("model slot", unknown[0], sorted(slots), where=recipe.name)
    return replace(
        recipe,
        uses=tuple(_with_model(use, choices) for use in recipe.uses),
        screening=tuple(_with_model(use, choices) for use in recipe.screening),
        beside=tuple(_with_model(use, choices) for use in recipe.beside),
    )


def _with_model(use: Use, choices: Mapping[str, str]) -> Use:
    choice = choices.get(use.step.slot or "")
    if choice is None:
        return use
    if choice == "untrained" and use.step.slot == "clip":
        # As wide as the model in whose place it is put, so that columns keep their types.
        width = backends.backend_class("clip", str(use.model)).dimensions
        choice = f"untrained-{width}"
    backends.backend_class(use.step.slot or "", choice)
    return replace(use, model=choice)


def make_plan(recipe: Recipe, home: ModelHome, only: Sequence[str] = ()) -> Plan:
    """Make the plan of a recipe: its uses, and the identity of their models on this machine.

    `only` names artifacts; without it all are made. `StopRun` where weights are not to be
    had: before anything is done, not in the middle.
    """
    return _plan(recipe.name, recipe.needed_for(only), home)


def make_whole_plan(recipe: Recipe, home: ModelHome) -> Plan:
    """Make the plan of all of a recipe that can have a key on this machine.

    Uses whose model is not to be had are left out, with what is made of them. It says what is
    there, not what to do.
    """
    left_out: set[str] = set()
    uses: list[Use] = []
    for use in recipe.known:
        if left_out & set(use.inputs) or not _is_here(use, home):
            left_out.add(use.makes)
        else:
            uses.append(use)
    return _plan(recipe.name, tuple(uses), home)


def with_beside(recipe: Recipe, plan: Plan) -> Plan | None:
    """Make the plan of a recipe and what may stand beside it; `None` where nothing may."""
    artifacts = {use.makes for use in plan.uses}
    more = tuple(use for use in recipe.beside if use.makes not in artifacts)
    return Plan(plan.dataset, (*plan.uses, *more), plan.models) if more else None


def _is_here(use: Use, home: ModelHome) -> bool:
    if not (use.step.slot and use.model):
        return True
    try:
        backends.identify(use.step.slot, use.model, home)
    except StopRun:
        return False
    return True


def make_screening_plan(recipe: Recipe, home: ModelHome) -> Plan:
    """Make the plan of what a crawl's pair goes through before a person is asked.

    As `make_plan`.
    """
    return _plan(recipe.name, recipe.screening, home)


def _plan(name: str, uses: tuple[Use, ...], home: ModelHome) -> Plan:
    slots = {(use.step.slot, use.model) for use in uses if use.step.slot and use.model}
    models = {
        (slot, name): backends.identify(slot, name, home)
        for slot, name in sorted(slots)
        if slot and name
    }
    return Plan(name, uses, models)
