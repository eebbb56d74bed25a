"""What a song is called and what kind it is, by listening, checked against its title.

A service hears whether it knows a recording; a piano cover is often unknown to it, or
taken for another. So its answer counts only where it agrees with what was parsed out of
the video's title, and where it does not, the title stands and what was heard is noted.
No answer is no reason to lose an entry.
"""

import re
import unicodedata
from pathlib import Path

from rapidfuzz import fuzz

from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.slots import SongModel
from symmv_builder.errors import RetryLater
from symmv_builder.pipeline.step import Step
from symmv_builder.records import SongInfo


def identify(
    music: Path,
    *,
    parsed_title: str = "",
    parsed_artist: str = "",
    min_similarity: float = 0.6,
    excerpts: int = 3,
    model: SongModel,
) -> SongInfo:
    """Identify the song in a recording: title, artist, genre and numbers.

    Up to `excerpts` places are listened to until one gives a song whose title and artist
    are like the parsed ones (`agreement` of at least `min_similarity`). Else the parsed ones
    stand, ``identified_by`` is ``title`` (empty where nothing was parsed), and ``note``
    says what was heard or why nothing was. Errors are `read_sound`'s.
    """
    samples = read_sound(music, rate_hz=model.rate_hz, mono=True).samples[:, 0]
    by_title = "title" if parsed_title else ""
    note = "no song was recognised"
    for start, end in _places(len(samples), round(model.excerpt_s * model.rate_hz), excerpts):
        try:
            answer = model.recognise(samples[start:end])
        except RetryLater as error:
            return SongInfo(parsed_title, parsed_artist, identified_by=by_title, note=str(error))
        if answer is None:
            continue
        likeness = agreement(answer, parsed_title, parsed_artist)
        if likeness >= min_similarity:
            return answer
        note = f"heard {answer.artist} - {answer.title}, agreement {likeness:.2f}"
    return SongInfo(parsed_title, parsed_artist, identified_by=by_title, note=note)


def agreement(answer: SongInfo, title: str, artist: str) -> float:
    """Measure how alike the heard song and the parsed title and artist are, 0-1: the worse of both.

    What was not parsed agrees. Order, case, accents, brackets and featured artists do not
    count, and one of several artists is enough; scripts are kept, so that a Korean title is
    compared as such.
    """
    likenesses = [1.0]
    if title:
        likenesses.append(fuzz.token_sort_ratio(_plain(answer.title), _plain(title)) / 100.0)
    if artist:
        likenesses.append(fuzz.token_set_ratio(_plain(answer.artist), _plain(artist)) / 100.0)
    return min(likenesses)


def _plain(text: str) -> str:
    """Lower-case words without accents, brackets and featured artists."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    outside = re.sub(r"[(\[{（【].*?[)\]}）】]", " ", bare)
    unfeatured = re.split(r"\b(?:feat|ft|featuring)\b", outside)[0]
    # A title may stand in brackets as a whole.
    name = unfeatured if re.search(r"[^\W_]", unfeatured) else bare
    return " ".join(re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", name)).split())


def _places(length: int, size: int, count: int) -> list[tuple[int, int]]:
    """Choose where to listen: the middle first, then towards both ends."""
    if length <= size:
        return [(0, length)]
    centres = [0.5, *(0.5 + side * 0.25 / ring for ring in range(1, count) for side in (-1, 1))]
    starts = (round(centre * length - size / 2) for centre in centres[:count])
    clipped = dict.fromkeys(min(max(0, start), length - size) for start in starts)
    return [(start, start + size) for start in clipped]


STEP = Step("identify", 1, reads=("music",), run=identify, slot="songs")
