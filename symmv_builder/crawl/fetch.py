"""From a site into the store: downloaded once, hashed, looked into, kept under its hash.

A download lies in a staging folder named by its id until the store and the ledger have
it. Whoever is killed leaves that folder behind, and the next who fetches the recording
goes on there: no byte that arrived is asked for again. Two who fetch the same recording
at once wait for each other. The staging folder is the user's own (mode 0700): nobody else can
put a link or half a download there.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from symmv_builder.backends import pyav
from symmv_builder.errors import CannotWrite, Reason, RejectEntry, RetryLater
from symmv_builder.records import Asset, Listing, MediaKind, Source
from symmv_builder.storage.assets import (
    add_asset,
    has_asset,
    hash_file,
    open_asset,
    remove_asset,
)
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root, disk_errors

# What a probe says of a file that did not arrive as it was sent.
_DAMAGE = frozenset({Reason.EMPTY_FILE, Reason.NOT_MEDIA, Reason.UNREADABLE})
_DAMAGED_AFTER_S = 300.0
_LOCKS = 64


class DamagedDownload(RetryLater):
    """A file did not arrive as it was sent: it is thrown away and fetched again, from nothing."""


class Delivery(Protocol):
    """A file that came, and what its page says; `backends.ytdlp.Downloaded`."""

    @property
    def path(self) -> Path: ...

    @property
    def listing(self) -> Listing: ...

    @property
    def formats(self) -> tuple[str, ...]: ...

    @property
    def captions(self) -> "Subtitles | None": ...


class Subtitles(Protocol):
    """A file of subtitles, with their language; `backends.ytdlp.captions.CaptionFile`."""

    @property
    def path(self) -> Path: ...

    @property
    def language(self) -> str: ...


class Fetcher(Protocol):
    """The downloader of a site's recordings: `backends.ytdlp.Downloader`."""

    def download(
        self,
        source: Source,
        folder: Path,
        *,
        kind: Literal["audio", "video"],
        captions: bool = False,
    ) -> Delivery: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A stored recording. `listing` is `None` and `formats` empty where nothing was fetched."""

    sha256: str
    asset: Asset
    listing: Listing | None = None
    formats: tuple[str, ...] = ()


def fetch(
    fetcher: Fetcher,
    source: Source,
    root: Root,
    ledger: Ledger,
    *,
    kind: Literal["audio", "video"],
    captions: bool = False,
    staging: Path | None = None,
    limits: pyav.Limits = pyav.DEFAULT_LIMITS,
) -> Fetched:
    """Make sure that the store holds a recording, as sound alone or as a video with sound.

    What is there is not fetched again; sound alone is, where a video is asked for. With `captions`
    the subtitles that people wrote for it are put into its file, where there are any.
    `staging` is a folder on a local disk, by default in a local root, else in the user's cache.
    Raises what the fetcher raises, `RetryLater` for a file that came damaged (and is thrown
    away), `RejectEntry`: TOO_LONG, TOO_LARGE, NO_AUDIO, NO_VIDEO, and `StopRun` where the
    staging folder is not the user's own.
    """
    folder = _folder(staging or _staging(root), source, kind)
    with _alone(source, folder.parent):
        stored = _stored(source, root, ledger, kind, limits)
        if stored is None:
            try:
                delivery = fetcher.download(source, folder, kind=kind, captions=captions)
                _add_captions(delivery, limits)
                asset = _look_into(delivery, kind, limits)
            except (DamagedDownload, RejectEntry):
                shutil.rmtree(folder, ignore_errors=True)
                raise
            except BaseException:
                # What has begun to arrive stays; a folder into which nothing came does not.
                with suppress(OSError):
                    folder.rmdir()
                raise
            add_asset(root, delivery.path, asset.sha256)
            place = (source.site, source.video_id)
            ledger.record_assets({place: asset.sha256}, {asset.sha256: asset.size_bytes})
            stored = Fetched(asset.sha256, asset, delivery.listing, delivery.formats)
        shutil.rmtree(folder, ignore_errors=True)
        return stored


def forget_fetched(root: Root, ledger: Ledger, source: Source) -> None:
    """Remove a stored recording that nothing may keep; a file that others share stays."""
    assets = ledger.assets()
    sha256 = assets.pop((source.site, source.video_id), None)
    ledger.forget_asset(source.site, source.video_id)
    if sha256 and sha256 not in assets.values():
        remove_asset(root, sha256)
    discard(root, source)


def discard(root: Root, source: Source) -> None:
    """Remove what unfinished downloads of a recording have left in the default staging folder."""
    for kind in ("audio", "video"):
        shutil.rmtree(_folder(_staging(root), source, kind), ignore_errors=True)


def _folder(staging: Path, source: Source, kind: str) -> Path:
    return staging / f"{source.site}-{source.video_id}-{kind}"


def _staging(root: Root) -> Path:
    if root.is_local:
        return Path(root.path("staging"))
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return Path(cache if os.path.isabs(cache) else Path.home() / ".cache") / "symmv" / "staging"


def _make_private(folder: Path) -> None:
    """Make a folder that nobody else can write to or look into; `StopRun` where that fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        cause = "it is a link or belongs to somebody else; downloads cannot lie there"
        raise CannotWrite(folder, cause)
    if stat.S_IMODE(facts.st_mode) & 0o077:
        folder.chmod(0o700)


@contextmanager
def _alone(source: Source, folder: Path) -> Iterator[None]:
    """Hold one of a fixed number of locks, which ends with its holder however that ends.

    Two recordings may share a lock; then one waits although it need not.
    """
    number = hashlib.sha256(source.url.encode()).digest()[0] % _LOCKS
    with disk_errors(folder):
        _make_private(folder)
        how = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(folder / f".lock-{number:02d}", how, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _stored(
    source: Source, root: Root, ledger: Ledger, kind: str, limits: pyav.Limits
) -> Fetched | None:
    """Find the recording in the store, if what that has is of the kind that is wanted."""
    sha256 = ledger.asset_of(source.site, source.video_id)
    if sha256 is None or not has_asset(root, sha256):
        return None
    with open_asset(root, sha256) as path:
        asset = pyav.probe(path, sha256, limits=limits)
    if kind == "video" and asset.kind is not MediaKind.VIDEO:
        return None
    return Fetched(sha256, asset)


def _add_captions(delivery: Delivery, limits: pyav.Limits) -> None:
    """Put the subtitles that came with a recording into its file, where that takes them."""
    if delivery.captions is not None:
        # Imported here: most recordings come without any.
        from symmv_builder.backends.pyav.captioned import add_captions

        words = delivery.captions
        add_captions(delivery.path, words.path, words.language, limits=limits)


def _look_into(delivery: Delivery, kind: str, limits: pyav.Limits) -> Asset:
    """Read the facts of a file that has just come."""
    try:
        asset = pyav.probe(delivery.path, hash_file(delivery.path), limits=limits)
    except RejectEntry as rejected:
        # A header that was damaged on its way may claim any length; the page knows better.
        promised_s = delivery.listing.duration_s or limits.max_duration_s
        lies = rejected.reason is Reason.TOO_LONG and promised_s < limits.max_duration_s
        if rejected.reason in _DAMAGE or lies:
            raise DamagedDownload(
                f"the file came damaged: {rejected.detail}",
                _DAMAGED_AFTER_S,
                reason=Reason.UNREADABLE,
            ) from rejected
        raise
    if not asset.audio_codec:
        raise RejectEntry(Reason.NO_AUDIO, "the file that came has no sound")
    if kind == "video" and not asset.video_codec:
        raise RejectEntry(Reason.NO_VIDEO, "the file that came has no picture")
    return asset
