"""Music for videos by a trained model, as MIDI, WAV, the video with its new sound, and JSON."""

import importlib.util
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from symmv_builder.crawl.links import is_link, source_of
from symmv_builder.datasets import composing, linked
from symmv_builder.datasets import seen as looking
from symmv_builder.datasets.evaluate import ALL_SPLITS
from symmv_builder.datasets.piece_files import check_piece, read_piece, write_piece
from symmv_builder.errors import (
    NoSuchPath,
    RejectEntry,
    ServiceRefused,
    SessionBlocked,
    SiteNotCrawled,
    WrongArguments,
    WrongSetting,
)
from symmv_builder.packages import not_installed
from symmv_builder.records import Source
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage.root import Root
from symmv_builder.training.composing import Composer, Order, Passage, Piece, WatchedVideo

__all__ = ["Order", "Passage", "Piece", "Videos", "WrittenPiece", "generate"]

Refuse = Callable[[Any, RejectEntry], None]
Note = Callable[[str], object]
Tell = Callable[[int, int, str], None]


def generate(
    videos: str | Path | Sequence[str | Path],
    model: str | Path | None = None,
    out: str | Path = "generated",
    *,
    soundfont: str | Path | None = None,
    picture: bool = True,
    musicxml: bool = False,
    piece: str | Path | None = None,
    passage: tuple[float, float] | None = None,
    overwrite: bool = False,
    clip: str = "",
    **order: Any,
) -> list[list[Path]]:
    """Write music for videos: the files of each piece (MIDI, WAV, MP4, PNG, JSON).

    `videos` are files, or links to pages of sites that may be crawled. Without a `model`, which is
    the folder of a training, the starter model of the package writes. `order` is what
    `training.composing.Order` holds (``key``, ``primer``, ``seed``, ``count``, ``seconds``,
    ``temperature`` and so on) and the options of the model's own trainer: ``tempo``, ``density``
    and ``follow`` of V-MusProd, ``regressor``, ``pattern`` and ``style`` of AMT, ``control`` of
    CMT. With ``musicxml`` the score is written, too. A `passage` (from and to which second) of an
    earlier `piece`, which is its ``NAME.json``, is written anew, and all else of it stays note for
    note. `StopRun` where the model or the order does not fit, such as what a model cannot heed,
    `RejectEntry` for the first video that cannot be read: none is written then.

    Examples:
        >>> [files] = sb.generate("holiday.mp4", "runs/markov", "music", seed=7, picture=False)
        >>> [file.name for file in files]
        ['holiday.mid', 'holiday.wav', 'holiday.mp4', 'holiday.json']
    """
    addresses = [videos] if isinstance(videos, str | Path) else list(videos)

    def refuse(video: object, error: RejectEntry) -> None:
        raise RejectEntry(error.reason, f"{video}: {error.detail}") from error

    general = {each.name for each in fields(Order)}
    order["passage"] = passage_of(piece, passage)
    compositions = write(
        Videos.of([str(each) for each in addresses]),
        Path(model) if model is not None else None,
        Order(**{name: value for name, value in order.items() if name in general}),
        Path(out),
        read_settings(),
        options={name: value for name, value in order.items() if name not in general},
        soundfont=Path(soundfont) if soundfont else None,
        picture=picture,
        musicxml=musicxml,
        overwrite=overwrite,
        clip=clip,
        refuse=refuse,
    )
    return [each.files for each in compositions]


def passage_of(piece: str | Path | None, seconds: tuple[float, float] | None) -> Passage | None:
    """Read which seconds of an earlier piece, by its ``NAME.json``, are to be written anew.

    `StopRun` where one is given without the other, or the seconds do not lie in the piece.
    """
    if piece is None and seconds is None:
        return None
    if piece is None or seconds is None:
        raise WrongArguments("`piece` and `passage` go together: which piece, and where in it")
    whole, (start_s, end_s) = read_piece(Path(piece)), seconds
    if not 0 <= start_s < end_s or start_s >= whole.seconds:
        rule = f"it has to begin before it ends, and within the {whole.seconds:.2f} s of the piece"
        raise WrongSetting("passage", f"{start_s:g}-{end_s:g}", rule)
    return Passage(start_s, end_s, whole, Path(piece))


@dataclass(frozen=True, slots=True)
class Videos:
    """For what music is written: videos in files or behind links, or rows of a dataset.

    Rows are named by entry or split; the split ``all`` is every one.
    """

    files: tuple[Path, ...] = ()
    links: tuple[Source, ...] = ()
    dataset: str | None = None
    entries: tuple[str, ...] = ()
    split: str | None = None

    @classmethod
    def of(cls, texts: Sequence[str], **rows: Any) -> "Videos":
        """Sort what a person names into files and links; `StopRun` for a link to nothing known."""
        links = [text for text in texts if is_link(text)]
        files = [Path(text) for text in texts if not is_link(text)]
        return cls(tuple(files), tuple(dict.fromkeys(source_of(each) for each in links)), **rows)


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """A piece with the files that were written of it, its score first, and its video if any."""

    piece: Piece
    files: list[Path]
    video: Path | None

    @property
    def notes(self) -> int:
        """How many notes it has."""
        return int(sum(self.piece.facts["notes"].values()))


def write(
    videos: Videos,
    model: Path | None,
    order: Order,
    out: Path,
    settings: Settings,
    *,
    options: Mapping[str, Any] | None = None,
    soundfont: Path | None = None,
    picture: bool = False,
    musicxml: bool = False,
    overwrite: bool = False,
    clip: str = "",
    refuse: Refuse,
    note: Note = lambda _: None,
    tell: Tell = lambda done, of, what: None,
) -> Iterator[WrittenPiece]:
    """Write the pieces that are ordered, one after another, as they are asked for.

    Without a `model` the package's own writes, and `note` is told what that is. `options` are
    those of the model's trainer (`options_of_models`). A video that cannot
    be read goes to `refuse`, and the others go on; so does a link that is not fetched. `note` is
    told of models with random weights behind what the model learned from. With `picture` one
    of the files shows the notes under the video's frames, with `musicxml` one is the score.
    `tell` is told of what is done: fetching and watching without a count (0 of 0), then as
    `Composer.compose` counts, then that the files are written (1 of 1).
    `StopRun` where videos, model and order do not fit each other, and where a file of somebody else
    would be replaced: then nothing is written.
    """
    check(videos, order)
    _check_inputs(videos, soundfont, settings, musicxml=musicxml)
    picture = picture and _can_draw(note)
    inputs = [*videos.files, *([soundfont] if soundfont else ())]
    inputs += [order.passage.path] if order.passage and order.passage.path else []
    place = _Place(out, inputs, picture, musicxml, overwrite)
    linked_as = {source: Path(f"{linked.name_of_source(source)}.mp4") for source in videos.links}
    for path in (*videos.files, *linked_as.values()):
        place.check(dict.fromkeys(_piece_names(path, order), path))
    composer, facts = _open(model, options or {}, order, settings, note)
    refused: list[object] = []

    def refusing(video: object, error: RejectEntry) -> None:
        refused.append(video)
        refuse(video, error)

    with ExitStack() as opened:
        watched = _watch(videos, composer, settings, clip, opened, refusing, tell)
        if refused and not watched:
            return
        video_of = {
            order.name(video.name, number): video
            for video in watched or [WatchedVideo("piece", {})]
            for number in range(order.count)
        }
        if not videos.files and not videos.links:
            place.check({name: video.path for name, video in video_of.items()})
        for piece in composer.compose(watched, order, tell):
            video = video_of.get(piece.name, WatchedVideo(piece.name, {}))
            video_name = {"video": video.name} if video.row else {}
            tell(1, 1, f"writing sound{' and video' if video.path else ''} of {piece.name}")
            whole = replace(piece, facts=facts | video_name | dict(piece.facts))
            try:
                files = write_piece(
                    whole,
                    out,
                    video=video.path,
                    soundfont=soundfont,
                    picture=picture,
                    notated=musicxml,
                    cuts_s=looking.cuts_of(video.row),
                    overwrite=overwrite,
                )
            except RejectEntry as error:
                refusing(video.path or out / whole.name, error)
                continue
            yield WrittenPiece(whole, files, video.path)


def _watch(
    videos: Videos,
    composer: Composer,
    settings: Settings,
    clip: str,
    opened: ExitStack,
    refuse: Refuse,
    tell: Tell,
) -> list[WatchedVideo]:
    """Watch files and fetched links, or read rows of a dataset; none for a model that needs none.

    Files that this makes stay until `opened` is closed. `StopRun` where the model needs a video.
    """
    files = videos.files
    if videos.links:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="symmv-")))
        files = (*files, *fetch_links(videos.links, settings, folder, refuse, tell))
    if files:
        choices = {"clip": clip} if clip else {}
        return looking.watch_files(files, composer, settings.home, choices, refuse, tell)
    if videos.dataset:
        return _rows(composer, Root(settings.root), videos, opened, refuse)
    if composer.needs_video and not videos.links:
        raise WrongArguments(
            "this model writes music for videos: give one, or `entries` or `split`"
        )
    return []


def _check_inputs(
    videos: Videos, soundfont: Path | None, settings: Settings, *, musicxml: bool
) -> None:
    for source in videos.links:
        if source.site not in settings.sites:
            raise SiteNotCrawled(source.url, settings.sites)
    if soundfont and not soundfont.is_file():
        raise NoSuchPath(soundfont)
    if musicxml and importlib.util.find_spec("music21") is None:
        raise not_installed("music21", "notation")


def _can_draw(note: Note) -> bool:
    """Check whether pictures can be drawn here; `note` is told what is missing."""
    if importlib.util.find_spec("matplotlib") is not None:
        return True
    note("no picture is drawn: matplotlib is not installed (pip install matplotlib)")
    return False


def _open(
    model: Path | None, options: Mapping[str, Any], order: Order, settings: Settings, note: Note
) -> tuple[Composer, dict[str, Any]]:
    """Open the model that writes, checked against the order.

    Gives what a piece's JSON says of it.
    """
    run = composing.starter_run() if model is None else model
    composer = composing.open_composer(run, options, settings.home.device, order)
    composer.check(order)
    if model is None:
        note(composing.STARTER)
    untrained = composing.untrained(composer)
    for name in untrained:
        note(
            f"this model learned from features of an UNTRAINED model ({name}): "
            "what it makes of a video has no meaning"
        )
    if model is None:
        about = {"run": "starter", "about_model": composing.STARTER}
    else:
        about = {"run": str(model)}
    return composer, {**about, "untrained": untrained}


def _rows(
    composer: Composer, root: Root, videos: Videos, opened: ExitStack, refuse: Refuse
) -> list[WatchedVideo]:
    """Read the rows of a dataset that are meant, with their files where the store has them."""
    split = None if videos.split == ALL_SPLITS else videos.split
    dataset = videos.dataset or ""
    rows = looking.rows_seen(composer, root, dataset, entries=videos.entries, split=split)
    return opened.enter_context(looking.stored(root, rows, refuse))


def fetch_links(
    links: Sequence[Source], settings: Settings, folder: Path, refuse: Refuse, tell: Tell
) -> list[Path]:
    """Fetch the recordings behind links into `folder`, by the rules of the crawl.

    Gives their files.
    """
    store, site = settings.open_store(read_only=True), None
    paths = []
    for number, source in enumerate(links):
        of_several = f" ({number + 1} of {len(links)})" if len(links) > 1 else ""
        tell(0, 0, f"fetching {source.url}{of_several}")
        try:
            linked.check_allowed(store, source)
            if site is None:
                site = settings.open_site()
                site.check_canary()
            paths.append(linked.fetch_linked(site, source, folder, store))
        except SessionBlocked as error:
            # Where no data root is, there is nobody else to be kept away.
            if not store.root.is_local or Path(store.root.path("")).is_dir():
                linked.keep_away(settings.open_store(), error)
            raise ServiceRefused(source.url, f"{error}; try again later") from error
        except RejectEntry as error:
            refuse(source.url, error)
    return paths


@dataclass(frozen=True, slots=True)
class _Place:
    """The folder that pieces are written to, and the input files that none may replace."""

    folder: Path
    inputs: list[Path]
    picture: bool
    notated: bool
    overwrite: bool

    def check(self, pieces: Mapping[str, Path | None]) -> None:
        """Raise `StopRun` where a piece, named with its video, may not be written."""
        for name, video in pieces.items():
            check_piece(
                name,
                self.folder,
                video=video,
                picture=self.picture,
                notated=self.notated,
                inputs=self.inputs,
                overwrite=self.overwrite,
            )


def check(videos: Videos, order: Order) -> None:
    """Raise `StopRun` where what is asked for contradicts itself."""
    _check_videos(videos)
    _check_passage(videos, order)
    if order.temperature is not None and not 0 < order.temperature < math.inf:
        rule = "it has to be a finite number above 0; 1 draws as the model learned, less is safer"
        raise WrongSetting("temperature", order.temperature, rule)
    if order.greedy and (order.top_k is not None or order.temperature is not None):
        raise WrongArguments(
            "`greedy` draws nothing: leave out `top_k` and `temperature`, or `greedy`"
        )
    if order.greedy and order.count > 1:
        problem = f"{order.count} greedy pieces would be the same one; leave out `count`"
        raise WrongArguments(problem)
    files = [*videos.files, *(Path(linked.name_of_source(link)) for link in videos.links)]
    names = Counter(name for path in files for name in _piece_names(path, order))
    for name, times in names.items():
        if times > 1:
            raise WrongArguments(
                f"two pieces would be called {name}; write these videos' to folders of their own"
            )


def _check_passage(videos: Videos, order: Order) -> None:
    """Check a passage: it is of one piece, which sets its key, chords and length itself."""
    if order.passage is None:
        return
    for name in ("key", "primer", "seconds"):
        if getattr(order, name):
            problem = f"`passage` keeps key, chords and length of its piece: leave out `{name}`"
            raise WrongArguments(problem)
    if len(videos.files) + len(videos.links) + len(videos.entries) > 1 or videos.split:
        raise WrongArguments("`passage` is of one `piece`: give its video alone")


def _check_videos(videos: Videos) -> None:
    if (videos.entries or videos.split) and not videos.dataset:
        raise WrongArguments("`entries` and `split` name rows: say of which dataset with `dataset`")
    if videos.dataset and not (videos.entries or videos.split):
        raise WrongArguments("`dataset` alone says no video; add `entries` or `split`")
    if videos.entries and videos.split:
        raise WrongArguments("give `entries` or `split`, not both")
    if (videos.files or videos.links) and videos.dataset:
        raise WrongArguments("give videos or rows of a dataset, not both")
    if videos.files and not videos.links and not any(path.is_file() for path in videos.files):
        raise NoSuchPath(videos.files[0])


def _piece_names(video: Path, order: Order) -> list[str]:
    """Name the pieces for a video in a file."""
    name = looking.name_of(video)
    return [order.name(name, number) for number in range(order.count)]
