"""AIST++: names of 1,408 dances to 60 pieces of music, in ten genres, with published splits.

Li et al., "AI Choreographer: Music Conditioned 3D Dance Generation with AIST++", ICCV 2021. Read
are its lists ``splits/crossmodal_train.txt``, ``..._val.txt`` and ``..._test.txt``, in which no
piece of music is in two of them, and ``ignore_list.txt``. A name says all: in
``gBR_sBM_cAll_d04_mBR0_ch01`` genre (break), situation (basic), dancer, music and choreography.

The videos are those of the AIST Dance Video Database, which has terms of its own: for research
alone. Its site gives them under the name with a camera, ``gBR_sBM_c01_d04_mBR0_ch01.mp4``: the
front camera's are the entries' videos. V2Meow measures its alignment on the test split.
"""

import re
from pathlib import Path

from symmv_builder.datasets.imports import labelled
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.errors import MalformedFile
from symmv_builder.files import Folder, read_text
from symmv_builder.records import PublishedLabels, Source

NAME = "aist"
LICENCE = "CC BY 4.0"
MEDIA = labelled.MEDIA
GENRES = {
    "BR": "break", "PO": "pop", "LO": "lock", "MH": "middle hip-hop", "LH": "LA style hip-hop",
    "HO": "house", "WA": "waack", "KR": "krump", "JS": "street jazz", "JB": "ballet jazz",
}  # fmt: skip
SITUATIONS = {
    "BM": "basic dance", "FM": "advanced dance", "GR": "group dance", "MO": "moving camera",
    "SH": "showcase", "CY": "cypher", "BT": "battle",
}  # fmt: skip
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_NAME = re.compile(
    rf"g({'|'.join(GENRES)})_s({'|'.join(SITUATIONS)})_cAll_d[0-9]{{2}}(?:_d[0-9]{{2}})*"
    r"_m([A-Z]{2}[0-9])_ch[0-9]{2}"
)

RECIPE = labelled.recipe_of(NAME, {"train": 8, "validation": 1, "test": 1})


def scan(path: Path) -> Tree:
    """Find the dances of the lists in a folder; `StopRun` with line and column of a mistake."""
    folder = path / "splits" if (path / "splits").is_dir() else path
    handed_in = Folder(path)
    lists = {split: folder / f"crossmodal_{name}.txt" for name, split in _SPLITS.items()}
    if not any(map(handed_in.holds, lists.values())):
        problem = "this is no copy of AIST++: it holds no splits/crossmodal_train.txt"
        raise MalformedFile(path, problem)
    ignored = {name for _, name in _names(path / "ignore_list.txt", handed_in)}
    songs: list[Song] = []
    splits: dict[str, str] = {}
    for split, file in lists.items():
        numbered = [
            (line, _song(name)) for line, name in _names(file, handed_in) if name not in ignored
        ]
        songs += labelled.once(file, numbered)
        for line, song in numbered:
            if splits.setdefault(song.entry.song_id, split) != split:
                problem = f"the music {song.entry.song_id} is in {splits[song.entry.song_id]}, too"
                raise MalformedFile(file, problem, line, "column 1")
    left_out = [f"{len(ignored)} dances of ignore_list.txt"] if ignored else []
    return Tree(tuple(songs), splits, left_out=(*left_out, *handed_in.left_out))


def _names(file: Path, handed_in: Folder) -> list[tuple[int, str]]:
    """Read line and name of each dance in a list; none where the list is not there."""
    names = []
    lines = read_text(file).splitlines() if handed_in.holds(file) else []
    for number, line in enumerate(lines, start=1):
        name = line.strip()
        if name and not _NAME.fullmatch(name):
            problem = f"{name[:60]!r} is no name as gBR_sBM_cAll_d04_mBR0_ch01"
            raise MalformedFile(file, problem, number, f"column {line.index(name) + 1}")
        if name:
            names.append((number, name))
    return names


def _song(name: str) -> Song:
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise ValueError(name)
    genre, situation, music = parts[1], parts[2], parts[3]
    labels = PublishedLabels(("dance", GENRES[genre], SITUATIONS[situation], f"music {music}"))
    source = Source("file", name.replace("_cAll_", "_c01_"))
    return labelled.song_of(NAME, source, labels, song_id=music, title=music)
