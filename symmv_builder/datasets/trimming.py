"""Entries that a person trimmed: what is kept of them is in their rows, as a clip of them would be.

A row that is a whole entry holds what lies in the trim, with times from its start, and the receipt
says where that lies in the recordings (`TRIMMED`). Where rows are clips, those alone are made that
lie in the trim. Music of another recording is taken by the alignment, where the entry has one;
without one both are taken to begin together, as players do. No stage runs again.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from symmv_builder.between import can_cut
from symmv_builder.clips import SAME_S, Clip, ClockMap, Lengths, with_counts
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.records import Alignment, Asset, Beats, Record, Scenes
from symmv_builder.records.corrections import trim_of
from symmv_builder.storage.receipts import TRIMMED
from symmv_builder.storage.sidecars import Sidecars

if TYPE_CHECKING:
    from symmv_builder.datasets.survey import Survey
    from symmv_builder.storage.store import Store

# What is looked at to cut an entry, where it is there.
READS = ("alignment", "beats", "music_asset", "scenes", "video_asset")

Span = tuple[float, float]


def clip_between(records: Mapping[str, Record], start_s: float, end_s: float) -> Clip:
    """Cut the clip of an entry between two seconds of its video, by the records of `READS`."""
    alignment = records.get("alignment")
    clocks = ClockMap(alignment if isinstance(alignment, Alignment) else None)
    asset, scenes, beats = (records.get(n) for n in ("video_asset", "scenes", "beats"))
    lengths = Lengths(
        end_s,
        clocks,
        scenes if isinstance(scenes, Scenes) else None,
        beats if isinstance(beats, Beats) else None,
        asset.frame_rate_hz if isinstance(asset, Asset) else 0.0,
    )
    return with_counts(clocks.clip(start_s, end_s), lengths)


def length_of(records: Mapping[str, Record]) -> float:
    """Give the seconds of an entry's video, or of its music where it has no other.

    0 where unknown.
    """
    asset = records.get("video_asset") or records.get("music_asset")
    return asset.duration_s if isinstance(asset, Asset) else 0.0


def trim_problem(recipe: Recipe, records: Mapping[str, Record], span: Span) -> str:
    """Tell why an entry cannot be trimmed so; empty where it can."""
    kinds = {use.makes: use.step.record_made for use in recipe.known}
    for column in recipe.columns:
        kind = kinds.get(column.artifact)
        if kind is not None and not can_cut(kind):
            return f"{column.artifact} cannot be taken between two times"
    length_s = length_of(records)
    if length_s and span[1] > length_s + SAME_S:
        return f"the entry ends at {length_s:.3f} s"
    return ""


def trims_of(state: "Survey") -> dict[str, Span]:
    """Start and end of every made entry that a person trimmed."""
    trims = {}
    for entry in state.made:
        span = trim_of(state.works[entry.entry_id].corrections)
        if span is not None:
            trims[entry.entry_id] = span
    return trims


def cut_trimmed(recipe: Recipe, store: "Store", state: "Survey") -> dict[str, Clip | None]:
    """Find what of each trimmed entry is kept; `None` where a record that says so is gone.

    An entry that cannot be trimmed so is not among them: it stays whole.
    """
    sidecars = Sidecars(store.root, recipe.name)
    clips: dict[str, Clip | None] = {}
    for name, span in trims_of(state).items():
        keys = state.keys(name)
        reads = [artifact for artifact in READS if artifact in state.states[name].there]
        try:
            records = {a: sidecars.load(name, a, keys[a])[0] for a in reads}
        except KeyError:
            clips[name] = None
            continue
        if not trim_problem(recipe, records, span):
            clips[name] = clip_between(records, *span)
    return clips


def facts_of(recipe: Recipe, state: "Survey", clips: Mapping[str, Clip | None]) -> dict[str, Any]:
    """Tell what a receipt says of trimmed entries; nothing where none is.

    Of rows that are whole entries also which seconds of the music are kept.
    """
    numbers: dict[str, list[float]] = {n: list(c.numbers[:4]) for n, c in clips.items() if c}
    if recipe.clips:
        numbers = {name: list(span) for name, span in trims_of(state).items()}
    return {TRIMMED: dict(sorted(numbers.items()))} if numbers else {}


def without(receipt: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Copy a receipt so that it says nothing of some entries."""
    spans = {n: span for n, span in receipt.get(TRIMMED, {}).items() if n not in names}
    return {
        **{k: v for k, v in receipt.items() if k != TRIMMED},
        **({TRIMMED: spans} if spans else {}),
    }
