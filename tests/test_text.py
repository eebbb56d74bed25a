"""Whatever strangers write is one line that changes nothing on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmv_builder.text import amount, harmless, suggestions

DIRECTIONS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("a\x9b2Jb", "a\ufffd2Jb"),
        ("a\r\n b", "a b"),
        ("a\u2028b\u2029c\x85d\x1ee", "a b c d e"),
        ("\u202egnp.exe\u202c", "\ufffdgnp.exe\ufffd"),
        ("\u2066\u2067\u2068\u2069\u200e\u200f\u061c", "\ufffd" * 7),
        ("pay\u200b\u200d\u2060pal\ufeff\u00ad", "paypal"),
        ("flag\U000e0067\U000e007f\U000e0101", "flag"),
        ("name\udcff.mp4", "name\ufffd.mp4"),
        ("\0\x7f", "\ufffd\ufffd"),
        ("  two  blanks stay", "  two  blanks stay"),
        ("丸ノ内\u3000サディスティック", "丸ノ内 サディスティック"),
    ],
)
def test_what_could_do_harm_is_shown_or_left_out(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Привет",
        "שלום עולם",
        "👩\u200d👩\u200d👧 🎹",
        "می\u200cخواهم",
        "naïve café",
        "[b]:watch:",
        "❤️",
        "",
    ],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert harmless("x" * 10_000, 20) == "x" * 19 + "…"
    assert harmless("x" * 20, 20) == "x" * 20
    assert harmless("\u200b" * 500 + "hidden", 20).endswith("…")
    assert len(harmless(" " * 100_000 + "\n")) == 1


@given(st.text(st.characters(codec=None)))
def test_nothing_that_moves_a_cursor_is_ever_left(text: str) -> None:
    shown = harmless(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
    )
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert harmless(shown) == shown


def test_an_amount_of_one_is_singular() -> None:
    assert [amount(n, "piece") for n in (0, 1, 2)] == ["0 pieces", "1 piece", "2 pieces"]
    assert [amount(n, "entry") for n in (1, 1200)] == ["1 entry", "1,200 entries"]


def test_who_misspells_a_name_is_told_the_nearest_and_a_short_list_of_all() -> None:
    few, many = ("muvisync", "symmv", "midi"), tuple(f"step_{n}x{n}" for n in range(50))
    assert suggestions("muvisyn", few) == (
        " (did you mean muvisync?); known: muvisync, symmv, midi"
    )
    assert suggestions("Mid", few, "it has: ") == (
        " (did you mean midi?); it has: muvisync, symmv, midi"
    )
    assert suggestions("other", few) == "; known: muvisync, symmv, midi"
    assert suggestions("muvisyn", (*few, *many)) == " (did you mean muvisync?)"
    assert suggestions("other", many) == f"; known: {', '.join(many)}"
    assert suggestions("other", (*many, *few, *(f"{n}" for n in range(10)))) == (
        "; it is none of the 63 that are known"
    )
    assert suggestions("other", ()) == ""
