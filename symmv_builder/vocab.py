"""The words that labels are made of: pitch classes, chord qualities, keys.

Two datasets, two spellings. SymMV writes the root and a short quality without a
separator (``Am7``, ``Co7``, ``FM7``): 12 roots x 10 qualities. MuVi-Sync writes sharps,
a colon and a long quality (``A:min7``), the bare root for major and ``N`` for no chord:
157 labels whose number is ``1 + 13 * root + quality``.
"""

SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# As the released chord files spell them.
SYMMV_ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
SYMMV_QUALITIES = ("M", "m", "o", "+", "7", "M7", "m7", "o7", "sus2", "sus4")
MUVISYNC_QUALITIES = (
    "maj",
    "dim",
    "sus4",
    "min7",
    "min",
    "sus2",
    "aug",
    "dim7",
    "maj6",
    "hdim7",
    "7",
    "min6",
    "maj7",
)
NO_CHORD = "N"
EMOTIONS = ("exciting", "fearful", "tense", "sad", "relaxing", "neutral")
MODES = ("major", "minor")

# Semitones above the root. hdim7 is half-diminished and dim7 fully diminished.
QUALITY_INTERVALS: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "min7": (0, 3, 7, 10),
    "min": (0, 3, 7),
    "sus2": (0, 2, 7),
    "aug": (0, 4, 8),
    "dim7": (0, 3, 6, 9),
    "maj6": (0, 4, 7, 9),
    "hdim7": (0, 3, 6, 10),
    "7": (0, 4, 7, 10),
    "min6": (0, 3, 7, 9),
    "maj7": (0, 4, 7, 11),
}

SYMMV_LABELS = tuple(root + quality for root in SYMMV_ROOTS for quality in SYMMV_QUALITIES)


def muvisync_label(root: int, quality: str) -> str:
    """Make the label of a root (0-11, C is 0) and a quality of `MUVISYNC_QUALITIES`."""
    return SHARP_NAMES[root] if quality == "maj" else f"{SHARP_NAMES[root]}:{quality}"


MUVISYNC_LABELS = (
    NO_CHORD,
    *(muvisync_label(root, quality) for root in range(12) for quality in MUVISYNC_QUALITIES),
)
_MUVISYNC_IDS = {label: number for number, label in enumerate(MUVISYNC_LABELS)}


def muvisync_id(label: str) -> int:
    """Number a MuVi-Sync label, 0-156; `KeyError` for a label outside the vocabulary."""
    return _MUVISYNC_IDS[label]


def muvisync_parts(label: str) -> tuple[int, str] | None:
    """Split a MuVi-Sync label into root (0-11) and quality, `None` for no chord."""
    number = _MUVISYNC_IDS[label]
    if number == 0:
        return None
    root, quality = divmod(number - 1, len(MUVISYNC_QUALITIES))
    return root, MUVISYNC_QUALITIES[quality]


def pitch_class(name: str) -> int:
    """Give the pitch class 0-11 of a note; sharps are ``#``, flats ``b`` or music21's ``-``."""
    letter, accidentals = name[:1].upper(), name[1:]
    if letter not in "CDEFGAB" or not letter or accidentals.strip("#b-"):
        raise ValueError(f"not a note name: {name!r}")
    base = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter]
    sharps = accidentals.count("#")
    return (base + sharps - (len(accidentals) - sharps)) % 12


# Kinds of video, as a listing's title, category and tags tell them (`crawl.kinds`).
VIDEO_KINDS = ("mv", "film", "vlog", "documentary", "trailer", "game", "dance", "comic")
