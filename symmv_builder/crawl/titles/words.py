"""What uploaders write around a song's name, in the languages that they write it in.

All entries are folded (`fold`): NFKC, case-folded, apostrophes gone, runs of anything that
is no letter, mark or digit turned into one space. A phrase is a run of folded words.
"""

import unicodedata
from collections.abc import Iterable

_APOSTROPHES = "'’‘ʼ`´"


def is_word_character(character: str) -> bool:
    """Check for letters, digits and the marks that Thai, Arabic or Devanagari words need."""
    return unicodedata.category(character)[0] in "LMN"


def is_latin(word: str) -> bool:
    """Check whether the letters of a word are all Latin, and it has some."""
    letters = [c for c in word if c.isalpha()]
    return bool(letters) and all(c < "\u0250" or "\u1e00" <= c <= "\u1eff" for c in letters)


def fold(text: str) -> str:
    """Fold a text for comparison: NFKC, case-folded, apostrophes dropped, single spaces."""
    flat = unicodedata.normalize("NFKC", text).casefold()
    characters = (c if is_word_character(c) else "" if c in _APOSTROPHES else " " for c in flat)
    return " ".join("".join(characters).split())


def word_set(text: str) -> frozenset[str]:
    """Make a set of words between spaces."""
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(part.split()) for part in text.replace("\n", ",").split(",") if part)


# Only a video's title says these; a bracket that holds one of them says nothing of the song.
_OFFICIAL_STEMS = ("offici", "ofici", "oficj", "offiz", "uffic", "официал", "офіц")
OFFICIAL = word_set(
    "official oficial officiel officielle offizielles offizielle offizieller ufficiale oficjalny "
    "oficjalna oficjalne oficiální oficiálny resmi resmî hivatalos officiell virallinen officieel "
    "oficialus zvanični službeni официальный официальное официальная официальная офіційне "
    "официально офіційний επίσημο επισημο 官方 公式 공식 رسمي الرسمي רשמי הרשמי"
)
_STRONG = OFFICIAL | word_set(
    "mv pv lyrics lyric lyrical letra letras paroles karaoke tutorial synthesia visualizer "
    "visualiser visualizador remastered remaster remasterizado hd hq uhd fhd 4k 8k 1080p 720p "
    "2160p 1080 60fps videoclip videoclipe teledysk musikvideo musicvideo videosong cover "
    "subtitulado subtitulada legendado sheet sheets karaokê teaser trailer premiere премьера "
    "премьєра nightcore clip clipe klip klipp klibi клип кліп видеоклип кавер κλιπ κλίπ βίντεο "
    "كليب فيديو קליפ videoklip uncensored release ost soundtrack kapak tekst текст "
    "pianocover noten partitura partituras partition spartito ноты"
)
# Enough for a bracket to be about the recording or the upload when its other words are too.
BRACKET_ANCHORS = _STRONG | word_set(
    "video audio live explicit clean acoustic piano instrumental vidéo видео aovivo vivo "
    "album single radio original us uk directors performance vertical animated reaction "
    "stereo mono censored dirty short extended acústico acapella akustik unplugged "
    "пианино фортепиано 피아노 커버 악보 가사 뮤직비디오 뮤비 钢琴 "
    "鋼琴 琴谱 琴譜 歌詞 歌词 ピアノ 楽譜 "
    "완곡 연주 mtv vevo demo international pianoforte klavier easy "
    "side slow sad emotional relaxing "
    "exclusive حصري fancam"
)
_PLAIN_BRACKET_WORDS = word_set(
    "music the and with w in by of for a an full new song songs version versión versione versão "
    "edit cut v m ver film tv session sessions studio track motion picture "
    "and free midi download screen color coded eng sub rom han english español subtitles color "
    "ao en vivo con avec mit hd solo advanced intermediate beginner slow fast hard medium level "
    "beautiful emotional sad relaxing epic amazing romantic soft calm how to play arrangement "
    "arr arranged arranger keyboard quality high upgrade upgraded color coded only on at "
    "original upscaled restored dance practice choreography lesson "
    "из к песни песня cancion canción oficial la de el movie clip "
    "ピアノソロ 上級 初級 中級 フル b"
)

# What may end or begin a stretch outside of brackets and belongs to no song's name.
_VIDEO_NOUNS = (
    "video,videoclip,videoclipe,clip,clipe,klip,klibi,mv,pv,m v,audio,visualizer,visualiser,lyric,"
    "lyrics,music video,lyric video,lyrics video,hd video,4k video,video clip,music clip,film,"
    "short film,video hd,video 4k,video song,lyrical video,animated video,musikvideo,music mv,"
    "musicvideo,performance video,dance video,live video,"
    "video remastered,hd music video,видео,клип,"
    "видеоклип,кліп,відео,vidéo,βίντεο κλιπ,video clip hd,visualiser video,visualizer video,"
    "lyric videosu,video klip,videoklip,music video hd,"
    "music video 4k,4k music video,trailer,teaser,"
    "promo video,mood video,vertical video,audio video,live performance,performance,remix video,"
    "cover art video,cover video,versión,version,kliibi,lyric clip,lyrics clip,lyric video hd,"
    "song,track,theme song,anthem,acoustic video,videosu,pseudo video"
)
TAILS = (
    _phrases(",".join(OFFICIAL))
    | frozenset(
        phrase
        for phrase_words in _phrases(_VIDEO_NOUNS)
        for word in OFFICIAL
        for phrase in ((word, *phrase_words), (*phrase_words, word))
    )
    | _phrases(
        "music video,lyric video,lyrics video,lyrics,lyric,mv,m v,pv,"
        "hd,hq,4k,uhd,1080p,720p,full hd,"
        "videoclip,video clip,videoklip,video klip,visualizer,visualiser,karaoke,karaoke version,"
        "instrumental,instrumental version,acoustic,acoustic version,acoustic cover,with lyrics,"
        "lyrics on screen,letra,con letra,letras,subtitulado,subtitulada,sub español,legendado,"
        "full song,video song,full video song,lyrical video,full video,lyrical,audio song,"
        "nightcore,8d audio,sped up,slowed,slowed reverb,slowed and reverb,bass boosted,"
        "remastered,remaster,hd remaster,hd remastered,4k remastered,4k remaster,video remastered,"
        "dance practice,behind the scenes,reaction,teaser,audio,explicit,explicit version,"
        "clean version,radio edit,album version,original version,"
        "official hd,hd video,4k video,video hd,video 4k,music clip,reupload,премьера клипа,"
        "премьера песни,премьера трека,текст песни,текст,клип,видеоклип,teledysk,mv teaser,"
        "cover,piano cover,piano covers,piano,tutorial,piano tutorial,piano lesson,piano version,"
        "piano solo,solo piano,piano karaoke,piano instrumental,piano arrangement,synthesia,"
        "piano sheet music,piano sheet,piano sheets,sheet music,sheets,sheet,piano synthesia,"
        "on piano,on the piano,for piano,for solo piano,for piano solo,piano cover version,"
        "easy piano,easy piano tutorial,easy piano cover,easy tutorial,easy piano version,"
        "slow easy piano tutorial,slow piano tutorial,hard piano tutorial,hard piano cover,"
        "advanced piano cover,advanced piano solo,advanced piano tutorial,advanced piano,"
        "beautiful piano cover,beautiful piano,emotional piano cover,emotional piano,"
        "epic piano cover,epic piano,sad piano cover,sad piano,sad piano version,"
        "relaxing piano cover,relaxing piano,romantic piano cover,soft piano cover,"
        "virtuosic piano solo,epic piano solo,epic piano version,amazing piano cover,"
        "beautiful piano version,beautiful piano music,relaxing piano music,piano music,"
        "intermediate piano tutorial,beginner piano tutorial,very easy piano tutorial,"
        "super easy piano tutorial,piano tutorial easy,piano easy,piano tutorial slow,"
        "how to play,how to play piano,how to play on piano,how to play on the piano,"
        "piano ballad,ballad version,midi,sheets and midi,with sheets,with sheet music,"
        "piano medley,piano accompaniment,accompaniment,backing track,accompaniment track,"
        "cover piano,piano karaoké,piano karaokê,versión piano,version piano,en piano,au piano,"
        "am klavier,klavier,klavier cover,al pianoforte,pianoforte,no piano,keyboard cover,"
        "на пианино,на фортепиано,кавер,кавер на пианино,кавер на фортепиано,пианино,фортепиано,"
        "ноты,piano partitura,partitura,partition piano,partition,spartito,spartiti,"
        "피아노,피아노 커버,피아노 연주,피아노 악보,커버,악보,뮤직비디오,"
        "뮤비,가사,ピアノ,ピアノソロ,ピアノ楽譜,"
        "ピアノカバー,弾いてみた,ピアノで弾いてみた,楽譜,楽譜付き,カバー,"
        "歌詞付き,歌詞,钢琴,鋼琴,钢琴版,"
        "鋼琴版,钢琴谱,鋼琴譜,琴譜,琴谱,完整版,高清,高清版,เปียโน,เนื้อเพลง,بيانو,عزف بيانو,פסנתר,"
        "מילים,πιάνο,piyano,piyano cover,piano cover by ear,by ear,fingerstyle,cover song,"
        "piano reduction,transcription,piano transcription,theme piano,original piano"
    )
)
HEADS = _phrases(
    "how to play,learn to play,learn how to play,learn,piano cover of,piano cover,piano tutorial,"
    "piano tutorial of,easy piano tutorial,easy piano,piano lesson,piano,mv,m v,pv,official video,"
    "official music video,official mv,official audio,"
    "official lyric video,lyrics,lyric video,karaoke,"
    "synthesia,cover,music video,piano version of,piano version,piano tutorial for,"
    "ピアノ,ピアノ楽譜,피아노,피아노 커버,뮤직비디오,钢琴,鋼琴,премьера клипа,премьера,piano solo,"
    "sheet music,teaser,full song,full video,instrumental,nightcore"
)
# Words after which a tail that is also plain English belongs to the song.
NOT_AFTER = {
    "easy": word_set("it so not be that is going take im youre on"),
    "slow": word_set("go it so not take too real in"),
    "hard": word_set("so too it hit work is go die love"),
    "sad": word_set("so too is im you feel"),
    "beautiful": word_set("so is you im are youre hello life"),
    "piano": word_set("the a my your our his her toy player mighty and to"),
    "cover": word_set("my your the a take to for under run"),
    "audio": word_set("the a my"),
    "hd": word_set("in"),
    "teaser": word_set("the a my"),
    "explicit": word_set("so too"),
    "official": word_set("its it is made so make"),
    "acoustic": word_set("the an my"),
    "reaction": word_set("chain my a the"),
    "sheets": word_set("the my your these satin between silk"),
    "sheet": word_set("the my"),
    "lyrics": word_set("the my your no"),
    "learn": word_set("live"),
    "slowed": word_set("the"),
}
# Written without spaces before or after the song's name.
GLUED_TAILS = (
    "をピアノで弾いてみた",
    "ピアノで弾いてみた",
    "を弾いてみた",
    "弾いてみた",
    "ピアノカバー",
    "ピアノソロ",
    "피아노커버",
    "钢琴版",
    "鋼琴版",
    "钢琴谱",
    "ピアノver",
)
GLUED_NOISE = (
    "弾いてみた", "ピアノ", "楽譜", "歌詞", "歌词",
    "公式", "官方", "高清", "完整版", "高音質", "フル",
    "피아노", "커버", "악보", "가사", "뮤직비디오",
    "钢琴", "鋼琴", "琴谱", "琴譜", "中文字幕", "ミュージックビデオ",
    "主題歌", "主題曲", "主题曲", "片尾曲", "片頭曲", "片头曲",
    "插曲", "オープニング", "エンディング", "動態歌詞", "动态歌词", "เนื้อเพลง",
)  # fmt: skip

FEATURING = word_set("ft feat featuring feats fet prod produced produziert")
ORIGIN_HEADS = word_set("from aus из к")
KEPT_BRACKETS = word_set(
    "remix mix version versión ver edit taylors part pt op no reprise interlude mashup medley bwv"
)

# What a title may say of a video; each mark with the phrases that mean it, any language.
_MARKS = {
    "official": ",".join(OFFICIAL),
    "cover": "cover,covers,covered by,кавер,커버,カバー,弾いてみた,歌ってみた,翻唱,pianocover",
    "piano": "piano,"
    "pianoforte,klavier,пианино,фортепиано,피아노,"
    "ピアノ,钢琴,鋼琴,piyano,بيانو,פסנתר,"
    "πιάνο,เปียโน,pianocover",
    "tutorial": "tutorial,how to play,lesson,learn to play,synthesia",
    "karaoke": "karaoke,karaokê,karaoké,カラオケ,караоке,노래방,backing track,sing along,singalong",
    "sheet music": "sheet music,sheets,sheet,楽譜,악보,ноты,琴譜,琴谱,partitura,spartito,partition",
    "instrumental": "instrumental,минус,instrumentals,inst,no vocals,acapella,a cappella",
    "live": "live,ao vivo,en vivo,en directo,dal vivo,в живую,концерт,concert,tour,unplugged,"
    "現場,ライブ,live at,live from,라이브,en concert,на концерте,session,sessions,tiny desk,"
    "performance,performs,mtv unplugged,en vivo desde,fancam,직캠,stage mix,encore,canlı",
    "lyric": "lyrics,lyric,lyrical,letra,letras,paroles,testo,текст,가사,歌詞,歌词,เนื้อเพลง,"
    "songtext,legendado,sub español,subtitulado,subtitulada,color coded,with lyrics,tradução,"
    "traducida,şarkı sözleri,sözleri,كلمات,מילים,στίχοι,tekst,letra español",
    "remix": "remix,mashup,bootleg,club mix,extended mix,rework,vip mix,ремикс,리믹스,リミックス,"
    "megamix,medley,flip",
    "audio": "audio,аудио,audio oficial,full album,hq audio,cd quality",
    "visualizer": "visualizer,visualiser,visualizador,visualisation,static video,pseudo video",
    "sped up": "sped up,speed up,spedup,speed up version,speed songs,faster version",
    "slowed": "slowed,slowed reverb,slowed down,reverb,chopped and screwed,daycore",
    "nightcore": "nightcore",
    "8d": "8d,8d audio,16d,3d audio,9d",
    "ai": "ai cover,ai version,ai,ai song,ki cover",
    "reaction": "reaction,reacts,react,reacts to,reacting,first time hearing,реакция,리액션,review,"
    "reaccion,reacción,analysis,vocal coach",
    "teaser": "teaser,trailer,preview,snippet,coming soon,sneak peek,announcement,prod preview,"
    "highlight medley,spoiler",
    "behind the scenes": "behind the scenes,making of,making film,bts footage,backstage,bloopers,"
    "메이킹,making,behind,interview",
    "dance": "dance practice,choreography,choreo,dance cover,dance tutorial,dance performance,"
    "안무,zumba,dance break,just dance,dance version",
    "acoustic": "acoustic,acústico,acústica,akustik,stripped,acoustic version",
    "parody": "parody,parodia,пародия,meme,misheard,but its,but every",
    "loop": "1 hour,10 hours,one hour,1 hour loop,loop,10 hour,1시간,1h",
    "fan": "fan made,fanmade,amv,fmv,fan video,unofficial,edit audio,slideshow",
    "ringtone": "ringtone,whatsapp status,status video",
    "other instrument": "guitar,violin,drum,drums,bass,ukulele,cello,saxophone,sax,flute,kalimba,"
    "harp,guitarra,гитара,orchestra cover,string quartet,drumless,otamatone,lofi,lo fi,8 bit,"
    "8bit,chiptune,music box,orgel",
    "ost": "ost,soundtrack,theme song,opening,ending,主題歌",
    "explicit": "explicit",
    "remaster": "remaster,remastered,remasterizado",
}
MARKS: dict[tuple[str, ...], str] = {
    phrase: mark for mark, phrases in _MARKS.items() for phrase in _phrases(phrases)
}
BRACKET_ANCHORS |= {
    word
    for phrase, mark in MARKS.items()
    if len(phrase) == 1
    and mark in ("cover", "piano", "tutorial", "karaoke", "sheet music", "lyric")
    for word in phrase
}
BRACKET_WORDS = BRACKET_ANCHORS | _PLAIN_BRACKET_WORDS
LONGEST_MARK = max(len(phrase) for phrase in MARKS)
LONGEST_PHRASE = max(len(phrase) for phrase in TAILS | HEADS)
COVER_MARKS = frozenset({"cover", "piano", "tutorial", "karaoke", "sheet music"})

# Words that songs' names are full of and artists' names are not.
TITLE_WORDS = word_set(
    "i im ill ive you youre youll your me my mine we us our it its is are was be been am do dont "
    "does cant wont to in of on for from with without at what when where why how who this that "
    "these all no not never ever always can could would will let lets get got go going gonna "
    "wanna need want know think feel say tell love heart baby again out up down away back if but "
    "only just like so too he she him her his they them tonight forever somebody someone something "
    "nothing everything everybody theme song op nocturne sonata prelude waltz ballade etude "
    "concerto symphony opening ending yo tu te mi me la el de que no se en con je tu moi mon ma "
    "ne pas du des il che non di ich du nicht mein theme main"
)


def is_official(words: Iterable[str]) -> bool:
    """Check whether a word says "official" in any language or spelling (``Video Oficiel``)."""
    return any(word in OFFICIAL or word.startswith(_OFFICIAL_STEMS) for word in words)


def marks_of(text: str) -> tuple[str, ...]:
    """List what a title says of its video besides the song, sorted; see `_MARKS` for the words."""
    words = fold(text).split()
    marks = {
        MARKS[phrase]
        for start in range(len(words))
        for size in range(1, LONGEST_MARK + 1)
        if (phrase := tuple(words[start : start + size])) in MARKS
    }
    if is_official(words):
        marks.add("official")
    flat = "".join(words)
    if any(noise in flat for noise in ("弾いてみた", "ピアノ", "피아노", "钢琴", "鋼琴")):
        marks |= {"piano"}
    if any(noise in flat for noise in ("弾いてみた", "歌ってみた", "커버", "カバー", "翻唱")):
        marks |= {"cover"}
    return tuple(sorted(marks))
