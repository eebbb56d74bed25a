"""How well beats and downbeats are found in POP909 played by a piano, and how both are fitted.

    python benchmarks/beats.py POP909_FOLDER --cache FOLDER [--songs 200] [--fit | --curve]

Songs fall into five folds by the sha256 of their names, and each is judged by what was fitted on
the other four: no figure is of a song that was learned from. `--fit` then fits on all songs,
prints LEVEL_WEIGHTS, and writes the network of the downbeats into the package (needs torch).
The truth is ``beat_midi.txt``; F-measures are mir_eval's (Davies et al. 2009: within 70 ms, the
first five seconds left out) over the first 45 s. The first minute of each song is rendered and
tracked; pulses and spectra are kept in `--cache`. Seeds are fixed: the same songs give the same
weights on the same machine.
"""

import argparse
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import mir_eval.beat
import numpy as np
from exercises import exercise
from numpy.typing import NDArray
from scipy.optimize import minimize
from train_downbeats import Bars, fit_downbeats

from symmv_builder.backends import ModelHome, load, midi, sampler
from symmv_builder.music.tempo_level import bar_positions, likelihoods, listen, magnitudes
from symmv_builder.music.tempo_level.downbeats import beat_features, downbeat_odds
from symmv_builder.music.tempo_level.levels import Candidate, level_features
from symmv_builder.records import Beats, Floats, Notes

HEARD_S, JUDGED_S = 60.0, 45.0
NETWORK = Path(__file__).parents[1] / "symmv_builder/music/tempo_level/downbeats.npz"
FOLDS = 5
FAST_BPM = (120.0, 130.0, 140.0)
# Quick songs are few in POP909, so that each counts for more: by so much an octave above this.
USUAL_BPM, WEIGHT_OF_AN_OCTAVE = 85.0, 1.0
CURVE = (0.0, 1.0, 4.0, 8.0, 16.0, 32.0)
# How much better than others a reading's F has to be to be what the fit wants.
SOFTNESS = 0.1
LEVEL_RIDGE = 10.0
# Bars are learned from the best reading of a pulse, where it is as good as this.
RIGHT = 0.8
# Plain pieces that are learned from beside the songs, half of them waltzes.
EXERCISES = 120


@dataclass(frozen=True, slots=True)
class Song:
    """A song's truth, its pulse, the readings of this and what speaks for each.

    ``scores`` are the readings' F-measures, ``beat_features`` what `downbeat_odds` is given for
    each of them; ``bars`` is what downbeats are learned from; ``published_bpm`` is the tempo of
    the data set's other annotation, made from the songs' recordings.
    """

    name: str
    beats_s: Floats
    downbeats_s: Floats
    pulse: Beats
    candidates: list[Candidate]
    features: Floats
    scores: Floats
    beat_features: list[Floats]
    bars: Bars | None
    published_bpm: float

    @property
    def tempo_bpm(self) -> float:
        """Rounded, as the times are: those of a song at 140 give 140.0001."""
        return round(tempo_of(self.beats_s), 2)


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
    file = cache / f"{folder.name}.npz"
    if not file.is_file():
        model = load("beats", "madmom", ModelHome())
        notes = midi.read_notes(folder / f"{folder.name}.mid")
        early = notes.starts_s < HEARD_S
        short = Notes(
            starts_s=notes.starts_s[early],
            ends_s=np.minimum(notes.ends_s[early], HEARD_S),
            pitches=notes.pitches[early],
            velocities=notes.velocities[early],
        )
        sound = sampler.render(short, rate_hz=model.rate_hz).mean(axis=1, keepdims=True)
        beats = model.track(np.ascontiguousarray(sound))
        bands = magnitudes(sound[:, 0], model.rate_hz).astype(np.float16)
        pulse = np.column_stack([beats.times_s, beats.positions])
        np.savez_compressed(file, bands=bands, pulse=pulse)
    with np.load(file) as stored:
        bands = stored["bands"].astype(np.float32)
        return bands, Beats(stored["pulse"][:, 0], stored["pulse"][:, 1].astype(np.int64))


def read_song(folder: Path, cache: Path) -> Song:
    table = truth(folder)
    beats_s, downbeats_s = table[:, 0], table[table[:, 2] == 1, 0]
    bands, pulse = heard(folder, cache)
    evidence = listen(bands)
    candidates, features = level_features(evidence, pulse)
    scores = np.array([f_measure(beats_s, c.times_s) for c in candidates])
    around = [beat_features(evidence, pulse, c.times_s) for c in candidates]
    best, bars = int(scores.argmax()), None
    if scores[best] > RIGHT:
        marks = np.abs(downbeats_s[:, None] - candidates[best].times_s).min(axis=0) < 0.07
        bars = Bars(around[best], marks, 4)
    published_bpm = tempo_of(np.loadtxt(folder / "beat_audio.txt")[:, 0])
    return Song(
        folder.name, beats_s, downbeats_s, pulse, candidates, features, scores, around, bars,
        published_bpm,
    )  # fmt: skip


def fit_level(songs: list[Song], of_an_octave: float = WEIGHT_OF_AN_OCTAVE) -> Floats:
    """Weights of the multinomial model whose likely readings are those of high F."""
    deviation = np.concatenate([song.features for song in songs]).std(axis=0) + 1e-9

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = LEVEL_RIDGE * float(weights @ weights), 2 * LEVEL_RIDGE * weights
        for song in songs:
            scaled = song.features / deviation
            target, likely = softmax(song.scores / SOFTNESS), softmax(scaled @ weights)
            counts = weight_of(song, of_an_octave)
            total -= counts * float(target @ np.log(likely + 1e-12))
            slope = slope + counts * scaled.T @ (likely - target)
        return total, slope

    return np.asarray(minimize(loss, np.zeros(len(deviation)), jac=True).x / deviation)


def weight_of(song: Song, of_an_octave: float) -> float:
    return 1 + of_an_octave * max(0.0, float(np.log2(song.tempo_bpm / USUAL_BPM)))


def softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


@dataclass(frozen=True, slots=True)
class Judged:
    """F-measures of a song: beats and downbeats of the pulse, as chosen, and at best."""

    song: Song
    tempo_bpm: float
    confidence: float
    beats: tuple[float, float, float]
    downbeats: tuple[float, float, float]


def judge(song: Song, level: Floats, network: dict[str, NDArray[np.float16]]) -> Judged:
    def odds_of(reading: int) -> Floats:
        return downbeat_odds(song.beat_features[reading], network)

    def downbeats(reading: int) -> float:
        places = bar_positions(odds_of(reading))
        return f_measure(song.downbeats_s, song.candidates[reading].times_s[places == 1])

    likely = likelihoods(song.candidates, song.features @ level, odds_of)
    choice, best = int(likely.argmax()), int(song.scores.argmax())
    pulse_s = song.pulse.times_s
    return Judged(
        song=song,
        tempo_bpm=tempo_of(song.candidates[choice].times_s),
        confidence=float(likely[choice]),
        beats=(f_measure(song.beats_s, pulse_s), song.scores[choice], song.scores[best]),
        downbeats=(
            f_measure(song.downbeats_s, pulse_s[song.pulse.positions == 1]),
            downbeats(choice),
            downbeats(best),
        ),
    )


def fit(songs: list[Song], plain: list[Bars]) -> tuple[Floats, dict[str, NDArray[np.float16]]]:
    bars = [song.bars for song in songs if song.bars is not None]
    return fit_level(songs), fit_downbeats([*bars, *plain])


def cross_validate(songs: list[Song], plain: list[Bars]) -> list[Judged]:
    judged = []
    for fold in range(FOLDS):
        weights = fit([song for song in songs if place(song.name) % FOLDS != fold], plain)
        judged += [judge(s, *weights) for s in songs if place(s.name) % FOLDS == fold]
    return judged


def report(judged: list[Judged]) -> None:
    print(f"{len(judged)} songs, each judged by what was fitted on other folds")
    for name in ("beats", "downbeats"):
        pulse, choice, best = np.mean([getattr(j, name) for j in judged], axis=0)
        print(f"  {name} F: pulse {pulse:.3f}, chosen {choice:.3f}, at the best level {best:.3f}")
    for bpm in FAST_BPM:
        fast = [j for j in judged if j.song.tempo_bpm > bpm]
        halved = sum(j.tempo_bpm < 0.6 * j.song.tempo_bpm for j in fast)
        published = sum(j.song.published_bpm < 0.6 * j.song.tempo_bpm for j in fast)
        print(
            f"  above {bpm:.0f} bpm: {len(fast)} songs, {halved} halved "
            f"({published} by beat_audio.txt)"
        )
    doubtful = [j.beats[1] > RIGHT for j in judged if j.confidence < 0.7]
    if doubtful:
        print(
            f"  confidence below .7: {len(doubtful)} songs, {np.mean(doubtful):.2f} of them right"
        )


def report_curve(songs: list[Song]) -> None:
    """What halving fewer quick songs costs: cross-validated, at other weights of these."""
    for of_an_octave in CURVE:
        scores, tempos, truths = [], [], []
        for fold in range(FOLDS):
            fitted = [song for song in songs if place(song.name) % FOLDS != fold]
            level = fit_level(fitted, of_an_octave)
            for song in (song for song in songs if place(song.name) % FOLDS == fold):
                choice = int((song.features @ level).argmax())
                scores.append(song.scores[choice])
                tempos.append(tempo_of(song.candidates[choice].times_s))
                truths.append(song.tempo_bpm)
        ratio, true_bpm = np.array(tempos) / truths, np.array(truths)
        halved = [f"{(ratio[true_bpm > bpm] < 0.6).sum()} above {bpm:.0f}" for bpm in FAST_BPM]
        print(
            f"weight {of_an_octave:.0f}: beats F {np.mean(scores):.3f}, halved "
            f"{', '.join(halved)}, doubled {(ratio > 1.6).sum()}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pop909", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--songs", type=int, help="so many instead of all")
    parser.add_argument("--fit", action="store_true", help="make the weights of the package")
    parser.add_argument("--curve", action="store_true", help="only levels, at other weights")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    folders = [folder for folder in arguments.pop909.iterdir() if folder.is_dir()]
    folders.sort(key=lambda folder: place("r" + folder.name))
    songs = [read_song(folder, arguments.cache) for folder in folders[: arguments.songs]]
    if arguments.curve:
        report_curve(songs)
        return
    plain = [exercise(seed) for seed in range(EXERCISES)]
    report(cross_validate(songs, plain))
    if arguments.fit:
        level, network = fit(songs, plain)
        print(f"LEVEL_WEIGHTS = np.array([{', '.join(f'{w:.3f}' for w in level)}])")
        np.savez_compressed(NETWORK, **network)
        print(f"{NETWORK}: {NETWORK.stat().st_size} bytes")


if __name__ == "__main__":
    main()
