"""What the demo's video site shows: a pianist's channel, official videos, and decoys.

For every cover a search finds what searches find: the official video, and beside it lyric
videos, live versions, other people's covers, tutorials, other songs of that name and what
was taken down. Some are told by what they are called, some only by what they look or sound
like. What is true of each cover is written down, so that a crawl can be judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.demo.catalogue import Channel, Description, Failure, Upload
from symmv_builder.demo.media import DemoMedia
from symmv_builder.errors import Reason

PIANIST = Channel("loopback-keys", "Loopback Keys")
SOURCE = CrawlSource(
    kind="channel",
    ref=PIANIST.name,
    file=None,
    site="demo",
    name=PIANIST.title,
    reviewed="made for the demo",
    habits=Habits(strip=("by Loopback Keys",)),
)
WAITS = "review"


@dataclass(frozen=True, slots=True)
class Cover:
    """A video of the pianist's channel, its media, and what must become of it.

    `official` is the video that belongs to it; `outcome` the reason for which the pair is
    put aside, ``review`` where a person must look, empty where it becomes an entry.
    """

    video_id: str
    title: str
    media: str = ""
    official: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A video of somebody else. `media` names what is played, if anybody gets to see it."""

    video_id: str
    channel: str
    title: str
    views: int
    duration_s: float
    media: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """A site to crawl, the upload that comes to it later, and what is true of it.

    `paths` gives the file (as in `Truth.path`) of every video that a crawl may fetch.
    """

    description: Description
    later: Upload
    covers: Mapping[str, Cover]
    paths: Mapping[str, str]


_OWN = {
    "scott-joplin": "Scott Joplin",
    "frederic-chopin": "Frédéric Chopin",
    "clara-schumann": "Clara Schumann",
    "cpe-bach": "C. P. E. Bach",
    "mozart": "Mozart",
    "js-bach": "Johann Sebastian Bach",
    "franz-schubert": "Franz Schubert",
    "giuseppe-verdi": "Giuseppe Verdi",
    "erik-satie": "Erik Satie",
    "edvard-grieg": "Edvard Grieg",
}
_STRANGERS = {
    "chopin-topic": "Frédéric Chopin - Topic",
    "lyrics-lounge": "Lyrics Lounge",
    "six-strings": "Six Strings",
    "key-by-key": "Key by Key",
    "karaoke-night": "Karaoke Night",
    "old-uploads": "Old Uploads",
}

# The last one is uploaded when the first crawl is over.
COVERS = (
    Cover("cov-maple01", "Maple Leaf Rag - Scott Joplin | Piano Cover by Loopback Keys",
          "maple-leaf-rag", "off-maple01"),
    Cover("cov-mazur01", "Frédéric Chopin - Mazurka in C sharp minor, Op. 6 No. 2 (Piano Cover)",
          "mazurka-op6-no2", "off-mazur01"),
    Cover("cov-polon01", "Clara Schumann - Polonaise in E flat major, Op. 1 No. 1 | Piano Cover",
          "polonaise-op1-no1", "off-polon01"),
    Cover("cov-sonat01", "C. P. E. Bach - Sonata in A major, H. 186 (Piano Cover + Sheet Music)",
          "sonata-h186", "off-sonat01"),
    Cover("cov-prelu01", "Johann Sebastian Bach - Prelude in C major, BWV 846 [PIANO COVER]",
          "prelude-bwv846", "off-prelu01", Reason.STATIC_VIDEO),
    Cover("cov-linde01", "Der Lindenbaum - Franz Schubert (Piano Cover)",
          "lindenbaum", "off-linde01", Reason.LYRIC_VIDEO),
    Cover("cov-mazur02", "Frédéric Chopin - Mazurka in C sharp minor (Piano Cover)",
          "another-mazurka", "off-mazur02", Reason.DIFFERENT_SONG),
    Cover("cov-donna01", "La donna è mobile | Giuseppe Verdi | Piano Cover",
          "la-donna-e-mobile", "off-donna01", Reason.UNREADABLE),
    Cover("cov-satie01", "Erik Satie - Gymnopédie No. 1 (Piano Cover)",
          "", "off-satie01", Reason.VIDEO_REMOVED),
    Cover("cov-dream01", "Robert Schumann - Träumerei (Piano Cover)",
          "", "", Reason.NO_MATCH),
    Cover("cov-grieg01", "Edvard Grieg - Morning Mood (Piano Cover)",
          "", "liv-grieg01", WAITS),
    Cover("cov-thank01", "🎹 Piano Cover #shorts", "", "", Reason.UNPARSABLE_TITLE),
    Cover("cov-k545-01", "Mozart - Sonata in C major, K. 545 (Piano Cover)",
          "sonata-k545", "off-k545-01"),
)  # fmt: skip

_OTHERS = (
    Other("off-maple01", "scott-joplin", "Scott Joplin - Maple Leaf Rag (Official Video)",
          84_000_000, 62, "maple-leaf-rag"),
    Other("lyr-maple01", "scott-joplin", "Scott Joplin - Maple Leaf Rag (Official Lyric Video)",
          97_000_000, 64, "lyrics"),
    Other("liv-maple01", "scott-joplin", "Scott Joplin - Maple Leaf Rag (Live in Sedalia)",
          12_000_000, 71),
    Other("gtr-maple01", "six-strings", "Maple Leaf Rag - Scott Joplin (Guitar Cover)",
          450_000, 66),
    Other("off-mazur01", "frederic-chopin",
          "Frédéric Chopin - Mazurka in C sharp minor, Op. 6 No. 2 (Official Video)",
          31_000_000, 62, "mazurka-op6-no2"),
    Other("top-mazur01", "chopin-topic", "Mazurka in C sharp minor, Op. 6 No. 2", 2_400_000, 71),
    Other("fst-mazur01", "old-uploads",
          "Frédéric Chopin - Mazurka in C sharp minor, Op. 6 No. 2 (sped up)", 800_000, 61),
    Other("off-mazur02", "frederic-chopin",
          "Frédéric Chopin - Mazurka in C sharp minor (Official Video)",
          19_000_000, 62, "another-mazurka"),
    Other("off-polon01", "clara-schumann",
          "Clara Schumann - Polonaise in E flat major, Op. 1 No. 1 (Official Video)",
          27_000_000, 62, "polonaise-op1-no1"),
    Other("del-polon01", "clara-schumann",
          "Clara Schumann - Polonaise in E flat major, Op. 1 No. 1 (Official Music Video)",
          99_000_000, 62),
    Other("cho-polon01", "frederic-chopin",
          "Frédéric Chopin - Polonaise in E flat major (Official Video)", 40_000_000, 65),
    Other("off-sonat01", "cpe-bach", "C. P. E. Bach - Sonata in A major, H. 186 (Official Video)",
          11_000_000, 62, "sonata-h186"),
    Other("tut-sonat01", "key-by-key",
          "How to play: C. P. E. Bach - Sonata in A major, H. 186 (Piano Tutorial)", 260_000, 62),
    Other("off-k545-01", "mozart", "Mozart - Sonata in C major, K. 545 (Official Video)",
          120_000_000, 62, "sonata-k545"),
    Other("kar-k545-01", "karaoke-night", "Mozart - Sonata in C major, K. 545 (Karaoke Version)",
          340_000, 62),
    Other("off-prelu01", "js-bach",
          "Johann Sebastian Bach - Prelude in C major, BWV 846 (Official Video)",
          45_000_000, 62, "prelude-bwv846"),
    Other("off-linde01", "franz-schubert", "Franz Schubert - Der Lindenbaum (Official Video)",
          22_000_000, 62, "lindenbaum"),
    Other("off-donna01", "giuseppe-verdi", "Giuseppe Verdi - La donna è mobile (Official Video)",
          73_000_000, 62, "la-donna-e-mobile"),
    Other("off-satie01", "erik-satie", "Erik Satie - Gymnopédie No. 1 (Official Video)",
          64_000_000, 186),
    Other("lyr-dream01", "lyrics-lounge", "Robert Schumann - Träumerei (Lyrics)", 90_000, 165),
    Other("gtr-dream01", "six-strings", "Träumerei - Robert Schumann (Guitar Cover)", 120_000, 170),
    Other("liv-grieg01", "edvard-grieg", "Edvard Grieg - Morning Mood (Live in Bergen)",
          5_000_000, 231),
)  # fmt: skip

# What the site does to those who ask: two videos are gone, and once it has had enough of us.
FAILURES = (
    (Failure.REMOVED, "cov-satie01", None),
    (Failure.REMOVED, "del-polon01", None),
    (Failure.TOO_MANY_REQUESTS, "off-mazur01", 1),
    (Failure.CUT_ONCE, "off-maple01", None),
)
# Videos that nobody gets to see show this.
_UNSEEN = "site/lyrics-over-a-picture.mp4"


def build_world(media: DemoMedia) -> World:
    """Build the site out of the demo's media; ids, titles and dates are the same each time."""
    known_s = {truth.path: truth.duration_s for truth in media.truths}
    paths = {c.video_id: f"site/{c.media}.cover.flac" for c in COVERS if c.media}
    paths |= {o.video_id: f"site/{o.media}.video.mp4" for o in _OTHERS if o.media}
    paths["lyr-maple01"] = _UNSEEN
    pianist = [
        Upload(
            video_id=cover.video_id,
            title=cover.title,
            channel=PIANIST.name,
            media=media.folder / paths.get(cover.video_id, _UNSEEN),
            media_is_audio=cover.video_id in paths,
            duration_s=round(known_s[paths[cover.video_id]]) if cover.video_id in paths else 168.0,
            views=90_000 - 4_000 * number,
            uploaded=f"202501{number + 1:02d}",
        )
        for number, cover in enumerate(COVERS)
    ]
    others = [
        Upload(
            video_id=other.video_id,
            title=other.title,
            channel=other.channel,
            media=media.folder / paths.get(other.video_id, _UNSEEN),
            duration_s=other.duration_s,
            views=other.views,
            uploaded="20241224",
            height=240,
        )
        for other in _OTHERS
    ]
    channels = [PIANIST, *(Channel(name, title, verified=True) for name, title in _OWN.items())]
    channels += [Channel(name, title) for name, title in _STRANGERS.items()]
    return World(
        Description(tuple(channels), (*pianist[:-1], *others)),
        pianist[-1],
        {cover.video_id: cover for cover in COVERS},
        paths,
    )
