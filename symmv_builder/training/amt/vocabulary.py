"""Chords, keys and feelings as the Affective Multimodal Transformer counts them.

Kang et al., "Video2Music", 2024: 157 chords of root and quality (section 3.1.3), written in
C major or A minor; behind them END and PAD, so that the model has 159 outputs. Each chord is
read as a root and a quality (section 4.1.1): 15 roots and 16 qualities with those of no chord,
of the beginning and of padding. END is only ever an output and START only ever an input.

Table 1 names the qualities that suit each of five feelings; of the six that a picture is
asked for, ``neutral`` suits none and augmented and minor sixth chords suit nobody.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import WrongSetting
from symmv_builder.vocab import (
    EMOTIONS,
    MUVISYNC_LABELS,
    MUVISYNC_QUALITIES,
    NO_CHORD,
    muvisync_id,
    muvisync_label,
    muvisync_parts,
    pitch_class,
)

CHORDS = len(MUVISYNC_LABELS)
END = CHORDS
PAD = CHORDS + 1
START = CHORDS + 2
OUTPUTS = CHORDS + 2

ROOTS = 15
QUALITIES = 16

EMOTION_QUALITIES: Mapping[str, tuple[str, ...]] = {
    "exciting": ("maj", "sus4", "7"),
    "fearful": ("dim", "min7", "dim7", "hdim7"),
    "tense": ("dim", "sus4", "min7", "7"),
    "sad": ("min7", "min", "sus2"),
    "relaxing": ("maj", "maj6", "maj7"),
    "neutral": (),
}

# How people write a quality behind a root; the first is MuVi-Sync's own.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "maj": ("maj", "", "M", "major"),
    "dim": ("dim", "o", "°"),
    "sus4": ("sus4", "sus"),
    "min7": ("min7", "m7", "-7"),
    "min": ("min", "m", "-", "minor"),
    "sus2": ("sus2",),
    "aug": ("aug", "+"),
    "dim7": ("dim7", "o7", "°7"),
    "maj6": ("maj6", "6", "M6"),
    "hdim7": ("hdim7", "m7b5", "min7b5", "ø", "ø7", "/o7"),
    "7": ("7", "dom7"),
    "min6": ("min6", "m6"),
    "maj7": ("maj7", "M7"),
}
_QUALITY_OF = {text: quality for quality, texts in _SPELLINGS.items() for text in texts}
_CHORD = re.compile(r"([A-G][#b]*):?(.*)")
_KEY = re.compile(r"([A-Ga-g][#b-]*)\s+(major|minor|maj|min)", re.IGNORECASE)


def parts_of_input(number: int) -> tuple[int, int]:
    """Find rows of the root's and of the quality's embedding for an input; END is none."""
    if number == START:
        return ROOTS - 2, QUALITIES - 2
    if number == PAD:
        return ROOTS - 1, QUALITIES - 1
    if not 0 <= number < CHORDS:
        raise ValueError(f"{number} is no input of the decoder")
    if number == 0:
        return 0, 0
    root, quality = divmod(number - 1, len(MUVISYNC_QUALITIES))
    return root + 1, quality + 1


def input_tables() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Roots and qualities of the inputs 0 to START; what stands at END is never asked for."""
    numbers = [PAD if number == END else number for number in range(START + 1)]
    table = np.array([parts_of_input(number) for number in numbers], dtype=np.int64)
    return table[:, 0], table[:, 1]


def matching_table() -> NDArray[np.bool_]:
    """Mark which outputs suit each feeling ``[6, 159]``: Table 1, and nothing for ``neutral``."""
    table = np.zeros((len(EMOTIONS), OUTPUTS), dtype=bool)
    for row, emotion in enumerate(EMOTIONS):
        for quality in EMOTION_QUALITIES[emotion]:
            for root in range(12):
                table[row, muvisync_id(muvisync_label(root, quality))] = True
    return table


def key_value(mode: str, flag: Literal["paper", "released"]) -> float:
    """Number the mode: major 1 and minor 0 in the paper, the reverse in its code."""
    return float((mode == "major") == (flag == "paper"))


def parse_chord(text: str) -> str:
    """MuVi-Sync's label of a chord as people write it; `StopRun` for what is none.

    ``C``, ``Am``, ``Dm7``, ``G7``, ``Bdim``, ``F#m7b5``, ``Ebmaj7``, ``A:min7``, ``N``.
    """
    if text == NO_CHORD:
        return NO_CHORD
    match = _CHORD.fullmatch(text)
    quality = _QUALITY_OF.get(match[2]) if match else None
    if match is None or quality is None:
        form = f"write a root and one of {' '.join(MUVISYNC_QUALITIES)}, as in C Am Dm7 G7 A:min7"
        raise WrongSetting("chord", text, form)
    return muvisync_label(pitch_class(match[1]), quality)


def parse_primer(text: str) -> tuple[str, ...]:
    """Parse the chords of a line like ``C Am F G``, each a second long."""
    return tuple(parse_chord(word) for word in re.split(r"[\s,|]+", text) if word)


def parse_key(text: str) -> tuple[int, str]:
    """Tonic (0-11) and mode of a line like ``A minor`` or ``Eb major``; `StopRun` otherwise."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise WrongSetting("key", text, "write a tonic and a mode, as in A minor or Eb major")
    return pitch_class(match[1]), "major" if match[2].lower().startswith("maj") else "minor"


def shift_into(tonic: int, mode: str) -> int:
    """Count semitones from C major or A minor, in which the model works, up to a key."""
    return (tonic - (0 if mode == "major" else 9)) % 12


def transpose(labels: Sequence[str], semitones: int) -> tuple[str, ...]:
    """Move the root of every label; no chord stays no chord."""
    moved = []
    for label in labels:
        parts = muvisync_parts(label)
        moved.append(muvisync_label((parts[0] + semitones) % 12, parts[1]) if parts else label)
    return tuple(moved)
