"""Make the numbers of the key of a relative pair, and judge keys and key spans.

    python benchmarks/train_key.py POP909

Songs with one published key: accuracy of each profile, and of ``relative-pair`` where the mode
is decided by weights of the other nine tenths of the songs. Spans, on songs whose key changes
(only those with an odd number, since the penalty was chosen on the even ones): mir_eval's
weighted key score, averaged over time, beside that of one key for the whole song. Then prints
the weights for `symmv_builder/music/key.py`, from all songs with one key. Needs scikit-learn.
"""

import sys
from pathlib import Path
from typing import Any, TypeAlias

import mir_eval
import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.midi import read_notes
from symmv_builder.music import key as keys
from symmv_builder.records import Notes
from symmv_builder.vocab import pitch_class

SEED = 909
Span: TypeAlias = tuple[float, float, int, str]
_MODES = {"maj": "major", "min": "minor"}


def read(folder: Path) -> tuple[Notes, list[Span]]:
    """The notes of a song, and its published keys with their times."""
    spans = []
    for line in (folder / "key_audio.txt").read_text().splitlines():
        start, end, label = line.split()
        tonic, _, mode = label.partition(":")
        spans.append((float(start), float(end), pitch_class(tonic), _MODES[mode]))
    return read_notes(folder / f"{folder.name}.mid"), spans


def classifier() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=5000))


def weighted(estimate: list[Span], truth: list[Span]) -> float:
    """mir_eval's weighted key score over the time that has a published key."""
    total = score = 0.0
    for a, b, tonic, mode in truth:
        for start, end, other, other_mode in estimate:
            seconds = min(b, end) - max(a, start)
            if seconds > 0:
                names = (f"{keys.MAJOR_TONICS[t].replace('-', 'b')} {m}"
                         for t, m in ((tonic, mode), (other, other_mode)))  # fmt: skip
                score += seconds * mir_eval.key.weighted_score(*names)
        total += b - a
    return score / total


def spans_of(notes: Notes, **settings: float) -> list[Span]:
    spans = keys.find_key_spans(notes, **settings)
    fields = (spans.starts_s.tolist(), spans.ends_s.tolist(), spans.tonics, spans.modes)
    return [(a, b, pitch_class(tonic), mode) for a, b, tonic, mode in zip(*fields, strict=True)]


def judge_spans(songs: list[tuple[Notes, list[Span]]], penalties: list[float]) -> None:
    whole = []
    for notes, truth in songs:
        key = keys.find_key(notes)
        whole.append(weighted([(0.0, 1e9, key.tonic_class, key.mode)], truth))
    print(f"  one key for all: {np.mean(whole):.3f}")
    for penalty in penalties:
        spans = [spans_of(notes, change_penalty=penalty) for notes, _ in songs]
        scores = [weighted(s, truth) for s, (_, truth) in zip(spans, songs, strict=True)]
        print(
            f"  change {penalty:g}: {np.mean(scores):.3f}, {np.mean([*map(len, spans)]):.2f} spans"
        )


def fit(table: NDArray[np.float64], minor: NDArray[np.bool_]) -> None:
    """Print the weights on the features as they are."""
    scaler, regression = (step for _, step in classifier().fit(table, minor).steps)
    weights = np.round(regression.coef_[0] / scaler.scale_, 3)
    print("MODE_WEIGHTS =", tuple(weights.tolist()))
    print("MODE_BIAS =", round(float(regression.intercept_[0] - weights @ scaler.mean_), 3))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    from sklearn.model_selection import KFold, cross_val_predict

    folders = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir())
    songs = [(int(folder.name), *read(folder)) for folder in folders]
    single = [(notes, spans[0]) for _, notes, spans in songs if len(spans) == 1]
    frames = [keys.frames_of(notes) for notes, _ in single]
    pairs = [keys.relative_pair(frame) for frame in frames]
    table = np.array([keys.mode_features(f, pair) for f, pair in zip(frames, pairs, strict=True)])
    minor = np.array([mode == "minor" for _, (_, _, _, mode) in single])
    truth = np.array([(tonic + 3 * (mode == "minor")) % 12 for _, (_, _, tonic, mode) in single])
    right_pair = np.array(pairs) == truth
    print(f"{len(single)} songs with one key; the pair is right in {right_pair.mean():.3f}")
    folds = [KFold(10, shuffle=True, random_state=SEED + i) for i in range(5)]
    right = [
        np.mean((cross_val_predict(classifier(), table, minor, cv=fold) == minor) & right_pair)
        for fold in folds
    ]
    print(f"relative-pair, cross-validated five times: {np.mean(right):.3f} {np.round(right, 3)}")
    for profile in ("relative-pair", *keys.PROFILES, "vote"):
        estimates = [keys.find_key(notes, profile=profile) for notes, _ in single]  # type: ignore[arg-type]
        names = [(key.tonic_class, key.mode) for key in estimates]
        hits = [
            name == (tonic, mode)
            for name, (_, (_, _, tonic, mode)) in zip(names, single, strict=True)
        ]
        print(f"{profile:24s} {np.mean(hits):.3f}  as in the code")
    for parity, title in ((0, "even: penalty chosen here"), (1, "odd: held out")):
        for several in (True, False):
            songs_of_half = [
                (n, s) for i, n, s in songs if i % 2 == parity and (len(s) > 1) == several
            ]
            print(
                f"{len(songs_of_half)} songs with {'several keys' if several else 'one key'}, "
                f"{title}"
            )
            judge_spans(songs_of_half, [4.0, 8.0, 16.0, 32.0, 64.0] if parity == 0 else [DEFAULT])
    fit(table, minor)


DEFAULT = keys.SPANS.defaults["change_penalty"]

if __name__ == "__main__":
    main()
