"""What a shell offers for the words of a command; the lists are made when they are asked for."""

from collections.abc import Iterable

from symmv_builder.errors import Reason


def datasets(incomplete: str) -> list[str]:
    """Datasets and recipes that are known here."""
    from symmv_builder.api.names import dataset_names

    return _begin(dataset_names(), incomplete)


def stages(incomplete: str) -> list[str]:
    """List what `symmv run` can make of a file."""
    from symmv_builder.api.names import stage_names

    return _begin(stage_names(), incomplete)


def models(incomplete: str) -> list[str]:
    """List models, as ``SLOT=NAME``."""
    from symmv_builder.api.names import model_names

    return _begin(model_names(), incomplete)


def clips(incomplete: str) -> list[str]:
    """List the models of CLIP's slot by their names alone."""
    from symmv_builder.api.names import model_names

    slot = "clip="
    names = [name.removeprefix(slot) for name in model_names() if name.startswith(slot)]
    return _begin(["untrained", *names], incomplete)


def backends(incomplete: str) -> list[str]:
    """List models by their names alone."""
    from symmv_builder.api.names import model_names

    return _begin(dict.fromkeys(name.partition("=")[2] for name in model_names()), incomplete)


def reasons(incomplete: str) -> list[str]:
    """List what an entry can be put aside for."""
    return _begin(Reason, incomplete)


def trainers(incomplete: str) -> list[str]:
    """List the models that can be trained."""
    from symmv_builder.api.names import trainer_names

    return _begin(trainer_names(), incomplete)


def _begin(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
