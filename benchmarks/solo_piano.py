"""How well the piano screen tells pianos from what only resembles them, with transcribed notes.

    python benchmarks/solo_piano.py FOLDER [SONGS] [RECORDING ...]

From FOLDER's MIDI files (SONGS of them, 4 by default) 15 s each are rendered by the piano, by
other instruments, by a piano with drums and by a piano with a singer, transcribed by transkun,
and measured. RECORDINGS are measured too. Transcribing takes half of real time and more.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.sampler import render
from symmv_builder.errors import RejectEntry
from symmv_builder.music.listening import listen
from symmv_builder.music.piano_share import hear_piano
from symmv_builder.records import FeatureTrack, Notes
from symmv_builder.screen import screen_piano

START_S, SECONDS = 30.0, 15.0
PROGRAMS = {"organ": 19, "violin": 40, "strings": 48, "choir": 52, "flute": 73, "guitar": 25}
SINGER = 53


def excerpt(notes: Notes, lowest: int = 0) -> Notes:
    mask = (notes.starts_s >= START_S) & (notes.starts_s < START_S + SECONDS)
    mask &= notes.pitches >= lowest
    starts, ends = notes.starts_s[mask] - START_S, notes.ends_s[mask] - START_S
    return Notes(starts, ends, notes.pitches[mask], notes.velocities[mask])


def sound(notes: Notes, program: int, rate_hz: int) -> NDArray[np.float32]:
    whole = render(notes, rate_hz=rate_hz, program=program)
    samples = np.zeros((round(SECONDS * rate_hz), 2), np.float32)
    samples[: len(whole)] = whole[: len(samples)]
    return samples


def drums(rate_hz: int, beat_s: float = 0.27) -> NDArray[np.float32]:
    """Noise on every half beat, in turn long and short."""
    rng, samples = np.random.default_rng(0), np.zeros((round(SECONDS * rate_hz), 2), np.float32)
    time_s = np.arange(rate_hz // 5) / rate_hz
    for number, start_s in enumerate(np.arange(0.0, SECONDS - 0.3, beat_s)):
        hit = rng.normal(size=len(time_s)) * np.exp(-time_s * (18 if number % 2 else 40))
        start = round(start_s * rate_hz)
        samples[start : start + len(hit)] += 0.25 * hit[:, None].astype(np.float32)
    return samples


def examples(path: Path, rate_hz: int) -> dict[str, NDArray[np.float32]]:
    """What is played of one song, by name."""
    notes = read_notes(path)
    part, voice = excerpt(notes), excerpt(notes, lowest=64)
    piano = sound(part, 0, rate_hz)
    recordings = {name: sound(part, program, rate_hz) for name, program in PROGRAMS.items()}
    singer = sound(voice, SINGER, rate_hz)
    return {
        "piano": piano,
        **recordings,
        "piano and drums": 0.6 * piano + drums(rate_hz),
        "piano and singer": 0.6 * (piano + singer),
    }


def totals(track: FeatureTrack) -> tuple[float, float]:
    """Share of the whole that a piano accounts for, and what fading adds to it."""
    fading, sounding, loud = track.values.astype(np.float64).T
    share = float((fading * loud).sum() / loud.sum())
    return share, share - float((sounding * loud).sum() / loud.sum())


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    model = load("piano", "transkun", ModelHome())
    paths = sorted(Path(sys.argv[1]).rglob("*.mid"))[: int((sys.argv[2:] or ["4"])[0])]
    examples_of_all = [
        (p.stem, name, s) for p in paths for name, s in examples(p, model.rate_hz).items()
    ]
    for name in sys.argv[3:]:
        whole = read_sound(Path(name), rate_hz=model.rate_hz, mono=model.mono).samples
        examples_of_all.append(
            (Path(name).stem[:24], "recording", whole[: round(2 * SECONDS * model.rate_hz)])
        )
    print(f"{'song':26s} {'what plays':18s} share  fading  verdict")
    with tempfile.TemporaryDirectory() as folder:
        for song, name, samples in examples_of_all:
            path = Path(folder) / "music.wav"
            write_sound(path, samples, model.rate_hz)
            channels = samples.mean(axis=1, keepdims=True) if model.mono else samples
            [finish] = listen(path, [hear_piano()])
            track = finish(model.transcribe(channels))
            try:
                screen_piano(track)
                verdict = "piano"
            except RejectEntry:
                verdict = "turned away"
            share, fading = totals(track)
            print(f"{song:26s} {name:18s} {share:5.3f}  {fading:6.3f}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
