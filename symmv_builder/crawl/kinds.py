"""What kind of video a listing is of: music video, film, vlog, and so on.

GVMGen's dataset is made of films, vlogs, documentaries and comics beside music videos, and V2M
leaves out interviews, news and games. Neither says how it told them apart. Here it is rules over
the title, the site's category and the uploader's tags, in an order in which the surer comes first.
``benchmarks/kinds.py`` measures them.
"""

import re
from collections.abc import Iterable

from symmv_builder.crawl.titles import fold
from symmv_builder.records import Listing
from symmv_builder.vocab import VIDEO_KINDS

# `other` is what has no music that was made or chosen for its pictures; empty is not known.
KINDS = VIDEO_KINDS
OTHER = "other"
# Chinese, Japanese, and Korean, whose particles are written on to a word.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def _phrases(text: str) -> tuple[str, ...]:
    """Folded phrases of a comma-separated list, as they are looked for.

    A phrase stands between blanks, but in scripts that write words without them.
    """
    folded = (fold(part) for part in text.replace("\n", " ").split(",") if part.strip())
    return tuple(part if _UNSPACED.search(part) else f" {part} " for part in folded)


# What a title says of the whole video, whatever else stands in it. The first that fits counts.
_TITLE_PHRASES = (
    (
        OTHER,
        _phrases(
            "interview, interviews, podcast, breaking news, news, press conference, reaction, "
            "reacts, reacts to, reacting to, react to, review, tutorial, how to, explained, "
            "unboxing, lecture, behind the scenes, making of, making film, karaoke, q a, "
            "lesson, keynote, highlights, full match, asmr, mv reaction, video reaction, "
            "first time hearing, first time watching, ranking, recap, 采访, 新闻, インタビュー, "
            "인터뷰, entrevista, noticias, tagesschau, nachrichten, новости, интервью, "
            "reaccion, reacción, test"
        ),
    ),
    (
        "dance",
        _phrases(
            "dance practice, dance cover, dance video, choreography, choreography video, "
            "dance performance, performance video, dance challenge, dance tutorial, "
            "dance battle, street dance, ballet, contemporary dance, dance film, pas de deux, "
            "flashmob, flash mob, 안무, 안무영상, 踊ってみた, 编舞, 舞蹈, 翻跳, coreografia, "
            "coreografía, choreo, pole dance, tap dance, dance crew, world of dance, "
            "random play dance, salsa dance, tango dance, dance showcase"
        ),
    ),
    (
        "trailer",
        _phrases(
            "official trailer, trailer, teaser, teaser trailer, teaser trailer 1, tv spot, "
            "bande annonce, tráiler, trailer oficial, трейлер, тизер, 预告, 预告片, 預告, 予告, "
            "予告編, 特報, 예고편, sneak peek, first look, announcement trailer, "
            "launch trailer, filmvorschau, fragman"
        ),
    ),
    (
        "comic",
        _phrases(
            "amv, anime music video, motion comic, webtoon, manga, animated short, "
            "animated short film, animation short film, animatic, cartoon, cartoons, "
            "anime opening, anime ending, comic dub, アニメ, 漫画, 动画, 动画短片, 動畫, "
            "애니메이션, мультфильм, dibujos animados, dessin animé, zeichentrick, stop motion, "
            "claymation, cgi animated short, 3d animation, comic, comics, anime"
        ),
    ),
    (
        "mv",
        _phrases(
            "official music video, official video, music video, official mv, official m v, mv, "
            "m v, pv, official video clip, official clip, clip officiel, videoclip, "
            "videoclip oficial, video oficial, vídeo oficial, clipe oficial, "
            "videoclipe oficial, offizielles video, musikvideo, video ufficiale, "
            "official lyric video, official visualizer, visualizer, official hd video, "
            "официальный клип, клип, teledysk, oficjalny teledysk, resmi video, 官方mv, "
            "뮤직비디오, ミュージックビデオ, official 4k video, directors cut video, "
            "official audio, lyric video"
        ),
    ),
    (
        "documentary",
        _phrases(
            "documentary, documentaries, full documentary, docuseries, mini documentary, "
            "documental, documentario, documentário, documentaire, dokumentation, doku, "
            "dokumentarfilm, wildlife, natural history, planet earth, national geographic, "
            "nat geo, bbc earth, 纪录片, 紀錄片, ドキュメンタリー, 다큐멘터리, 다큐, "
            "документальный, документальный фильм, belgesel, true story of"
        ),
    ),
    (
        "game",
        _phrases(
            "gameplay, walkthrough, lets play, playthrough, speedrun, longplay, no commentary, "
            "boss fight, all bosses, game movie, all cutscenes, cutscenes, cinematic cutscene, "
            "full game, minecraft, roblox, fortnite, video game, nes, snes, sega genesis, "
            "playstation, ps5, ps4, xbox, nintendo, speedruns, 实况, 实况解说, ゲーム実況, "
            "실황, прохождение, летсплей, 100 percent, guía del juego, any world record, "
            "esports, ranked match"
        ),
    ),
    (
        "vlog",
        _phrases(
            "vlog, vlogs, vlogmas, daily vlog, travel vlog, silent vlog, day in my life, "
            "a day in my life, days in my life, week in my life, my daily life, "
            "morning routine, night routine, travel diary, travel film, cinematic travel, "
            "cinematic vlog, study with me, come with me, spend the day, road trip, "
            "backpacking, solo trip, weekend in, life in, living alone, van life, vanlife, "
            "브이로그, 日常, ブイログ, 旅行, 旅行记, влог, diario de viaje, mein tag, hours in, "
            "days in, hiking alone, solo camping, countryside life, moving day, my trip, "
            "our trip, honeymoon"
        ),
    ),
    (
        "film",
        _phrases(
            "short film, shortfilm, full movie, full film, movie clip, film clip, movie scene, "
            "scene, scenes, opening scene, final scene, ending scene, feature film, "
            "silent film, cortometraje, court metrage, court métrage, kurzfilm, cortometraggio, "
            "curta metragem, короткометражка, короткометражный, фильм, 短片, 微电影, 電影, "
            "电影, 短編映画, 映画, 단편영화, 영화, movie, film, película completa, "
            "film complet, scifi short, horror short, dust, omeleto, student film, movieclips, "
            "kısa film"
        ),
    ),
)  # fmt: skip
# The phrases of music videos that are no single word, such as "official video".
_MUSIC_VIDEO = tuple(
    p for kind, words in _TITLE_PHRASES if kind == "mv" for p in words if p.count(" ") > 2
)
# Names of sites for what a video is about, folded. What is not here says nothing.
_CATEGORIES = {
    "music": "mv",
    "音乐": "mv",
    "gaming": "game",
    "游戏": "game",
    "film animation": "film",
    "影视": "film",
    "short film": "film",
    "travel events": "vlog",
    "people blogs": "vlog",
    "生活": "vlog",
    "动画": "comic",
    "番剧": "comic",
    "舞蹈": "dance",
    "纪录片": "documentary",
    "news politics": OTHER,
    "howto style": OTHER,
    "science technology": OTHER,
    "education": OTHER,
    "sports": OTHER,
    "资讯": OTHER,
}


def kind_of(title: str, categories: Iterable[str] = (), tags: Iterable[str] = ()) -> str:
    """Tell one of `KINDS`, `OTHER`, or empty where nothing tells.

    The title counts before the category, and that before the tags, which uploaders choose to be
    found by. A music video by its category, or an "official video", is one whatever single
    words its song's title holds: only two words or more of another kind stand against it.

        >>> kind_of("A Day in My Life in Kyoto | silent vlog")
        'vlog'
        >>> kind_of("Just Dance", ["Music"])
        'mv'
    """
    by_category = next((_CATEGORIES[c] for c in map(fold, categories) if c in _CATEGORIES), "")
    words = f" {fold(title)} "
    is_music = by_category == "mv" or any(phrase in words for phrase in _MUSIC_VIDEO)
    by_title = _first_kind(words, is_music=is_music)
    return by_title or by_category or _first_kind(f" {fold(' , '.join(tags))} ")


def kind_of_listing(listing: Listing) -> str:
    """Tell the kind of what a site says of a video, by `kind_of`."""
    return kind_of(listing.title, listing.categories, listing.tags)


def _first_kind(words: str, *, is_music: bool = False) -> str:
    """Find the first kind that a folded text names; of music only by two words or more."""
    for kind, phrases in _TITLE_PHRASES:
        for phrase in phrases:
            names_it = kind == "mv" or phrase.count(" ") > 2 or _UNSPACED.search(phrase)
            if phrase in words and (names_it or not is_music):
                return kind
    return ""
