"""How right an annotation is against a reference: notes, beats, chords, melody, key of one song.

mir_eval (Raffel et al., "mir_eval: A Transparent Implementation of Common MIR Metrics", ISMIR 2014)
does the measuring; here its inputs are brought into order and its answers get names. All scores
lie in 0-1, higher is better.

=============  =================================================================================
transcription  F1 of notes by pitch (within half a semitone) and onset within 50 or 100 ms; with
               offsets too: an end within the same tolerance or a fifth of the note, the larger
               (Bay, Ehmann and Downie, "Evaluation of Multiple-F0 Estimation and Tracking
               Systems", 2009)
beats          F within 70 ms (Davies, Degara and Plumbley, "Evaluation Methods for Musical
               Audio Beat Tracking Algorithms", 2009), against the reference (`beat_f`), every
               second of its beats (`_half`, the better of the two choices), its beats and those
               half way between (`_double`), and the best of the three; the same of downbeats.
               CMLt and AMLt: share of beats with the right tempo and phase, at the annotated or
               at any usual level. All beats count: none at the beginning are trimmed.
chords         share of the time with the right chord, compared by root, as major or minor triad,
               by root and third, and by seventh; what lies outside a comparison's vocabulary is
               not counted (Pauwels and Peeters, "Evaluating Automatically Estimated Chord
               Sequences", 2013)
melody         precision, recall and F1 of melody notes by pitch and onset within 50 ms
key            MIREX's weighted score: 1 right, .5 a fifth above, .3 relative, .2 parallel; and
               the share of exactly right ones
=============  =================================================================================
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from symmv_builder.evaluation.metric import Metric
from symmv_builder.packages import required
from symmv_builder.records import Beats, Chords, Floats, Key, Notes
from symmv_builder.vocab import SHARP_NAMES, pitch_class

TASKS = ("transcription", "beats", "chords", "melody", "key")
NO_CHORD = "N"
CHORD_COMPARISONS = ("root", "majmin", "thirds", "sevenths")
# A note that ends where it begins is one of this length: mir_eval takes none of no length.
_SHORTEST_S = 1e-3

Scores: TypeAlias = Mapping[str, float]

_LEVELS = {
    "": "the reference",
    "_half": "every second beat of the reference",
    "_double": "the reference and the places half way between its beats",
    "_best": "whichever of the three fits best",
}
_DAVIES = 'Davies, Degara, Plumbley, "Evaluation Methods for Beat Tracking Algorithms", 2009'
# Name: definition, source, and what both sides hold. All are shares; high ones are better.
_DECLARED: Mapping[str, tuple[str, str, str]] = {
    **{
        f"{part}_f1_{tolerance}ms": (
            f"F1 of notes by pitch and {what} within {tolerance} ms",
            'Bay, Ehmann, Downie, "Evaluation of Multiple-F0 Estimation and Tracking", 2009',
            "notes",
        )
        for part, what in (("onset", "onset"), ("offset", "onset, and end (or a fifth of it)"))
        for tolerance in (50, 100)
    },
    **{
        f"{kind}_f{suffix}": (f"F of {kind}s within 70 ms, against {against}", _DAVIES, "beats")
        for kind in ("beat", "downbeat")
        for suffix, against in _LEVELS.items()
    },
    **{
        name: (f"share of beats with the right tempo and phase, at {level}", _DAVIES, "beats")
        for name, level in (("cmlt", "the annotated level"), ("amlt", "any usual level"))
    },
    **{
        name: (
            f"share of the time with the right chord, compared by {what}",
            'Pauwels and Peeters, "Evaluating Automatically Estimated Chord Sequences", 2013',
            "chords",
        )
        for name, what in (
            ("root", "root"),
            ("majmin", "major or minor triad"),
            ("thirds", "root and third"),
            ("sevenths", "seventh"),
        )
    },
    **{
        f"note_{name}": (
            f"{name} of melody notes by pitch, and onset within 50 ms",
            'Raffel et al., "mir_eval", ISMIR 2014',
            "parts",
        )
        for name in ("precision", "recall", "f1")
    },
    "weighted_key": (
        "1 for the right key, .5 a fifth above, .3 relative, .2 parallel",
        "MIREX, audio key detection",
        "key",
    ),
    "exact_key": ("share of exactly right keys", "MIREX, audio key detection", "key"),
}
METRICS = tuple(
    Metric(name, name, 4, definition, source, "0-1", "high", (reads,))
    for name, (definition, source, reads) in _DECLARED.items()
)


def score_song(task: str, estimate: Any, reference: Any) -> Scores:
    """Score one song; `estimate` and `reference` are records of the task's kind.

    Notes for transcription and melody (the melody alone), `Beats`, `Chords` with labels of Harte's
    spelling, or a `Key`. `ValueError` where the reference holds nothing to compare with, or a
    record cannot be compared.
    """
    measure: Mapping[str, Callable[[Any, Any], Scores]] = {
        "transcription": transcription_scores,
        "beats": beat_scores,
        "chords": chord_scores,
        "melody": melody_scores,
        "key": key_scores,
    }
    with warnings.catch_warnings():
        # Of empty estimates, which score 0.
        warnings.simplefilter("ignore", UserWarning)
        return measure[task](estimate, reference)


def _mir_eval(module: str) -> Any:
    import importlib

    with required("evaluate"):
        return importlib.import_module(f"mir_eval.{module}")


def transcription_scores(estimate: Notes, reference: Notes) -> Scores:
    """Compute ``onset_f1_50ms onset_f1_100ms offset_f1_50ms offset_f1_100ms`` of notes."""
    scores = {}
    for name, ratio in (("onset", None), ("offset", 0.2)):
        for tolerance_ms in (50, 100):
            matches = _match_notes(estimate, reference, tolerance_ms / 1000, ratio)
            scores[f"{name}_f1_{tolerance_ms}ms"] = matches[2]
    return scores


def melody_scores(estimate: Notes, reference: Notes) -> Scores:
    """Compute ``note_precision note_recall note_f1`` of melody notes, onsets within 50 ms."""
    names = ("note_precision", "note_recall", "note_f1")
    return dict(zip(names, _match_notes(estimate, reference, 0.05, None), strict=True))


def _match_notes(
    estimate: Notes, reference: Notes, tolerance_s: float, offset_ratio: float | None
) -> tuple[float, float, float]:
    if not len(reference.starts_s):
        raise ValueError("the reference has no notes")
    for side, notes in (("estimate", estimate), ("reference", reference)):
        if (notes.starts_s < 0).any():
            raise ValueError(f"a note of the {side} begins before 0 s")
    precision, recall, f1, _ = _mir_eval("transcription").precision_recall_f1_overlap(
        *_as_intervals(reference),
        *_as_intervals(estimate),
        onset_tolerance=tolerance_s,
        offset_ratio=offset_ratio,
        offset_min_tolerance=tolerance_s,
    )
    return float(precision), float(recall), float(f1)


def _as_intervals(notes: Notes) -> tuple[Floats, Floats]:
    ends_s = np.maximum(notes.ends_s, notes.starts_s + _SHORTEST_S)
    frequencies_hz = 440.0 * 2.0 ** ((notes.pitches - 69) / 12)
    return np.stack([notes.starts_s, ends_s], axis=1), np.asarray(frequencies_hz)


def beat_scores(estimate: Beats, reference: Beats) -> Scores:
    """Compute ``beat_f`` and ``downbeat_f`` with ``_half _double _best``, ``cmlt`` and ``amlt``.

    Downbeats are left out where the reference marks none.
    """
    if len(reference.times_s) < 2:
        raise ValueError("the reference has fewer than two beats")
    scores = _by_level("beat_f", estimate.times_s, reference.times_s)
    continuity = _mir_eval("beat").continuity(reference.times_s, estimate.times_s)
    scores |= {"cmlt": float(continuity[1]), "amlt": float(continuity[3])}
    down, real = (beats.times_s[beats.positions == 1] for beats in (estimate, reference))
    return scores | _by_level("downbeat_f", down, real) if len(real) else scores


def _by_level(name: str, estimate: Floats, reference: Floats) -> dict[str, float]:
    """F against the reference, and against it at half and at double level."""
    places = np.arange(len(reference))
    between = np.interp(np.arange(0, len(reference) - 0.5, 0.5), places, reference)
    measure = _mir_eval("beat").f_measure
    same = float(measure(reference, estimate))
    half = max(float(measure(reference[first::2], estimate)) for first in (0, 1))
    double = float(measure(between, estimate))
    return {
        name: same,
        f"{name}_half": half,
        f"{name}_double": double,
        f"{name}_best": max(same, half, double),
    }


def chord_scores(estimate: Chords, reference: Chords) -> Scores:
    """Compute ``root majmin thirds sevenths``: shares of the reference's time; gaps are no chord.

    A comparison is left out where the reference holds nothing that it looks at. `ValueError` as
    `check_labels` raises it.
    """
    for each in (estimate, reference):
        check_labels(each)
    chord, util = _mir_eval("chord"), _mir_eval("util")
    real, real_labels = _filled(reference)
    if not len(real):
        raise ValueError("the reference has no chords")
    estimated, estimated_labels = _filled(estimate)
    if not len(estimated):
        estimated, estimated_labels = real[:1], [NO_CHORD]
    estimated, estimated_labels = util.adjust_intervals(
        estimated, estimated_labels, real.min(), real.max(), NO_CHORD, NO_CHORD
    )
    spans, real_labels, estimated_labels = util.merge_labeled_intervals(
        real, real_labels, estimated, estimated_labels
    )
    lasts = util.intervals_to_durations(spans)
    scores = {}
    for name in CHORD_COMPARISONS:
        right = getattr(chord, name)(real_labels, estimated_labels)
        if (right >= 0).any():
            scores[name] = float(chord.weighted_accuracy(right, lasts))
    if not scores:
        raise ValueError("the reference has no chord that any comparison looks at")
    return scores


def check_labels(chords: Chords) -> None:
    """Raise `ValueError` for a label that is no chord in Harte's spelling."""
    chord = _mir_eval("chord")
    for label in dict.fromkeys(chords.labels):
        try:
            chord.validate_chord_label(label)
        except chord.InvalidChordException as error:
            problem = f"{label!r} is no chord in Harte's spelling, such as C:maj or A:min7"
            raise ValueError(problem) from error


def _filled(chords: Chords) -> tuple[Floats, list[str]]:
    """Fill gaps between spans, ``[n, 2]``; gives their labels too."""
    spans: list[tuple[float, float]] = []
    labels: list[str] = []
    for start, end, label in zip(chords.starts_s, chords.ends_s, chords.labels, strict=True):
        last = spans[-1][1] if spans else start
        if start > last:
            spans.append((last, start))
            labels.append(NO_CHORD)
        if end > max(start, last):
            spans.append((max(start, last), end))
            labels.append(label)
    return np.array(spans, dtype=np.float64).reshape(-1, 2), labels


def key_scores(estimate: Key, reference: Key) -> Scores:
    """Compute ``weighted_key`` and ``exact_key`` of one key."""
    estimated, real = (
        f"{SHARP_NAMES[pitch_class(k.tonic)]} {k.mode}" for k in (estimate, reference)
    )
    weighted = float(_mir_eval("key").weighted_score(real, estimated))
    return {"weighted_key": weighted, "exact_key": float(weighted == 1.0)}


def metric_names(songs: Sequence[Scores]) -> list[str]:
    """List the metrics that at least one song has, in their order."""
    return list(dict.fromkeys(name for scores in songs for name in scores))
