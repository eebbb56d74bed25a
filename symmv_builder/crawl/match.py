"""Which of a search's results is the song's official video.

Three things must agree: the song's title, its artist, and that the video comes from them.
GiantMIDI-Piano (Kong et al. 2022) keeps the result whose title holds the query's words:
97 % right with the artist's name in the title, 63 % without; Discogs-VI (Araz et al. 2024)
adds officiality, category and length. Here similarity of title and artist multiplies
everything else, so that nothing makes up for the wrong song, and each word that marks
another kind of video (lyric, live, cover, ...) is held against it unless the wanted song's
own name has that word. All comparison is of folded Unicode text, in any script.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz

from symmv_builder.crawl.titles import (
    ALONE,
    SAME_TITLE,
    channel_artist,
    flat,
    last_name_last,
    marks_of,
    named,
    parse_title,
    people,
    word_set,
)
from symmv_builder.errors import RejectEntry
from symmv_builder.records import Listing, ParsedTitle

Verdict = Literal["accept", "review", "reject"]

# Another kind of video of the song itself, perhaps of use to a person who looks at it.
SOFT_MARKS = frozenset({"lyric", "live", "audio", "visualizer", "remix", "acoustic", "dance"})
# Another recording, or no music video at all.
HARD_MARKS = frozenset(
    {
        "cover", "piano", "tutorial", "karaoke", "sheet music", "instrumental", "sped up", "slowed",
        "nightcore", "8d", "ai", "reaction", "teaser", "behind the scenes", "parody", "loop", "fan",
        "ringtone", "other instrument",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of each thing that counts, and the thresholds (scores are 0-1).

    The first seven add up to 1 for a perfect result; `soft` and `hard` are taken off for
    each word that speaks against it, `odd_length` where the length is impossible.
    """

    identity: float = 0.50
    channel: float = 0.20
    says_official: float = 0.12
    category: float = 0.05
    views: float = 0.05
    duration: float = 0.06
    date: float = 0.02
    soft: float = 0.30
    hard: float = 0.60
    odd_length: float = 0.30
    unknown_artist: float = 0.70
    accept: float = 0.82
    review: float = 0.50


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Precision and recall (0-1) of titles whose likeness reaches `threshold`.

    They were measured on `data` by `command`. A listing whose likeness of title times artist is
    below `threshold` is always rejected.
    """

    threshold: float
    precision: float
    recall: float
    data: str
    command: str

    def __str__(self) -> str:
        return (
            f"titles match from {self.threshold:.2f} up: precision {self.precision:.3f}, recall "
            f"{self.recall:.3f} on {self.data} ({self.command})"
        )


def precision_and_recall(
    scored: Sequence[tuple[float, bool]], threshold: float
) -> tuple[float, float]:
    """Compute precision and recall (0-1) from a threshold up.

    `scored` are likenesses, and whether each is right.
    """
    accepted = [is_right for likeness, is_right in scored if likeness >= threshold]
    right, existing = sum(accepted), sum(is_right for _, is_right in scored)
    return right / len(accepted) if accepted else 0.0, right / existing if existing else 0.0


@dataclass(frozen=True, slots=True)
class ScoredListing:
    """A search result with its score, what the score is made of, and what follows from it."""

    listing: Listing
    score: float
    parts: tuple[tuple[str, float], ...]
    verdict: Verdict


# Measured with titles alone, as that list has them; GiantMIDI-Piano's own rule, its words
# contained in the title with the artist's surname, is .971 right.
CALIBRATION = CalibrationPoint(
    threshold=Weights().review,
    precision=0.978,
    recall=0.770,
    data="the 200 labelled titles of GiantMIDI-Piano",
    command="benchmarks/matching.py",
)


def query_of(song: ParsedTitle) -> str:
    """Write what to search for: "artist title official video"."""
    return " ".join(f"{song.artist} {song.title} official video".split())


def rank(
    song: ParsedTitle,
    listings: Sequence[Listing],
    *,
    cover_duration_s: float | None,
    cover_uploaded: str = "",
    weights: Weights = Weights(),
) -> list[ScoredListing]:
    """Score every listing, best first; equal scores are ordered by video id.

    `cover_duration_s` is how long the cover lasts, `None` where that is not known;
    `cover_uploaded` its date, ``YYYYMMDD`` or empty.
    """
    scored = [
        _score(song, listing, cover_duration_s, cover_uploaded, weights) for listing in listings
    ]
    return sorted(scored, key=lambda one: (-one.score, one.listing.source.video_id))


def _score(
    song: ParsedTitle,
    listing: Listing,
    cover_duration_s: float | None,
    cover_uploaded: str,
    weights: Weights,
) -> ScoredListing:
    title, artist = similarity(song, listing, weights.unknown_artist)
    marks = _marks_besides(song, listing)
    duration = duration_fit(listing.duration_s, cover_duration_s)
    shares = (
        ("channel", officiality(song, listing), weights.channel),
        ("says official", _official_score(marks, listing), weights.says_official),
        ("category", _category_score(listing), weights.category),
        ("views", _views_score(listing), weights.views),
        ("duration", duration, weights.duration),
        ("date", _date_score(listing.uploaded, cover_uploaded), weights.date),
    )
    support = weights.identity + sum(share * weight for _, share, weight in shares)
    against = _penalties(marks, listing, duration, weights)
    score = min(1.0, max(0.0, title * artist * support - sum(value for _, value in against)))
    score = round(score, 4)
    parts = (
        ("title", title),
        ("artist", artist),
        *((name, share) for name, share, _ in shares),
        *((f"against: {name}", -value) for name, value in against),
    )
    verdict: Verdict = (
        "accept" if score >= weights.accept else "review" if score >= weights.review else "reject"
    )
    return ScoredListing(listing, score, tuple((name, round(v, 4)) for name, v in parts), verdict)


def _marks_besides(song: ParsedTitle, listing: Listing) -> set[str]:
    """Marks of a listing's title apart from the words of the song's own name and artist."""
    text = flat(listing.title)
    own = set()
    for name in (flat(song.title), flat(song.artist)):
        if name and name in text:
            text = text.replace(name, " ", 1)
        else:
            own |= set(marks_of(name))
    return set(marks_of(text)) - own


_VIDEO_WORDS = ("mv", "m v", "pv", "music video", "video song", "videoclip", "musikvideo")


def _official_score(marks: set[str], listing: Listing) -> float:
    if "official" in marks:
        return 1.0
    title = flat(listing.title)
    return 0.7 if any(f" {word} " in f" {title} " for word in _VIDEO_WORDS) else 0.0


def similarity(
    song: ParsedTitle, listing: Listing, unknown_artist: float = 0.7
) -> tuple[float, float]:
    """Measure how like the song a listing's title (0-1) and artist (0-1) are.

    The listing's title is parsed; both readings of it count, and names may be written in
    two scripts. An artist that nobody knows is as like as `unknown_artist`.
    """
    try:
        parsed = parse_title(listing.title, channel=listing.channel)
    except RejectEntry:
        return 0.0, 0.0
    best = (0.0, 0.0)
    for artist, title in ((parsed.artist, parsed.title), (parsed.title, parsed.artist)):
        alike = _likeness(song.title, title)
        artist_score = (
            _artist_likeness(song, artist, listing, alike) if song.artist else unknown_artist
        )
        if alike * artist_score > best[0] * best[1] or best == (0.0, 0.0):
            best = (alike, artist_score)
    whole = flat(listing.title)
    if best[0] < 1.0 and _holds(whole, flat(song.title)):
        is_foreign = not _scripts(song.title) & _scripts(parsed.title)
        weight = 1.0 if is_foreign else 0.75
        artist_score = (
            _artist_likeness(song, parsed.artist, listing, weight) if song.artist else best[1]
        )
        best = max(best, (weight, artist_score), key=lambda pair: pair[0] * pair[1])
    if song.artist and _share_a_number(song.title, listing.title):
        artist_score = _artist_likeness(song, parsed.artist, listing, _SAME_NUMBER)
        best = max(best, (_SAME_NUMBER, artist_score), key=lambda pair: pair[0] * pair[1])
    return best


# How like two titles are that give a work of one composer the same catalogue number.
_SAME_NUMBER = 0.8
_NUMBER = re.compile(
    r"\b(op|opus|woo|bwv|hwv|buxwv|gwv|twv|wwv|kv|k|rv|d) ?(\d+)(?: ?(?:no?|nr) ?(\d+))?\b"
)
_SPELLED = {"opus": "op", "kv": "k"}


def _share_a_number(one: str, other: str) -> bool:
    """Check whether two titles name a work by the same catalogue number.

    ``Op. 10`` meets ``Op. 10 No. 1``, a piece of it; ``Op. 31 No. 1`` does not meet ``No. 2``.
    """
    return any(
        (_SPELLED.get(catalogue, catalogue), number)
        == (_SPELLED.get(other_catalogue, other_catalogue), other_number)
        and (not part or not other_part or part == other_part)
        for catalogue, number, part in _NUMBER.findall(flat(one))
        for other_catalogue, other_number, other_part in _NUMBER.findall(flat(other))
    )


def _artist_likeness(song: ParsedTitle, listed: str, listing: Listing, alike: float) -> float:
    """Compare names in any order: the wanted one among several, in the channel, or in the title.

    A person may be named by the surname; a common one alone counts where the titles are
    the same, by their likeness `alike`. A namesake is another artist.
    """
    artist = last_name_last(song.artist)
    best = 0.0
    where = flat(f"{listed} {listing.channel}")
    everything = flat(f"{listing.title} {listing.channel}")
    first = next(iter(_artists(artist)), "")
    for one in (flat(artist), *_artists(artist)):
        share = 1.0 if one in (flat(artist), first) else 0.9
        if _holds(where, one):
            best = max(best, share)
        elif _holds(everything, one):
            is_foreign = not _scripts(one) & _scripts(listed)
            best = max(best, share if is_foreign else 0.9 * share)
    for other in (flat(listed), *_artists(listed)):
        if not _is_part(other, flat(artist)):
            best = max(best, fuzz.token_sort_ratio(flat(artist), other) / 100.0)
    if best < 0.9:
        by_surname = _surname_likeness(song, listed, listing, alike)
        if by_surname is None:
            return 0.0
        best = max(best, by_surname)
    return best if best >= 0.6 else 0.0


_ARTICLES = word_set("the a an los las les la le el die der das os as")


def _is_part(name: str, whole: str) -> bool:
    """Check whether a name is some words of another one, which more than articles tell apart."""
    words, others = set(name.split()), set(whole.split())
    return words < others and not others - words <= _ARTICLES


def _surname_likeness(
    song: ParsedTitle, listed: str, listing: Listing, alike: float
) -> float | None:
    """Measure how surely the listing names a wanted person by surname; `None`: a namesake."""
    # A surname in the song's own name says nothing of who plays it.
    beside_title = re.sub(re.escape(song.title), " ", listing.title, count=1, flags=re.IGNORECASE)
    best, is_namesake = 0.0, False
    # Given names in the artist's own field outweigh a surname alone elsewhere.
    for person in people(song.artist):
        for text, is_artist in ((listed, True), (beside_title, False), (listing.channel, True)):
            share = named(person, text, is_artist=is_artist)
            if share == ALONE and person.is_common and alike < SAME_TITLE:
                share = 0.0
            is_namesake = is_namesake or (share is None and is_artist and text == listed)
            best = max(best, share or 0.0)
    return None if is_namesake and best <= ALONE else best


def _likeness(first: str, second: str) -> float:
    """Likeness of two songs' names, over every way in which they are written."""
    best = max(
        (
            min(share, other_share) * fuzz.ratio(one, other) / 100.0
            for one, share in _forms(first)
            for other, other_share in _forms(second)
        ),
        default=0.0,
    )
    return best if best >= 0.6 else 0.0


_VERSIONS = word_set("remix mix version edit taylors acoustic live part pt reprise demo")


def _forms(text: str) -> list[tuple[str, float]]:
    """List the ways to write a name, flat, each with its worth (1: nothing is left out).

    Whole; without its brackets; what they hold, where that is another script; and the
    words of each script. What a bracket in the same script adds makes another version.
    """
    outside, inside = _in_and_out(text)
    forms = [(flat(text), 1.0)]
    bare, bracketed = flat(outside), flat(inside)
    if bracketed and not _scripts(bare) & _scripts(bracketed):
        forms += [(bare, 1.0), (bracketed, 1.0)]
    elif bracketed:
        forms.append((bare, 0.8 if set(bracketed.split()) & _VERSIONS else 0.93))
    words = bare.split()
    latin = [word for word in words if _scripts(word) <= {"LATIN"}]
    if 0 < len(latin) < len(words):
        others = [word for word in words if word not in latin]
        forms += [(" ".join(latin), 0.97), (" ".join(others), 0.97)]
    return [(form, share) for form, share in dict(forms[::-1]).items() if form]


def _in_and_out(text: str) -> tuple[str, str]:
    """Split a text into what stands outside of brackets, and what stands inside."""
    depth = 0
    outside: list[str] = []
    inside: list[str] = []
    for character in text:
        if character in "([（［【「『":
            depth += 1
        elif character in ")]）］】」』":
            depth = max(depth - 1, 0)
        (inside if depth else outside).append(character)
    return "".join(outside), "".join(inside)


def _scripts(text: str) -> set[str]:
    return {unicodedata.name(c, "?").split()[0] for c in text if c.isalpha()}


def _holds(text: str, words: str) -> bool:
    """Check whether a flat text holds flat words as a run of whole words, or spaces left out."""
    if not words:
        return False
    if f" {words} " in f" {text} ":
        return True
    return not words.isascii() and words.replace(" ", "") in text.replace(" ", "")


_NOT_THE_ARTIST = word_set(
    "fan fans fanclub fanpage cover covers lyrics lyric karaoke piano archive archives daily "
    "updates tribute unofficial live news reaction reacts remix remixes nation world best edits "
    "translations sub subs clips forever collection letras hits tutorials backup"
)
_LABELS = (
    "records", "recordings", "entertainment", "labels", "label", "smtown", "1thek", "t series",
    "warner", "universal music", "sony music", "zee music", "saregama", "nocopyrightsounds",
    "spinnin", "ultra music", "monstercat", "yrf", "aniplex", "avex", "kontor", "polydor",
    "atlantic", "stone music", "walt disney", "disney music", "disneymusicvevo", "rock records",
    "grammy gold", "гамма", "華納", "索尼音樂", "環球音樂", "滾石唱片", "滚石唱片", "相信音樂",
    "杰威爾", "rimas", "mazzika", "rotana", "capitol", "columbia", "interscope", "island",
    "epitaph", "melon", "believe",
)  # fmt: skip


def officiality(song: ParsedTitle, listing: Listing) -> float:
    """Measure how surely the channel speaks for the artist, 0-1.

    VEVO and the artist's own channel most, a label's, a verified one, and least an
    automatic channel (``- Topic``), whose videos are still pictures.
    """
    channel = flat(listing.channel)
    if channel.endswith(" topic") or "provided to youtube by" in listing.description.casefold():
        return 0.3
    owner = flat(channel_artist(listing.channel))
    own = any(_is_owner(one, owner, channel) for one in _artists(song.artist))
    own = own or _owns_translation(song, listing, owner, channel)
    if not own and _is_another_artist(listing, owner, channel):
        return 0.1
    if own:
        return 1.0 if listing.channel_is_verified or channel.endswith("vevo") else 0.8
    if any(_holds(channel, label) for label in _LABELS):
        return 0.8 if listing.channel_is_verified else 0.4
    if channel.endswith("vevo"):
        words = flat(song.artist).split()
        return 0.9 if any(len(word) > 4 and word in channel for word in words) else 0.2
    return 0.5 if listing.channel_is_verified else 0.0


def _is_another_artist(listing: Listing, owner: str, channel: str) -> bool:
    """Check whether the channel is another performer's whom the title names."""
    try:
        performer = parse_title(listing.title).artist
    except RejectEntry:
        return False
    return any(_is_owner(one, owner, channel) for one in _artists(performer))


def _owns_translation(song: ParsedTitle, listing: Listing, owner: str, channel: str) -> bool:
    """Check whether the channel's artist is the wanted one in another script, by the listing."""
    try:
        performer = parse_title(listing.title).artist
    except RejectEntry:
        return False
    if not performer or not song.artist or _scripts(performer) & _scripts(song.artist):
        return False
    is_named = any(_is_owner(one, owner, channel) for one in _artists(performer))
    return is_named and _holds(flat(listing.title), flat(song.artist))


def _artists(name: str) -> list[str]:
    """List each performer's name, flat: of ``A, B & C`` three; both of ``宇多田ヒカル (Utada)``."""
    for mark in (" & ", " x ", " X ", " and ", " y ", "、"):
        name = name.replace(mark, ",")
    return [form for part in name.split(",") for form, share in _forms(part) if share >= 0.93]


def _is_owner(artist: str, owner: str, channel: str) -> bool:
    if not artist:
        return False
    if artist.replace(" ", "") == owner.replace(" ", ""):
        return True
    others = set(channel.split()) - set(artist.split())
    return _holds(channel, artist) and not others & _NOT_THE_ARTIST and len(others) <= 3


def duration_fit(duration_s: float | None, cover_duration_s: float | None) -> float:
    """Compare lengths: 1 within a quarter, 0 where one is over twice the other, 0.5 unknown."""
    if not duration_s or not cover_duration_s:
        return 0.5
    octaves = abs(math.log2(duration_s / cover_duration_s))
    nearest, farthest = math.log2(1.25), math.log2(2.2)
    return min(1.0, max(0.0, (farthest - octaves) / (farthest - nearest)))


def _penalties(
    marks: set[str], listing: Listing, duration: float, weights: Weights
) -> list[tuple[str, float]]:
    penalties = [(mark, weights.soft) for mark in sorted(marks & SOFT_MARKS)]
    penalties += [(mark, weights.hard) for mark in sorted(marks & HARD_MARKS)]
    seconds = listing.duration_s
    if duration == 0.0 or (seconds is not None and not 60.0 <= seconds <= 1200.0):
        penalties.append(("length", weights.odd_length))
    if listing.live_status in ("is_live", "is_upcoming", "post_live"):
        penalties.append(("broadcast", weights.hard))
    return penalties


def _date_score(uploaded: str, cover_uploaded: str) -> float:
    """Give 1 where the video was there before its cover, 0 where it came after; 0.5 unknown.

    Of two uploads by the artist the older is the original; a later one is often another cut.
    """
    return float(uploaded <= cover_uploaded) if uploaded and cover_uploaded else 0.5


def _category_score(listing: Listing) -> float:
    return float("Music" in listing.categories) if listing.categories else 0.5


def _views_score(listing: Listing) -> float:
    """Scale views: 0 for none, 1 for a hundred million, by orders of magnitude; 0.5 unknown."""
    if listing.view_count is None:
        return 0.5
    return min(1.0, math.log10(listing.view_count + 1) / 8.0)
