"""A project's takes: how far they are, one with its video over its notes, and all others."""

import time
from typing import Any

from symmv_builder.api.composers import about_model, options_of_models
from symmv_builder.api.take_writer import Studio
from symmv_builder.api.takes import KINDS, Project, Take
from symmv_builder.errors import StopRun
from symmv_builder.report import time_line
from symmv_builder.report.elements import Html, element
from symmv_builder.web import frame, ordering
from symmv_builder.web.guard import Session

AGAIN_S = 5
_FILES = {"mp4": "Video (MP4)", "wav": "Sound (WAV)", "mid": "Notes (MIDI)",
          "musicxml": "Score (MusicXML)"}  # fmt: skip


def when(seconds: float) -> str:
    """A time as people read it."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def model_choice(to: str, models: list[str], model: str) -> Html | None:
    """The choice of a model, on which it depends what can be ordered; none where is but one."""
    if not models:
        return None
    listed = frame.choice("model", models, model, ordering.STARTER)
    return element(
        "form", frame.labelled("Model", listed), element("button", "Choose", type="submit"),
        action=to, method="get", class_="fields",
    )  # fmt: skip


def shown_take(project: Project, number: str) -> Take | None:
    """The take of that number, else the newest that is done."""
    for take in reversed(project.takes):
        if str(take.number) == number or (not number and take.state == "done"):
            return take
    return None


def progress(project: Project, session: Session) -> Html | None:
    """How far takes are that wait or are being written, each with a way to stop it."""
    here = frame.address("compose", project.name)
    rows = []
    for take in project.takes:
        if not take.is_open:
            continue
        doing = take.doing or ("waiting for its turn" if take.state == "waiting" else "beginning")
        name = f"Take {take.number}"
        bar = element("progress", value=f"{take.share:.3f}", max=1, aria_label=name)
        words = element("span", doing, class_="doing")
        stop = frame.form(
            f"{here}/{take.number}/stop", session, frame.button(f"Stop take {take.number}")
        )
        rows.append(
            element("div", element("strong", name), bar, words, stop, class_="row",
                    data_take=take.number, data_now=take.state)
        )  # fmt: skip
    if not rows:
        return None
    return element(
        "section", element("h2", "Being written"), *rows, id="progress", data_state=f"{here}/state",
        aria_live="polite",
    )  # fmt: skip


def table(project: Project, shown: Take | None, session: Session) -> Html | None:
    """All takes of a project."""
    if not project.takes:
        return None
    here = frame.address("compose", project.name)
    rows = []
    for take in project.takes:
        name: object = f"Take {take.number}"
        if take.state == "done" and take != shown:
            name = frame.link(name, frame.address("compose", project.name, take=take.number))
        gone = frame.form(
            f"{here}/{take.number}/delete", session, frame.button(f"Delete take {take.number}")
        )
        can_go = take.state not in ("waiting", "running")
        # What a model says of itself stands beside the take that is shown, once.
        line = ordering.in_words(take.line)
        outcome = line.partition(";")[0] if take.state == "done" else line
        outcome = "" if outcome == take.state else outcome
        rows.append((name, take.state, ordered(take), outcome, gone if can_go else ""))
    heads = ("take", "state", "ordered", "what came of it", "delete")
    return frame.part("Takes", frame.table(heads, rows, "Takes"))


def ordered(take: Take) -> str:
    """What was ordered of a take, in a line."""
    wishes = take.wishes
    if wishes.passage is not None:
        number, start_s, end_s = wishes.passage
        parts = [f"{start_s:g} to {end_s:g} s of take {number} anew"]
    else:
        parts = [wishes.model or "starter"]
    named: dict[str, Any] = {
        "seed": wishes.seed, "key": wishes.key, "chords": wishes.primer,
        "boldness": wishes.temperature, **wishes.options, "sound": wishes.soundfont,
    }  # fmt: skip
    off = {option.name: option.off for option in options_of_models() if option.kind is bool}
    for name, value in named.items():
        if isinstance(value, bool):
            parts.append(name if value else off.get(name) or f"no {name}")
        elif value not in ("", None):
            parts.append(f"{name} {frame.cell(value)}")
    return ", ".join(parts)


def shown(project: Project, take: Take, session: Session, studio: Studio) -> Html:
    """A take with its video over its notes, its files, and the form for a passage of it."""
    title = f"Take {take.number}"
    if take.state != "done":
        words = f"{take.state}: {ordering.in_words(take.line)}" if take.line else take.state
        return frame.part(title, element("p", words, class_="note"))
    try:
        drawn = time_line.draw(
            take.records(), f"Shots, chords, beats and notes of take {take.number}"
        )
    except StopRun as error:
        return frame.part(title, element("p", f"It cannot be shown: {error}", class_="note"))
    here, facts = frame.address("compose", project.name, str(take.number)), take.facts()
    video = element(
        "video", controls=True, preload="metadata", playsinline=True, src=f"{here}/mp4",
        data_name="video", aria_label=f"The video with the music of take {take.number}",
    )  # fmt: skip
    players = element(
        "div", element("div", element("figure", video), class_="players"), id="players",
        data_points="[]", data_start=0,
    )  # fmt: skip
    links = [
        element("li", frame.link(words, f"{here}/{kind}?keep=yes", download=True))
        for kind, words in _FILES.items()
        if kind in KINDS and take.file(kind)
    ]
    lead = "Select a place to go there; with the keyboard, left and right go a second."
    roll = element(
        "div", drawn, class_="roll", id="roll", tabindex=0, role="region", aria_label="Time line"
    )
    named = {
        "tempo": f"{float(facts.get('tempo_bpm') or 0):.0f} beats a minute",
        "length": f"{float(facts.get('seconds') or 0):.1f} s",
        "ordered": ordered(take),
        "what came of it": ordering.in_words(take.line),
    }
    return frame.part(
        title, players, element("p", lead), roll, frame.facts(named),
        element("ul", *links, class_="row", aria_label="Files to keep"),
        _passage(take, session, studio, here, float(facts.get("seconds") or 0)),
    )  # fmt: skip


def _passage(
    take: Take, session: Session, studio: Studio, here: str, seconds: float
) -> Html | None:
    """The form for a passage; none for a model that writes none, or is not there any more."""
    try:
        about = about_model(studio.model(take.wishes.model))
    except StopRun:
        return None
    if "passage" not in about.heeded:
        return None
    ends = [
        frame.labelled(
            words,
            element("input", type="number", name=name, min=0, max=f"{seconds:.1f}", step="0.1",
                    required=True, inputmode="decimal"),
        )
        for name, words in (("from", "From second"), ("to", "to second"))
    ]  # fmt: skip
    controls = [*ends, ordering.density(about, take.wishes, studio)]
    controls += [ordering.temperature(take.wishes)] if "temperature" in about.heeded else []
    controls.append(ordering.seed(take.wishes.seed + 1))
    return element(
        "div",
        element("h3", "Write a passage anew"),
        element("p", "All notes outside of it stay as they are."),
        frame.form(
            f"{here}/passage", session, element("div", *controls, class_="fields"),
            frame.button("Write this passage anew"),
        ),
    )  # fmt: skip
