"""What licences allow, and which one a release can stand under.

A licence is told by its kinds; a text that names several (code and weights) has the kinds of all.
A release is as strict as the strictest thing in it: that is the rule, and `choose` applies it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OTHER = "other"
# Kinds of a licence, from the mildest to the strictest.
PUBLIC, PERMISSIVE, CREDIT, SHARE_ALIKE = "public domain", "permissive", "credit", "share alike"
NO_COMMERCE, NO_CHANGES, UNKNOWN = "not for commercial use", "no derivatives", "terms not known"
# The licence, by the name that the hub has for it, that each set of kinds ends in.
_PERMISSIVE = {"mit": "MIT", "isc": "ISC", "bsd-3-clause": "BSD", "apache-2.0": "Apache"}
URLS: Mapping[str, str] = {
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-nc-sa-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "cc-by-nd-4.0": "https://creativecommons.org/licenses/by-nd/4.0/",
    "cc-by-nc-nd-4.0": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    "mit": "https://spdx.org/licenses/MIT.html",
    "isc": "https://spdx.org/licenses/ISC.html",
    "bsd-3-clause": "https://spdx.org/licenses/BSD-3-Clause.html",
    "apache-2.0": "https://spdx.org/licenses/Apache-2.0.html",
}
KNOWN = (*URLS, OTHER)


def kinds_of(licence: str) -> frozenset[str]:
    """Sort a licence into kinds by its text; `UNKNOWN` where it says none that is known."""
    text = re.sub(r"[\s_-]+", " ", licence.lower())
    result = set()
    commons = re.findall(r"\bcc by((?: (?:nc|sa|nd))*)\b", text)
    for parts in commons:
        result.add(CREDIT)
        result |= {
            {"nc": NO_COMMERCE, "sa": SHARE_ALIKE, "nd": NO_CHANGES}[p] for p in parts.split()
        }
    if re.search(r"\b(non ?commercial|not for commercial)\b", text):
        result.add(NO_COMMERCE)
    if re.search(r"\bcc ?0\b|public domain", text):
        result.add(PUBLIC)
    if re.search(r"\b(mit|isc|bsd|apache)\b", text):
        result.add(PERMISSIVE)
    return frozenset(result or {UNKNOWN})


def is_commercial(licence: str) -> bool:
    """Check whether a licence is known to allow commercial use."""
    return not kinds_of(licence) & {NO_COMMERCE, UNKNOWN}


@dataclass(frozen=True, slots=True)
class LicenceChoice:
    """The licence of a release, by the hub's name, and why it is that one."""

    licence: str
    reason: str


def choose(terms: Mapping[str, str], stated: str = "") -> LicenceChoice:
    """Choose the licence that a release can stand under, of the licences of all that is in it.

    `terms` are those by what they are of; an empty text is of something whose terms nobody has
    stated. `stated` is what the makers of the release chose; `ValueError` with the reason where
    something in it forbids that.
    """
    by_kind: dict[str, list[str]] = {}
    for name, licence in terms.items():
        for kind in kinds_of(licence):
            by_kind.setdefault(kind, []).append(name)
    if stated:
        if fault := _forbids(by_kind, stated):
            raise ValueError(fault)
        return LicenceChoice(
            stated, "It is what the makers of this release state; nothing forbids it."
        )
    named = {kind: " and ".join(names) for kind, names in by_kind.items()}
    if UNKNOWN in named:
        return LicenceChoice(OTHER, f"The terms of {named[UNKNOWN]} are not known.")
    if NO_CHANGES in named:
        reason = f"The terms of {named[NO_CHANGES]} do not allow what is derived from it."
        return LicenceChoice(OTHER, reason)
    if NO_COMMERCE in named:
        free = [name for name in by_kind.get(SHARE_ALIKE, ()) if name not in by_kind[NO_COMMERCE]]
        if free:
            both = f"{' and '.join(free)} and of {named[NO_COMMERCE]}"
            return LicenceChoice(OTHER, f"The terms of {both} cannot be met at once.")
        licence = "cc-by-nc-sa-4.0" if SHARE_ALIKE in named else "cc-by-nc-4.0"
        return LicenceChoice(licence, f"The terms of {named[NO_COMMERCE]} allow no commercial use.")
    if SHARE_ALIKE in named:
        reason = f"The terms of {named[SHARE_ALIKE]} ask that it is shared alike."
        return LicenceChoice("cc-by-sa-4.0", reason)
    if CREDIT in named:
        return LicenceChoice("cc-by-4.0", f"The terms of {named[CREDIT]} ask for credit.")
    every = " ".join(terms.values()).lower()
    last = [hub for hub, word in _PERMISSIVE.items() if re.search(rf"\b{word.lower()}\b", every)]
    return LicenceChoice(
        last[-1] if last else "cc0-1.0", "It is the strictest licence in this release."
    )


def _forbids(by_kind: Mapping[str, Sequence[str]], stated: str) -> str:
    """Tell why a licence cannot be that of what has these kinds; empty where it can.

    Terms that are not known forbid nothing: whoever states a licence answers for them.
    """
    allowed = kinds_of(stated) if stated != OTHER else by_kind.keys()
    for kind in (NO_COMMERCE, SHARE_ALIKE, NO_CHANGES):
        if kind in by_kind and kind not in allowed:
            return f"{stated} allows what {' and '.join(by_kind[kind])} in it does not: {kind}"
    return ""
