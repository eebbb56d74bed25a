"""From untrained models to music: whatever it sounds like, it must be music of the right length."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.cli.advice import advised
from symmv_builder.errors import StopRun, Untrained
from symmv_builder.records import Key, Notes
from symmv_builder.training import checkpoint
from symmv_builder.training.configs import as_plain
from symmv_builder.training.vmusprod.compose import Models, compose, compose_all, load
from symmv_builder.training.vmusprod.config import STAGES, Stage, VMusProd
from symmv_builder.training.vmusprod.models import Condition, Design, StageModel
from symmv_builder.training.vmusprod.piece import (
    Wish,
    parse_key,
    parse_primer,
    plan_piece,
    shift_to,
)
from symmv_builder.training.vmusprod.sampling import TokenSampling
from tests.training.vmusprod.made_songs import is_same

ABOUT: dict[str, Any] = {
    "tempo_quantiles": [80.0, 100.0],
    "bars_quantiles": [4.0, 8.0],
    "motion": [2.0, 12.0],
    "fixed_bpm": None,
}
# Few notes at once, so that untrained models are done soon.
SAMPLING = TokenSampling(notes_per_position=2)


def design_of(stage: Stage, variant: str, *, sees: bool) -> Design:
    condition: Condition = "video" if sees else "nothing"
    if stage != "chord" and variant != "video2music":
        condition = "score"
    on_video = condition == "video"
    return Design(
        condition,
        width=32,
        heads=2,
        feedforward=32,
        encoder_layers=1,
        decoder_layers=1,
        controller_layers=1,
        dropout=0.1,
        max_bars=16,
        timing=stage != "chord",
        semantic=on_video,
        colour=on_video,
    )


def make_models(variant: str = "full", *, sees: bool = True, **about: Any) -> Models:
    torch.manual_seed(0)
    config = VMusProd(variant=variant, semantic_hz=0.5, colour_hz=0.5)  # type: ignore[arg-type]
    stages = {
        stage: StageModel(design_of(stage, variant, sees=sees)).eval() for stage in STAGES[variant]
    }
    for model in stages.values():
        # Else an untrained model may close bar after bar, and there is no music to look at.
        model.heads.kind.weight.data.zero_()
        model.heads.kind.bias.data = torch.tensor([0.0, 0, 0, 2, 0, 1])
    known = ABOUT | ({} if sees else {"motion": None}) | about
    return Models(config, stages, known, torch.device("cpu"))


def make_video(seed: int = 0, seconds: int = 12, motion: float = 7.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    colour = rng.random((seconds, 12288), dtype=np.float32)
    return {
        "motion": np.full(5 * seconds, motion, dtype=np.float32),
        "semantic": rng.standard_normal((6 * seconds, 512)).astype(np.float32),
        "colour": colour / colour.sum(axis=1, keepdims=True),
    }


def check_notes(notes: Notes, duration_s: float) -> None:
    assert len(notes.pitches) > 0
    assert (notes.starts_s >= 0).all()
    assert (notes.ends_s <= duration_s).all()
    assert (notes.ends_s > notes.starts_s).all()


def test_music_for_a_video_lasts_as_long_as_it_and_keeps_the_tempo_of_its_motion() -> None:
    [piece] = compose(make_models(), make_video(motion=7.0), seconds=11.3, sampling=SAMPLING)
    assert (piece.tempo_bpm, piece.duration_s) == (110.0, 11.3)
    check_notes(piece.melody, 11.3)
    check_notes(piece.accompaniment, 11.3)
    # Five whole bars of 60/110*4 s and a part of a sixth.
    assert (piece.song.bars, piece.song.tempo_bpm) == (6, 110.0)
    assert piece.notes.ends_s.max() > 11.3 - 60 / 110 * 4
    assert piece.chords.ends_s.max() <= 11.3


def test_every_onset_lies_on_a_sixteenth_of_the_tempo() -> None:
    [piece] = compose(make_models(sees=False), None, seconds=9.0, sampling=SAMPLING)
    steps = piece.notes.starts_s * piece.tempo_bpm / 60 * 4
    assert steps == pytest.approx(np.rint(steps))
    assert piece.notes.starts_s.tolist() == sorted(piece.notes.starts_s.tolist())
    pairs = set(zip(piece.notes.starts_s.tolist(), piece.notes.pitches.tolist(), strict=True))
    assert len(pairs) == len(piece.notes.pitches)


@pytest.mark.parametrize("variant", ["video2music", "video2chord2music"])
def test_the_ablations_write_all_notes_at_once(variant: str) -> None:
    [piece] = compose(make_models(variant), make_video(), seconds=6.0, sampling=SAMPLING)
    check_notes(piece.accompaniment, 6.0)
    assert len(piece.melody.pitches) == 0
    assert (len(piece.chords.labels) > 0) == (variant == "video2chord2music")


def test_without_a_video_tempo_and_length_are_those_of_the_corpus() -> None:
    pieces = compose(make_models(sees=False), None, count=6, sampling=SAMPLING)
    assert len({piece.tempo_bpm for piece in pieces}) == 6
    assert all(80 <= piece.tempo_bpm <= 100 for piece in pieces)
    assert {piece.song.bars for piece in pieces} <= set(range(4, 9))
    for piece in pieces:
        assert piece.duration_s == pytest.approx(piece.song.bars * 240 / piece.tempo_bpm)


def test_a_piece_depends_on_its_own_wish_alone() -> None:
    models = make_models()
    wishes = [
        Wish(seed=7, seconds=9.0, video=make_video(1, seconds=9, motion=3.0)),
        Wish(seed=8, bars=2, video=make_video(2, seconds=5)),
        Wish(seed=7, bars=3, video=make_video(3, seconds=7)),
    ]
    together = compose_all(models, wishes, sampling=SAMPLING)
    one_by_one = compose_all(models, wishes, sampling=SAMPLING, batch_size=1)
    for one, other in zip(together, one_by_one, strict=True):
        assert is_same(one.song, other.song)
    assert [piece.song.bars for piece in together] == [4, 2, 3]


def test_a_seed_repeats_its_piece_and_the_next_differs() -> None:
    models = make_models(sees=False)
    first, second = compose(models, None, bars=2, seed=3, count=2, sampling=SAMPLING)
    [again] = compose(models, None, bars=2, seed=3, sampling=SAMPLING)
    assert is_same(first.song, again.song)
    assert not np.array_equal(first.song.pitches, second.song.pitches)


def test_a_primer_begins_the_chords() -> None:
    [piece] = compose(make_models(sees=False), None, bars=4, primer="Am F C,G7", sampling=SAMPLING)
    held = piece.song.chord_onsets < 48
    assert piece.song.chord_onsets[held].tolist() == [0, 16, 32, 40]
    assert piece.song.chord_roots[held].tolist() == [9, 5, 0, 7]
    assert piece.song.chord_qualities[held].tolist() == [1, 0, 0, 4]


def test_a_primer_as_long_as_the_piece_is_all_its_chords() -> None:
    [piece] = compose(make_models(sees=False), None, bars=2, primer="C Bbm7", sampling=SAMPLING)
    assert piece.chords.labels == ("CM", "Bbm7")


def test_a_primer_longer_than_the_piece_is_refused() -> None:
    with pytest.raises(StopRun, match="no room"):
        compose(make_models(sees=False), None, bars=1, primer="C G", sampling=SAMPLING)


def test_a_piece_is_moved_into_the_key_that_is_asked() -> None:
    models = make_models(sees=False)
    heard = Key("G", "major", 0.9)
    [plain] = compose(models, None, bars=2, sampling=SAMPLING)
    [moved] = compose(
        models, None, bars=2, key=parse_key("b minor"), find_key=lambda _: heard, sampling=SAMPLING
    )
    assert set(moved.song.pitches % 12) == {(p + 7) % 12 for p in set(plain.song.pitches % 12)}


@pytest.mark.parametrize("variant", STAGES)
def test_a_piece_begins_in_its_first_bar_and_a_short_one_before_its_middle(variant: str) -> None:
    models = make_models(variant)
    for seconds, latest_s in ((30.0, 2.0), (1.0, 0.5)):
        pieces = compose(
            models, make_video(), seconds=seconds, tempo_bpm=120.0, count=8, sampling=SAMPLING
        )
        firsts_s = [piece.notes.starts_s.min() for piece in pieces]
        assert max(firsts_s) <= latest_s


def test_a_key_moves_by_the_shortest_way_to_its_scale() -> None:
    c, a, f, b = (parse_key(t) for t in ("C major", "a minor", "F# major", "B major"))
    assert [shift_to(c, a), shift_to(a, c), shift_to(c, f), shift_to(c, b)] == [0, 0, 6, -1]


def test_key_and_primer_together_are_refused() -> None:
    models, key = make_models(sees=False), parse_key("C major")
    with pytest.raises(StopRun, match="give `key` or `primer`"):
        compose(models, None, bars=2, key=key, find_key=lambda _: key, primer="C")


@pytest.mark.parametrize("text", ["H major", "C", "C dorian", ""])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(StopRun, match=r"key is '.*'; write a tonic"):
        parse_key(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no chord"),
        ("C Hm", "chord is 'Hm'; write a root"),
        ("C,F,G", "3 chords"),
        ("Cmaj9", "chord is 'Cmaj9'"),
    ],
)
def test_what_is_no_primer_is_refused(text: str, says: str) -> None:
    with pytest.raises(StopRun, match=says):
        parse_primer(text)


def test_a_waltz_is_written_in_three() -> None:
    [piece] = compose_all(
        make_models(sees=False), [Wish(bars=3)], sampling=SAMPLING, steps_per_bar=12
    )
    assert (piece.song.steps_per_bar, piece.song.bars) == (12, 3)
    assert (piece.song.chord_onsets < 36).all()


@pytest.mark.parametrize(
    ("wish", "about", "bpm", "bars"),
    [
        (Wish(seconds=8.0, tempo_bpm=120.0), {}, 120.0, 4),
        (Wish(seconds=8.01, tempo_bpm=120.0), {}, 120.0, 5),
        (Wish(seconds=0.1, tempo_bpm=120.0), {}, 120.0, 1),
        (Wish(seconds=8.0, video={"motion": np.zeros(9)}), {}, 90.0, 3),
        (Wish(bars=5, video={"motion": np.zeros(9)}), {"fixed_bpm": 110.0}, 110.0, 5),
    ],
)
def test_bars_follow_from_length_and_tempo(
    wish: Wish, about: Mapping[str, Any], bpm: float, bars: int
) -> None:
    plan = plan_piece(wish, ABOUT | dict(about), 16)
    assert (plan.tempo_bpm, plan.bars) == (bpm, bars)
    assert plan.end_s == (wish.seconds or pytest.approx(bars * 240 / bpm))


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(seconds=0.0), "above 0"),
        (Wish(seconds=1e6), "at most"),
        (Wish(bars=0), "1 or more"),
        (Wish(seconds=9.0, tempo_bpm=5.0), "20 to 400"),
        (Wish(seconds=9.0, video={}), "no column motion"),
        (Wish(seconds=9.0, seed=-1), "0 or more"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(wish: Wish, says: str) -> None:
    with pytest.raises(StopRun, match=says):
        plan_piece(wish, ABOUT, 16)


def test_models_and_videos_must_fit() -> None:
    with pytest.raises(StopRun, match="give one"):
        compose(make_models(), None, seconds=4.0)
    with pytest.raises(StopRun, match="without videos"):
        compose(make_models(sees=False), make_video(), seconds=4.0)
    without_colour = {k: v for k, v in make_video().items() if k != "colour"}
    with pytest.raises(StopRun, match="no column colour"):
        compose(make_models(), without_colour, seconds=4.0)
    with pytest.raises(StopRun, match="primer is 'C'; video2music writes no chords"):
        compose(make_models("video2music"), make_video(), seconds=4.0, primer="C")


def test_saved_models_write_what_they_wrote_before(tmp_path: Path) -> None:
    models = make_models()
    for stage, model in models.stages.items():
        checkpoint.save(
            tmp_path / stage,
            kind=f"vmusprod.{stage}",
            config=as_plain(models.config),
            state={"step": 1},
            about=ABOUT | {"design": as_plain(model.design)},
            module=model,
        )
    wish = Wish(seed=1, bars=2, video=make_video())
    [before], [after] = (
        compose_all(given, [wish], sampling=SAMPLING) for given in (models, load(tmp_path))
    )
    assert is_same(before.song, after.song)


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="no checkpoint of V-MusProd"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("stages", "only"), [("all", ""), ("chord", "chord")], ids=["interrupted", "asked for one"]
)
def test_a_training_that_was_ended_between_stages_names_the_one_that_is_missing(
    tmp_path: Path, stages: str, only: str
) -> None:
    models = make_models()
    model = models.stages["chord"]
    checkpoint.save(
        tmp_path / "chord",
        kind="vmusprod.chord",
        config={**as_plain(models.config), "stages": stages},
        state={"step": 1},
        about=ABOUT | {"design": as_plain(model.design)},
        module=model,
    )
    # What a stage writes before its first checkpoint.
    (tmp_path / "melody").mkdir()
    (tmp_path / "melody" / "metrics.jsonl").touch()
    with pytest.raises(Untrained, match=r"the stage melody of .* is not trained yet") as stop:
        load(tmp_path)
    assert (stop.value.stage, stop.value.only) == ("melody", only)
    last = "with --set stages=melody" if only else "again to go on"
    assert advised(stop.value).endswith(f"; run the same `symmv train` {last}")


def test_progress_rises_over_stages_and_batches() -> None:
    told: list[tuple[str, float]] = []
    compose_all(
        make_models(sees=False),
        [Wish(seed=n, bars=2) for n in range(3)],
        sampling=SAMPLING,
        batch_size=2,
        tell=lambda stage, share: told.append((stage, share)),
    )
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert {stage for stage, _ in told} == {"chord", "melody", "accompaniment"}
