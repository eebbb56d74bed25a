"""The pages of the loopback video site: HTML for people, JSON inside it for programs.

Titles and descriptions are anything that anybody may have typed: everything is escaped,
and the JSON carries no character that could end the script that it stands in.
"""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from symmv_builder.demo.catalogue import REFUSALS, Channel, Failure, Upload

PAGE_SIZE = 30
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "video,audio{width:100%}li{margin:.3rem 0}small{color:#666}p,li,h1{overflow-wrap:anywhere}"
)


def entry(upload: Upload, channel: Channel) -> dict[str, Any]:
    """Tell what a list says of a video."""
    return {
        "id": upload.video_id,
        "title": upload.title,
        "channel": channel.title,
        "channel_id": channel.name,
        "verified": channel.verified,
        "description": upload.description,
        "duration_s": upload.duration_s or None,
        "views": upload.views,
        "category": upload.category,
        "uploaded": upload.uploaded,
        "live_status": upload.live_status,
    }


def watch_data(
    upload: Upload, channel: Channel, failure: Failure | None, token: int
) -> dict[str, Any]:
    """Tell what a watch page says of a video: its entry, its formats or why there are none.

    `token` makes the addresses of the media new each time, as real sites do.
    """
    reason, subreason = REFUSALS.get(failure, ("", "")) if failure else ("", "")
    refused = failure in REFUSALS
    live = {Failure.LIVE: "is_live", Failure.UPCOMING: "is_upcoming"}
    return entry(upload, channel) | {
        "live_status": live.get(failure, upload.live_status) if failure else upload.live_status,
        "reason": reason,
        "subreason": subreason,
        "drm": failure is Failure.DRM,
        "formats": [] if refused or failure is Failure.DRM else _formats(upload, token),
        "captions": {
            name: f"/media/{upload.video_id}/captions-{name}?token={token}"
            for name, _ in upload.captions
        },
    }


def _formats(upload: Upload, token: int) -> list[dict[str, Any]]:
    formats = []
    for name, path in upload.files.items():
        is_audio = name == "sound" or upload.media_is_audio
        formats.append(
            {
                "format": name,
                "extension": path.suffix.lstrip(".").lower(),
                "size_bytes": path.stat().st_size,
                "address": f"/media/{upload.video_id}/{name}?token={token}",
                "audio": is_audio or upload.media_has_sound,
                "height": None if is_audio else upload.height,
            }
        )
    return formats


def page(title: str, body: str, data: Any = None) -> str:
    """Make a whole page; `data` can be read by programs out of the script called ``data``."""
    script = ""
    if data is not None:
        # The separators too: they end lines in scripts, although not in JSON.
        text = re.sub("[<>&\u2028\u2029]", lambda m: f"\\u{ord(m[0]):04x}", json.dumps(data))
        script = f'<script type="application/json" id="data">{text}</script>'
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><body><h1>{escape(title)}</h1>{body}{script}</body></html>"
    )


def front_page(channels: Sequence[Channel]) -> str:
    """Show all channels."""
    return page("Channels", _links((f"/channel/{c.name}", c.title, "") for c in channels))


def list_page(
    title: str, entries: Sequence[dict[str, Any]], number: int, more: bool, extra: dict[str, Any]
) -> str:
    """Show one page of a channel, a playlist or a search."""
    body = _links((f"/watch?v={e['id']}", e["title"], e["channel"]) for e in entries)
    if more:
        body += f'<p><a href="?page={number + 1}">More</a></p>'
    return page(title, body, {"title": title, "entries": list(entries), "more": more, **extra})


def watch_page(data: dict[str, Any]) -> str:
    """Show a video with its player, or the reason why it cannot be played."""
    who = f"{escape(data['channel'])}, {data['uploaded']}, {data['views']} views"
    body = f"<p><small>{who}</small></p><p>{escape(data['description'])}</p>"
    reasons = [text for text in (data["reason"], data["subreason"]) if text]
    body = f"<p><b>{escape('. '.join(reasons))}</b></p>{body}" if reasons else body
    for form in data["formats"]:
        tag = "video" if form["height"] else "audio"
        body = f'<{tag} controls src="{escape(form["address"])}"></{tag}>{body}'
    return page(data["title"], body, data)


def feed(channel: Channel, entries: Sequence[dict[str, Any]]) -> str:
    """Show the newest videos of a channel as the feed that readers know."""
    items = "".join(
        f"<entry><yt:videoId>{e['id']}</yt:videoId><title>{escape(_printable(e['title']))}</title>"
        f"<published>{e['uploaded'][:4]}-{e['uploaded'][4:6]}-{e['uploaded'][6:]}T00:00:00+00:00"
        f"</published><author><name>{escape(_printable(e['channel']))}</name></author></entry>"
        for e in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:yt="http://www.youtube.com/xml/schemas/2015">'
        f"<title>{escape(_printable(channel.title))}</title>{items}</feed>"
    )


def _printable(text: str) -> str:
    """Remove the characters that XML cannot hold even escaped."""
    return "".join(
        c for c in text if c in "\t\n" or (ord(c) >= 32 and not "\ud800" <= c <= "\udfff")
    )


def _links(rows: Any) -> str:
    items = (
        f'<li><a href="{escape(address)}">{escape(text)}</a> <small>{escape(note)}</small></li>'
        for address, text, note in rows
    )
    return f"<ul>{''.join(items)}</ul>"
