"""Options that commands, flows and notebooks share: what they mean, and how their text is read."""

from collections.abc import Sequence

from symmv_builder.datasets import ALL, IMPORTED
from symmv_builder.errors import Reason, StopRun

# Longest that one step may take on one entry, in seconds.
PATIENCE_S = 1800.0
# What an option means, by its name without dashes: `symmv` and `python -m flows...` print this.
HELP = {
    "root": "Data root: a folder or an fsspec url. Default: SYMMV_ROOT, else ./data.",
    "dataset": f"Which dataset: {', '.join(ALL)}, one of your own that stands in the root, "
    "or a recipe file that ends in .toml.",
    "import": f"Which dataset: {', '.join(IMPORTED)}.",
    "from": "Take in the recordings of this folder first. SymMV: pairs, as pairs.csv with "
    "columns music,video; or folders covers/ and videos/ with equal names; or "
    "NAME.cover.EXT and NAME.video.EXT. MuVi-Sync: videos with sound.",
    "as": "Make it in another way: `paper` as its paper says, `released` as its published "
    "files were made, `default` by the built-in recipe again.",
    "model": "Use another model: SLOT=NAME, as `symmv models` lists them. May be repeated.",
    "clip": "Short for --model clip=NAME; `untrained` gives the right shapes and no meaning.",
    "patience": "Longest that one step may take on one entry, in seconds.",
    "load-patience": "Longest that a worker may take to start, or to load or fetch a model, in "
    "seconds.",
    "retry": "Try again what was put aside for this reason. May be repeated.",
    "only": "Make only these results (as `symmv status` names them) and what they are made "
    "of: names with commas between them, or repeated. Shards then hold the entries that "
    "have them, with every column that all of these entries have.",
    "strict": "Stop at the first error that nobody foresaw, and show its traceback.",
    "wait": "Wait where another command writes this dataset, instead of ending.",
    "shard-mb": "Size of a shard on average, in MiB before compression; 256 at first, then as "
    "the last build was told.",
    "sources": "The sources.toml to crawl. Default: DATASET/sources.toml among the manifests, "
    "else manifests/DATASET/sources.toml.",
    "full": "List every source to its end.",
    "most": "Fetch no more items than this.",
    "screen": "Screen what was fetched; needs the recipe's models.",
    "promote-above": "Promote proposals that score at least this.",
    "preset": "paper (a GPU), small (an hour or so) or smoke (about a minute).",
    "set": "Another value for a field of the preset: FIELD=VALUE. May be repeated.",
    "trained-as": "Take all choices of the `paper`, or of the `released` code, where the defaults "
    "are others; --set goes before it.",
    "minutes": "End after so long, ready to be gone on with.",
    "threads": "Threads that prepare batches ahead; 0: none.",
}


def models_of(texts: Sequence[str] | None, clip: str | None = None) -> dict[str, str]:
    """Slot to backend's name out of ``--model SLOT=NAME`` and ``--clip NAME``.

    `StopRun` where a text has another form.
    """
    chosen = {}
    for text in texts or ():
        slot, found, name = text.partition("=")
        if not found or not slot or not name:
            raise StopRun(f"--model {text!r} should look like SLOT=NAME, as in piano=transkun")
        chosen[slot] = name
    return chosen | ({"clip": clip} if clip else {})


def names_of(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Names out of an option that takes several, with commas or repeated."""
    return tuple(name.strip() for text in texts or () for name in text.split(",") if name.strip())


def reasons_of(names: Sequence[str] | None) -> tuple[Reason, ...]:
    """Reasons by their names; `StopRun` for one that nothing is put aside for."""
    unknown = [name for name in names or () if name not in list(Reason)]
    if unknown:
        raise StopRun(f"no reason is called {', '.join(unknown)}; known: {', '.join(Reason)}")
    return tuple(Reason(name) for name in names or ())


def assignments(texts: Sequence[str] | None, form: str) -> dict[str, str]:
    """Name to value out of ``--set NAME=VALUE``; `form` is how a complaint writes one."""
    values = {}
    for text in texts or ():
        name, found, value = text.partition("=")
        if not found or not name:
            raise StopRun(f"--set {text!r} should look like {form}")
        values[name] = value
    return values


def size_bytes(mebibytes: int | None) -> int | None:
    """The size that ``--shard-mb`` says, in bytes."""
    return mebibytes * 2**20 if mebibytes else None
