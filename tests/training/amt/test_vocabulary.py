"""Chords, keys and feelings as the model counts and as people write them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmv_builder.errors import StopRun
from symmv_builder.training.amt.vocabulary import (
    CHORDS,
    END,
    OUTPUTS,
    PAD,
    QUALITIES,
    ROOTS,
    START,
    input_tables,
    key_value,
    matching_table,
    parse_chord,
    parse_key,
    parse_primer,
    parts_of_input,
    shift_into,
    transpose,
)
from symmv_builder.vocab import EMOTIONS, MUVISYNC_LABELS, muvisync_id, muvisync_parts


def test_there_are_159_outputs_and_the_inputs_have_15_roots_and_16_qualities() -> None:
    assert (CHORDS, END, PAD, OUTPUTS) == (157, 157, 158, 159)
    roots, qualities = input_tables()
    given_inputs = [number for number in range(START + 1) if number != END]
    assert sorted(set(roots[given_inputs].tolist())) == list(range(ROOTS)) == list(range(15))
    assert sorted(set(qualities[given_inputs].tolist())) == list(range(QUALITIES))
    assert QUALITIES == 16


def test_no_two_inputs_are_read_alike() -> None:
    roots, qualities = input_tables()
    pairs = {(roots[n], qualities[n]) for n in range(START + 1) if n != END}
    assert len(pairs) == START


def test_end_is_no_input_at_all() -> None:
    with pytest.raises(ValueError, match="157 is no input"):
        parts_of_input(END)


def test_a_primer_s_bare_c_has_the_quality_that_c_has_in_training() -> None:
    [label] = parse_primer("C")
    assert parts_of_input(muvisync_id(label)) == (1, 1)
    roots, qualities = input_tables()
    assert qualities[muvisync_id("C")] == qualities[muvisync_id("G")] == 1
    assert roots[muvisync_id("C")] == 1
    assert parts_of_input(muvisync_id("N")) == (0, 0)


def test_roots_and_qualities_of_inputs_are_those_of_the_labels() -> None:
    roots, qualities = input_tables()
    for number, label in enumerate(MUVISYNC_LABELS[1:], 1):
        parts = muvisync_parts(label)
        assert parts is not None
        assert roots[number] == parts[0] + 1
        assert muvisync_parts(MUVISYNC_LABELS[qualities[number]])[1] == parts[1]  # type: ignore[index]


def test_chords_are_read_as_people_write_them() -> None:
    written = "C Am Dm7 G7 Bdim Fmaj7 Bbm7b5 Ebsus4 C#6 A:min7 F#:hdim7 N Caug Gsus2 Em6 Bo7 D:maj"
    assert parse_primer(written) == (
        "C", "A:min", "D:min7", "G:7", "B:dim", "F:maj7", "A#:hdim7", "D#:sus4", "C#:maj6",
        "A:min7", "F#:hdim7", "N", "C:aug", "G:sus2", "E:min6", "B:dim7", "D",
    )  # fmt: skip
    assert parse_primer("C, Am | F\nG") == ("C", "A:min", "F", "G")
    assert parse_primer("  ") == ()


@given(st.sampled_from(MUVISYNC_LABELS))
def test_every_label_of_the_vocabulary_is_read_as_itself(label: str) -> None:
    assert parse_chord(label) == label


@pytest.mark.parametrize("text", ["H", "Cm11", "C:maj9", "c", "Am/C", "x"])
def test_what_is_no_chord_stops_the_run_with_examples(text: str) -> None:
    with pytest.raises(StopRun, match=r"chord is '.*'; write .* Am Dm7"):
        parse_primer(f"C {text}")


def test_keys_are_read_as_people_write_them() -> None:
    assert parse_key("A minor") == (9, "minor")
    assert parse_key(" Eb major ") == (3, "major")
    assert parse_key("c# min") == (1, "minor")
    assert parse_key("B- Major") == (10, "major")
    for text in ("A", "H minor", "A dorian", ""):
        with pytest.raises(StopRun, match=r"key is .*; write a tonic and a mode"):
            parse_key(text)


def test_major_is_one_in_the_paper_and_zero_in_its_code() -> None:
    assert [key_value(mode, "paper") for mode in ("major", "minor")] == [1.0, 0.0]
    assert [key_value(mode, "released") for mode in ("major", "minor")] == [0.0, 1.0]


def test_a_key_is_so_far_above_c_major_or_a_minor() -> None:
    assert shift_into(0, "major") == shift_into(9, "minor") == 0
    assert transpose(("C", "A:min", "N", "G:7"), shift_into(3, "major")) == (
        "D#", "C:min", "N", "A#:7",
    )  # fmt: skip
    assert transpose(("A:min", "E:7"), shift_into(0, "minor")) == ("C:min", "G:7")


@pytest.mark.twin("test_numbers_count_the_qualities_of_each_root_in_the_order_of_the_papers_code")
def test_numbers_are_those_of_the_published_dataset(shared_data: Path) -> None:
    folder = shared_data / "muvisync"
    assert_numbers_are_those_of(
        *(
            json.loads((folder / f"{name}.json").read_text())
            for name in ("chord", "chord_root", "chord_attr")
        )
    )


def test_numbers_count_the_qualities_of_each_root_in_the_order_of_the_papers_code() -> None:
    roots = ["N", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    qualities = ["N", "maj", "dim", "sus4", "min7", "min", "sus2", "aug", "dim7", "maj6"]
    qualities += ["hdim7", "7", "min6", "maj7"]
    chords = ["N"]
    for root in roots[1:]:
        chords += [root, *(f"{root}:{quality}" for quality in qualities[2:])]
    counted = ({word: n for n, word in enumerate(words)} for words in (chords, roots, qualities))
    assert_numbers_are_those_of(*counted)


def assert_numbers_are_those_of(
    numbers: dict[str, int], of_root: dict[str, int], of_quality: dict[str, int]
) -> None:
    published = {label: n for label, n in numbers.items() if label in MUVISYNC_LABELS}
    assert published == {label: n for n, label in enumerate(MUVISYNC_LABELS)}
    for label, number in published.items():
        root, _, quality = label.partition(":")
        wanted = of_root[root], of_quality["N" if label == "N" else quality or "maj"]
        assert parts_of_input(number) == wanted


def test_feelings_allow_the_qualities_of_table_1() -> None:
    # Columns as printed: maj dim sus4 min7 min sus2 dim7 maj6 hdim7 7 maj7.
    columns = ("C", "C:dim", "C:sus4", "C:min7", "C:min", "C:sus2", "C:dim7", "C:maj6",
               "C:hdim7", "C:7", "C:maj7")  # fmt: skip
    printed = {
        "exciting": "10100000010",
        "fearful": "01010010100",
        "tense": "01110000010",
        "sad": "00011100000",
        "relaxing": "10000001001",
        "neutral": "00000000000",
    }
    table = matching_table()
    assert table.shape == (6, 159)
    for row, emotion in enumerate(EMOTIONS):
        marks = "".join(str(int(table[row, muvisync_id(label)])) for label in columns)
        assert marks == printed[emotion], emotion
        assert table[row].sum() == 12 * printed[emotion].count("1")
    outside = [muvisync_id("N"), muvisync_id("C:aug"), muvisync_id("D:min6"), END, PAD]
    assert not table[:, outside].any()
    assert table.dtype == np.bool_
