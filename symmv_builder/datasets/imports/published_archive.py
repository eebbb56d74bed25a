"""What others published of one song, as one stored file that steps can read.

A release says what it knows of a song in several small files. They are taken in as they
are, packed into one archive whose bytes depend on their names and contents alone: its
sha256 enters the keys of everything that is read out of it, and the conversion is done by
ordinary steps, which can be run again when it is mended.
"""

import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Beats, Notes

# Over a thousand beats a minute is a damaged file, and so is a bar of a thousand beats.
MIN_BEAT_S = 0.05
MAX_POSITION = 255
# Ends and starts of neighbours were rounded to a millionth of a second.
_ROUNDING_S = 1e-3
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Named contents as one archive: the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name])
    return buffer.getvalue()


def read_bytes(published: Path, name: str) -> bytes:
    """Read one file of a packed song; `RejectEntry` (no_annotation) where the release has none."""
    try:
        with zipfile.ZipFile(published) as archive:
            return archive.read(name)
    except KeyError:
        detail = f"the release holds no {name} of this song"
        raise RejectEntry(Reason.NO_ANNOTATION, detail) from None
    except (zipfile.BadZipFile, OSError) as error:
        raise RejectEntry(Reason.UNREADABLE, f"the packed files are damaged: {error}") from error


def names_in(published: Path) -> list[str]:
    """List the names of a song's packed files; errors as `read_bytes`, but for no_annotation."""
    try:
        with zipfile.ZipFile(published) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise RejectEntry(Reason.UNREADABLE, f"the packed files are damaged: {error}") from error


def numbered_lines(published: Path, name: str) -> list[tuple[int, list[str]]]:
    """Read number and words of each non-empty line of a text file; errors as `read_bytes`."""
    with reading(name):
        text = read_bytes(published, name).decode("utf-8-sig")
    lines = enumerate(text.splitlines(), start=1)
    return [(number, words) for number, line in lines if (words := line.split())]


def read_lines(published: Path, name: str) -> list[list[str]]:
    """Read the words of each non-empty line of a text file; errors as `read_bytes`."""
    return [words for _, words in numbered_lines(published, name)]


def read_spans(
    published: Path, name: str, latest_s: float, *, per_second: float = 1.0
) -> list[tuple[float, float, list[str]]]:
    """Start and end in seconds, and further words, of each line; times count `per_second`.

    Spans come in order and do not overlap. Neighbours that were rounded apart are cut to
    meet (by less than a millisecond), and spans of no length are left out. `RejectEntry`
    names file and line: unreadable for what is no number, wrong_annotation for times that
    are not finite, below 0, after `latest_s`, out of order, or overlap.
    """
    spans: list[tuple[float, float, list[str]]] = []
    for number, (first, second, *words) in _with_two(published, name):
        where = f"{name}, line {number}"
        start, end = (_seconds(word, where, latest_s, per_second) for word in (first, second))
        if end < start:
            raise wrong(where, f"it ends at {end:g} s, before it starts at {start:g} s")
        if spans and start < spans[-1][1]:
            last = spans[-1]
            if last[1] - start > _ROUNDING_S or start < last[0]:
                raise wrong(where, f"it starts at {start:g} s, before the last ends: {last[1]:g} s")
            spans[-1] = (last[0], start, last[2])
        if end > start:
            spans.append((start, end, words))
    return spans


def _with_two(published: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    for number, words in numbered_lines(published, name):
        if len(words) < 2:
            detail = f"{name}, line {number}: a start and an end are expected"
            raise RejectEntry(Reason.UNREADABLE, detail)
        yield number, words


def _seconds(word: str, where: str, latest_s: float, per_second: float) -> float:
    try:
        time_s = float(word) / per_second
    except ValueError:
        detail = f"{where}: {word[:20]!r} is no time"
        raise RejectEntry(Reason.UNREADABLE, detail) from None
    check_time(time_s, where, latest_s)
    return time_s


def check_time(time_s: float, where: str, latest_s: float) -> None:
    """Raise `RejectEntry` (wrong_annotation) for a time that lies outside a recording."""
    if not math.isfinite(time_s):
        raise wrong(where, "a time is not finite")
    if time_s < 0:
        raise wrong(where, f"{time_s:g} s lies before the recording")
    if time_s > latest_s:
        raise wrong(where, f"{time_s:.10g} s lies after the end of the recording ({latest_s:g} s)")


def wrong(where: str, what: str) -> RejectEntry:
    """Make the rejection of an annotation that cannot be true."""
    return RejectEntry(Reason.WRONG_ANNOTATION, f"{where}: {what}")


def last_of(notes: Notes) -> float:
    """Give the end of the last note in seconds, 0 without notes."""
    return float(notes.ends_s.max(initial=0.0))


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what a damaged file makes of its reader into a rejection that names the file."""
    try:
        yield
    except (ValueError, IndexError, KeyError, EOFError, OverflowError) as error:
        detail = f"{name} cannot be read: {str(error) or type(error).__name__}"
        raise RejectEntry(Reason.UNREADABLE, detail) from error


def as_beats(name: str, beats: Sequence[tuple[int, float, int]], latest_s: float) -> Beats:
    """Published beats, each its line's number, time in seconds and place in the bar.

    `RejectEntry` (wrong_annotation) names the line of what no music has or lies outside the
    recording, which `latest_s` ends.
    """
    before_s = -math.inf
    for number, time_s, position in beats:
        where = f"{name}, line {number}"
        check_time(time_s, where, latest_s)
        if time_s - before_s < MIN_BEAT_S:
            raise wrong(where, f"a beat is not {MIN_BEAT_S} s or more after the one before")
        if not 1 <= position <= MAX_POSITION:
            raise wrong(where, f"a place in the bar lies outside 1-{MAX_POSITION}")
        before_s = time_s
    return Beats(
        times_s=np.array([time_s for _, time_s, _ in beats]),
        positions=np.array([position for _, _, position in beats], dtype=np.int64),
    )


def read_array(data: bytes) -> NDArray[np.floating]:
    """Read a `.npy` file of numbers with a fraction.

    `ValueError` where it is none, or claims a size that it does not have: nothing is allocated by a
    number in its header.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"it is of version {version}, not (1, 0)")
    shape, _, kind = np.lib.format.read_array_header_1_0(stream)
    if kind.kind != "f":
        raise ValueError(f"it holds {kind}, not numbers with a fraction")
    if math.prod(shape) * kind.itemsize != len(data) - stream.tell():
        raise ValueError(f"it claims to hold {list(shape)} and does not")
    stream.seek(0)
    return np.asarray(np.load(stream, allow_pickle=False))
