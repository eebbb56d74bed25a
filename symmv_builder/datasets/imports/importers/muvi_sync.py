"""MuVi-Sync as released with Video2Music: features of music videos, once a second.

Kang et al., "Video2Music: Suitable Music Generation from Videos using an Affective
Multimodal Transformer model", 2024, and its public repository. One text file a feature
and song, ``second value`` a line, and `.npy` for the pictures' embeddings. What is odd
about the release is dealt with here:

- The chords of ``lab_v2_norm`` stand in C major or A minor, whatever the song's key; their
  first line says which. Where ``lab_v2`` is there too, it holds chords and key of the song
  itself; where it is not, nothing is known of them: no columns, but for the mode.
- Emotions were released as the pictures gave them; our column holds what the paper
  describes, their mean over the last five seconds (``published`` leaves them alone).
- Scene offsets count from 0; it was the release's loader that added 1. A video without
  a cut has an empty list of scenes, and no offsets: it is one scene.
- A song of just 300 seconds may hold one line more, ``300 N``, to keep that loader alive.
- Frames were taken at least a second apart, so the row of second i shows a frame a little
  later: by 0.1 % at 29.97 or 23.976 a second. Rows cannot be put back; the tracks of a
  song, which may differ by a row or two, are cut to the shortest.
- The splits are published by number; what stands in none of them (453) is left out.

The layout that `symmv export muvisync` writes is the same, with an index of its ids.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.crawl import probe
from symmv_builder.crawl.folder import identifier
from symmv_builder.crawl.titles import parse_title
from symmv_builder.datasets.imports.index import OwnEntry, read_index, source_of
from symmv_builder.datasets.imports.published_archive import (
    names_in,
    read_array,
    read_bytes,
    read_lines,
    reading,
)
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MalformedFile, Reason, RejectEntry, WrongSetting
from symmv_builder.files import Folder, read_json, read_text
from symmv_builder.music import chords, dynamics, key, transcribe
from symmv_builder.music.chords import voice_chords
from symmv_builder.music.key import MAJOR_TONICS, MINOR_TONICS, fit_of
from symmv_builder.pipeline.step import Step, Use, use
from symmv_builder.records import Chords, Entry, FeatureTrack, Key, SongInfo, Source
from symmv_builder.schema import Column
from symmv_builder.tables import last_column
from symmv_builder.text import clean_line
from symmv_builder.timeline import Clock
from symmv_builder.training import Option
from symmv_builder.video import emotion, scenes
from symmv_builder.video.emotion import causal_mean
from symmv_builder.vocab import EMOTIONS, MUVISYNC_LABELS, pitch_class

NAME = "muvi-sync"
LICENCE = "MIT"
MEDIA = ("music", "video")
EMOTION_CHOICES = ("smoothed", "published")
OPTIONS = (
    Option(
        "emotion",
        str,
        "muvi-sync: `smoothed` is the paper's mean over five seconds (the default), `published` "
        "what the release holds.",
    ),
)
EMOTION_WINDOW_ROWS = 5
SEMANTIC_WIDTH = 768
_OWN_CHORDS, _CHORDS, _SEMANTIC = "chords_own.lab", "chords_normalised.lab", "semantic.npy"
# Which file of a song holds what; each is named by the artifact that is made of it.
_PLACES = {
    _CHORDS: "vevo_chord/lab_v2_norm/all/{}.lab",
    _OWN_CHORDS: "vevo_chord/lab_v2/all/{}.lab",
    "emotion.lab": "vevo_emotion/6c_l14p/all/{}.lab",
    "motion.lab": "vevo_motion/all/{}.lab",
    "scene_offset.lab": "vevo_scene_offset/all/{}.lab",
    "loudness.lab": "vevo_loudness/all/{}.lab",
    "density.lab": "vevo_note_density/all/{}.lab",
    _SEMANTIC: "vevo_semantic/all/2d/clip_l14p/{}.npy",
}
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def read_track(published: Path, name: str, width: int) -> NDArray[np.float32]:
    """Read one text feature, float32 ``[t, width]``, a row a second from 0, not yet cut."""
    with reading(name):
        lines = [w for w in read_lines(published, name) if w[0] not in ("time", "key")]
        if [int(words[0]) for words in lines] != list(range(len(lines))):
            raise ValueError("its seconds do not count from 0 without a gap")
        values = np.array([words[1:] for words in lines], dtype=np.float32).reshape(-1, width)
        if not np.isfinite(values).all():
            raise ValueError("it holds values that are not finite")
    return values


def read_labels(published: Path, name: str) -> tuple[str, list[str]]:
    """Key and labels, one a second, of a chord file."""
    with reading(name):
        head, *lines = read_lines(published, name)
        if head[0] != "key" or len(head) != 3:
            raise ValueError("its first line names no key")
        if [int(words[0]) for words in lines] != list(range(len(lines))):
            raise ValueError("its seconds do not count from 0 without a gap")
        labels = [words[1] for words in lines]
        unknown = set(labels) - set(MUVISYNC_LABELS)
        if unknown:
            raise ValueError(f"{min(unknown)[:20]!r} is none of the 157 labels")
    return " ".join(head[1:]), labels


def read_pictures(published: Path) -> NDArray[np.float32]:
    """Read the embeddings, float32 ``[t, 768]``, not yet cut."""
    with reading(_SEMANTIC):
        values = read_array(read_bytes(published, _SEMANTIC))
        if values.ndim != 2 or values.shape[1] != SEMANTIC_WIDTH:
            raise ValueError(f"it holds {list(values.shape)}, not rows of {SEMANTIC_WIDTH}")
        if not (np.abs(values) <= np.finfo(np.float16).max).all():
            raise ValueError("it holds values that a half float cannot")
    return np.asarray(values, dtype=np.float32)


def seconds_of(published: Path) -> int:
    """Count how many seconds all tracks of a song hold: the length of the shortest.

    `RejectEntry` (unreadable) where one is less than half as long as another: they are
    not of one recording. An empty list of scene offsets has no length of its own.
    """
    lengths = {}
    for name in names_in(published):
        if name == _SEMANTIC:
            lengths[name] = len(read_pictures(published))
        elif name in (_CHORDS, _OWN_CHORDS):
            lengths[name] = len(read_labels(published, name)[1])
        elif name != "scene_offset.lab" or read_lines(published, name):
            lengths[name] = len(read_track(published, name, _width(name)))
    if (
        not lengths
        or 2 * min(lengths.values()) < max(lengths.values())
        or not min(lengths.values())
    ):
        lengths_text = ", ".join(f"{name} {length}" for name, length in sorted(lengths.items()))
        raise RejectEntry(
            Reason.UNREADABLE, f"its tracks differ in length: {lengths_text or 'none'}"
        )
    return min(lengths.values())


def _width(name: str) -> int:
    return len(EMOTIONS) if name == "emotion.lab" else 1


def _track(published: Path, name: str, clock: Clock) -> FeatureTrack:
    file = f"{name}.lab"
    values = read_track(published, file, _width(file))[: seconds_of(published)]
    return FeatureTrack(name, 1.0, values, clock)


def read_density(published: Path) -> FeatureTrack:
    """Read notes sounding in each second, ``[t, 1]``."""
    return _track(published, "density", Clock.MUSIC)


def read_loudness(published: Path) -> FeatureTrack:
    """Loudness of each second, 0-1, ``[t, 1]``."""
    return _track(published, "loudness", Clock.MUSIC)


def read_motion(published: Path) -> FeatureTrack:
    """Read the mean RGB difference at each second, 0-255, 0 at time 0, ``[t, 1]``."""
    return _track(published, "motion", Clock.VIDEO)


def read_emotion(published: Path, *, window_rows: int = EMOTION_WINDOW_ROWS) -> FeatureTrack:
    """Probabilities of six feelings, ``[t, 6]``: the mean of the last `window_rows` rows.

    1 leaves them as published.
    """
    track = _track(published, "emotion", Clock.VIDEO)
    if window_rows <= 1:
        return track
    values = causal_mean(track.values.astype(np.float64), window_rows)
    return replace(track, values=values.astype(np.float32))


def read_semantic(published: Path) -> FeatureTrack:
    """CLIP embeddings, not normalised, ``[t, 768]``."""
    values = read_pictures(published)[: seconds_of(published)]
    return FeatureTrack("semantic", 1.0, values, Clock.VIDEO)


def read_scene_offset(published: Path) -> FeatureTrack:
    """Read seconds since the last cut, ``[t, 1]``; a song without a list is one scene."""
    length = seconds_of(published)
    name = "scene_offset.lab"
    values = np.arange(length, dtype=np.float32)[:, None]
    if name in names_in(published) and read_lines(published, name):
        values = read_track(published, name, 1)[:length]
    return FeatureTrack("scene_offset", 1.0, values, Clock.VIDEO)


def _chords(published: Path, name: str) -> Chords:
    labels = read_labels(published, name)[1][: seconds_of(published)]
    starts_s = np.arange(len(labels), dtype=np.float64)
    return Chords(starts_s=starts_s, ends_s=starts_s + 1.0, labels=tuple(labels))


def read_normalised_chords(published: Path) -> Chords:
    """Read the chord of each second in C major or A minor."""
    return _chords(published, _CHORDS)


def read_own_chords(published: Path) -> Chords:
    """Read the chord of each second in the song's own key."""
    return _chords(published, _OWN_CHORDS)


def read_own_key(published: Path, chords: Chords) -> Key:
    """Read the song's published key, with how well it fits its chords (Krumhansl-Schmuckler)."""
    with reading(_OWN_CHORDS):
        tonic, mode = read_labels(published, _OWN_CHORDS)[0].split()
        names = {"major": MAJOR_TONICS, "minor": MINOR_TONICS}[mode]
        key = Key(names[pitch_class(tonic)], mode, 0.0)
    fit = fit_of(voice_chords(chords), key.tonic, mode, profile="krumhansl-schmuckler")
    return replace(key, correlation=fit)


def read_mode(published: Path) -> Key:
    """Read the mode alone: the tonic is that of the normalised chords, not of the song."""
    with reading(_CHORDS):
        label = read_labels(published, _CHORDS)[0]
        tonic, mode = {"C major": ("C", "major"), "A minor": ("A", "minor")}[label]
    return Key(tonic, mode, 0.0)


def _step(name: str, run: Any, *more: str, columns: Any) -> Step:
    return Step(f"muvi_sync_{name}", 1, reads=("published", *more), run=run, columns=columns)


def _column(type_: str, unit: str, meaning: str) -> tuple[Column, ...]:
    return (Column("{}", type_, unit, meaning, "values"),)


def _emotion_columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    rows = use.parameters["window_rows"]
    return emotion.described(rows if rows > 1 else 0, hop_s=1)


NORMALISED_CHORDS = _step(
    "normalised_chords", read_normalised_chords, columns=chords.NORMALISED_COLUMNS
)
CHORDS = _step("chords", read_own_chords, columns=chords.COLUMNS)
KEY = _step("key", read_own_key, "chords", columns=key.COLUMNS)
MODE = _step("mode", read_mode, columns=key.COLUMNS)
DENSITY = _step(
    "density",
    read_density,
    columns=_column("list<float32>", "notes", "notes sounding in each second"),
)
LOUDNESS = _step("loudness", read_loudness, columns=dynamics.LOUDNESS_COLUMNS)
SEMANTIC = _step(
    "semantic",
    read_semantic,
    columns=_column("list<float16[768]>", "", "CLIP ViT-L/14@336px image embedding at 1 Hz"),
)
EMOTION = _step("emotion", read_emotion, columns=_emotion_columns)
MOTION = _step(
    "motion",
    read_motion,
    columns=_column("list<float32>", "0-255", "mean absolute RGB difference of adjacent frames"),
)
SCENE_OFFSET = _step(
    "scene_offset",
    read_scene_offset,
    columns=_column("list<float32>", "s", "seconds since the last cut, at 1 Hz"),
)

_FEATURES = ("density", "loudness", "semantic", "emotion", "motion", "scene_offset")

RECIPE = Recipe(
    name=NAME,
    schema="muvisync",
    pairs=False,
    shares={"train": 8, "validation": 1, "test": 1},
    uses=(
        use(NORMALISED_CHORDS, makes="normalised_chords"),
        use(CHORDS, makes="chords"),
        use(KEY, makes="key"),
        use(DENSITY, makes="density"),
        use(LOUDNESS, makes="loudness"),
        use(SEMANTIC, makes="semantic"),
        use(EMOTION, makes="emotion"),
        use(MOTION, makes="motion"),
        use(SCENE_OFFSET, makes="scene_offset"),
        use(probe.MUSIC),
        use(probe.VIDEO),
        use(scenes.STEP, model="adaptive"),
        use(transcribe.POLYPHONIC, makes="notes", model="basic_pitch"),
    ),
)


def with_options(options: Mapping[str, Any]) -> Recipe:
    """Give the recipe for a copy.

    ``lacks`` names artifacts whose files it does not hold at all, ``emotion`` says whether emotions
    are smoothed.
    """
    lacks = set(options.get("lacks", ()))
    uses = []
    for each in RECIPE.uses:
        if each.makes == "key" and "chords" in lacks:
            each = use(MODE, makes="key")
        elif each.makes in lacks:
            continue
        elif each.makes == "emotion" and options.get("emotion") == "published":
            each = use(each.step, makes="emotion", window_rows=1)
        uses.append(each)
    absent = {"key_tonic", "key_correlation"} if "chords" in lacks else set()
    return replace(RECIPE, uses=tuple(uses), absent=frozenset(absent))


def scan(path: Path, *, emotion: str | None = None) -> Tree:
    """Find the songs of a copy of the dataset (or of its repository), or of an export of ours.

    An export holds smoothed emotions already: they are smoothed for a release alone.
    """
    if emotion not in (None, *EMOTION_CHOICES):
        raise WrongSetting("emotion", emotion, f"it can be {' or '.join(EMOTION_CHOICES)}")
    folder = path if (path / "vevo_meta").is_dir() else path / "dataset"
    if not (folder / "vevo_meta").is_dir():
        raise MalformedFile(path, "this is no copy of MuVi-Sync: it holds no vevo_meta")
    handed_in = Folder(path)
    _check_vocabulary(folder / "vevo_meta" / "chord.json", handed_in)
    tables = {name: _numbers(folder / place, handed_in) for name, place in _PLACES.items()}
    if not tables[_CHORDS]:
        problem = f"it holds no chords in {_PLACES[_CHORDS].format('NNN')}"
        raise MalformedFile(folder, problem)
    by_split = _read_splits(folder / "vevo_meta" / "split", handed_in)
    own = read_index(folder, handed_in)
    ids = _read_ids(folder / "vevo_meta" / "idlist.txt", handed_in)
    songs, left_out, splits = [], [], {}
    for number in sorted(tables[_CHORDS]):
        if number not in by_split and by_split:
            left_out.append(f"{number} stands in no published split")
            continue
        files = {
            name: folder / place.format(number)
            for name, place in _PLACES.items()
            if number in tables[name]
        }
        entry = _entry(number, ids.get(number, ("", "")), own.get(number))
        if number in by_split:
            splits[entry.song_id] = by_split[number]
        songs.append(Song(entry, None, files))
    names = {_OWN_CHORDS: "chords", **{f"{name}.lab": name for name in _FEATURES}}
    names[_SEMANTIC] = names.pop("semantic.lab")
    lacks = sorted(artifact for file, artifact in names.items() if not tables[file])
    choice = emotion or ("published" if own else "smoothed")
    options = {"lacks": lacks, "emotion": choice}
    return Tree(tuple(songs), splits, options, (*left_out, *handed_in.left_out))


def _numbers(place: Path, handed_in: Folder) -> set[str]:
    """List the numbers of the songs that have a file ``.../{}.ext``."""
    files = sorted(place.parent.glob(f"*{place.suffix}"))
    named = (file for file in files if re.fullmatch(r"[0-9]{3}", file.stem))
    return {file.stem for file in named if handed_in.holds(file)}


def _check_vocabulary(path: Path, handed_in: Folder) -> None:
    """Our numbers of the labels are the release's, if the release is the one that we know."""
    if not handed_in.holds(path):
        return
    words = read_json(path)
    if words != {label: number for number, label in enumerate(MUVISYNC_LABELS)}:
        problem = "it is not the vocabulary of 157 chords that MuVi-Sync was released with"
        raise MalformedFile(path, problem)


def _read_splits(folder: Path, handed_in: Folder) -> dict[str, str]:
    """Split of each number by ``v1/train.txt``, ``val.txt`` and ``test.txt``."""
    by_number: dict[str, str] = {}
    for name, split in _SPLITS.items():
        path = folder / "v1" / f"{name}.txt"
        for number in read_text(path).split() if handed_in.holds(path) else ():
            if by_number.setdefault(number, split) != split:
                raise MalformedFile(path, f"{number} stands in {by_number[number]} too")
    return by_number


def _read_ids(path: Path, handed_in: Folder) -> dict[str, tuple[str, str]]:
    """Title and video id of each number, by ``NNN-TITLE<tab>ID``."""
    ids = {}
    for line in read_text(path).splitlines() if handed_in.holds(path) else ():
        name, video_id = last_column(line)
        number, _, title = name.partition("-")
        ids[number] = (clean_line(title), video_id)
    return ids


def _entry(number: str, listed: tuple[str, str], own: OwnEntry | None) -> Entry:
    title, video_id = listed
    name = own.entry_id if own else number
    address = video_id if ":" in video_id else f"https://www.youtube.com/watch?v={video_id}"
    source = source_of(address) or Source("file", identifier(f"{NAME}.{name}"))
    song = SongInfo() if own else _song_info(title)
    return Entry(name, NAME, own.song_id if own else number, video=source, music=source, song=song)


def _song_info(title: str) -> SongInfo:
    try:
        parsed = parse_title(title)
    except RejectEntry:
        return SongInfo(title=title, identified_by="title" if title else "")
    return SongInfo(title=parsed.title, artist=parsed.artist, identified_by="title")
