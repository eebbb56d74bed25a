"""Which song a recording is, by the service of Shazam through shazamio.

shazamio makes a fingerprint of twelve seconds on this machine and sends it, not the sound.
The service is not ours and its answers are untrusted: bounded in time and size, never
redirected, every field checked, and of lyrics only the address is kept. Its address can be
set by ``SYMMV_MODEL_SHAZAM`` (a url), for a proxy or for tests.
"""

import asyncio
import io
import json
import wave
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, package_version
from symmv_builder.backends.slots import SongModel
from symmv_builder.errors import RetryLater, WrongSetting
from symmv_builder.records import SongInfo

SERVICE = "https://amp.shazam.com"
TIMEOUT_S, CONNECT_S = 30.0, 10.0
MAX_BYTES, MAX_TEXT = 1 << 20, 300
WAIT_S = 600.0


@final
class Shazam(SongModel):
    """Names songs by listening to a few seconds of mono sound at 16 kHz."""

    needs = ("shazamio", "aiohttp")

    rate_hz = 16000
    excerpt_s = 12.0

    def __init__(self, home: ModelHome) -> None:
        _version()
        self._service = home.paths.get("shazam", SERVICE).rstrip("/")
        parts = urlsplit(self._service)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WrongSetting("SYMMV_MODEL_SHAZAM", self._service, "that is not an http url")

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("shazam", _version(), "")

    @classmethod
    def about(cls) -> About:
        return About("Shazam (shazamio)", "a service; its terms apply", "none: a service")

    def recognise(self, samples: NDArray[np.float32]) -> SongInfo | None:
        """Recognise the song of samples ``[n]`` at 16 kHz, `None` where the service knows none.

        Raises `RetryLater` where it is not to be reached, limits us or gives no sense.
        """
        # A thread of its own, because the caller's may already run an event loop.
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(asyncio.run, self._ask(_wave(samples, self.rate_hz))).result()
        return _song(answer)

    async def _ask(self, sound: bytes) -> dict[str, Any]:
        import aiohttp
        import shazamio
        from shazamio_core import SignatureError

        client: Any = _Client(self._service)
        try:
            async with shazamio.Shazam(http_client=client) as service:
                answer: dict[str, Any] = await service.recognize(sound)
        except SignatureError as error:
            # Nothing in the sound to make a fingerprint of.
            return {"note": str(error)}
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise RetryLater(f"Shazam is not to be reached: {reason[:200]}", WAIT_S) from error
        return answer


class _Client:
    """The HTTP client that shazamio asks: one request, to our service and nowhere else."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def request(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        import aiohttp

        parts = urlsplit(url)
        address = f"{self._service}{parts.path}?{parts.query}"
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, connect=CONNECT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, address, allow_redirects=False, **arguments) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise RetryLater(f"Shazam's answer is over {MAX_BYTES} bytes", WAIT_S)
            if response.status != 200:
                raise RetryLater(f"Shazam answers with status {response.status}", WAIT_S)
        try:
            answer = json.loads(bytes(body))
        except (ValueError, RecursionError) as error:
            raise RetryLater("Shazam's answer is not JSON", WAIT_S) from error
        if not isinstance(answer, dict):
            raise RetryLater("Shazam's answer is not a JSON object", WAIT_S)
        return answer


def _version() -> str:
    return package_version("shazamio", "crawl")


def _wave(samples: NDArray[np.float32], rate_hz: int) -> bytes:
    whole = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(whole.tobytes())
    return buffer.getvalue()


def _song(answer: dict[str, Any]) -> SongInfo | None:
    track = _object(answer.get("track"))
    title = _text(track.get("title"))
    if not title:
        return None
    key = _text(track.get("key"))
    return SongInfo(
        title=title,
        artist=_text(track.get("subtitle")),
        genre=_text(_object(track.get("genres")).get("primary")),
        shazam_id=key if key.isascii() and key.isdigit() else "",
        isrc=_text(track.get("isrc")),
        lyrics_url=_lyrics_url(track),
        identified_by="shazam",
    )


def _lyrics_url(track: dict[str, Any]) -> str:
    """Address of the page that shows lyrics, where the answer has any; the words stay there."""
    sections = track.get("sections")
    for section in sections if isinstance(sections, list) else []:
        if _object(section).get("type") == "LYRICS":
            url = _text(_object(section).get("url")) or _text(track.get("url"))
            return url if url.startswith("https://") else ""
    return ""


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Read one line of text of bounded length; anything else is nothing."""
    if not isinstance(value, str):
        return ""
    printable = "".join(letter if letter.isprintable() else " " for letter in value)
    return " ".join(printable.split())[:MAX_TEXT]
