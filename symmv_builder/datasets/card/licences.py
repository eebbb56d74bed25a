"""What licences allow, and which one a release can stand under.

A licence is told by its kinds; a text that names several (code and weights) has the kinds of all.
A release is as strict as the strictest thing in it: that is the rule, and `choose` applies it.
"""

import re
from collections.abc import Iterable, Mapping
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


def choose(terms: Iterable[str], stated: str = "") -> LicenceChoice:
    """Choose the licence that a release can stand under, of the licences of all that is in it.

    `stated` is what its makers chose; `ValueError` with the reason where something in it forbids
    that. An empty text among the terms is something whose terms nobody has stated.
    """
    terms = list(terms)
    kinds = frozenset(kind for term in terms for kind in kinds_of(term))
    if stated:
        if fault := _forbids(kinds, stated):
            raise ValueError(fault)
        return LicenceChoice(
            stated, "It is what the makers of this release state; nothing forbids it."
        )
    if UNKNOWN in kinds:
        return LicenceChoice(OTHER, "The terms of something in this release are not known.")
    if NO_CHANGES in kinds:
        return LicenceChoice(
            OTHER, "Something in this release does not allow what is derived from it."
        )
    if NO_COMMERCE in kinds:
        if any(SHARE_ALIKE in kinds_of(t) and NO_COMMERCE not in kinds_of(t) for t in terms):
            return LicenceChoice(OTHER, "Two licences in it cannot be met at once: see the table.")
        licence = "cc-by-nc-sa-4.0" if SHARE_ALIKE in kinds else "cc-by-nc-4.0"
        return LicenceChoice(licence, "Something in this release is not for commercial use.")
    if SHARE_ALIKE in kinds:
        return LicenceChoice("cc-by-sa-4.0", "Something in this release has to be shared alike.")
    if CREDIT in kinds:
        return LicenceChoice("cc-by-4.0", "Something in this release asks for credit.")
    named = " ".join(terms).lower()
    last = [hub for hub, word in _PERMISSIVE.items() if re.search(rf"\b{word.lower()}\b", named)]
    return LicenceChoice(
        last[-1] if last else "cc0-1.0", "It is the strictest licence in this release."
    )


def _forbids(kinds: frozenset[str], stated: str) -> str:
    """Tell why a licence cannot be that of something of these kinds; empty where it can.

    Terms that are not known forbid nothing: whoever states a licence answers for them.
    """
    allowed = kinds_of(stated) if stated != OTHER else frozenset(kinds)
    for kind in (NO_COMMERCE, SHARE_ALIKE, NO_CHANGES):
        if kind in kinds and kind not in allowed:
            return f"{stated} allows what something in it does not: {kind}"
    return ""
