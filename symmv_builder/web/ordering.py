"""The form in which music is ordered: fields for what a model heeds, and what they say."""

import re
from collections.abc import Mapping
from typing import Any

from symmv_builder.api.composers import ModelAbout, Option, options_of_models
from symmv_builder.api.take_writer import Studio
from symmv_builder.api.takes import Wishes
from symmv_builder.report.elements import Html, element
from symmv_builder.web import frame
from symmv_builder.web.guard import Refused

MOST_AT_ONCE = 5
LONGEST_PRIMER = 300
_LAST_SEED = 2**53 - 1000
_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in _TONICS)
STARTER = "The starter model"
# Fields of an order that every trainer may heed, as the form calls them.
_WORDS = {
    "key": "Key",
    "primer": "Chords to begin with",
    "temperature": "Boldness (1 is the model's own)",
}


def order_fields(about: ModelAbout, wishes: Wishes, studio: Studio, *, takes: int = 1) -> Html:
    """The fields of an order for one model, with what was ordered before in them."""
    controls: list[object] = [element("input", type="hidden", name="model", value=wishes.model)]
    if "key" in about.heeded:
        keys = frame.choice("key", KEYS, wishes.key, "as it comes")
        controls.append(frame.labelled(_WORDS["key"], keys))
    if "primer" in about.heeded:
        chords = element(
            "input", name="primer", value=wishes.primer, maxlength=LONGEST_PRIMER,
            placeholder="Am F C G", autocomplete="off",
        )  # fmt: skip
        controls.append(frame.labelled(_WORDS["primer"], chords))
    controls += [_control(option, wishes.options, studio) for option in about.options]
    if "temperature" in about.heeded:
        controls.append(temperature(wishes))
    if sounds := studio.sounds():
        sound = frame.choice("soundfont", sounds, wishes.soundfont, "the sampled piano")
        controls.append(frame.labelled("Sound", sound))
    controls.append(seed(wishes.seed))
    if takes:
        controls.append(frame.labelled("Takes", _number("takes", takes, 1, MOST_AT_ONCE, "1")))
    return element("div", *controls, class_="fields")


def seed(value: int) -> Html:
    return frame.labelled("Seed", _number("seed", value, 0, _LAST_SEED, "1"))


def temperature(wishes: Wishes) -> Html:
    value = wishes.temperature
    return frame.labelled(_WORDS["temperature"], _number("temperature", value, 0.1, 3, "0.05"))


def density(about: ModelAbout, wishes: Wishes, studio: Studio) -> Html | None:
    """The field of the density, for models that heed it."""
    for option in about.options:
        if option.name == "density":
            return _control(option, wishes.options, studio)
    return None


def _control(option: Option, given: Mapping[str, Any], studio: Studio) -> Html:
    value = given.get(option.name, option.default)
    if option.kind is bool:
        box = element("input", type="checkbox", name=option.name, value="yes", checked=bool(value))
        return element("label", box, option.words, class_="check", title=option.help)
    if option.run_of:
        control = frame.choice(option.name, studio.models(), str(value or ""), "none")
    elif option.choices:
        control = frame.choice(option.name, option.choices, str(value or ""), _unchosen(option))
    elif option.kind in (int, float):
        step = "1" if option.kind is int else "any"
        control = _number(option.name, value, option.least, option.most, step)
    else:
        control = element("input", name=option.name, value=value or "", maxlength=200)
    return element("label", element("span", option.words), control, title=option.help)


def _unchosen(option: Option) -> str | None:
    return "as it comes" if option.default is None else None


def _number(name: str, value: Any, least: Any, most: Any, step: str) -> Html:
    shown = "" if value is None else f"{value:g}" if isinstance(value, float) else value
    return element(
        "input", type="number", name=name, value=shown, min=least, max=most, step=step,
        inputmode="decimal", placeholder="as it comes" if value is None else None,
    )  # fmt: skip


def in_words(line: str) -> str:
    """Put the fields of the form in the places of arguments that a text names in backquotes."""
    words = _WORDS | {option.name: option.words for option in options_of_models()}
    return re.sub(r"`([a-z]\w*)`", lambda named: f"“{words.get(named[1], named[1])}”", line)


def wishes_of(fields: Mapping[str, str], about: ModelAbout, studio: Studio) -> Wishes:
    """What the fields of an order say; `Refused` for what is no number, `StopRun` out of bounds."""
    options = {
        option.name: value
        for option in about.options
        if (value := _said(option, fields)) != option.default
    }
    model, soundfont = fields.get("model", ""), fields.get("soundfont", "")
    # Both are names of what is there.
    studio.model(model), studio.sound(soundfont)
    return Wishes(
        model=model,
        key=chosen(fields, "key", KEYS),
        primer=fields.get("primer", "")[:LONGEST_PRIMER].strip(),
        seed=int(number(fields, "seed", 0, 0, _LAST_SEED)),
        temperature=number(fields, "temperature", None, 0.1, 3),
        options=options,
        soundfont=soundfont,
    )


def chosen(fields: Mapping[str, str], name: str, options: tuple[str, ...]) -> str:
    """One of some texts, or nothing."""
    value = fields.get(name, "")
    if value and value not in options:
        raise Refused(400, f"{name} is none of those that can be chosen")
    return value


def number(fields: Mapping[str, str], name: str, default: Any, least: float, most: float) -> Any:
    """A number of a form within bounds, or the default where the field is empty."""
    text = fields.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text) if len(text) < 40 else float("nan")
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise Refused(400, f"{name} is a number from {least:g} to {most:g}")
    return value


def _said(option: Option, fields: Mapping[str, str]) -> Any:
    """The value of an option in a form, checked; `StopRun` where it is out of bounds."""
    text = fields.get(option.name, "").strip()
    if option.kind is bool:
        return bool(text)
    if not text:
        return option.default
    if option.kind in (int, float):
        value = number(fields, option.name, None, -1e9, 1e9)
        whole = option.kind is int and float(value).is_integer()
        return option.checked(int(value) if whole else value)
    value = option.checked(text)
    return str(value)
