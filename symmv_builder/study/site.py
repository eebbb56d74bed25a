"""Make a study: a folder with the site for raters, and the key of what it hides.

The site is plain files: one page, one script, one style sheet, the pieces under names that say
nothing, and sounds for the checks. It loads nothing from elsewhere and its policy bars everything
else; it works from a disk, from any web server, and from the answer store (`store`).
"""

import csv
import json
import random
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files as resources
from pathlib import Path
from string import Template

from symmv_builder.errors import CannotMeasure, MalformedFile, NotFound, OutputExists
from symmv_builder.files import Folder, read_text
from symmv_builder.report.markup import text
from symmv_builder.report.page_style import STYLE
from symmv_builder.storage.root import disk_errors
from symmv_builder.study import tones
from symmv_builder.study.blind_mp4 import copy_blind
from symmv_builder.study.config import Config
from symmv_builder.study.key import ANSWERS, KEY, SITE, Key, write_key
from symmv_builder.study.plan import Unit, sessions_of, units_of
from symmv_builder.text import clean_line

_MOST_SHOWN = 200_000
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; \
style-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'">
<title>$title</title>
<link rel="stylesheet" href="study.css">
</head>
<body data-store="" data-study="$data">
<header><h1>$title</h1><div id="progress"></div></header>
<main id="step"><noscript><p>This page needs JavaScript.</p></noscript></main>
<footer>This page loads nothing from elsewhere, and keeps your place on this device.</footer>
<script src="study.js"></script>
</body>
</html>
""")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, and `left_out`: lines on pieces that no other piece can be compared with."""

    folder: Path
    pieces: int
    units: int
    sessions: int
    longest: int
    left_out: tuple[str, ...]


def make(
    config: Config, folder: Path, *, overwrite: bool = False, note: Callable[[str], object]
) -> Made:
    """Write the study into `folder`, whole or not at all.

    `StopRun` where a folder of pieces is empty or holds what is no MP4, and where `folder` holds
    something: a study without answers is replaced with `overwrite`, answers never are.
    """
    _check_place(folder, overwrite=overwrite)
    pieces, left_out = _find_pieces(config)
    genres = _genres(config.table, {video for mine in pieces.values() for video in mine})
    kinds = {question.kind for question in config.questions}
    units = units_of(pieces, kinds, against=config.against, seed=config.seed)
    if "pair" in kinds and not any(unit.kind == "pair" for unit in units):
        raise CannotMeasure(
            f"no video is in the folders of two models of {', '.join(config.models)}"
        )
    sessions = sessions_of(
        units, raters=config.raters, trials=config.trials, checks=config.attention, seed=config.seed
    )
    longest = max(map(len, sessions))
    if longest * len(sessions) > _MOST_SHOWN:
        problem = f"{len(sessions)} sessions of up to {longest} trials are too many for one page"
        raise MalformedFile("the study", f"{problem}: lower raters, or trials")
    rng = random.Random(config.seed)
    counts = [rng.randint(2, tones.MOST_COUNTED) for _ in range(config.attention)]
    places = [rng.sample(range(3), 2) for _ in range(tones.HEADPHONE_TRIALS)]
    if config.headphones == "off":
        places = []
    key = Key(
        study=secrets.token_hex(8),
        title=config.title,
        preset=config.preset,
        questions=config.questions,
        trials=dict(zip(_tokens(len(units)), units, strict=True)),
        sessions=tuple(sessions),
        checks=dict(zip(_tokens(len(counts)), counts, strict=True)),
        quietest=tuple(place[0] + 1 for place in places),
        headphones=config.headphones,
        misses=config.misses,
        genres=genres,
        models=tuple(config.models),
    )
    with disk_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with disk_errors(folder.parent):
            staging.chmod(0o755)
            _write_site(staging / SITE, config, key, pieces, places, note)
            (staging / ANSWERS).mkdir(mode=0o700)
            write_key(staging, key)
            if folder.exists():
                shutil.rmtree(folder)
            staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    count = sum(map(len, pieces.values()))
    return Made(folder, count, len(units), len(sessions), longest, tuple(left_out))


def _check_place(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise OutputExists(folder, "is no folder", "write elsewhere")
    if not any(folder.iterdir()):
        return
    if not (folder / KEY).is_file():
        raise OutputExists(folder, "holds files that are no study", "write elsewhere")
    if any((folder / ANSWERS).glob("*")):
        raise OutputExists(folder, "holds the answers of raters", "write elsewhere")
    if not overwrite:
        raise OutputExists(folder, "holds a study")


def _find_pieces(config: Config) -> tuple[dict[str, dict[str, Path]], list[str]]:
    """The pieces of each model by their video: what stands before the first dot of a name."""
    pieces: dict[str, dict[str, Path]] = {}
    left_out: list[str] = []
    for model, path in config.models.items():
        folder = Folder(path)
        mine: dict[str, Path] = {}
        for file in folder.files():
            if file.suffix.lower() != ".mp4" or file.parent != path:
                continue
            video = clean_line(file.name.partition(".")[0])
            if video in mine:
                problem = f"two pieces for the video {video!r}: {mine[video].name}, {file.name}"
                raise MalformedFile(path, problem)
            mine[video] = file
        left_out += folder.left_out
        if not mine:
            raise NotFound("piece", "VIDEO.mp4", str(path))
        pieces[model] = mine
    everywhere = set.intersection(*(set(mine) for mine in pieces.values()))
    for model, mine in pieces.items():
        lone = sorted(set(mine) - everywhere)
        left_out += [f"{video} of {model} has no piece of every other model" for video in lone]
    return pieces, left_out


def _genres(table: Path | None, videos: set[str]) -> dict[str, str]:
    """The genre of each video by a table with the columns ``video,genre``."""
    if table is None:
        return {}
    rows = csv.DictReader(read_text(table).splitlines())
    if rows.fieldnames is None or not {"video", "genre"} <= set(rows.fieldnames):
        raise MalformedFile(table, "this table needs the columns video,genre", 1)
    genres = {}
    try:
        for row in rows:
            if row["video"] in videos and row["genre"]:
                genres[str(row["video"])] = clean_line(str(row["genre"]))
    except csv.Error as error:
        raise MalformedFile(table, str(error), rows.line_num) from error
    return genres


def _tokens(count: int) -> list[str]:
    """Names that say nothing, not even in which order they were made."""
    return [secrets.token_hex(8) for _ in range(count)]


def _write_site(
    site: Path,
    config: Config,
    key: Key,
    pieces: Mapping[str, Mapping[str, Path]],
    places: list[list[int]],
    note: Callable[[str], object],
) -> None:
    site.mkdir()
    names: dict[tuple[str, str], str] = {}
    used = {piece for unit in key.trials.values() for piece in unit.pieces}
    for number, (model, video) in enumerate(sorted(used), 1):
        note(f"piece {number} of {len(used)}")
        names[model, video] = f"{secrets.token_hex(8)}.mp4"
        copy_blind(pieces[model][video], site / names[model, video])
    headphones = [f"{token}.wav" for token in _tokens(len(places))]
    for name, (quietest, antiphase) in zip(headphones, places, strict=True):
        (site / name).write_bytes(tones.headphone_check(quietest, antiphase))
    checks = {token: f"{secrets.token_hex(8)}.wav" for token in key.checks}
    for token, name in checks.items():
        (site / name).write_bytes(tones.tones_to_count(key.checks[token]))
    data = {
        "study": key.study,
        "consent": [line.strip() for line in config.consent.splitlines() if line.strip()],
        "hear": config.hear,
        "most_counted": tones.MOST_COUNTED,
        "headphones": headphones,
        "checks": checks,
        "questions": [
            {
                "name": each.name, "text": each.text, "kind": each.kind, "points": each.points,
                "low": each.low, "high": each.high, "experts": each.for_experts,
            }
            for each in key.questions
        ],
    }  # fmt: skip
    data |= _shown(key, names)
    page = PAGE.substitute(title=text(config.title), data=escape(json.dumps(data)))
    (site / "index.html").write_text(page, encoding="utf-8")
    web = resources("symmv_builder") / "study" / "web"
    (site / "study.js").write_bytes((web / "study.js").read_bytes())
    css = STYLE + (web / "study.css").read_text(encoding="utf-8")
    (site / "study.css").write_text(css, encoding="utf-8")


def _shown(key: Key, names: Mapping[tuple[str, str], str]) -> dict[str, object]:
    """Trials and sessions as the page has them: which piece is written first is drawn by lot."""
    turned = {name: secrets.randbits(1) == 1 for name in key.trials}
    trials = {
        name: {"kind": unit.kind, "media": _files(unit, names, turned=turned[name])}
        for name, unit in key.trials.items()
    }
    by_number = list(key.trials)
    checks = list(key.checks)
    sessions = [
        [
            [checks[shown.check], 0]
            if shown.unit < 0
            else [by_number[shown.unit], int(shown.is_swapped != turned[by_number[shown.unit]])]
            for shown in session
        ]
        for session in key.sessions
    ]
    return {"trials": trials, "sessions": sessions}


def _files(unit: Unit, names: Mapping[tuple[str, str], str], *, turned: bool) -> list[str]:
    names_of_files = [names[piece] for piece in unit.pieces]
    if unit.kind == "series":
        random.SystemRandom().shuffle(names_of_files)
        return names_of_files
    return names_of_files[::-1] if turned else names_of_files
