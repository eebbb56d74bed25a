"""How well beats and downbeats are found in POP909 played by a piano, and how the level is fitted.

    python benchmarks/beats.py POP909_FOLDER --cache FOLDER [--songs 60] [--fit]

Songs fall into two halves by the parity of the sha256 of their names: weights are fitted on so
many songs of the first half, and all of its quick ones (`--fit` prints the weights that stand in
`symmv_builder/music/tempo_level.py`, of `--songs 150`). Both halves are reported. The truth is
``beat_midi.txt``; F-measures are mir_eval's (Davies et al. 2009: within 70 ms, the first five
seconds left out) over the first 45 s. The first minute of each song is rendered and tracked;
pulses and spectra are kept in `--cache`. Nothing is drawn at random.
"""

import argparse
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import mir_eval.beat
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from symmv_builder.backends import ModelHome, load, midi, tinysoundfont
from symmv_builder.music.tempo_level import (
    Candidate,
    Evidence,
    choose_level,
    downbeat_features,
    level_features,
    listen,
    magnitudes,
)
from symmv_builder.records import Beats, Floats, Notes

HEARD_S, JUDGED_S = 60.0, 45.0
FAST_BPM = 140.0
# Songs above this tempo are few in POP909, so that all of the first half are fitted on.
QUICK_BPM = 115.0
# How much better than others a reading's F has to be to be what the fit wants.
SOFTNESS = 0.1
LEVEL_RIDGE, DOWNBEAT_RIDGE = 10.0, 1.0


@dataclass(frozen=True, slots=True)
class Song:
    """A song's truth, its pulse and what its sound says; `held_out` songs are not fitted on."""

    name: str
    held_out: bool
    beats_s: Floats
    downbeats_s: Floats
    pulse: Beats
    evidence: Evidence
    found: list[Candidate]
    features: Floats
    scores: Floats

    @property
    def tempo_bpm(self) -> float:
        return tempo_of(self.beats_s)


def truth(folder: Path) -> NDArray[np.float64]:
    """Rows of ``beat_midi.txt``: time, every other beat, downbeat."""
    return np.loadtxt(folder / "beat_midi.txt")


def tempo_of(beats_s: Floats) -> float:
    return float(60 / np.median(np.diff(beats_s)))


def place(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def f_measure(truth_s: Floats, found_s: Floats) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = (mir_eval.beat.trim_beats(t[t < JUDGED_S]) for t in (truth_s, found_s))
        return float(mir_eval.beat.f_measure(*both))


def heard(folder: Path, cache: Path) -> tuple[NDArray[np.float32], Beats]:
    """Spectra and pulse of a song's first minute, from the cache where they are there."""
    kept = cache / f"{folder.name}.npz"
    if not kept.is_file():
        model = load("beats", "madmom", ModelHome())
        notes = midi.read_notes(folder / f"{folder.name}.mid")
        early = notes.starts_s < HEARD_S
        short = Notes(
            starts_s=notes.starts_s[early],
            ends_s=np.minimum(notes.ends_s[early], HEARD_S),
            pitches=notes.pitches[early],
            velocities=notes.velocities[early],
        )
        sound = tinysoundfont.render(short, rate_hz=model.rate_hz).mean(axis=1, keepdims=True)
        found = model.track(np.ascontiguousarray(sound))
        bands = magnitudes(sound[:, 0], model.rate_hz).astype(np.float16)
        pulse = np.column_stack([found.times_s, found.positions])
        np.savez_compressed(kept, bands=bands, pulse=pulse)
    with np.load(kept) as stored:
        bands = stored["bands"].astype(np.float32)
        return bands, Beats(stored["pulse"][:, 0], stored["pulse"][:, 1].astype(np.int64))


def read_song(folder: Path, cache: Path) -> Song:
    table = truth(folder)
    bands, pulse = heard(folder, cache)
    evidence = listen(bands)
    found, features = level_features(evidence, pulse)
    return Song(
        name=folder.name,
        held_out=place(folder.name) % 2 == 1,
        beats_s=table[:, 0],
        downbeats_s=table[table[:, 2] == 1, 0],
        pulse=pulse,
        evidence=evidence,
        found=found,
        features=features,
        scores=np.array([f_measure(table[:, 0], c.times_s) for c in found]),
    )


def fit_level(songs: list[Song]) -> Floats:
    """Weights of the multinomial model whose likely readings are those of high F."""
    deviation = np.concatenate([song.features for song in songs]).std(axis=0) + 1e-9

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = LEVEL_RIDGE * float(weights @ weights), 2 * LEVEL_RIDGE * weights
        for song in songs:
            scaled = song.features / deviation
            wanted, likely = softmax(song.scores / SOFTNESS), softmax(scaled @ weights)
            total -= float(wanted @ np.log(likely + 1e-12))
            slope = slope + scaled.T @ (likely - wanted)
        return total, slope

    return np.asarray(minimize(loss, np.zeros(len(deviation)), jac=True).x / deviation)


def fit_downbeats(songs: list[Song]) -> Floats:
    """Weights of the logistic model of a downbeat, on the beats of songs whose level is right."""
    rows, marks = [], []
    for song in songs:
        best = int(song.scores.argmax())
        if song.scores[best] > 0.8:
            times_s = song.found[best].times_s
            rows.append(downbeat_features(song.evidence, song.pulse, times_s))
            marks.append(np.abs(song.downbeats_s[:, None] - times_s).min(axis=0) < 0.07)
    x, y = np.concatenate(rows), np.concatenate(marks).astype(float)

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = x @ weights
        ridge = DOWNBEAT_RIDGE * np.append(weights[:-1], 0.0)
        cost = float((np.logaddexp(0, odds) - y * odds).sum() + ridge @ weights)
        return cost, x.T @ (1 / (1 + np.exp(-odds)) - y) + 2 * ridge

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True).x)


def softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


def report(title: str, songs: list[Song]) -> None:
    rows, halved, sure = [], 0, []
    fast = [song for song in songs if song.tempo_bpm > FAST_BPM]
    for song in songs:
        chosen = choose_level(song.pulse, song.evidence)
        pulse_down, down = (b.times_s[b.positions == 1] for b in (song.pulse, chosen))
        score = f_measure(song.beats_s, chosen.times_s)
        rows.append(
            (
                f_measure(song.beats_s, song.pulse.times_s),
                score,
                song.scores.max(),
                f_measure(song.downbeats_s, pulse_down),
                f_measure(song.downbeats_s, down),
            )
        )
        halved += song in fast and chosen.tempo_bpm < 0.6 * song.tempo_bpm
        sure.append((chosen.level_confidence or 0.0, score > 0.8))
    pulse, level, best, pulse_down, down = np.mean(rows, axis=0)
    print(f"{title}: {len(songs)} songs")
    print(f"  beat F      pulse {pulse:.3f}  chosen {level:.3f}  best level {best:.3f}")
    print(f"  downbeat F  pulse {pulse_down:.3f}  chosen {down:.3f}")
    print(f"  above {FAST_BPM:.0f} bpm: {len(fast)} songs, {halved} halved")
    doubtful = [right for confidence, right in sure if confidence < 0.7]
    if doubtful:
        print(
            f"  confidence below .7: {len(doubtful)} songs, {np.mean(doubtful):.2f} of them right"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pop909", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--songs", type=int, default=60, help="of each half")
    parser.add_argument("--fit", action="store_true", help="fit on the first half, print weights")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    folders = [folder for folder in given.pop909.iterdir() if folder.is_dir()]
    folders.sort(key=lambda folder: place("r" + folder.name))
    halves = [[f for f in folders if place(f.name) % 2 == odd] for odd in (0, 1)]
    tuned, held_out = ([read_song(f, given.cache) for f in half[: given.songs]] for half in halves)
    quick_tuned, quick_held_out = (
        [read_song(f, given.cache) for f in half if tempo_of(truth(f)[:, 0]) > QUICK_BPM]
        for half in halves
    )
    if given.fit:
        known = {song.name for song in tuned}
        fitted = [*tuned, *(song for song in quick_tuned if song.name not in known)]
        for name, weights in (
            ("LEVEL_WEIGHTS", fit_level(fitted)),
            ("DOWNBEAT_WEIGHTS", fit_downbeats(fitted)),
        ):
            print(f"{name} = np.array([{', '.join(f'{w:.3f}' for w in weights)}])")
    report("fitted on", tuned)
    report("held out", held_out)
    report(f"fitted on, above {QUICK_BPM:.0f} bpm", quick_tuned)
    report(f"held out, above {QUICK_BPM:.0f} bpm", quick_held_out)


if __name__ == "__main__":
    main()
