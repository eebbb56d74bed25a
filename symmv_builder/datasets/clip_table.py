"""Which clips a dataset's entries are cut into, before any row is loaded.

Of an entry the lengths and the few records that decide on its clips are read, once: what was found
is kept in the table that the receipt names (`storage.clip_tables`), and holds as long as the rules
and the keys of those records are the same. No stage is run.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from symmv_builder.between import cut_records
from symmv_builder.clips import (
    EDGE_S,
    SAME_S,
    VERSION,
    Clip,
    ClockMap,
    Lengths,
    cut_entry,
    way_of,
)
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.datasets.survey import Survey
from symmv_builder.datasets.trimming import trim_problem
from symmv_builder.errors import Damaged, MissingParts, Reason, RejectEntry
from symmv_builder.pipeline.keys import CORRECTION, digest
from symmv_builder.records import Asset, FeatureTrack
from symmv_builder.records.corrections import trim_of
from symmv_builder.storage.clip_tables import EntryClips, TurnedAway, read_table
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.timeline import Clock

# The step that turns a clip away which the alignment does not reach.
ALIGNMENT = "alignment"
# The recordings of an entry, where they are there: none of its clips goes on when one has ended.
_RECORDINGS = {"video_asset": Clock.VIDEO, "music_asset": Clock.MUSIC}


def cut_dataset(
    recipe: Recipe,
    store: Store,
    survey: Survey,
    receipt: Mapping[str, Any],
    cut: Mapping[str, EntryClips],
) -> dict[str, EntryClips | None]:
    """Cut every made entry into its clips; `None` for one of which a record is gone.

    What the table of the standing `receipt` says, or was `cut` before, is not looked at again where
    it still holds.
    `MissingParts` where results that cut entries were not made.
    """
    rules = recipe.clips
    if rules is None or not survey.made:
        return {}
    if missing := [name for name in recipe.clip_inputs if name not in survey.complete]:
        raise MissingParts(recipe.name, missing, f"they cut entries into {way_of(rules.cut)}")
    reads = clip_reads(recipe, survey)
    about = _digest_of(rules)
    tables = {**_earlier_clips(store, recipe.name, receipt), **cut}
    sidecars = Sidecars(store.root, recipe.name)
    table: dict[str, EntryClips | None] = {}
    for entry in survey.made:
        name, keys = entry.entry_id, survey.keys(entry.entry_id)
        trim = trim_of(survey.works[name].corrections)
        state = digest([about, {artifact: keys[artifact] for artifact in reads}])
        if trim is not None:
            state = digest([state, trim])
        earlier = tables.get(name)
        if earlier is not None and earlier.state == state:
            table[name] = earlier
            continue
        try:
            records = {a: sidecars.load(name, a, keys[a])[0] for a in reads}
        except KeyError:
            table[name] = None
            continue
        if trim is not None and trim_problem(recipe, records, trim):
            trim = None
        table[name] = cut_clips(recipe, rules, records, state, trim)
    return table


def clip_reads(recipe: Recipe, state: Survey) -> tuple[str, ...]:
    """List the records read of an entry: what cuts and ends it, and what its clips count from."""
    if recipe.clips is None:
        return ()
    names = ("scenes", "beats", *_RECORDINGS)
    more = (use.makes for use in recipe.uses if use.makes in names)
    return tuple(sorted({*recipe.clip_inputs, *(name for name in more if name in state.complete)}))


def _digest_of(rules: ClipRules) -> str:
    screens = [
        [use.step.name, use.step.version, list(use.inputs), dict(use.parameters)]
        for use in rules.screens
    ]
    length = [rules.duration_of] if rules.duration_of else []
    return digest([VERSION, rules.way, asdict(rules.cut), rules.clocks, screens, *length])


def _earlier_clips(
    store: Store, dataset: str, receipt: Mapping[str, Any]
) -> Mapping[str, EntryClips]:
    try:
        return read_table(store.root, dataset, receipt)
    except Damaged:
        # It only spares work: entries are cut anew.
        return {}


def cut_clips(
    recipe: Recipe,
    rules: ClipRules,
    records: Mapping[str, Any],
    state: str = "",
    trim: tuple[float, float] | None = None,
) -> EntryClips:
    """Cut one entry by its records and show each clip to the alignment and to the screens.

    What does not lie in what a person keeps of the entry, its `trim`, is turned away.
    """
    lasting: Asset | FeatureTrack = records[recipe.duration_of]
    # What an import is cut by has no pictures, also where videos were added to it.
    pictures = records.get("video_asset", lasting)
    clocks = ClockMap(records[ALIGNMENT] if recipe.is_cut_by_alignment else None)
    lengths = Lengths(
        lasting.duration_s,
        clocks,
        records.get("scenes"),
        records.get("beats"),
        pictures.frame_rate_hz if isinstance(pictures, Asset) else 0.0,
    )
    clips, turned_away = [], []
    for clip in cut_entry(rules.cut, lengths):
        fault = _outside(clip, trim) or _fault(rules, clip, clocks, records)
        if fault is None:
            clips.append(clip)
        else:
            turned_away.append(TurnedAway(clip.start_s, clip.end_s, *fault))
    return EntryClips(state, tuple(clips), tuple(turned_away))


def _outside(clip: Clip, trim: tuple[float, float] | None) -> tuple[str, str, str] | None:
    if trim is None or (trim[0] - SAME_S <= clip.start_s and clip.end_s <= trim[1] + SAME_S):
        return None
    return CORRECTION, str(Reason.TRIMMED), f"of the entry {trim[0]:g} to {trim[1]:g} s are kept"


def _fault(
    rules: ClipRules, clip: Clip, clocks: ClockMap, records: Mapping[str, Any]
) -> tuple[str, str, str] | None:
    """Give step, reason and detail of what turns a clip away, `None` where nothing does."""
    if not clocks.covers(clip.start_s, clip.end_s):
        detail = "the alignment does not say which music belongs to all of it"
        return ALIGNMENT, str(Reason.MISALIGNED), detail
    for name, clock in _RECORDINGS.items() if clocks.alignment is None else ():
        if name in records and clip.span(clock)[1] > records[name].duration_s + EDGE_S:
            kind = name.removesuffix("_asset")
            detail = f"the {kind} ends at {records[name].duration_s:g} s"
            return name, str(Reason.TOO_SHORT), detail
    for use in rules.screens:
        parts = cut_records({name: records[name] for name in use.inputs}, clip)
        try:
            use.step.run(*(parts[name] for name in use.inputs), **use.parameters)
        except RejectEntry as error:
            return use.makes, str(error.reason), error.detail
    return None
