"""A small video site on loopback that the real crawler crawls.

It has what the crawler needs of a real one: channels with paged lists and a feed,
playlists, search, watch pages that carry JSON, media with ranges and entity tags, and
every way to fail that real sites have. It listens on 127.0.0.1 alone, knows only the
media of its description, and counts what it is asked for.
"""

import hashlib
import json
import re
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from symmv_builder.demo import pages
from symmv_builder.demo.catalogue import Channel, Description, Failure, Playlist, Upload
from symmv_builder.demo.misbehaviour import Misbehaviour, Visit

# Where the crawler's extractors look for the site.
VARIABLE = "SYMMV_DEMO_SITE"


class Site:
    """A running site. `url` is ``http://127.0.0.1:PORT``."""

    def __init__(self, description: Description, *, seed: int = 0) -> None:
        self.url = ""
        self.behaviour = Misbehaviour(seed)
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._uploads: dict[str, Upload] = {}
        self._playlists: dict[str, Playlist] = {}
        self.extend(description)

    def extend(self, description: Description) -> None:
        """Add to the site what a description holds; a video whose id is known is replaced."""
        with self._lock:
            self._channels |= {channel.name: channel for channel in description.channels}
            for upload in description.uploads:
                if upload.channel not in self._channels:
                    raise ValueError(f"{upload.video_id} is on no known channel: {upload.channel}")
                self._uploads[upload.video_id] = upload
            self._playlists |= {playlist.name: playlist for playlist in description.playlists}

    def add(self, *uploads: Upload) -> None:
        """Upload videos to channels that are there."""
        self.extend(Description((), uploads))

    def fail(
        self,
        failure: Failure,
        video_id: str | None = None,
        *,
        probability: float = 1.0,
        times: int | None = None,
        bytes_a_second: float = 20_000.0,
    ) -> None:
        """Switch a failure on, for one video or for all; `times` bounds how often it strikes."""
        self.behaviour.fail(
            failure,
            video_id,
            probability=probability,
            times=times,
            bytes_a_second=bytes_a_second,
        )

    def heal(self, video_id: str | None = None) -> None:
        """Switch off the failures of one video, or all of them."""
        self.behaviour.heal(video_id)

    def fate(self, video_id: str) -> Failure | None:
        """Find the failure of a video for good (removed, private, ...), if there is one."""
        return self.behaviour.fate(video_id)

    def visits(self, kind: str | None = None, name: str | None = None) -> list[Visit]:
        """Requests that were answered: ``watch``, ``media``, ``list``, ``feed``, ``search``."""
        return self.behaviour.visits(kind, name)

    def bytes_sent(self, video_id: str) -> int:
        """Count how many bytes of a video's media went out, over all requests."""
        return sum(visit.sent_bytes for visit in self.visits("media", video_id))

    def channels(self) -> list[Channel]:
        with self._lock:
            return list(self._channels.values())

    def channel(self, name: str) -> Channel | None:
        with self._lock:
            return self._channels.get(name)

    def upload(self, video_id: str) -> Upload | None:
        with self._lock:
            return self._uploads.get(video_id)

    def newest(self, channel: str) -> list[dict[str, Any]]:
        """List a channel's videos, the newest first; of one day, the last added first."""
        with self._lock:
            own = [upload for upload in self._uploads.values() if upload.channel == channel]
            order = sorted(range(len(own)), key=lambda i: (own[i].uploaded, i), reverse=True)
            return [self._entry(own[number]) for number in order]

    def playlist(self, name: str) -> tuple[str, list[dict[str, Any]]] | None:
        """Give title and videos of a playlist."""
        with self._lock:
            playlist = self._playlists.get(name)
            if playlist is None:
                return None
            uploads = [self._uploads[name] for name in playlist.video_ids if name in self._uploads]
            return playlist.title, [self._entry(upload) for upload in uploads]

    def search(self, query: str) -> list[dict[str, Any]]:
        """List videos that share a word with the query: most words first, then most views."""
        query_words = _words(query)
        with self._lock:
            scored = []
            for upload in self._uploads.values():
                channel = self._channels[upload.channel]
                common = len(query_words & _words(f"{upload.title} {channel.title}"))
                if common:
                    scored.append((-common, -upload.views, upload.video_id, upload))
            return [self._entry(upload) for *_, upload in sorted(scored, key=lambda row: row[:3])]

    def _entry(self, upload: Upload) -> dict[str, Any]:
        return pages.entry(upload, self._channels[upload.channel])

    def add_from_json(self, text: bytes) -> str:
        """Upload what a program sent: fields of an `Upload`, `media` the id of another video.

        Media are named by a video that has them, so that nobody can ask for other files.
        `ValueError` says what is wrong. Gives the id.
        """
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        twin = self.upload(str(fields.pop("media", "")))
        if twin is None:
            raise ValueError("media is not the id of a video of this site")
        try:
            upload = Upload(
                **fields,
                media=twin.media,
                sound=twin.sound,
                media_has_sound=twin.media_has_sound,
                media_is_audio=twin.media_is_audio,
            )
        except TypeError as error:
            raise ValueError(str(error)) from error
        self.add(upload)
        return upload.video_id


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def entity_tag(path: Path) -> str:
    """Make a tag that is another one when the bytes are others."""
    facts = path.stat()
    return _tag(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4096)
def _tag(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as handle:
        return f'"{hashlib.file_digest(handle, "sha256").hexdigest()[:24]}"'
