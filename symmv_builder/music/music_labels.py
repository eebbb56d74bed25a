"""Genre and instruments of a recording, guessed from its tags.

The column `genre` of every row is Shazam's, and empty where Shazam knows no such song, as for
music of films. These labels are columns of their own, so that it is plain who said so: a guess by
musicnn, whose tags are those of MagnaTagATune's listeners (much classical and electronic music).
"""

import numpy as np

from symmv_builder.pipeline.step import Step
from symmv_builder.records import MusicLabels, TagTrack
from symmv_builder.schema import Column

GENRES = (
    *("classical", "techno", "electronic", "rock", "ambient", "indian", "opera", "pop", "new age"),
    *("dance", "country", "metal", "choral"),
)
INSTRUMENTS = (
    *("guitar", "strings", "drums", "piano", "violin", "synth", "harpsichord", "flute", "sitar"),
    *("harp", "cello"),
)


def label_music(
    music_tags: TagTrack, *, min_genre: float = 0.1, min_instrument: float = 0.2
) -> MusicLabels:
    """Name the genre whose mean likelihood is greatest, and the instruments that reach theirs.

    Means are over the whole recording, 0-1. The genre is empty where none reaches `min_genre`;
    instruments stand in the order of their likelihood.
    """
    nothing = np.zeros(len(music_tags.tags))
    means = music_tags.values.mean(axis=0) if len(music_tags.values) else nothing
    by_tag = dict(zip(music_tags.tags, means.tolist(), strict=True))
    genre = max(GENRES, key=lambda tag: by_tag.get(tag, 0.0))
    likelihood = by_tag.get(genre, 0.0)
    playing = [tag for tag in INSTRUMENTS if by_tag.get(tag, 0.0) >= min_instrument]
    playing.sort(key=lambda tag: -by_tag[tag])
    return MusicLabels(genre if likelihood >= min_genre else "", likelihood, tuple(playing))


STEP = Step(
    "music_labels",
    1,
    ("music_tags",),
    label_music,
    columns=(
        Column("genre_by_tags", "string", "", "likeliest genre among the tags", "genre"),
        Column(
            "genre_by_tags_likelihood", "float32", "0-1", "its mean likelihood", "genre_likelihood"
        ),
        Column("instruments", "list<string>", "", "instruments among the tags", "instruments"),
    ),
)
