"""A dataset with its recordings, out of the store: what it would take, and doing it."""

from pathlib import Path
from typing import Any

from symmv_builder.api.options import checked
from symmv_builder.api.works import PATIENCE_S
from symmv_builder.datasets import media_export, remembered
from symmv_builder.datasets.exports import note_export
from symmv_builder.datasets.media_export import Estimate, Media, MediaSummary
from symmv_builder.datasets.media_export.formats import NAMES as FORMATS
from symmv_builder.errors import UnknownName, WrongArguments
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.pool import default_workers
from symmv_builder.pipeline.run import Tell
from symmv_builder.records import SoundFile
from symmv_builder.settings import Settings
from symmv_builder.storage.store import Store

__all__ = ["FORMATS", "Estimate", "Media", "MediaSummary", "choose_media", "estimate", "export"]


def _silent(_: Event) -> None:
    return None


def choose_media(format_: str | None, **choices: Any) -> Media | None:
    """Collect the choices of an export with recordings; `None` for one without, without `format_`.

    A choice that is `None` is the default of `Media`. `StopRun` for choices without a format.
    """
    named = {name: value for name, value in choices.items() if value not in (None, ())}
    if format_ is not None:
        return Media(format_, **named)
    if named:
        names = ", ".join(f"`{name}`" for name in named)
        raise WrongArguments(f"{names} can only be said with a `format`")
    return None


def export(
    settings: Settings,
    dataset: str,
    folder: Path,
    media: Media,
    *,
    workers: int = 0,
    patience_s: float = PATIENCE_S,
    tell: Tell = _silent,
) -> MediaSummary:
    """Write the samples of a dataset with their recordings (`datasets.media_export`).

    `workers` processes cut recordings, one a core by default, for at most `patience_s` an entry.
    How much will be written is told first; `StopRun` where the disk has not the space, and as
    `media_export.export_media` says.
    """
    store = settings.open_store(read_only=True)
    summary = media_export.export_media(
        store.root,
        store.manifests,
        dataset,
        folder,
        media,
        sounds=_sounds(store, dataset, media),
        workers=checked("workers", workers or default_workers()),
        patience_s=checked("patience", patience_s),
        tell=tell,
    )
    note_export(
        store.root, dataset, folder, media.format, media.chosen(),
        tell=lambda text: tell(Event("note", "", detail=text)),
    )  # fmt: skip
    return summary


def estimate(
    settings: Settings, dataset: str, folder: Path, media: Media, *, tell: Tell = _silent
) -> Estimate:
    """Estimate how much `export` would write into `folder` now; nothing is written there."""
    store = settings.open_store(read_only=True)
    sounds = _sounds(store, dataset, media)
    return media_export.estimate_media(
        store.root, store.manifests, dataset, folder, media, sounds=sounds, tell=tell
    )


def _sounds(store: Store, dataset: str, media: Media) -> dict[str, str]:
    """The key of each entry's result `media.sound_of`; `StopRun` where no step makes such a sound.

    Empty where the recordings themselves are exported.
    """
    if not media.sound_of:
        return {}
    remembered.require_receipt(store.root, store.manifests, dataset)
    recipe = remembered.recipe_of(store.manifests, dataset)
    known = [use.makes for use in recipe.known if use.step.record_made is SoundFile]
    if media.sound_of not in known:
        raise UnknownName("sound", media.sound_of, known, where=dataset)
    return {
        entry_id: key
        for entry_id, artifact, key, reason in store.ledger.marks(dataset)
        if artifact == media.sound_of and not reason
    }
