"""Proposals and doubtful matches, one after the other: see and hear both, decide by a key."""

import math

from fastapi import FastAPI, Request, Response

from symmv_builder.api import browsing, reviewing
from symmv_builder.api.command_line import command_line
from symmv_builder.api.reviewing import Agreement, Judged, Pair
from symmv_builder.report import time_line
from symmv_builder.report.elements import Html, element
from symmv_builder.text import amount
from symmv_builder.web import frame
from symmv_builder.web.desk import Desk, Form, go_to, html, name_of, session_of
from symmv_builder.web.guard import Refused, Session
from symmv_builder.web.pages.entry import origin, players

# The commonest reasons, each by a key of its own.
REASONS = {
    "1": "another song",
    "2": "not a piano alone",
    "3": "no video of the song",
    "4": "bad sound",
    "5": "does not line up",
}
_VERDICTS = (reviewing.ACCEPT, reviewing.REJECT, reviewing.SKIP)


def add(app: FastAPI, desk: Desk) -> None:
    """Put the pages of this module into an application."""

    @app.get("/review/{dataset}")
    def review(request: Request, dataset: str) -> Response:
        session = session_of(request)
        if not session.reviewer:
            return go_to(frame.address("name", next=frame.address("review", dataset)))
        return go_to(_next(desk, dataset, session.reviewer))

    @app.get("/review/{dataset}/{entry_id}")
    def one(request: Request, dataset: str, entry_id: str) -> Response:
        return html(_one(desk, session_of(request), dataset, entry_id))

    @app.post("/review/{dataset}/{entry_id}")
    def decide(request: Request, dataset: str, entry_id: str, fields: Form) -> Response:
        by = name_of(request)
        verdict, reason = fields.get("verdict", ""), fields.get("reason", "")
        if verdict not in _VERDICTS:
            raise Refused(400, f"a decision is one of {', '.join(_VERDICTS)}")
        reviewing.decide(desk.settings, dataset, [entry_id], verdict, by=by, reason=reason)
        return go_to(_next(desk, dataset, by))

    @app.post("/undo/{dataset}")
    def undo(request: Request, dataset: str, fields: Form) -> Response:
        del fields  # nothing is said in them but the word of the session
        name = reviewing.undo_last(desk.settings, dataset, by=name_of(request))
        return go_to(frame.address("review", dataset, *filter(None, [name])))

    @app.get("/decisions/{dataset}")
    def decisions(request: Request, dataset: str) -> Response:
        return html(_decisions(desk, session_of(request), dataset))


def _next(desk: Desk, dataset: str, reviewer: str) -> str:
    """The page of what a reviewer looks at next, or of all decisions where nothing waits.

    What another reviewer was given comes last: two at once do not judge everything twice.
    """
    waiting = [
        each.recording.entry_id for each in reviewing.judged(desk.settings, dataset, reviewer)
    ]
    if not waiting:
        return frame.address("decisions", dataset)
    free = (name for name in waiting if not desk.is_with_another(dataset, name, reviewer))
    name = next(free, waiting[0])
    desk.look(dataset, name, reviewer)
    return frame.address("review", dataset, name)


def _one(desk: Desk, session: Session, dataset: str, entry_id: str) -> str:
    pair = reviewing.pair(desk.settings, dataset, entry_id)
    left = len(reviewing.judged(desk.settings, dataset, session.reviewer))
    sounds = browsing.recordings_of(desk.settings, dataset, entry_id)
    recording = pair.judged.recording
    warp = time_line.warp(pair.records)
    lead = f"{recording.state}, score {recording.score:.2f}; {left} wait for you"
    parts = [
        _question(pair),
        players(dataset, entry_id, sounds, pair.records, side_by_side=True),
        _votes(pair.judged),
        _decide(session, dataset, entry_id),
        frame.part("Alignment", warp) if warp is not None else None,
        _evidence(pair),
    ]
    return frame.page(
        f"Review {dataset}", *parts, session=session, lead=lead, scripts=("player.js", "keys.js")
    )


def _question(pair: Pair) -> Html:
    recording = pair.judged.recording
    sides = (
        ("Video", recording.official_title, recording.official_channel, pair.urls.get("video", "")),
        ("Cover", recording.title, "", pair.urls.get("music", "")),
    )
    cards = [
        frame.card(
            element("h2", head),
            element("p", title or "no title"),
            element("p", channel, class_="about") if channel else None,
            element("p", origin(url)) if url else None,
        )
        for head, title, channel, url in sides
    ]
    return element("div", *cards, class_="sides")


def _votes(judged: Judged) -> Html | None:
    verdict = judged.verdict
    said = [str(verdict)] if verdict.votes else []
    if verdict.needed > 1:
        said.append(f"This one is seen by {verdict.needed} reviewers.")
    if verdict.state == "disputed":
        said.append("Reviewers disagree: one more vote decides.")
    return element("p", " ".join(said), class_="note") if said else None


def _decide(session: Session, dataset: str, entry_id: str) -> Html:
    to = frame.address("review", dataset, entry_id)
    reasons = [
        frame.form(
            to,
            session,
            element("input", type="hidden", name="verdict", value="reject"),
            element("input", type="hidden", name="reason", value=reason),
            frame.button(reason, key=key),
        )
        for key, reason in REASONS.items()
    ]
    other = frame.form(
        to,
        session,
        element("input", type="hidden", name="verdict", value="reject"),
        frame.labelled(
            "Another reason",
            element(
                "input", name="reason", required=True, maxlength=reviewing.LONGEST_REASON,
                id="reason", data_key="r",
            ),
        ),
        element("button", "Reject", element("kbd", "R"), type="submit"),
        class_="other",
    )  # fmt: skip

    def single(verdict: str, words: str, key: str, **more: object) -> Html:
        hidden = element("input", type="hidden", name="verdict", value=verdict)
        return frame.form(to, session, hidden, frame.button(words, key=key, **more))

    undo = frame.form(frame.address("undo", dataset), session, frame.button("Undo last", key="u"))
    return element(
        "section",
        element("h2", "Your decision"),
        element(
            "div",
            single("accept", "Accept", "a", class_="accept"),
            single("skip", "Skip", "s"),
            undo,
            element("button", "Play or pause", element("kbd", "P"), type="button", id="play",
                    data_key="p"),
            class_="row",
        ),
        element("div", element("span", "Reject:"), *reasons, class_="row"),
        other,
        frame.link("All decisions", frame.address("decisions", dataset)),
        class_="decide",
    )  # fmt: skip


def _evidence(pair: Pair) -> Html:
    recording = pair.judged.recording
    rows = [
        (
            candidate.get("title", ""),
            candidate.get("channel", ""),
            frame.cell(candidate.get("score")),
            ", ".join(f"{name} {frame.cell(value)}" for name, value in candidate["parts"].items()),
        )
        for candidate in recording.candidates
    ]
    inner: list[object] = []
    if recording.parsed:
        named = {f"{key}, as read": value for key, value in recording.parsed.items() if value}
        inner.append(frame.facts(named))
    heads = ("candidate", "channel", "score", "parts")
    inner.append(frame.table(heads, rows, "Candidates", numbers=(2,)))
    return element("details", element("summary", "Evidence"), *inner)


def _decisions(desk: Desk, session: Session, dataset: str) -> str:
    every = reviewing.judged(desk.settings, dataset)
    mine = sum(1 for each in every if each.is_for(session.reviewer))
    rows = []
    for each in every:
        name = each.recording.entry_id
        votes = each.verdict.votes
        rows.append(
            (
                frame.link(name, frame.address("review", dataset, name)),
                each.recording.title,
                each.recording.state,
                f"{each.recording.score:.2f}",
                each.verdict.state,
                "; ".join(
                    f"{vote.reviewer}: {vote.verdict} {vote.reason}".strip() for vote in votes
                ),
                max((vote.time for vote in votes), default=""),
            )
        )
    heads = ("entry", "cover", "state", "score", "verdict", "who said what", "when (UTC)")
    settled = sum(each.verdict.is_settled for each in every)
    lead = f"{len(every)} wait, {settled} of them are decided; {mine} for you"
    go_on = frame.link("Go on reviewing", frame.address("review", dataset)) if mine else None
    undo = frame.form(
        frame.address("undo", dataset), session, frame.button("Undo my last", key="u")
    )
    promoted = command_line("promote", dataset, "--reviewed", root=desk.settings.named_root)
    then = element(
        "p",
        "What is accepted becomes entries by ",
        element("code", promoted),
        ".",
    )
    return frame.page(
        f"Decisions on {dataset}",
        then,
        element("div", go_on, undo, class_="row"),
        frame.table(heads, rows, "Decisions", numbers=(3,)),
        _agreement(reviewing.agreement(desk.settings, dataset)),
        session=session,
        lead=lead,
        scripts=("keys.js",),
    )


def _agreement(agreement: Agreement) -> Html:
    if agreement.fleiss is None:
        return frame.part("Agreement", element("p", "Nothing was judged by two reviewers yet."))
    rows = [
        (first, second, count, _kappa(value)) for first, second, count, value in agreement.pairs
    ]
    table = frame.table(
        ("reviewer", "reviewer", "both judged", "Cohen's kappa"), rows, "Agreement", numbers=(2, 3)
    )
    judged = amount(agreement.entries, "entry")
    said = f"Fleiss' kappa over {judged}: {_kappa(agreement.fleiss)}"
    return frame.part("Agreement", table, element("p", said))


def _kappa(value: float) -> str:
    return "not defined: one verdict for all" if math.isnan(value) else f"{value:.3f}"
