"""Rows as examples: what each stage reads and writes, crops at bars, features of the video."""

from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.training.data import Example
from symmv_builder.training.padding import stack
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod import tokens
from symmv_builder.training.vmusprod.examples import (
    Examples,
    crop_of,
    inputs_of,
    pooled,
    scores_of,
    sequences_of,
)
from symmv_builder.training.vmusprod.songs import QuantisedSong, shift_to_white_keys, song_of
from symmv_builder.training.vmusprod.tempo import MotionRange, tempo_bin
from tests.training.vmusprod.song_rows import song_row


def examples(stage: Any, **settings: Any) -> Examples:
    plain: dict[str, Any] = {
        "variant": "full",
        "max_tokens": 2048,
        "transposes": False,
        "motion": True,
        "semantic_hz": None,
        "colour_hz": None,
    }
    return Examples(stage=stage, **(plain | settings))


def make(stage: Any, row: dict[str, Any], seed: int = 0, **settings: Any) -> Example:
    example = examples(stage, **settings)(row, np.random.default_rng(seed))
    assert example is not None
    return example


def song() -> QuantisedSong:
    found = song_of(song_row(3))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stage", "variant", "writes", "reads"),
    [
        ("chord", "full", {tokens.CHORD}, None),
        ("melody", "full", {tokens.NOTE}, {tokens.CHORD}),
        ("accompaniment", "full", {tokens.NOTE}, {tokens.CHORD, tokens.NOTE}),
        ("music", "video2music", {tokens.NOTE}, None),
        ("music", "video2chord2music", {tokens.NOTE}, {tokens.CHORD}),
    ],
)
def test_each_stage_writes_and_reads_its_sequences(
    stage: Any, variant: str, writes: set[int], reads: set[int] | None
) -> None:
    example = make(stage, song_row(3), variant=variant)
    frame = {tokens.BEGIN, tokens.END, tokens.RHYTHM}
    assert set(example["tokens"][:, 0].tolist()) == writes | frame
    if reads is None:
        assert "source_tokens" not in example
    else:
        assert set(example["source_tokens"][:, 0].tolist()) == reads | frame
    assert example["tempo"] == tempo_bin(95.0)


def test_melody_and_accompaniment_divide_the_notes_that_music_has_whole() -> None:
    notes = {
        name: set(map(tuple, sequence.tokens[sequence.tokens[:, 0] == tokens.NOTE][:, 2:3]))
        for name, sequence in (
            (stage, sequences_of(song(), stage, variant)[0])  # type: ignore[arg-type]
            for stage, variant in (
                ("melody", "full"),
                ("accompaniment", "full"),
                ("music", "video2music"),
            )
        )
    }
    assert notes["melody"] | notes["accompaniment"] == notes["music"]
    assert notes["melody"]
    assert notes["accompaniment"]


def test_a_song_that_fits_is_whole() -> None:
    example = make("accompaniment", song_row(3))
    target, source = sequences_of(song(), "accompaniment", "full")
    assert np.array_equal(example["tokens"], target.tokens)
    assert source is not None
    assert np.array_equal(example["source_tokens"], source.tokens)
    assert np.array_equal(example["places"], np.arange(len(target)))
    assert (example["timing"][0], example["timing"][-1]) == (0, 93)
    assert (np.diff(example["timing"]) >= 0).all()


@pytest.mark.parametrize("seed", range(12))
def test_a_long_song_is_cut_at_bars_and_keeps_its_places(seed: int) -> None:
    example = make("accompaniment", song_row(3, 24), seed, max_tokens=120)
    whole = make("accompaniment", song_row(3, 24))
    for prefix in ("", "source_"):
        cut = example[f"{prefix}tokens"]
        assert len(cut) <= 120
        assert cut[0, 0] == tokens.BEGIN
        assert cut[1, 0] == tokens.RHYTHM
        assert cut[1, 1] == tokens.BAR
        places = example[f"{prefix}places"]
        for name in ("tokens", "bars", "beats", "timing"):
            assert np.array_equal(example[f"{prefix}{name}"], whole[f"{prefix}{name}"][places])
        # Whole bars without a gap: the places behind `begin` run on.
        assert (np.diff(places[1:]) == 1).all()
    own, other = (np.unique(example[f"{p}bars"][1:]) for p in ("", "source_"))
    assert np.array_equal(own, other)
    is_last = whole["bars"][-1] in own
    assert (example["tokens"][-1, 0] == tokens.END) == is_last


def test_crops_reach_all_bars_and_use_their_room() -> None:
    target, source = sequences_of(song(), "melody", "full")
    assert source is not None
    seen, starts = set(), []
    for seed in range(200):
        first, last = crop_of(8, [target.bars, source.bars], 50, np.random.default_rng(seed))
        seen |= set(range(first, last + 1))
        starts.append(first)
        counts = [1 + ((s.bars >= first) & (s.bars <= last)).sum() for s in (target, source)]
        assert max(counts) <= 51
        # A bar of the melody is nine tokens: five and `begin` fit, six do not.
        assert last - first == 5 - 1 or last == 7
    assert seen == set(range(8))
    assert starts.count(0) > 20


def test_a_bar_that_does_not_fit_is_cut() -> None:
    example = make("music", song_row(3), variant="video2music", max_tokens=9)
    assert len(example["tokens"]) == 9


def test_transposition_moves_notes_and_chords_together() -> None:
    plain = make("accompaniment", song_row(3))
    shifts = set()
    for seed in range(30):
        moved = make("accompaniment", song_row(3), seed, transposes=True)
        for prefix in ("", "source_"):
            before, after = plain[f"{prefix}tokens"], moved[f"{prefix}tokens"]
            is_note, is_chord = before[:, 0] == tokens.NOTE, before[:, 0] == tokens.CHORD
            shift = set((after - before)[is_note, tokens.PITCH].tolist())
            roots = set(((after - before)[is_chord, tokens.ROOT] % 12).tolist())
            assert len(shift) == 1
            assert roots <= {up % 12 for up in shift}
            same = np.delete(after, [tokens.PITCH, tokens.ROOT], axis=1)
            assert np.array_equal(same, np.delete(before, [tokens.PITCH, tokens.ROOT], axis=1))
        shifts |= shift
    assert min(shifts) >= -5
    assert max(shifts) <= 6
    assert len(shifts) > 6


def test_on_white_keys_a_song_is_one_and_the_same_whatever_key_it_stands_in() -> None:
    """No other shift has more notes there, and chords are moved with the notes."""
    white = [0, 2, 4, 5, 7, 9, 11]
    for number in range(12):
        song = song_of(song_row(number))
        shift = shift_to_white_keys(song.pitches)
        assert -5 <= shift <= 6
        moved = song.transposed(shift)
        counts = [int(np.isin((moved.pitches + up) % 12, white).sum()) for up in range(12)]
        assert counts[0] == max(counts)
        example = make("chord", song_row(number), seed=number, to_white_keys=True)
        roots = example["tokens"][example["tokens"][:, 0] == tokens.CHORD, tokens.ROOT] - 1
        assert set(moved.chord_roots.tolist()) == set(roots.tolist())


def test_of_two_shifts_onto_white_keys_the_nearer_is_taken() -> None:
    assert shift_to_white_keys(np.array([60, 64, 67])) == 0
    assert shift_to_white_keys(np.array([61, 65, 68])) == -1
    assert shift_to_white_keys(np.array([], dtype=np.int64)) == 0


def test_without_motion_every_song_has_the_same_tempo() -> None:
    tempi = {int(make("melody", song_row(n), motion=False)["tempo"]) for n in range(4)}
    assert tempi == {int(tempo_bin(110.0))}


def test_a_row_that_holds_no_song_or_no_frame_is_left_out() -> None:
    rng = np.random.default_rng(0)
    row = song_row(3, video=True)
    empty = {"beats_times_s": np.zeros(0), "beats_positions": np.zeros(0, int)}
    with pytest.raises(UnusableRow, match="0 beats"):
        examples("chord")(row | empty, rng)
    blind = row | {"semantic": np.zeros((0, 512), np.float16)}
    with pytest.raises(UnusableRow, match="no column semantic: not a frame"):
        examples("chord", semantic_hz=1.0)(blind, rng)
    assert "tokens" in examples("chord")(blind, rng)
    odd = row | {"semantic": np.full((6, 512), np.nan, np.float16)}
    with pytest.raises(UnusableRow, match="semantic holds values that are not finite"):
        examples("chord", semantic_hz=1.0)(odd, rng)


def test_features_are_means_over_spans() -> None:
    values = np.arange(14, dtype=np.float16)[:, None]
    assert pooled(values, 6.0, 1.0)[:, 0].tolist() == [2.5, 8.5, 12.5]
    assert pooled(values, 6.0, 6.0)[:, 0].tolist() == list(range(14))
    assert pooled(values[:4], 1.0, 0.4)[:, 0].tolist() == [1.0, 3.0]
    assert len(pooled(values[:0], 6.0, 1.0)) == 0


def test_the_video_is_whole_also_where_the_song_is_cut() -> None:
    row = song_row(3, 24, video=True)
    example = make("chord", row, max_tokens=64, semantic_hz=1.0, colour_hz=0.5)
    assert example["semantic"].shape == (4, 512)
    assert example["colour"].shape == (2, 12288)
    # Square roots of shares that sum to 1.
    assert np.square(example["colour"]).sum(axis=1) == pytest.approx([1, 1], rel=1e-4)


def test_a_batch_becomes_what_a_model_takes_and_fillers_count_nothing() -> None:
    rows = [make("melody", song_row(n, 4 + n)) for n in range(2)]
    batch = stack(rows, {})
    score, context = inputs_of(batch)
    assert score.tokens.shape == (2, len(rows[1]["tokens"]), 6)
    assert score.mask.sum(1).tolist() == [len(row["tokens"]) for row in rows]
    assert context.score is not None
    assert context.score.mask.sum(1).tolist() == [len(row["source_tokens"]) for row in rows]
    filler, _ = inputs_of(batch | {"real": torch.zeros(2, dtype=torch.bool)})
    assert not filler.mask.any()


def test_whole_sequences_become_the_same_scores_as_examples() -> None:
    """What sampling gives to an encoder is what training gave to it."""
    target, source = sequences_of(song(), "melody", "full")
    assert source is not None
    example = stack([make("melody", song_row(3))], {})
    trained = inputs_of(example)[1].score
    sampled = scores_of([source], torch.device("cpu"))
    assert trained is not None
    for name in ("tokens", "places", "bars", "beats", "timing", "mask"):
        assert torch.equal(getattr(trained, name), getattr(sampled, name)), name
    assert len(target) > 0


def test_the_tempo_that_is_learned_is_the_song_s_or_that_of_its_video_s_motion() -> None:
    row = song_row(3)
    row["motion"] = np.full(50, 7.5, dtype=np.float32)
    lowest_to_highest = MotionRange(5.0, 10.0)
    assert make("melody", row)["tempo"] == tempo_bin(song().tempo_bpm)
    # Half of the range of motion is half of the range of tempos: 90 to 130.
    assert make("melody", row, motion_range=lowest_to_highest)["tempo"] == tempo_bin(110.0)
    row["motion"] = np.full(50, 99.0, dtype=np.float32)
    assert make("melody", row, motion_range=lowest_to_highest)["tempo"] == tempo_bin(130.0)
    for broken in (np.zeros(1), np.array([0.0, np.nan])):
        row["motion"] = broken.astype(np.float32)
        with pytest.raises(UnusableRow, match="motion"):
            make("melody", row, motion_range=lowest_to_highest)
