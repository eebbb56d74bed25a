"""The table ``[clips]`` of a recipe, read and written, and what a receipt says of clips.

```toml
[clips]
by = "windows"               # or "scenes", "beats"
length_s = 10.0              # of a window
hop_s = 5.0                  # from one window to the next; length_s without this
least_s = 10.0               # the shortest last window; length_s without this
clocks = "aligned"           # or "together": for entries of two recordings
duration_of = "video_asset"  # the recording or track that says how long an entry is

[clips.screens.screen_motion]
min_mean = 1.0               # turns a clip away, and not its entry
```

``scenes`` has ``least_s`` and ``greatest_s``, the lengths of a clip, and ``beats`` has ``bars`` and
``hop_bars``. A recipe inherits the table of its base: what it says itself changes that, another
``by`` or ``length_s`` begins the lengths anew, ``without`` names screens that are left out, and
``clips = false`` leaves out the whole table. Entries of an import are cut by what the import itself
makes (`imported_clips`): their recordings come later, or never.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from symmv_builder.between import can_cut
from symmv_builder.clips import WAYS, Bars, Cut, Shots, Windows, way_of
from symmv_builder.datasets.placed import Placed
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.pipeline.step import RECORDINGS, Use
from symmv_builder.records import Asset, FeatureTrack, Screened
from symmv_builder.text import amount
from symmv_builder.toml_text import TomlReader

CLOCKS = ("aligned", "together")
_SHORTEST_S, _LONGEST_S = 0.1, 86_400.0
_MOST_BARS = 100_000
_OWN = ("by", "clocks", "duration_of", "without", "screens")
# What a screen of clips has no use for: it has no columns, and its place is behind the cut.
_NOT_OF_SCREENS = ("after", "columns", "model", "when")

# Reads the table of a step: what it makes, the table, the use before it, and its path.
ReadStep = Callable[[str, Mapping[str, Any], Placed | None, Sequence[str]], Placed]


def read_clips(
    reader: TomlReader, table: Mapping[str, Any], base: ClipRules | None, read_step: ReadStep
) -> ClipRules | None:
    """Read the rules that a recipe's text gives, or those of its base; errors with line and key."""
    clips = table.get("clips")
    if clips is None:
        return base
    if clips is False:
        return None
    if not isinstance(clips, dict):
        raise reader.wrong(("clips",), "this is a table, [clips], or false to have none")
    way = reader.choice(clips, "by", tuple(WAYS), base.way if base else None, ("clips",))
    kind = WAYS[way]
    names = tuple(kind.__dataclass_fields__)
    reader.known(clips, (*_OWN, *names), ("clips",))
    before = asdict(base.cut) if base and type(base.cut) is kind and "length_s" not in clips else {}
    cut = _cut(reader, kind, clips, before)
    clocks = reader.choice(clips, "clocks", CLOCKS, base.clocks if base else "aligned", ("clips",))
    screens = _screens(reader, clips, base.screens if base else (), read_step)
    before_that = base.duration_of if base else ""
    duration_of = reader.typed(clips, "duration_of", str, before_that, ("clips",))
    return ClipRules(cut, "aligned" if clocks == "aligned" else "together", screens, duration_of)


def _cut(
    reader: TomlReader, kind: type[Cut], clips: Mapping[str, Any], before: Mapping[str, Any]
) -> Cut:
    def seconds(name: str, default: float | None) -> float:
        value = clips.get(name, before.get(name, default))
        path = ("clips", name)
        if value is None:
            raise reader.wrong(("clips",), f"{name} is missing, a number of seconds")
        if type(value) not in (int, float):
            raise reader.wrong(path, f"{value!r} should be a number of seconds")
        # A value that is no number is in no range.
        if not _SHORTEST_S <= value <= _LONGEST_S:
            limits = f"{_SHORTEST_S:g} and {_LONGEST_S:g} seconds"
            raise reader.wrong(path, f"{value!r} should lie between {limits}")
        return float(value)

    def bars(name: str, default: int | None) -> int:
        value: int = reader.typed(clips, name, int, before.get(name, default), ("clips",))
        if not 1 <= value <= _MOST_BARS:
            raise reader.wrong(("clips", name), f"{value!r} should lie between 1 and {_MOST_BARS}")
        return value

    def at_most(name: str, value: float, most_name: str, most: float) -> None:
        if value > most:
            key = name if name in clips else most_name
            problem = f"{name} is {value:g}, longer than {most_name}, {most:g}"
            raise reader.wrong(("clips", key), problem)

    if kind is Windows:
        length_s = seconds("length_s", None)
        least_s = seconds("least_s", length_s)
        at_most("least_s", least_s, "length_s", length_s)
        return Windows(length_s, seconds("hop_s", length_s), least_s)
    if kind is Shots:
        least_s, greatest_s = seconds("least_s", None), seconds("greatest_s", None)
        at_most("least_s", least_s, "greatest_s", greatest_s)
        return Shots(least_s, greatest_s)
    number = bars("bars", None)
    return Bars(number, bars("hop_bars", number))


def _screens(
    reader: TomlReader, clips: Mapping[str, Any], before: Sequence[Use], read_step: ReadStep
) -> tuple[Use, ...]:
    uses = {use.makes: use for use in before}
    without = reader.typed(clips, "without", list, [], ("clips",))
    for name in without:
        if name not in uses:
            raise reader.wrong(("clips", "without"), f"the base has no screen {name!r} of clips")
        del uses[name]
    described = reader.typed(clips, "screens", dict, {}, ("clips",))
    for name, own in described.items():
        path = ("clips", "screens", name)
        if not isinstance(own, dict):
            raise reader.wrong(path, f"this is a table: [clips.screens.{name}]")
        for key in _NOT_OF_SCREENS:
            if key in own:
                raise reader.wrong((*path, key), "a screen of clips has no such key")
        old = Placed(uses[name], "build") if name in uses else None
        uses[name] = read_step(name, own, old, path).use
        step = uses[name].step
        if step.together or step.slot or step.record_made not in (Screened, None):
            raise reader.wrong(path, f"the step {step.name} is no screen of records")
    return tuple(uses.values())


def check_clips(reader: TomlReader, recipe: Recipe) -> None:
    """Check that a build makes whatever cuts and screens clips, and that all records can be cut."""
    if recipe.clips is None:
        return
    makers = {use.makes: use for use in recipe.uses}
    for use in recipe.clips.screens:
        path = ("clips", "screens", use.makes)
        for reads, name in zip(use.step.reads, use.inputs, strict=True):
            if name in RECORDINGS:
                raise reader.wrong(path, f"a screen of clips reads results, and not the {name}")
            if name not in makers:
                raise reader.wrong(path, f"it reads {name}, which no step makes in a build")
            actual, expected = makers[name].step.record_made, use.step.record_read(reads)
            if actual and expected and not issubclass(actual, expected):
                raise reader.wrong(
                    path, f"{name} is {actual.__name__}; {reads} is {expected.__name__}"
                )
    for name in recipe.clip_inputs:
        if name not in makers:
            key = ("duration_of",) if name == recipe.clips.duration_of else ()
            raise reader.wrong(("clips", *key), _lacking(name, recipe))
    lasting = makers[recipe.duration_of].step.record_made
    if lasting is not None and not issubclass(lasting, Asset | FeatureTrack):
        problem = f"{recipe.duration_of} is {lasting.__name__}, and no recording or track"
        raise reader.wrong(("clips", "duration_of"), problem)
    for name in (*recipe.results, *(name for use in recipe.clips.screens for name in use.inputs)):
        kind = makers[name].step.record_made if name in makers else None
        if kind is not None and not can_cut(kind):
            problem = f"{name} is {kind.__name__}, which cannot be cut: leave it out of `columns`"
            raise reader.wrong(("clips",), problem)


def imported_clips(reader: TomlReader, recipe: Recipe, made: Sequence[str]) -> Recipe:
    """The recipe of an import, cut by what of it is `made` without the recordings that it lacks.

    Entries last as long as a recording that the release holds, else as the first track that it
    has; an error with the line of the table where it has neither, or where clips are cut or
    screened by something else that it has not.
    """
    if recipe.clips is None:
        return recipe
    kinds = {use.makes: use.step.record_made for use in recipe.uses if use.makes in made}
    recordings: list[str] = [n for n in ("video_asset", "music_asset") if n in kinds]
    lasting = recordings or [name for name, kind in kinds.items() if kind is FeatureTrack]
    if not lasting:
        problem = (
            f"an import of {recipe.release} makes {', '.join(made)}: nothing of it has a time line "
            "that could be cut"
        )
        raise reader.wrong(("clips",), problem)
    duration_of = recipe.clips.duration_of or lasting[0]
    recipe = replace(recipe, clips=replace(recipe.clips, duration_of=duration_of))
    makers = {use.makes for use in recipe.uses}
    for name in recipe.clip_inputs:
        if name in makers and name not in made:
            problem = (
                f"clips would be cut by {name}, which an import of {recipe.release} does not make: "
                "its release lacks the recording"
            )
            raise reader.wrong(("clips",), problem)
    return recipe


def _lacking(name: str, recipe: Recipe) -> str:
    """Word the problem of a result that cutting needs and no step of a build makes."""
    if name != "alignment":
        return f"clips are cut by {name}, which no step makes in a build"
    is_made = name in {use.makes for use in (*recipe.screening, *recipe.beside)}
    how = '[steps.alignment] with when = "always"' if is_made else 'a step that makes it ("align")'
    return (
        "music and video of an entry are two recordings, and no step of a build makes the "
        f'alignment that clips are cut by: add {how}, or say clocks = "together"'
    )


def clip_lines(rules: ClipRules, value: Callable[[Any], str]) -> Iterator[str]:
    """Write the rules as lines of TOML that `read_clips` reads to the same.

    `value` writes a value.
    """
    yield from ("", "[clips]", f"by = {value(rules.way)}")
    yield from (f"{name} = {value(number)}" for name, number in asdict(rules.cut).items())
    yield f"clocks = {value(rules.clocks)}"
    if rules.duration_of:
        yield f"duration_of = {value(rules.duration_of)}"


def clip_facts(rules: ClipRules | None) -> dict[str, Any]:
    """Cut and clocks of the rules as plain values, by the names of a recipe's keys."""
    if rules is None:
        return {}
    facts = {"by": way_of(rules.cut), **asdict(rules.cut), "clocks": rules.clocks}
    return facts | ({"duration_of": rules.duration_of} if rules.duration_of else {})


def described_cut(facts: Mapping[str, Any]) -> str:
    """Say in words how entries are cut (`clip_facts`): ``windows of 10 s, one every 5 s``."""
    if facts["by"] == "windows":
        return f"windows of {facts['length_s']:g} s, one every {facts['hop_s']:g} s"
    if facts["by"] == "scenes":
        return f"scenes, in pieces of {facts['least_s']:g} to {facts['greatest_s']:g} s"
    return f"beats, {facts['bars']} bars, one every {facts['hop_bars']}"


def explain_clips(rules: ClipRules | None) -> tuple[str, ...]:
    """Say in a line how entries are cut into clips, and one for each screen; none for `None`."""
    if rules is None:
        return ()
    screens = (
        f"{use.makes}: {', '.join(f'{name}={value}' for name, value in use.parameters.items())}"
        for use in rules.screens
    )
    return f"a row is a clip, cut by {described_cut(clip_facts(rules))}", *screens


@dataclass(frozen=True, slots=True)
class ClipCounts:
    """Rows that are clips: of how many entries, how these were cut (`clip_facts`), how many
    entries have none, and how many clips were turned away for which reason."""

    rows: int
    entries: int
    cut: dict[str, Any]
    entries_without: int
    turned_away: dict[str, int]

    @property
    def text(self) -> str:
        """One line for a person."""
        clips, entries = amount(self.rows, "clip"), amount(self.entries, "entry")
        text = f"{clips} of {entries}, cut by {described_cut(self.cut)}"
        if self.turned_away:
            reasons = ", ".join(f"{reason} {count}" for reason, count in self.turned_away.items())
            text += f"; {sum(self.turned_away.values())} turned away: {reasons}"
        if self.entries_without:
            text += f"; entries without a clip: {self.entries_without}"
        return text


def clip_counts(receipt: Mapping[str, Any]) -> ClipCounts | None:
    """Read what a receipt says of clips; `None` where its rows are whole entries."""
    if "clips" not in receipt:
        return None
    return ClipCounts(
        sum(receipt["splits"].values()),
        int(receipt["entries"]),
        dict(receipt["clips"]),
        int(receipt["entries_without_clips"]),
        dict(receipt["clips_turned_away"]),
    )
