"""Correct what the machine found of an entry: one door for pages, commands and notebooks.

A correction is a line of ``DATASET/corrections.jsonl`` among the manifests, with who made it and
when. The machine's record stays as it is beside it; the next build makes the corrected one, and
what depends on it, anew. What is undone, by a further line or by git, was never corrected.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from symmv_builder.clips import ClockMap
from symmv_builder.datasets import corrected
from symmv_builder.datasets.corrected import (
    BUILT,
    NOT_APPLICABLE,
    WAITING,
    Corrected,
    CorrectedEntry,
)
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.remembered import recipe_of, require_known
from symmv_builder.editing import SAME_S, key_named, vocabulary
from symmv_builder.errors import NotFound, UnknownName, WrongSetting
from symmv_builder.music.key import MAJOR_TONICS, MINOR_TONICS
from symmv_builder.records import (
    Alignment,
    Beats,
    Chords,
    Edit,
    Entry,
    Key,
    KeySpans,
    Parts,
    Record,
    Scenes,
)
from symmv_builder.records.corrections import LONGEST_NAME, Correction
from symmv_builder.records.edits import MARK, MOVE, REMOVE, RENAME, TRIM, WHOLE_ENTRY
from symmv_builder.settings import Settings
from symmv_builder.storage import lines, manifests
from symmv_builder.storage.corrections import NAME, new_id, read_corrections, read_standing
from symmv_builder.storage.store import Store
from symmv_builder.text import clean_line
from symmv_builder.timeline import Clock
from symmv_builder.vocab import SHARP_NAMES

__all__ = [
    "BUILT", "KEY_NAMES", "LONGEST_NAME", "MOST_BEATS", "NOT_APPLICABLE", "WAITING", "WHAT",
    "Corrected", "CorrectedEntry", "Correction", "Thing", "can_add", "correct", "corrections",
    "entry", "history", "key_choices", "key_of", "things", "undo", "undo_last",
]  # fmt: skip

# What can be corrected, and the values that each takes, times in seconds.
WHAT = {
    "beat": "AT TO",
    "add-beat": "AT [PLACE]",
    "remove-beat": "AT",
    "cut": "AT TO",
    "add-cut": "AT",
    "remove-cut": "AT",
    "chord": "AT NAME",
    "key": "[AT] NAME",
    "melody": "AT PITCH",
    "accompaniment": "AT PITCH",
    "trim": "START END",
}
_MOST_THINGS = 400
# A bar with more beats than this is none.
MOST_BEATS = 32
# What stands at a time alone, and so can be added and removed.
_TIMED = {"beat": "beats", "cut": "scenes"}
KEY_NAMES = (
    *(f"{tonic} major" for tonic in MAJOR_TONICS),
    *(f"{tonic} minor" for tonic in MINOR_TONICS),
)


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing of an entry that can be corrected: a beat, a cut, a chord, a key or a note.

    It stands at `at_s` on its `clock` (``music`` or ``video``), which is `video_s` of the video.
    `choices` are the names that it can have. Of a note, `pitch` is its MIDI number.
    """

    kind: str
    at_s: float
    video_s: float
    clock: str
    name: str
    choices: tuple[str, ...] = ()
    pitch: int = -1
    is_melody: bool = False

    @property
    def at(self) -> str:
        """Its time as it is named by, in full."""
        return repr(self.at_s)


def can_add(entry: CorrectedEntry) -> list[str]:
    """What can be added to an entry, of beats and cuts: what it has a record of."""
    return [kind for kind, artifact in _TIMED.items() if artifact in entry.records]


def things(entry: CorrectedEntry, first_s: float, last_s: float) -> list[Thing]:
    """List by kinds what can be corrected and begins between two seconds of an entry's video.

    Of each kind at most some hundreds.
    """
    alignment = entry.records.get("alignment")
    clocks = ClockMap(alignment if isinstance(alignment, Alignment) else None)
    every: list[Thing] = []
    for kind in (_beats, _cuts, _chords, _keys, _notes):
        mine = (replace(each, video_s=_on_video(each, clocks)) for each in kind(entry.records))
        inside = (each for each in mine if first_s <= each.video_s < last_s)
        every += list(islice(inside, _MOST_THINGS))
    return every


def _on_video(thing: Thing, clocks: ClockMap) -> float:
    return thing.at_s if thing.clock == Clock.VIDEO else clocks.to_video(thing.at_s)


def _beats(records: Mapping[str, Record]) -> Iterator[Thing]:
    record = records.get("beats")
    if isinstance(record, Beats):
        for at_s, place in zip(record.times_s.tolist(), record.positions.tolist(), strict=True):
            name = "downbeat" if place == 1 else f"beat {place}"
            yield Thing("beat", at_s, at_s, record.clock, name)


def _cuts(records: Mapping[str, Record]) -> Iterator[Thing]:
    record = records.get("scenes")
    if isinstance(record, Scenes):
        for number, at_s in enumerate(record.starts_s.tolist()[1:], start=2):
            yield Thing("cut", at_s, at_s, record.clock, f"shot {number}")


def _chords(records: Mapping[str, Record]) -> Iterator[Thing]:
    record = records.get("chords")
    if isinstance(record, Chords):
        choices = vocabulary(record)
        for at_s, label in zip(record.starts_s.tolist(), record.labels, strict=True):
            yield Thing("chord", at_s, at_s, record.clock, label, choices)


def _keys(records: Mapping[str, Record]) -> Iterator[Thing]:
    record = records.get("key_spans")
    if isinstance(record, KeySpans):
        names = zip(record.starts_s.tolist(), record.tonics, record.modes, strict=True)
        for at_s, tonic, mode in names:
            name = f"{tonic} {mode}"
            yield Thing("key", at_s, at_s, record.clock, name, key_choices(name))


def _notes(records: Mapping[str, Record]) -> Iterator[Thing]:
    record = records.get("parts")
    if isinstance(record, Parts):
        for at_s, pitch, is_melody in zip(
            record.starts_s.tolist(), record.pitches.tolist(), record.is_melody.tolist(),
            strict=True,
        ):  # fmt: skip
            name = f"{SHARP_NAMES[pitch % 12]}{pitch // 12 - 1}" + (", melody" if is_melody else "")
            yield Thing("note", at_s, at_s, record.clock, name, (), pitch, is_melody)


def key_choices(name: str) -> tuple[str, ...]:
    """The names that a key can have, with the one that it has, however that is spelled."""
    return KEY_NAMES if name in KEY_NAMES else (name, *KEY_NAMES)


def key_of(entry: CorrectedEntry) -> str:
    """The name of the key of a whole piece, as in `KEY_NAMES`; empty where it has none."""
    record = entry.records.get("key")
    return f"{record.tonic} {record.mode}" if isinstance(record, Key) else ""


def moment() -> str:
    """The time of a correction that is made now: UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _number(what: str, text: str | float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise WrongSetting(what, text, "it has to be a time in seconds, as in 12.5")
    return value


def _edit(what: str, values: Sequence[str | float], now: CorrectedEntry) -> Edit:
    """The edit that words ask for, of an entry as it is now; `StopRun` where they ask for none."""
    if what not in WHAT:
        raise UnknownName("correction", what, tuple(WHAT))
    least = len(WHAT[what].split()) - WHAT[what].count("[")
    if not least <= len(values) <= len(WHAT[what].split()):
        raise WrongSetting(what, " ".join(map(str, values)), f"it takes {WHAT[what]}")
    if what == "key" and len(values) == 1:
        return Edit("key", RENAME, _key(values[0]))
    at_s, last = _number(what, values[0]), values[-1]
    artifact = _TIMED.get(what.rpartition("-")[2], "")
    match what:
        case "beat" | "cut":
            return Edit(artifact, MOVE, _number(what, last), at_s)
        case "add-beat" | "add-cut":
            place = _beat_place(what, last) if len(values) > 1 else None
            return corrected.addition(artifact, at_s, now.records, place)
        case "remove-beat" | "remove-cut":
            return Edit(artifact, REMOVE, at_s=at_s)
        case "chord":
            return _renamed("chords", clean_line(str(last)), at_s, now)
        case "key":
            return _renamed("key_spans", _key(last), at_s, now)
        case "trim":
            if not at_s < _number(what, last):
                raise WrongSetting(what, last, f"it ends behind its start, {at_s:g}")
            return Edit(WHOLE_ENTRY, TRIM, _number(what, last), at_s)
    if not str(last).isdecimal() or int(last) > 127:
        raise WrongSetting(what, last, "the pitch of a note is a MIDI number, 0 to 127")
    return Edit("parts", MARK, what == "melody", at_s, pitch=int(last))


def _beat_place(what: str, text: str | float) -> int:
    if not str(text).isdecimal() or not 1 <= int(text) <= MOST_BEATS:
        problem = f"the place of a beat in its bar is a number from 1 to {MOST_BEATS}"
        raise WrongSetting(what, text, problem)
    return int(text)


def _key(text: str | float) -> str:
    try:
        return " ".join(key_named(str(text)))
    except ValueError as error:
        raise WrongSetting("key", text, str(error)) from None


def _renamed(artifact: str, name: str, at_s: float, now: CorrectedEntry) -> Edit:
    """The edit that names the span which begins at a time, until where it ends now."""
    record = now.records.get(artifact)
    until_s = None
    if isinstance(record, Chords | KeySpans):
        for start_s, end_s in zip(record.starts_s.tolist(), record.ends_s.tolist(), strict=True):
            if abs(start_s - at_s) <= SAME_S:
                until_s = end_s
    if len(name) > LONGEST_NAME:
        raise WrongSetting(artifact, name, f"a name has at most {LONGEST_NAME} characters")
    return Edit(artifact, RENAME, name, at_s, until_s)


def author(by: str) -> str:
    """The name of an author as one clean line; `StopRun` for none, or one that is too long."""
    who = clean_line(by)
    if not 0 < len(who) <= LONGEST_NAME:
        raise WrongSetting("by", by, f"an author has a name of at most {LONGEST_NAME} characters")
    return who


def named_entry(store: Store, dataset: str, entry_id: str) -> tuple[Recipe, Entry]:
    """An entry of the manifest and how it is made; `StopRun` where there is none."""
    require_known(store.manifests, dataset)
    entries = {each.entry_id: each for each in manifests.read_entries(store.manifests, dataset)}
    if entry_id not in entries:
        raise NotFound("entry", entry_id, store.root.shown, tuple(entries))
    return recipe_of(store.manifests, dataset), entries[entry_id]


def _now_of(store: Store, dataset: str, entry_id: str) -> CorrectedEntry:
    recipe, entry = named_entry(store, dataset, entry_id)
    corrections = read_standing(store.manifests, dataset).get(entry_id, ())
    return corrected.corrected_entry(store, recipe, entry, corrections)


def entry(settings: Settings, dataset: str, entry_id: str) -> CorrectedEntry:
    """An entry as it is with all corrections that stand; `StopRun` where there is none."""
    return _now_of(settings.open_store(read_only=True), dataset, entry_id)


def correct(
    settings: Settings,
    dataset: str,
    entry_id: str,
    what: str,
    *values: str | float,
    by: str,
    now: Callable[[], str] = moment,
) -> Correction:
    """Write down what `by` corrects of an entry; the correction.

    `what` and the `values` that it takes are those of `WHAT`, on the clock of what is corrected::

        correct(settings, "symmv", "sonata", "beat", 1.52, 1.48, by="Ann")
        correct(settings, "symmv", "sonata", "chord", 4.0, "Am7", by="Ann")

    `StopRun` where the entry has nothing there or it cannot become so; then nothing is written.
    Two people at once wait for each other, and the second one is told what the first one left.
    """
    store = settings.open_standing()
    require_known(store.manifests, dataset)
    who = author(by)
    with lines.alone(store, dataset, NAME):
        recipe, entry = named_entry(store, dataset, entry_id)
        corrections = read_standing(store.manifests, dataset).get(entry_id, ())
        before = corrected.corrected_entry(store, recipe, entry, corrections)
        edit = _edit(what, values, before)
        line = Correction(new_id(), entry_id, who, now(), edit)
        after = corrected.corrected_entry(store, recipe, entry, (*corrections, line))
        for each in after.corrections:
            if each.correction == line and each.state == NOT_APPLICABLE:
                raise WrongSetting(what, " ".join(map(str, values)), each.reason, where=entry_id)
        lines.append(store, dataset, NAME, [line.fields()])
    return line


def undo(
    settings: Settings,
    dataset: str,
    correction_id: str,
    *,
    by: str,
    now: Callable[[], str] = moment,
) -> Correction:
    """Undo a correction that stands, whosever it is; the correction that was undone.

    It stays in the file with the line that undoes it. `StopRun` where none of that id stands.
    """
    store = settings.open_standing()
    require_known(store.manifests, dataset)
    who = author(by)
    with lines.alone(store, dataset, NAME):
        for mine in read_standing(store.manifests, dataset).values():
            for each in mine:
                if each.id == correction_id:
                    line = Correction(new_id(), each.entry_id, who, now(), undoes=each.id)
                    lines.append(store, dataset, NAME, [line.fields()])
                    return each
    raise UnknownName("correction", correction_id)


def undo_last(settings: Settings, dataset: str, entry_id: str, *, by: str) -> Correction | None:
    """Undo the last correction of an entry that somebody made and that stands, if there is one."""
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    mine = read_standing(store.manifests, dataset).get(entry_id, ())
    for each in reversed(mine):
        if each.author == by:
            return undo(settings, dataset, each.id, by=by)
    return None


def corrections(settings: Settings, dataset: str, entry_id: str = "") -> list[Corrected]:
    """The corrections that stand, of a dataset or of one entry, with their states."""
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    recipe = recipe_of(store.manifests, dataset)
    entries = manifests.read_entries(store.manifests, dataset)
    outcomes = corrected.corrections_of(store, lambda: recipe, dataset, entries)
    return [each for each in outcomes if entry_id in ("", each.correction.entry_id)]


def history(settings: Settings, dataset: str, entry_id: str) -> list[Correction]:
    """Every line about an entry, also those that undo and that were undone, in their order."""
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    every = read_corrections(store.manifests, dataset)
    return [each for each in every if each.entry_id == entry_id]
