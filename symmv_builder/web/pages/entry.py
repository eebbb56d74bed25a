"""One entry: its video and its notes on one time line, its sounds, and what made every value."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response

from symmv_builder.api import browsing
from symmv_builder.api.browsing import Media
from symmv_builder.report import time_line
from symmv_builder.report.elements import Html, element
from symmv_builder.web import frame, media
from symmv_builder.web.desk import Desk, html, session_of

SOUNDS = {
    "video": "Sound of the video",
    "music": "Sound of the music",
    "notes": "The notes, played",
}


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""

    @app.get("/entry/{dataset}/{entry_id}")
    def entry(request: Request, dataset: str, entry_id: str) -> Response:
        return html(_entry(desk, request, dataset, entry_id))

    @app.get("/media/{dataset}/{entry_id}/{kind}")
    def recording(request: Request, dataset: str, entry_id: str, kind: str) -> Response:
        byte_range = request.headers.get("range")
        if kind != "notes":
            return media.answer(browsing.media(desk.settings, dataset, entry_id, kind), byte_range)
        sound = desk.sound_of_notes(dataset, entry_id)
        if sound is None:
            return Response("no notes are stored of it\n", 404, media_type="text/plain")
        return media.ranged(sound, "audio/flac", byte_range)


def _entry(desk: Desk, request: Request, dataset: str, entry_id: str) -> str:
    stored = browsing.opened(desk.settings, dataset, entry_id)
    sounds = browsing.recordings_of(desk.settings, dataset, stored.entry_id)
    drawn = time_line.draw(stored.records, f"Scenes, chords, beats and notes of {stored.name}")
    can_play = "notes" in stored.records and browsing.can_play_notes()
    # Players have the whole recordings, and so the clocks of the whole entry.
    whole = browsing.opened(desk.settings, dataset, stored.entry_id) if stored.clip else stored
    start_s = stored.clip.start_s if stored.clip else 0.0
    parts = [
        frame.facts(_facts(stored)),
        element("p", frame.link("Correct it", frame.address("correct", dataset, stored.entry_id))),
        players(dataset, stored.entry_id, sounds, whole.records, with_notes=can_play,
                start_s=start_s),
        *_notes(sounds, drawn, can_play=can_play),
        _time_line(drawn),
        _warp(stored.records),
        frame.part("What is stored", frame.facts(stored.lines())),
        _why(stored.why()),
    ]  # fmt: skip
    song = stored.song
    title = " \u2013 ".join(filter(None, (song.artist, song.title))) or stored.name
    return frame.page(
        title,
        *parts,
        session=session_of(request),
        lead=stored.name if title != stored.name else "",
        scripts=("player.js", "keys.js"),
    )


def _facts(stored: Any) -> dict[str, object]:
    song, entry = stored.song, stored.entry
    named: dict[str, object] = {
        "dataset": frame.link(entry.dataset, frame.address("browse", entry.dataset)),
        "song": entry.song_id,
        "genre": song.genre,
        "split": stored.split,
        "music": origin(entry.music.url),
        "video": origin(entry.video.url) if stored.has_video else "",
        "song known by": song.identified_by,
        "note": song.note,
    }
    if stored.clip:
        named["seconds"] = f"{stored.clip.start_s:g} to {stored.clip.end_s:g}"
    return {name: value for name, value in named.items() if value}


def origin(url: str) -> object:
    """A link to the page of a recording at its site; a text where it has none."""
    if url.startswith("https://"):
        return frame.link(url, url, rel="noreferrer noopener", target="_blank")
    return url


def players(
    dataset: str,
    entry_id: str,
    sounds: Mapping[str, Media],
    records: Mapping[str, Any],
    *,
    with_notes: bool = False,
    start_s: float = 0.0,
    side_by_side: bool = False,
) -> Html:
    """The players of an entry, led by its video where there is one, and the choice between them.

    The script keeps them together by the alignment; `start_s` is where a clip begins.
    """
    names = [name for name in ("video", "music") if name in sounds]
    if names == ["video", "music"] and sounds["video"].sha256 == sounds["music"].sha256:
        # One file is both: it is shown once.
        names = ["video"]
    names += ["notes"] if with_notes else []
    if not names:
        return element("p", "No recording of it is stored here.", class_="note")
    points = time_line.warp_points(records)
    items = []
    for name in names:
        is_picture = name in sounds and sounds[name].type.startswith("video/")
        kind = "video" if is_picture and (name == "video" or side_by_side) else "audio"
        player = element(
            kind, controls=True, preload="metadata", playsinline=kind == "video",
            src=frame.address("media", dataset, entry_id, name), data_name=name,
            aria_label=SOUNDS[name],
        )  # fmt: skip
        items.append(element("figure", player, element("figcaption", SOUNDS[name])))
    ears = [
        element(
            "label",
            element("input", type="radio", name="ear", value=name, checked=name == names[0]),
            SOUNDS[name],
        )
        for name in names
    ]
    key = element("button", "Other sound", element("kbd", "B"), type="button", id="other",
                  data_key="b") if len(names) > 1 else None  # fmt: skip
    ear = element("fieldset", element("legend", "Hear"), *ears, key) if len(names) > 1 else None
    return element(
        "div", element("div", *items, class_="players"), ear, id="players",
        data_points=json.dumps(points), data_start=start_s,
    )  # fmt: skip


def _notes(sounds: Mapping[str, Media], drawn: Html | None, *, can_play: bool) -> list[Html]:
    remarks = []
    if drawn is not None and not can_play:
        remarks.append("The notes cannot be heard here: the piano is not installed "
                    "(symmv models get transkun).")  # fmt: skip
    if drawn is None:
        remarks.append("No notes are stored of it, so there is no time line.")
    return [element("p", line, class_="note") for line in remarks]


def _time_line(drawn: Html | None) -> Html | None:
    if drawn is None:
        return None
    lead = "Select a place to go there; with the keyboard, left and right go a second."
    roll = element(
        "div", drawn, class_="roll", id="roll", tabindex=0, role="region", aria_label="Time line"
    )
    return frame.part("Time line", element("p", lead), roll)


def _warp(records: Mapping[str, Any]) -> Html | None:
    drawn = time_line.warp(records)
    if drawn is None:
        return None
    alignment = records["alignment"]
    lead = (
        f"Confidence {alignment.confidence:.2f}; the music stands "
        f"{alignment.shift_semitones} semitones above the video. The dashed line would be one pace."
    )
    return frame.part("Alignment", element("p", lead), drawn)


def _why(story: Sequence[Any]) -> Html:
    rows = []
    for step in story:
        result, by = step.result, step.provenance
        model = " ".join(filter(None, (by.backend, by.model_version))) if by else result.backend
        if by and by.backend and not by.trained:
            model += " (not trained)"
        rows.append(
            (
                result.artifact,
                result.step + (f" v{by.version}" if by else ""),
                model,
                by.parameters if by else "",
                f"{result.seconds:.2f}",
                " ".join(filter(None, (str(result.reason), result.detail))),
                element("code", result.key[:12]),
            )
        )
    heads = ("result", "step", "model", "parameters", "seconds", "turned away", "key")
    table = frame.table(heads, rows, "What made every value", numbers=(4,))
    return frame.part("What made every value", table)
