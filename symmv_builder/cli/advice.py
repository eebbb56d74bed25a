"""What the command line adds to an error: the option or the command that helps.

The library says what is wrong, in words for every caller (`errors`). Here stands what a person at a
terminal types: `ADVICE` by situation. `api.option_names` puts options in the places of
arguments that a message names in backquotes.
"""

from symmv_builder.api.option_names import imported_by, in_options_of, looks_at_pictures
from symmv_builder.cli.hints import command, root_of_call
from symmv_builder.errors import (
    Damaged,
    DataChanged,
    Locked,
    LockLost,
    MissingColumns,
    MissingParts,
    MissingResult,
    MissingWeights,
    NoCheckpoint,
    NoDevice,
    NoEntries,
    NoRows,
    NoShards,
    OldLedger,
    OtherFeatures,
    OutputExists,
    RecipeError,
    ReleaseExists,
    RunLocked,
    SymMVError,
    TooLittleMemory,
    UnknownName,
    Untrained,
    WorkersLost,
    WrongWeights,
)
from symmv_builder.errors.advice import Advice, with_advice


def build_first(error: NoShards) -> str:
    """Advise how a dataset gets shards, or gets those back that it lost."""
    if error.problem:
        return f"run {command('build', error.dataset)}"
    if error.is_imported:
        return f"{import_it(error.dataset)} first"
    return f"run {command('build', error.dataset)} first"


def import_it(dataset: str) -> str:
    """Name the command that imports a dataset."""
    return f"run {command('import', imported_by(dataset), 'PATH')}"


def add_recordings(error: NoEntries) -> str:
    """Advise how a dataset gets entries, or recordings for those that it has."""
    if error.taken_down:
        return "give a folder of other recordings with --from"
    if error.problem:
        return "give the folder with --from again"
    if error.is_imported:
        return f"{import_it(error.dataset)} first"
    return "give a folder with --from"


def make_columns(error: MissingColumns) -> str | None:
    """Advise how shards get columns that they lack."""
    if error.is_unknown:
        return None
    build = f"run {command('build', error.dataset)}"
    if any(name.endswith("_sha256") for name in error.columns):
        # An import brings annotations; its recordings come later, or never.
        build = command("build", error.dataset, "--from", "FOLDER")
        return f"take its recordings in with {build}"
    if error.steps:
        shown = command("recipe", error.like)
        return f"add them to the recipe, as {shown} shows them, and {build}"
    return build


def choose_device(error: NoDevice) -> str | None:
    """Name the place of the setting that asks for a device which is not here."""
    # Imported here: the list of commands needs no settings.
    from symmv_builder.settings import find_settings

    setting = find_settings(root=root_of_call())["device"]
    if setting.value != error.device:
        return None
    return f"device is set by {setting.place}; with cpu there it runs on the processor"


def replace_recipe(error: RecipeError) -> str | None:
    """Advise how a recipe that a root remembers is replaced."""
    if not error.is_remembered:
        return None
    by_default = ", or by --as default," if error.is_installed else ""
    return f"a build by a recipe file{by_default} replaces it"


def look_up(error: UnknownName) -> str | None:
    """Name the command that lists what can be named, where the error itself does not."""
    return {
        "backend": "`symmv models` lists them by slot",
        "proposal": f"see {command('review', 'DATASET')}",
    }.get("" if error.known else error.kind)


def repair() -> str:
    """Advise what helps where something that was stored is damaged or gone."""
    return f"{command('verify', '--repair')} sets it right, or says what it lacks"


def get_weights(model: str) -> str:
    """Advise how weights come to this machine that this package gets by itself."""
    return f"run: symmv models get {model}"


def do_without(error: MissingWeights) -> str | None:
    """Advise how missing weights are got here or, where they are not, what serves for a trial."""
    if error.can_be_fetched:
        return get_weights(error.model)
    if looks_at_pictures(error.model):
        trial = command("build", "DATASET", "--clip", "untrained")
        return f"to try a build out without them: {trial}; its features have no meaning"
    return None


# In the order of the modules of `errors.situations`: requests, files, datasets, training, machine.
ADVICE: Advice = {
    UnknownName: look_up,
    RecipeError: replace_recipe,
    Damaged: lambda error: None if error.remedy else repair(),
    OutputExists: lambda error: None if error.remedy else "--overwrite replaces it",
    OldLedger: lambda _: f"{command('build', 'DATASET')} or a crawl brings it up to date",
    Locked: lambda _: "try again when it has ended, or wait for it with --wait",
    LockLost: lambda _: "run the same command again",
    NoEntries: add_recordings,
    NoShards: build_first,
    NoRows: lambda error: "--split all takes every split" if error.known else None,
    MissingResult: lambda error: f"run {command('build', error.dataset, '--only', error.artifact)}",
    MissingParts: lambda error: f"run {command('build', error.dataset)} without --only",
    MissingColumns: make_columns,
    ReleaseExists: lambda error: (
        f"the next is {command('release', error.dataset, error.next_version)}"
        if error.next_version
        else None
    ),
    RunLocked: lambda _: "wait for its end with --wait, or give another --out",
    DataChanged: lambda _: (
        "--data-changed goes on with the rows as they are now, another --out begins anew"
    ),
    NoCheckpoint: lambda _: "give the folder of a `symmv train` run",
    Untrained: lambda error: (
        f"run the same `symmv train` with --set stages={error.stage}"
        if error.only
        else "run the same `symmv train` again to go on"
    ),
    OtherFeatures: lambda error: (
        f"a training with --set initial={error.run} goes on from it" if error.can_begin else None
    ),
    TooLittleMemory: lambda error: f"--set batch_size={max(error.batch_size // 2, 1)} halves it",
    MissingWeights: do_without,
    WrongWeights: lambda error: get_weights(error.model) if error.can_be_fetched else None,
    NoDevice: choose_device,
    WorkersLost: lambda error: "try fewer --workers" if error.is_killed else None,
}


def advised(error: SymMVError) -> str:
    """Word an error as the command line says it: with its advice, in its options."""
    return in_options_of(error, with_advice(error, ADVICE))
