"""The figures of a report out of what was read of the rows: the papers' own, and more.

SymMV shows tempo and chords by genre and CLIP in a plane (Zhuo et al., ICCV 2023, Fig. 3),
MuVi-Sync its chords and keys (Kang et al., 2024, Fig. 4 and 5). Each figure has the query that
makes its numbers; those in SQL run in the dataset's folder, by duckdb for example.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from symmv_builder.datasets.statistics.harmony import ordered
from symmv_builder.datasets.statistics.lists import Numbers, Whole
from symmv_builder.datasets.statistics.songs import DENSITY_EDGES, LOUDNESS_EDGES, Songs
from symmv_builder.report.figure import (
    Bands,
    BarChart,
    Content,
    Curves,
    Figure,
    Histogram,
    Matrix,
    TableFigure,
)
from symmv_builder.vocab import EMOTIONS

TOP = 30
GENRES = 5
UNKNOWN = "unknown"
_FROM = "FROM 'shards/*.parquet'"
_BINS = 30
_GRID_BPM = np.linspace(40.0, 220.0, 181)
_CHORDS_BY_GENRE = 10
_CHORDS_LOOKED_AT = 20
_CHORDS_IN_CHANGES = 12
_LENGTH = ("music_duration_s",)
_CHORDS = ("chords_labels", "chords_starts_s", "chords_ends_s")
_KEY = ("key_tonic", "key_mode")


def figures_of(songs: Songs, in_python: Callable[[str], str]) -> list[Figure]:
    """Make the figures of the small columns.

    `in_python` gives the call that makes one of a name.
    """

    def figure(
        name: str,
        title: str,
        about: str,
        columns: Sequence[str],
        query: str,
        make: Callable[[], Content | None],
    ) -> Figure:
        missing = [column for column in columns if column not in songs.columns]
        if missing:
            why = f"the shards have no column {', '.join(missing)}"
            return Figure(name, title, about, absent=why)
        content = make()
        absent = "" if content else "no row has a value"
        return Figure(name, title, about, query or in_python(name), content, absent)

    def per_entry(
        name: str, title: str, about: str, columns: Sequence[str], query: str, unit: str
    ) -> Figure:
        measure = name if name in songs.measures else columns[0]
        return figure(
            name, title, about, columns, query, lambda: histogram(songs.measures[measure], unit)
        )

    return [
        per_entry(
            "length", "Length of the music", "Seconds of each recording.",
            _LENGTH, f"SELECT music_duration_s {_FROM}", "s",
        ),
        figure(
            "tempo", "Tempo by genre",
            "Density of tempo in the five most frequent genres (SymMV, Fig. 3 a): Gaussian "
            "kernels, bandwidth by Scott's rule.",
            ("tempo_bpm",), f"SELECT genre, tempo_bpm {_FROM}", lambda: tempo_by_genre(songs),
        ),
        figure(
            "keys", f"Keys, the {TOP} most frequent",
            "Entries in each key, before anything is transposed (Video2Music, Fig. 5).",
            _KEY, f"SELECT key_tonic, key_mode, count(*) {_FROM} GROUP BY ALL ORDER BY 3 DESC",
            lambda: keys(songs),
        ),
        figure(
            "chords_written", f"Chords as they stand, the {TOP} most frequent",
            "Share of the time of all chords.",
            _CHORDS,
            "SELECT label, sum(e - s) FROM (SELECT unnest(chords_labels) AS label, "
            f"unnest(chords_starts_s) AS s, unnest(chords_ends_s) AS e {_FROM}) "
            "GROUP BY label ORDER BY 2 DESC",
            lambda: top_chords(dict(ordered(songs.harmony.plain_seconds))),
        ),
        figure(
            "chords", f"Chords in C major or A minor, the {TOP} most frequent",
            "Share of the time after each song is transposed by its key (Video2Music, Fig. 4).",
            (*_CHORDS, *_KEY), "", lambda: top_chords(songs.harmony.shares()),
        ),
        figure(
            "chords_by_genre", "Chords by genre",
            f"Share of the time in the five most frequent genres, transposed: of the "
            f"{_CHORDS_LOOKED_AT} most frequent chords the {_CHORDS_BY_GENRE} that differ most "
            "between genres (SymMV, Fig. 3 c).",
            (*_CHORDS, *_KEY, "genre"), "", lambda: chords_by_genre(songs),
        ),
        figure(
            "chord_changes", "Chord transitions",
            "Of all changes from one chord (row), the share that leads to another (column); "
            f"transposed, the {_CHORDS_IN_CHANGES} most frequent chords.",
            (*_CHORDS, *_KEY), "", lambda: chord_changes(songs),
        ),
        per_entry(
            "notes", "Notes", "Notes of each entry.",
            ("notes_starts_s",), f"SELECT len(notes_starts_s) {_FROM}", "notes",
        ),
        figure(
            "pitches", "Pitches", "Notes of each pitch over all entries; 60 is the middle C.",
            ("notes_pitches",),
            f"SELECT p, count(*) FROM (SELECT unnest(notes_pitches) AS p {_FROM}) GROUP BY p",
            lambda: counted(np.arange(129, dtype=np.float64) - 0.5, songs.pitches, "MIDI number"),
        ),
        per_entry(
            "notes_a_second", "Onsets a second", "Notes of each entry over its seconds.",
            ("notes_starts_s", *_LENGTH),
            f"SELECT len(notes_starts_s) / music_duration_s {_FROM}", "notes a second",
        ),
        figure(
            "density", "Note density", "Notes that sound in each second (Video2Music, Fig. 2).",
            ("density",),
            f"SELECT d, count(*) FROM (SELECT unnest(density) AS d {_FROM}) GROUP BY d",
            lambda: counted(DENSITY_EDGES, songs.density, "notes"),
        ),
        figure(
            "loudness", "Loudness", "Root mean square of each second, over full scale.",
            ("loudness",), f"SELECT unnest(loudness) {_FROM}",
            lambda: counted(LOUDNESS_EDGES, songs.loudness, "of full scale"),
        ),
        per_entry(
            "scenes_a_minute", "Scenes a minute", "Shots of each video over its minutes.",
            ("scenes_starts_s", "video_duration_s"),
            f"SELECT 60 * len(scenes_starts_s) / video_duration_s {_FROM}", "scenes a minute",
        ),
        per_entry(
            "motion", "Motion", "Mean of each video's motion: absolute difference of RGB values.",
            ("motion",), f"SELECT list_avg(motion) {_FROM}", "of 255",
        ),
        figure(
            "emotion", "Emotion over time",
            "Probability of six words by CLIP, mean over all videos in twentieths of their length.",
            ("emotion",), "", lambda: emotion(songs),
        ),
        figure(
            "splits", "Splits", "What each split holds.",
            ("split", *_LENGTH),
            "SELECT split, count(*), count(DISTINCT song_id), sum(music_duration_s) / 3600 "
            f"{_FROM} GROUP BY split",
            lambda: splits(songs),
        ),
        figure(
            "split_genres", "Genres by split",
            "Share of the entries of each split; splits that are alike have like rows.",
            ("split", "genre"), f"SELECT split, genre, count(*) {_FROM} GROUP BY ALL",
            lambda: split_genres(songs),
        ),
    ]  # fmt: skip


def named(genre: str) -> str:
    """Name a genre as it is shown."""
    return genre or UNKNOWN


def top_genres(songs: Songs, count: int = GENRES) -> list[str]:
    """List the most frequent genres that are known."""
    return [name for name, _ in ordered(Counter(filter(None, songs.genres)))[:count]]


def histogram(values: Numbers, unit: str) -> Histogram | None:
    """Count thirty bins between the 0.5 % and 99.5 % quantiles.

    What lies outside is in the outer.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = np.quantile(finite, [0.005, 0.995])
    edges = np.linspace(low, high, _BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    counts = np.histogram(np.clip(finite, edges[0], edges[-1]), edges)[0]
    return counted(edges, counts, unit, finite)


def counted(
    edges: Numbers, counts: Whole, unit: str, values: Numbers | None = None
) -> Histogram | None:
    """Make a histogram of counts, no empty bins at its ends; quantiles of `values`, or of bins."""
    table = counts.astype(np.int64)
    if not table.any():
        return None
    first, last = np.flatnonzero(table)[[0, -1]].tolist()
    if values is None:
        shares = np.cumsum(table) / table.sum()
        middles = (edges[1:] + edges[:-1]) / 2
        low, median, high = (float(middles[np.searchsorted(shares, q)]) for q in (0.05, 0.5, 0.95))
    else:
        low, median, high = np.quantile(values, [0.05, 0.5, 0.95]).tolist()
    bounds = edges[first : last + 2]
    return Histogram(
        tuple(np.round(bounds, 6).tolist()), tuple(table[first : last + 1].tolist()), unit,
        round(median, 4), round(low, 4), round(high, 4),
    )  # fmt: skip


def density_curve(values: Numbers, grid: Numbers) -> Numbers:
    """Estimate a density ``[grid]`` by Gaussian kernels of Scott's width, n^(-1/5) deviations.

    Scott, "Multivariate Density Estimation" (1992). Values that are all equal have a width of one.
    """
    width = max(float(values.std(ddof=1)) * len(values) ** -0.2, 1e-9) if len(values) > 1 else 1.0
    if width < 1e-6:
        width = 1.0
    total = np.zeros(len(grid))
    for start in range(0, len(values), 4096):
        gaps = (grid[:, None] - values[None, start : start + 4096]) / width
        total += np.exp(-0.5 * gaps**2).sum(axis=1)
    return np.asarray(total / (len(values) * width * np.sqrt(2 * np.pi)), dtype=np.float64)


def tempo_by_genre(songs: Songs) -> Curves | None:
    """Tempo's density in all entries and in the most frequent genres of three entries or more."""
    tempo, genres = songs.measures["tempo_bpm"], np.array(songs.genres)
    is_known = np.isfinite(tempo) & (tempo > 0)
    groups = {"all": is_known}
    groups |= {name: is_known & (genres == name) for name in top_genres(songs)}
    by_genre = {name: tempo[which] for name, which in groups.items() if which.sum() >= 3}
    if not by_genre:
        return None
    return Curves(
        tuple(_GRID_BPM.tolist()),
        {
            name: tuple(np.round(density_curve(values, _GRID_BPM), 7).tolist())
            for name, values in by_genre.items()
        },
        "beats a minute",
        {name: len(values) for name, values in by_genre.items()},
    )


def keys(songs: Songs) -> BarChart | None:
    """Count entries by key, the most frequent first."""
    pairs = zip(songs.texts["key_tonic"], songs.texts["key_mode"], strict=True)
    counted = ordered(
        Counter(f"{tonic.replace('-', 'b')} {mode}" for tonic, mode in pairs if tonic)
    )
    if not counted:
        return None
    labels, counts = zip(*counted[:TOP], strict=True)
    return BarChart(labels, counts, "entries")


def top_chords(seconds: dict[str, float]) -> BarChart | None:
    """Share the time among labels that come with their seconds or shares, greatest first."""
    whole = sum(seconds.values())
    if whole <= 0:
        return None
    rows = list(seconds.items())[:TOP]
    return BarChart(
        tuple(label for label, _ in rows),
        tuple(round(value / whole, 6) for _, value in rows),
        "share of the time",
    )


def chords_by_genre(songs: Songs) -> Matrix | None:
    """Share out chords in genres: the chords that are frequent and differ between genres."""
    genres = top_genres(songs)
    shares = {genre: songs.harmony.shares_in(genre) for genre in genres}
    genres = [genre for genre in genres if shares[genre]]
    if not genres:
        return None
    frequent = list(songs.harmony.shares())[:_CHORDS_LOOKED_AT]
    spread = {
        label: float(np.var([shares[genre].get(label, 0.0) for genre in genres]))
        for label in frequent
    }
    labels = sorted(frequent, key=lambda label: -spread[label])[:_CHORDS_BY_GENRE]
    columns = [label for label in frequent if label in labels]
    values = [[round(shares[genre].get(label, 0.0), 5) for label in columns] for genre in genres]
    return _matrix(genres, columns, values, "chord", "genre")


def chord_changes(songs: Songs) -> Matrix | None:
    """Count where changes from the most frequent chords lead.

    The last column is any other chord.
    """
    changes = songs.harmony.changes
    labels = list(songs.harmony.shares())[:_CHORDS_IN_CHANGES]
    outgoing: Counter[str] = Counter()
    for (before, _), number in changes.items():
        outgoing[before] += number
    labels = [label for label in labels if outgoing[label]]
    if not labels:
        return None
    values = []
    for before in labels:
        row = [changes[before, after] / outgoing[before] for after in labels]
        values.append([round(value, 5) for value in (*row, max(0.0, 1 - sum(row)))])
    return _matrix(labels, [*labels, "other"], values, "to", "from")


def emotion(songs: Songs) -> Bands | None:
    """Average the share of each word in each part of the length."""
    whole = songs.emotion.sum(axis=0)
    if not whole.all():
        return None
    shares = np.round(songs.emotion / whole, 5)
    return Bands({word: tuple(row) for word, row in zip(EMOTIONS, shares.tolist(), strict=True)})


def splits(songs: Songs) -> TableFigure:
    """Count entries, songs and hours of each split."""
    names, seconds = songs.texts["split"], songs.measures["music_duration_s"]
    rows = []
    for name in sorted(set(names), key=_order_of_split):
        which = [number for number, each in enumerate(names) if each == name]
        hours = float(np.nansum(seconds[which])) / 3600
        count = len({songs.texts["song_id"][number] for number in which})
        share = f"{100 * len(which) / len(names):.1f} %"
        rows.append((name, len(which), share, count, round(hours, 2)))
    return TableFigure(("split", "entries", "share", "songs", "hours of music"), tuple(rows))


def split_genres(songs: Songs) -> Matrix | None:
    """Count the shares of genres within splits."""
    frequent = top_genres(songs, 8)
    genres = [name if name in frequent or not name else "other" for name in songs.genres]
    columns = [
        *frequent,
        *(["other"] if "other" in genres else []),
        *([""] if "" in genres else []),
    ]
    names = sorted(set(songs.texts["split"]), key=_order_of_split)
    counts = Counter(zip(songs.texts["split"], genres, strict=True))
    values = []
    for name in names:
        whole = sum(counts[name, genre] for genre in columns) or 1
        values.append([round(counts[name, genre] / whole, 5) for genre in columns])
    return _matrix(names, [named(genre) for genre in columns], values, "genre", "split")


def _order_of_split(name: str) -> tuple[int, str]:
    order = ("train", "validation", "test")
    return (order.index(name) if name in order else len(order), name)


def _matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    across: str,
    down: str,
) -> Matrix:
    return Matrix(tuple(rows), tuple(columns), tuple(map(tuple, values)), across, down)
