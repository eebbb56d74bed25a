"""How near the starter model's music is to real songs, and how much of it is copied.

    python benchmarks/starter_music.py ROOT [--split SPLIT] [--bars 16] [--out FOLDER]

`ROOT` is where `benchmarks/train_starter.py POP909 WORK` has imported the songs: ``WORK/root``.
For each held-out song (split ``test``) two pieces are written that have the song's tempo and as
many bars as the song's first 16, by the starter model, by the same model untrained, and by Markov
chains (`symmv_builder/training/markov`). The five metrics of `symmv_builder/evaluation/music.py`
are taken of each piece and of the song's own first bars, all on the 16th grid, at the song's tempo,
and from the bar of their first note on.

A metric's distance from real music is the Wasserstein-1 distance between its values over the
pieces and over the songs, as a share of the songs' standard deviation: 0 where the distributions
agree. That of other real songs (``validation``) says what chance alone makes. Beside it stand the
difference of the means, in the metric's unit, and the area that the two distributions share, as
Yang and Lerch (2018) take it: 1 where they agree. Distances from 62 songs are mostly chance; those
from the songs of ``train``, which are eight times as many, tell makers apart that are nearly alike.

`SPLIT` is one of those of the songs, or ``held-out``: test and validation together, which nobody
learned from; or ``all``, the songs learned from and held out together. Intervals say how sure it is
that the starter is nearer than the chains, or further.

Beside these stands which share of the notes of an accompaniment belong to the chord that is named
over them, which the five metrics do not see. Copied runs are compared with the songs of the split
train (`copied_runs.py`). With ``--out`` the scores of every piece are written there as JSON, and
the piano rolls of eight pieces.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from copied_runs import Corpus, longest_runs
from numpy.typing import NDArray

from symmv_builder import starter
from symmv_builder.evaluation.music import METRICS, score_song
from symmv_builder.report.piano_roll import draw_piano_roll
from symmv_builder.storage.root import Root
from symmv_builder.training.markov.chains import Chains
from symmv_builder.training.markov.train import NEEDED, song_and_mode
from symmv_builder.training.rows import Rows
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmusprod import compose
from symmv_builder.training.vmusprod.compose import Models
from symmv_builder.training.vmusprod.embedding import INTERVALS
from symmv_builder.training.vmusprod.models import StageModel
from symmv_builder.training.vmusprod.piece import Wish
from symmv_builder.training.vmusprod.songs import QuantisedSong
from symmv_builder.training.vmusprod.sounding import (
    chords_of_song,
    merged,
    notes_of_song,
    struck_once,
)
from symmv_builder.training.vmusprod.tempo import steady
from symmv_builder.vocab import SYMMV_QUALITIES

SEED = 909
SPLITS = ("test", "validation", "train")
# Both splits that were not learned from, and all three.
HELD_OUT, ALL = "held-out", "all"
TOGETHER = {HELD_OUT: SPLITS[:2], ALL: SPLITS}
RESAMPLES = 1000
# Pieces for each held-out song.
PIECES = 2
# Bars that are written beyond those that are measured, in the place of silent ones before them.
SPARE = 2
Table = NDArray[np.float64]


def songs_of(root: Root, split: str) -> list[tuple[QuantisedSong, int]]:
    """The songs of a split that have four beats in a bar and the modes of their keys, in order."""
    rows, left_out = Rows(root, "pop909", split, NEEDED), LeftOut()
    return [song for row in rows if (song := left_out.use(row, song_and_mode)) is not None]


def beginning(song: QuantisedSong, bars: int) -> QuantisedSong:
    """Its first bars, from the first one with a note on: files often begin with silence."""
    first = int(song.onsets[0]) // song.steps_per_bar
    return song.cropped(first, min(bars, song.bars - first))


def untrained(models: Models) -> Models:
    """The same stages with random weights."""
    torch.manual_seed(SEED)
    stages = {stage: StageModel(model.design).eval() for stage, model in models.stages.items()}
    return replace(models, stages=stages)


def written(models: Models, conditions: Sequence[QuantisedSong]) -> list[QuantisedSong]:
    """A piece of the tempo of each song and of its length, silence before it left out."""
    wishes = [
        Wish(
            seed=SEED + number,
            bars=song.bars + SPARE,
            tempo_bpm=float(np.clip(song.tempo_bpm, 20, 400)),
        )
        for number, song in enumerate(conditions)
    ]
    pieces = compose.compose_all(models, wishes, batch_size=len(wishes))
    return [beginning(p.song, c.bars) for p, c in zip(pieces, conditions, strict=True)]


def scores_of(songs: Sequence[QuantisedSong]) -> Table:
    """The five metrics of each song, ``[n, 5]``."""
    scores = []
    for song in songs:
        clock = steady(song.tempo_bpm)
        notes = merged(*notes_of_song(struck_once(song), clock))
        beats_s = clock(np.arange(0, song.bars * song.steps_per_bar + 1, 4))
        end_s = float(beats_s[-1]) - 1e-6
        ends_s = np.minimum(notes.ends_s, end_s)
        scored = score_song(notes.starts_s, ends_s, notes.pitches, beats_s, end_s)
        scores.append(list(scored.values()))
    return np.array(scores, dtype=np.float64)


def wasserstein(values: Table, reference: Table) -> float:
    """The Wasserstein-1 distance of two samples ``[n]`` and ``[m]``."""
    places = np.sort(np.concatenate((values, reference)))
    above = [
        np.searchsorted(np.sort(x), places[:-1], side="right") / len(x) for x in (values, reference)
    ]
    return float((np.abs(above[0] - above[1]) * np.diff(places)).sum())


def distances(values: Table, real: Table) -> list[float]:
    """Wasserstein distances by metric of tables ``[n, 5]``, as shares of the songs' deviations."""
    columns = zip(values.T, real.T, strict=True)
    return [wasserstein(ours, theirs) / float(theirs.std()) for ours, theirs in columns]


def overlap(values: Table, reference: Table) -> float:
    """The area that the densities of two samples share, each smoothed by Scott's rule."""
    low, high = min(values.min(), reference.min()), max(values.max(), reference.max())
    margin = 0.5 * (high - low) + 1e-6
    grid = np.linspace(low - margin, high + margin, 2000)
    densities = []
    for sample in (values, reference):
        width = max(float(sample.std()) * len(sample) ** -0.2, 1e-3 * margin)
        density = np.exp(-0.5 * ((grid[:, None] - sample) / width) ** 2).sum(axis=1)
        densities.append(density / density.sum())
    return float(np.minimum(*densities).sum())


def chord_tones(songs: Sequence[QuantisedSong]) -> float:
    """Share of the notes beside the melody that belong to the chord named over their onset."""
    hits = []
    for song in songs:
        beside = ~song.is_melody
        # Chords begin with the piece, so that every note has one.
        at = np.searchsorted(song.chord_onsets, song.onsets[beside], side="right") - 1
        for pitch, chord in zip(song.pitches[beside], at, strict=True):
            quality = int(song.chord_qualities[chord])
            if chord >= 0 and quality < len(SYMMV_QUALITIES):
                above = (int(pitch) - int(song.chord_roots[chord])) % 12
                hits.append(above in INTERVALS[SYMMV_QUALITIES[quality]])
    return float(np.mean(hits))


def show(scores: Mapping[str, Table], real: Table) -> None:
    """A table: of each maker the mean, distance, difference of means and overlap by metric."""
    print(f"{'':24s}" + "".join(f"{metric.heading:>9s}" for metric in METRICS))
    deviation = real.std(axis=0)
    print(f"{'real songs, mean':24s}" + "".join(f"{x:9.3f}" for x in real.mean(axis=0)))
    print(f"{'real songs, deviation':24s}" + "".join(f"{x:9.3f}" for x in deviation))
    for name, table in scores.items():
        whole = table[np.isfinite(table).all(axis=1)]
        lines = {
            "mean": whole.mean(axis=0),
            "difference": whole.mean(axis=0) - real.mean(axis=0),
            "distance": distances(whole, real),
            "overlap": [overlap(whole[:, i], real[:, i]) for i in range(len(METRICS))],
        }
        for what, values in lines.items():
            print(f"{name + ', ' + what:24s}" + "".join(f"{x:9.3f}" for x in values))


def show_intervals(ours: Table, theirs: Table, real: Table) -> None:
    """Print between which values the starter's distance less that of Markov lies, 95 of 100 times.

    Songs and pieces are drawn again with replacement (bootstrap): where the interval holds 0, the
    songs do not say which of the two is nearer.
    """
    rng = np.random.default_rng(SEED)
    ours, theirs = (table[np.isfinite(table).all(axis=1)] for table in (ours, theirs))

    def again(table: Table) -> Table:
        return table[rng.integers(0, len(table), len(table))]

    differences = []
    for _ in range(RESAMPLES):
        songs = again(real)
        near, far = (np.array(distances(again(table), songs)) for table in (ours, theirs))
        differences.append(near - far)
    low, high = np.quantile(differences, [0.025, 0.975], axis=0)
    for metric, one, other in zip(METRICS, low, high, strict=True):
        print(
            f"{metric.heading}: distance of starter less that of markov, {one:.2f} to {other:.2f}"
        )


def draw(out: Path, name: str, song: QuantisedSong) -> None:
    """The first 30 s of a song as a piano roll."""
    clock = steady(song.tempo_bpm)
    notes = merged(*notes_of_song(struck_once(song), clock))
    draw_piano_roll(out / f"{name}.png", notes, title=name, chords=chords_of_song(song, clock))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--split", default="test", choices=(*SPLITS, *TOGETHER))
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--model", type=Path, default=starter.path())
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    root = Root(arguments.root)
    learned_from = songs_of(root, "train")
    corpus_songs = [song for song, _ in learned_from]
    songs = {
        split: [beginning(song, arguments.bars) for song, _ in songs_of(root, split)]
        for split in SPLITS
    }
    measured = TOGETHER.get(arguments.split, (arguments.split,))
    compared = [song for split in measured for song in songs[split]]
    others = [song for split in SPLITS[:2] if split not in measured for song in songs[split]]
    models = compose.load(arguments.model)
    conditions = compared * PIECES
    chains = Chains.of(learned_from)
    pieces = {
        "starter": written(models, conditions),
        "untrained": written(untrained(models), conditions),
        "markov": [
            beginning(chains.compose(song.bars + SPARE, song.tempo_bpm, SEED + i), song.bars)
            for i, song in enumerate(conditions)
        ],
        **({"other songs": others} if others else {}),
    }
    real = scores_of(compared)
    scores = {name: scores_of(songs) for name, songs in pieces.items()}
    print(f"{len(compared)} songs of the split {arguments.split}, {arguments.bars} bars at most")
    show(scores, real)
    show_intervals(scores["starter"], scores["markov"], real)
    for name, music in {**pieces, "real songs": compared}.items():
        print(
            f"notes beside the melody that belong to their chord, {name}: {chord_tones(music):.2f}"
        )
    held_out = {} if "train" in measured else {"held-out songs": compared}
    for words, melody in (("notes", False), ("melody notes", True)):
        corpus = Corpus(corpus_songs, melody=melody)
        for name, music in {**pieces, **held_out}.items():
            runs = longest_runs(music, corpus)
            print(
                f"longest run copied from the {len(corpus_songs)} songs learned from, "
                f"{words}, {name}: "
                f"median {np.median(runs):.0f}, 9 of 10 below {np.quantile(runs, 0.9):.0f}, "
                f"longest {runs.max()}"
            )
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        tables = {name: table.tolist() for name, table in {**scores, "real": real}.items()}
        (arguments.out / "scores.json").write_text(json.dumps(tables))
        for name in pieces.keys() - {"untrained"}:
            for number in range(8):
                draw(arguments.out, f"{name.replace(' ', '-')}-{number}", pieces[name][number])


if __name__ == "__main__":
    main()
