"""Clips of real films, from recording to sample, against cuts by PyAV and numpy alone."""

import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import toy_clips as toy
from numpy.typing import NDArray

from symmv_builder.clips import Bars, Shots, Windows
from symmv_builder.crawl import probe
from symmv_builder.datasets.media_export import Media, export_media
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.datasets.step_table import STEPS
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Beats, Scenes
from symmv_builder.storage.root import Root
from tests.datasets.exporting import members
from tests.media import Pictures, Samples, noise, steady, tone, write_media

COUNT, FPS, RATE_HZ = 75, 25, 22_050
SECONDS = COUNT / FPS
CUTS = (0.0, 0.52, 1.4, 2.2)
# In 16ths of 125 ms: bars of three beats, the first downbeat at .375 s.
BEAT_S, FIRST_S = 0.375, 0.375


def shots_of(video: Path) -> Scenes:
    starts = np.array(CUTS)
    return Scenes(starts, np.array([*CUTS[1:], SECONDS]), np.round(starts * FPS))


def beats_of(music: Path) -> Beats:
    times = np.arange(0.0, SECONDS, BEAT_S)
    return Beats(times, (np.arange(len(times)) - 1) % 3 + 1)


SHOTS = Step("shots_of_a_film", 1, ("video",), shots_of, columns=toy.SCENES.columns)
BEATS = Step("beats_of_a_film", 1, ("music",), beats_of, columns=toy.BEATS.columns)
for _step, _name in ((SHOTS, "SHOTS"), (BEATS, "BEATS")):
    STEPS[_step.name] = f"{__name__}:{_name}"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy-five pictures that differ; sound of 16 bits in one film, of a codec in the other."""
    folder = tmp_path_factory.mktemp("films")
    pictures = Pictures([noise(n) for n in range(COUNT)], steady(COUNT), codec="mpeg4")
    clean = tone(SECONDS, RATE_HZ, 2)
    hiss = np.random.default_rng(0).normal(scale=0.01, size=clean.shape)
    wave = np.round((clean + hiss) * 32768) / 32768
    for name, codec in (("exact.mkv", "pcm_f32le"), ("lossy.mp4", "aac")):
        sound = Samples(wave.astype(np.float32), RATE_HZ, "stereo", codec=codec)
        write_media(folder / name, pictures, sound)
    return folder


def sound_by_hand(path: Path) -> NDArray[np.float64]:
    """Samples ``[n, 2]`` in units of 16 bits from time 0, by PyAV alone."""
    with av.open(str(path), "r") as container:
        frames = list(container.decode(container.streams.audio[0]))
    start = round((frames[0].time or 0.0) * RATE_HZ)
    parts = []
    for frame in frames:
        array = frame.to_ndarray().astype(np.float64)
        if frame.format.is_packed:
            array = array.reshape(-1, 2).T
        parts.append(array.T * 32768.0)
    samples = np.concatenate(parts)
    return samples[-start:] if start < 0 else np.pad(samples, ((start, 0), (0, 0)))


def flac_by_hand(data: bytes) -> NDArray[np.int16]:
    with av.open(io.BytesIO(data), "r") as container:
        frames = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


KNOWN = np.stack([noise(n).astype(np.int16) for n in range(COUNT)])


def numbers_by_hand(data: bytes) -> list[int]:
    """Which of the film's pictures a video shows, by looks."""
    with av.open(io.BytesIO(data), "r") as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [int(np.abs(KNOWN - each.astype(np.int16)).mean(axis=(1, 2, 3)).argmin())
            for each in shown]  # fmt: skip


def windows_by_hand() -> Iterator[tuple[float, float]]:
    """Windows of .6 s, one every .35 s, and no shorter last one."""
    start_ms = 0
    while start_ms + 600 <= 1000 * SECONDS:
        yield start_ms / 1000, start_ms / 1000 + 0.6
        start_ms += 350


def shots_by_hand() -> Iterator[tuple[float, float]]:
    """Shots in pieces of .5 s, none shorter than .3 s."""
    for cut, following in pairwise([*CUTS, SECONDS]):
        start = cut
        while following - start >= 0.5 - 1e-9:
            yield start, start + 0.5
            start += 0.5
        if following - start >= 0.3 - 1e-9:
            yield start, following


def bars_by_hand() -> Iterator[tuple[float, float]]:
    """Single bars, from downbeat to downbeat."""
    downbeats = np.arange(FIRST_S, SECONDS, 3 * BEAT_S).tolist()
    yield from pairwise(downbeats)


WAYS: dict[str, tuple[Any, Any]] = {
    "windows": (Windows(0.6, 0.35, 0.6), windows_by_hand),
    "scenes": (Shots(0.3, 0.5), shots_by_hand),
    "beats": (Bars(1, 1), bars_by_hand),
}


@pytest.mark.parametrize("way", WAYS)
def test_samples_are_the_very_sound_and_the_very_pictures(
    way: str, films: Path, tmp_path: Path
) -> None:
    cut, by_hand = WAYS[way]
    recipe = Recipe(
        name="toy",
        uses=(use(probe.MUSIC), use(probe.VIDEO), use(SHOTS, makes="scenes"),
              use(BEATS, makes="beats")),
        shares={"train": 1},
        pairs=False,
        results=("scenes", "beats"),
        clips=ClipRules(cut),
    )  # fmt: skip
    toy.run(tmp_path / "root", recipe, films)
    root = Root(str(tmp_path / "root"))
    done = export_media(
        root, root, "toy", tmp_path / "out", Media("webdataset"),
        workers=0, patience_s=600.0, tell=lambda _: None,
    )  # fmt: skip
    spans = list(by_hand())
    assert dict(done.samples) == {"train": 2 * len(spans)}
    held = members(tmp_path / "out" / "train-00000.tar")
    rows = [json.loads(data) for name, data in held.items() if name.endswith(".json")]
    for film in sorted(films.iterdir()):
        sound = sound_by_hand(film)
        mine = sorted(
            (row for row in rows if row["entry_id"] == film.stem), key=lambda r: r["clip_start_s"]
        )
        places = [(row["clip_start_s"], row["clip_end_s"]) for row in mine]
        np.testing.assert_allclose(places, spans, atol=1e-9)
        for row, (start, end) in zip(mine, spans, strict=True):
            heard = flac_by_hand(held[f"{row['sample']}.music.flac"])
            part = sound[round(start * RATE_HZ) : round(end * RATE_HZ)]
            assert heard.shape == part.shape
            # What was decoded from 16 bits is the same; else it is rounded once.
            assert np.abs(heard - part).max() <= (0 if film.suffix == ".mkv" else 0.5 + 1e-6)
            # The first picture is on screen already where none begins at the very start.
            first, last = int(start * FPS + 1e-6), int(np.ceil(end * FPS - 1e-6))
            assert numbers_by_hand(held[f"{row['sample']}.video.mp4"]) == list(range(first, last))
            # Cuts, counted in frames of the clip.
            inside = [cut for cut in CUTS if start < cut < end]
            frames = [0, *(round(cut * FPS) - int(np.ceil(start * FPS - 1e-6)) for cut in inside)]
            told = np.load(io.BytesIO(held[f"{row['sample']}.scenes_start_frames.npy"]))
            assert told.tolist() == frames
