"""Figures of the columns of vectors, CLIP in a plane and colour, and what looks like a copy."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from symmv_builder.datasets.statistics.figures import named, top_genres
from symmv_builder.datasets.statistics.songs import Songs, same_song
from symmv_builder.datasets.statistics.vectors import Means, near_pairs, project
from symmv_builder.report.contact_sheet import tints
from symmv_builder.report.figure import Figure, PointChart, TableFigure, Tints

# Two videos whose mean CLIP embeddings point so alike are looked at as copies.
NEAR = 0.995
_MOST_PAIRS = 20
_EXAMPLES = 3


def plane_of_clip(songs: Songs, means: Means | None, in_python: Callable[[str], str]) -> Figure:
    """Project the mean CLIP embedding of each video to the plane of its two principal components.

    SymMV's Fig. 3 (b) uses t-SNE, whose axes and distances between groups mean nothing; these do.
    """
    about = (
        "Mean CLIP embedding of each video on the first two principal components, by genre and "
        "split (SymMV, Fig. 3 b, draws it by t-SNE)."
    )
    title = "What videos show"
    if means is None:
        return Figure("clip", title, about, absent="the shards have no column semantic")
    places, explained = project(means.values)
    frequent = top_genres(songs)
    genres = [g if g in frequent else ("other" if g else named("")) for g in means.genres]
    content = PointChart(
        tuple(np.round(places[:, 0], 4).tolist()),
        tuple(np.round(places[:, 1], 4).tolist()),
        tuple(genres),
        means.splits,
        (round(explained[0], 4), round(explained[1], 4)),
    )
    return Figure("clip", title, about + _sampled(means, songs), in_python("clip"), content)


def colours(songs: Songs, means: Means | None, in_python: Callable[[str], str]) -> Figure:
    """Average the histograms of colour of all videos and of each frequent genre, as tints."""
    about = "Mean histogram of colour (RGB-uv), each tint as wide as its share of the light."
    title = "Colour by genre"
    if means is None:
        return Figure("colour", title, about, absent="the shards have no column colour")
    groups: dict[str, NDArray[np.bool_]] = {"all": np.ones(len(means.entries), dtype=bool)}
    genres = np.array(means.genres)
    groups |= {name: genres == name for name in top_genres(songs)}
    rows = {
        name: _as_hex(tints(means.values[which].mean(axis=0)))
        for name, which in groups.items()
        if which.any()
    }
    about += _sampled(means, songs)
    return Figure("colour", title, about, in_python("colour"), Tints(rows))


def _sampled(means: Means, songs: Songs) -> str:
    if len(means.entries) == len(songs):
        return ""
    return f" Of {len(means.entries)} of the {len(songs)} rows, evenly spread."


def _as_hex(table: NDArray[np.float64]) -> tuple[str, ...]:
    whole = np.rint(np.clip(table, 0, 1) * 255).astype(int).tolist()
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in whole)


def copies(songs: Songs, means: Means | None) -> Figure:
    """Find what stands in several rows: bytes, addresses, songs, and nearly equal pictures."""
    rows: list[tuple[str | int | float, ...]] = []
    ids, splits = (
        songs.texts["entry_id"],
        dict(zip(songs.texts["entry_id"], songs.texts.get("split", []), strict=False)),
    )

    def add(what: str, groups: Iterable[list[str]]) -> None:
        copied = [group for group in groups if len(group) > 1]
        torn = sum(len({splits.get(name, "") for name in group}) > 1 for group in copied)
        examples = "; ".join(" = ".join(group[:4]) for group in copied[:_EXAMPLES])
        rows.append((what, len(copied), sum(map(len, copied)), torn, examples))

    for what, column in (
        ("the music's bytes", "music_sha256"),
        ("the video's bytes", "video_sha256"),
        ("the music's address", "music_url"),
        ("the video's address", "video_url"),
        ("the song", "song_id"),
    ):
        if column in songs.texts:
            add(what, _groups(ids, songs.texts[column]))
    if {"title", "artist", "song_id"} <= songs.texts.keys():
        names = map(same_song, songs.texts["title"], songs.texts["artist"])
        song_of = dict(zip(ids, songs.texts["song_id"], strict=True))
        groups = _groups(ids, list(names))
        add(
            "title and artist, as another song",
            (group for group in groups if len({song_of[name] for name in group}) > 1),
        )
    if means is not None:
        pairs = near_pairs(means, NEAR, _MOST_PAIRS)
        add(f"nearly the pictures (CLIP, cosine from {NEAR})", [[a, b] for a, b, _ in pairs])
    heads = ("what is the same", "groups", "entries", "in several splits", "examples")
    about = (
        "Rows that have something in common. A group in several splits makes a test easier than it "
        f"looks. Of near pictures the {_MOST_PAIRS} nearest pairs of the sampled rows are listed."
    )
    query = (
        "SELECT music_sha256, list(entry_id) FROM 'shards/*.parquet' GROUP BY music_sha256 "
        "HAVING count(*) > 1"
    )
    return Figure("copies", "Copies and near copies", about, query, TableFigure(heads, tuple(rows)))


def _groups(ids: list[str], values: list[str]) -> list[list[str]]:
    """Group entries by a value that is not empty, the largest groups first."""
    repeated = {value for value, count in Counter(values).items() if count > 1 and value}
    groups: dict[str, list[str]] = defaultdict(list)
    for name, value in zip(ids, values, strict=True):
        if value in repeated:
            groups[value].append(name)
    return sorted(groups.values(), key=lambda group: (-len(group), group))
