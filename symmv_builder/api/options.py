"""Options that commands, flows and notebooks share: what they mean, and how their text is read."""

import math
from collections.abc import Sequence
from typing import TypeVar

from symmv_builder.datasets import ALL, IMPORTED, built_in
from symmv_builder.errors import Reason, UnknownName, WrongArguments, WrongSetting

# Longest that one step may take on one entry, in seconds.
PATIENCE_S = 1800.0
# How often a training keeps where it stands.
CHECKPOINT_MINUTES = 5.0


def in_words(names: Sequence[str]) -> str:
    """Write names as a choice: ``a, b or c``."""
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _datasets() -> tuple[str, ...]:
    """List the datasets that the package knows, without the other ways of making them (`--as`)."""
    names = [name for name in built_in() if not name.endswith(("-paper", "-released"))]
    return tuple(dict.fromkeys((*ALL, *names)))


def trainer_help() -> str:
    """Name all that can be trained, other packages' trainers too: every installed one is asked."""
    from symmv_builder import training

    return f"{in_words(training.names())}."


# What an option means, by its name without dashes: `symmv` and `python -m flows...` print this.
HELP = {
    "root": "Data root: a folder or an fsspec url. Default: SYMMV_ROOT or symmv.toml, else ./data.",
    "dataset": f"Which dataset: {', '.join(_datasets())}, one of your own that stands in the root, "
    "or a recipe file that ends in .toml.",
    "import": f"Which dataset: {', '.join(IMPORTED)}, or a recipe file that ends in .toml and has "
    "one of them as its base.",
    "from": "Take in the recordings of this folder first. SymMV: pairs, as pairs.csv with "
    "columns music,video; or folders covers/ and videos/ with equal names; or "
    "NAME.cover.EXT and NAME.video.EXT. MuVi-Sync: videos with sound.",
    "as": "Make it in another way: `paper` as its paper says, `released` as its published "
    "files were made, `default` by the built-in recipe again.",
    "model": "Use another model: SLOT=NAME, as `symmv models` lists them. May be repeated.",
    "clip": "Short for --model clip=NAME; `untrained` gives the right shapes and no meaning.",
    "watching-clip": "Watch videos with this CLIP model, as `symmv models` lists them, in place of "
    "the one that the training learned with; `untrained` gives the right shapes and no meaning.",
    "patience": "Longest that one step may take on one entry, in seconds.",
    "load-patience": "Longest that a worker may take to start, or to load or fetch a model, in "
    "seconds.",
    "retry": "Try again what was put aside for this reason, as `symmv status` names it. May be "
    "repeated.",
    "only": "Make only these results (as `symmv status` names them) and what they are made "
    "of: names with commas between them, or repeated. Shards then hold the entries that "
    "have them, with every column that all of these entries have.",
    "strict": "Stop at the first error that nobody foresaw, and show its traceback.",
    "wait": "Wait where another command writes this dataset, instead of ending.",
    "shard-mb": "Size of a shard on average, in MiB before compression; 256 at first, then as "
    "the last build was told.",
    "sources": "The sources.toml to crawl. Default: DATASET/sources.toml among the manifests, "
    "else those that come with this package.",
    "full": "List every source to its end.",
    "most": "Fetch no more items than this.",
    "screen": "Screen what was fetched; needs the recipe's models.",
    "promote-above": "Promote proposals that score at least this.",
    "preset": "paper (a GPU), small (an hour or so) or smoke (about a minute).",
    "set": "Another value for a field of the preset: FIELD=VALUE. May be repeated.",
    "trained-as": "Take all choices of the `paper`, or of the `released` code, where the defaults "
    "are others; --set goes before it.",
    "data": "Dataset to learn from, as it is called in the data root.",
    "minutes": "End after so long, ready to be gone on with.",
    "unpack": "Keep decoded features in this folder, several times as large as the shards: for a "
    "dataset whose features do not fit in memory.",
    "checkpoint-minutes": "Keep where the run stands at least this often, in minutes.",
    "wait-for-run": "Wait while another process trains into the folder.",
    "about": "A TOML file in which its makers say what it is: title, description, authors, "
    "contact, homepage, date, citation, licence, recordings. Default: what the last release said.",
    "commercial": "Refuse what is not known to allow commercial use, by column and model.",
    "push": "Copy the release to the model hub, into the data set repository hf://OWNER/NAME: its "
    "version becomes a tag. A version that stands already is copied as it is.",
    "public": "A repository that --push makes is for everybody; without it, private.",
    "to": "Copy the release below this place, into DATASET/VERSION/: a folder, or an fsspec url "
    "such as s3://BUCKET/PREFIX. May be repeated.",
    "format": "Export samples with their recordings: webdataset, hf (Parquet for Hugging Face "
    "datasets), lance or litdata; a folder for FiftyOne: fiftyone; or annotations alone, to be "
    "edited: jams, label-studio.",
    "media-url": "Of label-studio: where it gets a recording, with {path} below the data root, "
    "{entry} and {kind} (music, video). Default: files that it serves of its own machine.",
    "sound": "Sound of each sample: flac (16 bits), mp3 or none. Default: flac.",
    "sound-of": "The result whose sound is exported, such as `separate`. Default: the recording.",
    "video": "Video of each sample: mp4 (copied, or encoded again where a clip does not begin "
    "with a key frame), frames (JPEG) or none. Default: mp4.",
    "sound-rate": "Resample the sound to so many samples a second. Default: as it is.",
    "mono": "One channel of sound, the mean of all.",
    "frame-rate": "Frames a second of --video frames. Default: 1.",
    "frame-side": "Shorter side of a frame, in pixels. Default: 336.",
    "split": "Export this split only. May be repeated.",
    "subset": "Export the rows alone that `symmv rank` marked so, such as finetune.",
    "learned-subset": "Learn from the rows alone that `symmv rank` marked so, such as finetune.",
    "export-shard-mb": "Size of a shard on average, in MiB. Default: 256.",
    "threads": "Threads that prepare batches ahead; 0: none.",
}

# The least that a number may be, by its option; commands, flows and notebooks refuse less.
LEAST = {
    "patience": 0.001,
    "load-patience": 0.001,
    "workers": 1,
    "shard-mb": 1,
    "most": 0,
    "above": 0,
    "promote-above": 0,
    "items-an-hour": 1,
    "minutes": 0.01,
    "checkpoint-minutes": 0.01,
    "threads": 0,
}
# And the most: scores of a match are 0-1.
MOST = {"above": 1, "promote-above": 1}
# What an option is called that has a rule of its own for one command.
_NAMED = {"threads": "workers"}
_Number = TypeVar("_Number", bound=float | None)


def checked(option: str, value: _Number) -> _Number:
    """Check a number that an option was given, `None` without one; `StopRun` where it is too small.

    What is no number (nan) is too small for every option. A few have a greatest number, too.
    """
    least, most = LEAST[option], MOST.get(option)
    if value is not None and not least <= value <= (math.inf if most is None else most):
        number = int(value) if float(value).is_integer() else value
        rule = f"{least:g} or more" if most is None else f"{least:g} to {most:g}"
        raise WrongSetting(_NAMED.get(option, option), number, f"it has to be {rule}")
    return value


def models_of(texts: Sequence[str] | None, clip: str | None = None) -> dict[str, str]:
    """Slot to backend's name out of ``--model SLOT=NAME`` and ``--clip NAME``.

    `StopRun` where a text has another form.
    """
    models = {}
    for text in texts or ():
        slot, equals, name = text.partition("=")
        if not equals or not slot or not name:
            problem = f"`model` {text!r} should look like SLOT=NAME, as in piano=transkun"
            raise WrongArguments(problem)
        models[slot] = name
    return models | ({"clip": clip} if clip else {})


def names_of(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Read names out of `only`, which takes several, with commas or repeated.

    `StopRun` for none.
    """
    for text in texts or ():
        if not text.replace(",", "").strip():
            cause = "it has to be names with commas between them"
            raise WrongSetting("only", text, cause)
    return tuple(name.strip() for text in texts or () for name in text.split(",") if name.strip())


def reasons_of(names: Sequence[str] | None) -> tuple[Reason, ...]:
    """Reasons by their names; `StopRun` for one that nothing is put aside for."""
    unknown = [name for name in names or () if name not in list(Reason)]
    if unknown:
        raise UnknownName("reason", unknown[0], tuple(Reason))
    return tuple(Reason(name) for name in names or ())


def assignments(texts: Sequence[str] | None, form: str) -> dict[str, str]:
    """Read name and value out of ``--set NAME=VALUE``; `form` is how a complaint writes one."""
    values = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WrongArguments(f"`set` {text!r} should look like {form}")
        values[name] = value
    return values


def size_bytes(mebibytes: int | None) -> int | None:
    """Convert the size that ``--shard-mb`` says to bytes; `StopRun` where it is below one."""
    return None if mebibytes is None else checked("shard-mb", mebibytes) * 2**20
