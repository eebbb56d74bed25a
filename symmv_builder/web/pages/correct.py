"""Correct an entry: its beats, cuts, chords, keys and melody around a place, and what is kept."""

from collections.abc import Iterator, Mapping, Sequence

from fastapi import FastAPI, Request, Response

from symmv_builder.api import browsing, correcting
from symmv_builder.api.correcting import Corrected, CorrectedEntry, Thing
from symmv_builder.report import time_line
from symmv_builder.report.elements import Html, element
from symmv_builder.web import frame
from symmv_builder.web.desk import Desk, Form, go_to, html, name_of, session_of
from symmv_builder.web.guard import Refused, Session
from symmv_builder.web.pages.entry import players

# Seconds around a place that are shown at once.
_SHOWN_S = 10.0
# By which key one comes to the field of a time at which something is added.
_ADD_KEYS = {"beat": "a", "cut": "c"}
_HEADS = {
    "beat": ("Beats", "beat", "s, music"),
    "cut": ("Cuts", "cut", "s, video"),
    "chord": ("Chords", "chord", ""),
    "key": ("Keys", "key", ""),
    "note": ("Melody", "note", ""),
}


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""

    @app.get("/correct/{dataset}/{entry_id}")
    def page(request: Request, dataset: str, entry_id: str) -> Response:
        session = session_of(request)
        if not session.reviewer:
            here = frame.address("correct", dataset, entry_id)
            return go_to(frame.address("name", next=here))
        return html(_page(desk, session, dataset, entry_id, _place(request.query_params)))

    @app.post("/correct/{dataset}/{entry_id}")
    def correct(request: Request, dataset: str, entry_id: str, fields: Form) -> Response:
        by, what = name_of(request), fields.get("what", "")
        if what == "undo":
            correcting.undo(desk.settings, dataset, fields.get("id", ""), by=by)
        elif what == "undo last":
            correcting.undo_last(desk.settings, dataset, entry_id, by=by)
        elif what in correcting.WHAT:
            values = [fields[name] for name in ("at", "to") if fields.get(name)]
            correcting.correct(desk.settings, dataset, entry_id, what, *values, by=by)
        else:
            raise Refused(400, f"a correction is one of {', '.join(correcting.WHAT)}")
        return go_to(_address(dataset, entry_id, _place(fields)))


def _place(fields: Mapping[str, str]) -> float:
    """The second of the video around which things are shown; 0 for what is no time."""
    try:
        place_s = float(fields.get("place", "0"))
    except ValueError:
        return 0.0
    return place_s if 0 <= place_s < 1e6 else 0.0


def _address(dataset: str, entry_id: str, place_s: float) -> str:
    return frame.address("correct", dataset, entry_id, place=f"{place_s:g}" if place_s else "")


def _page(desk: Desk, session: Session, dataset: str, entry_id: str, place_s: float) -> str:
    entry = correcting.entry(desk.settings, dataset, entry_id)
    sounds = browsing.recordings_of(desk.settings, dataset, entry_id)
    drawn = time_line.draw(entry.records, f"Scenes, chords, beats and notes of {entry_id}")
    first_s, last_s = max(0.0, place_s - _SHOWN_S / 2), max(0.0, place_s - _SHOWN_S / 2) + _SHOWN_S
    things = correcting.things(entry, first_s, last_s)
    hidden = (
        element("input", type="hidden", name="word", value=session.word),
        element("input", type="hidden", name="place", value=f"{place_s:g}"),
    )
    desk_of = _Forms(frame.address("correct", dataset, entry_id), hidden)
    sections = list(desk_of.sections(things, correcting.can_add(entry)))
    song = entry.entry.song
    title = " \u2013 ".join(filter(None, (song.artist, song.title))) or entry_id
    roll = element(
        "div", drawn, class_="roll", id="roll", tabindex=0, role="region", aria_label="Time line"
    )
    parts = [
        players(dataset, entry_id, sounds, entry.records),
        roll if drawn is not None else None,
        _where(dataset, entry_id, place_s, (first_s, last_s), time_line.length_s(entry.records)),
        element("div", *sections, class_="things") if sections else None,
        None if sections else element("p", "Nothing that can be corrected is here.", class_="note"),
        desk_of.whole(entry),
        desk_of.made(entry.corrections),
        element("p", frame.link("The entry as it was built", frame.address("entry", dataset,
                                                                           entry_id))),
    ]  # fmt: skip
    return frame.page(
        f"Correct {title}", *parts, session=session, lead=entry_id,
        scripts=("player.js", "keys.js", "correct.js"),
    )  # fmt: skip


def _where(
    dataset: str, entry_id: str, place_s: float, span: tuple[float, float], length_s: float
) -> Html:
    """Which seconds are shown, and the way to others; forms, so that keys press them."""
    to = frame.address("correct", dataset, entry_id)

    def go(words: str, to_s: float, key: str) -> Html:
        hidden = element("input", type="hidden", name="place", value=f"{to_s:g}")
        return element("form", hidden, frame.button(words, key=key), method="get", action=to)

    field = element(
        "input", type="number", name="place", min=0, step="any", value=f"{place_s:g}",
        inputmode="decimal", data_now="video",
    )  # fmt: skip
    other = element(
        "form", frame.labelled("Second of the video", field), frame.button("Show", key="g"),
        method="get", action=to, class_="fields",
    )  # fmt: skip
    earlier = go("Earlier", max(0.0, place_s - _SHOWN_S), "e") if span[0] > 0 else None
    later = go("Later", max(place_s, _SHOWN_S / 2) + _SHOWN_S, "l") if span[1] < length_s else None
    said = element("h2", f"{span[0]:g} to {span[1]:g} s")
    lead = element(
        "p",
        "Times are seconds of the music; those of cuts, and of what is kept, of the video. ",
        element("kbd", "N"),
        " in a field of a time takes that of the player.",
    )
    return element("section", said, lead, element("div", earlier, later, class_="row"), other)


class _Forms:
    """The forms of a page: each is sent to one address, with what all of them say."""

    def __init__(self, to: str, hidden: tuple[Html, ...]) -> None:
        self._to, self._hidden = to, hidden

    def form(self, what: str, *inner: object, **more: object) -> Html:
        said = element("input", type="hidden", name="what", value=what)
        return element("form", *self._hidden, said, *inner, method="post", action=self._to, **more)

    def sections(self, things: list[Thing], can_add: list[str]) -> Iterator[Html]:
        """A table for each kind of thing that is here, and a form where one can be added."""
        for kind, (title, head, unit) in _HEADS.items():
            rows = [self._row(each, unit) for each in things if each.kind == kind]
            if rows or kind in can_add:
                table = frame.table(("at, s", head, "correct"), rows, title, numbers=(0,))
                added = self._addition(kind, unit) if kind in can_add else None
                yield element("section", element("h2", title), table, added)

    def _addition(self, kind: str, unit: str) -> Html:
        """The form that adds a beat or a cut; N in its field takes the player's time."""
        clock = unit.rpartition(" ")[2]
        key = _ADD_KEYS[kind]
        at = element(
            "input", type="number", name="at", required=True, min=0, step="any",
            inputmode="decimal", data_now=clock, data_key=key,
        )  # fmt: skip
        words = element("span", f"New {kind} at, {unit}", element("kbd", key.upper()))
        fields = [element("label", words, at)]
        if kind == "beat":
            place = element(
                "input", type="number", name="to", min=1, max=correcting.MOST_BEATS,
                placeholder="as counted",
            )  # fmt: skip
            fields.append(frame.labelled("place in its bar", place))
        button = element("button", "Add", type="submit", aria_label=f"Add a {kind}")
        return self.form(f"add-{kind}", *fields, button, class_="fields")

    def _row(self, thing: Thing, unit: str) -> tuple[object, object, object]:
        at = element("button", f"{thing.at_s:.3f}", type="button", class_="go",
                     data_go=f"{thing.video_s:.3f}",
                     aria_label=f"Go to {thing.at_s:.3f} s")  # fmt: skip
        return at, thing.name, self._correction(thing, unit)

    def _correction(self, thing: Thing, unit: str) -> Html:
        at = element("input", type="hidden", name="at", value=thing.at)
        name = f"{thing.name} at {thing.at_s:.3f} s"
        if thing.kind == "note":
            other = "accompaniment" if thing.is_melody else "melody"
            pitch = element("input", type="hidden", name="to", value=thing.pitch)
            words = f"Mark as {other}"
            button = element("button", words, type="submit", aria_label=f"{words}: {name}")
            return self.form(other, at, pitch, button)
        if thing.choices:
            field = element(
                "select",
                *(element("option", each, selected=each == thing.name) for each in thing.choices),
                name="to", aria_label=f"New name of the {thing.kind}, {name}",
            )  # fmt: skip
            verb = "Rename"
        else:
            field = element(
                "input", type="number", name="to", required=True, min=0, step="any",
                value=f"{thing.at_s:.3f}", inputmode="decimal", data_now=thing.clock,
                aria_label=f"New time of the {thing.kind} at {thing.at_s:.3f} s, {unit}",
            )  # fmt: skip
            verb = "Move"
        button = element("button", verb, type="submit", aria_label=f"{verb} the {name}")
        changed = self.form(thing.kind, at, field, button, class_="row")
        if thing.kind not in _ADD_KEYS:
            return changed
        button = element("button", "Remove", type="submit", aria_label=f"Remove the {name}")
        removed = self.form(f"remove-{thing.kind}", at, button)
        return element("div", changed, removed, class_="row")

    def whole(self, entry: CorrectedEntry) -> Html:
        """What is about the whole entry: its key, and what of it is kept."""
        parts: list[Html] = []
        key = correcting.key_of(entry)
        if key:
            choices = (
                element("option", each, selected=each == key)
                for each in correcting.key_choices(key)
            )
            field = frame.labelled("Key of the piece", element("select", *choices, name="to"))
            parts.append(self.form("key", field, frame.button("Rename"), class_="fields"))
        start_s, end_s = entry.trim or (0.0, time_line.length_s(entry.records))
        times = [
            frame.labelled(
                words,
                element("input", type="number", name=name, required=True, min=0, step="any",
                        value=f"{value:.3f}", inputmode="decimal", data_now="video"),
            )
            for words, name, value in (
                ("Keep from, s of the video", "at", start_s), ("to, s", "to", end_s),
            )
        ]  # fmt: skip
        parts.append(self.form("trim", *times, frame.button("Trim"), class_="fields"))
        return frame.part("The whole entry", *parts)

    def made(self, corrections: Sequence[Corrected]) -> Html:
        """The corrections that stand, with their states, each with a way to undo it."""
        rows = []
        for each in corrections:
            line = each.correction
            field = element("input", type="hidden", name="id", value=line.id)
            label = f"Undo: {line.edit}"
            undo = self.form(
                "undo", field, element("button", "Undo", type="submit", aria_label=label)
            )
            state = f"{each.state}: {each.reason}" if each.reason else each.state
            rows.append((str(line.edit), line.author, line.time, state, undo))
        last = self.form("undo last", frame.button("Undo my last", key="u"))
        then = element(
            "p", "They are in the rows after the next build. What is not applicable is kept, and "
            "applies again where what it is about is there again.",
        )  # fmt: skip
        heads = ("correction", "by", "when (UTC)", "state", "undo")
        if not rows:
            return frame.part("Corrections", element("p", "Nothing of it is corrected."))
        table = frame.table(heads, rows, "Corrections")
        return frame.part("Corrections", then, element("div", last, class_="row"), table)
