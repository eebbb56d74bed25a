"""`symmv train` and `symmv generate`: from small shards to models to a video with new music."""

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symmv_builder import cli
from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav import probe
from symmv_builder.backends.pyav.encode import write_video
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from tests.synthetic_rows import make_row

SYMMV = (
    "vmusprod --preset smoke --set steps=2 --set width=16 --set feedforward=16 "
    "--set batch_size=2 --set validate_every=2 --set checkpoint_every=2"
)
AMT = (
    "amt --preset smoke --set steps=2 --set warmup=1 --set width=8 --set heads=2 --set hidden=8 "
    "--set layers=1 --set validate_every=2 --set checkpoint_every=2"
)
REGRESSOR = "regressor --preset smoke --set steps=2 --set units=4"


def call(arguments: str | list[str]) -> int:
    words = arguments.split() if isinstance(arguments, str) else arguments
    sys.argv = ["symmv", *words]
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def write_dataset(folder: Path, dataset: str, video: Path) -> None:
    """Shards of four rows; the test row's video is stored."""
    root = Root(str(folder))
    splits = ("train", "train", "train", "validation", "test")
    rows = [make_row(dataset, n, seconds=20, split=split) for n, split in enumerate(splits)]
    sha256 = hash_file(video)
    add_asset(root, video, sha256)
    rows[-1]["video_sha256"] = sha256
    written = ShardWriter(root, dataset, published_schema(dataset)).write(rows)
    width = 512 if dataset == "symmv" else 768
    clip = {"slot": "clip", "backend": f"untrained-{width}", "trained": False}
    write_receipt(root, dataset, {"models": [clip], "shards": as_plain(written)})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with both datasets, and a run of every trainer that writes music."""
    place = tmp_path_factory.mktemp("desk")
    rng = np.random.default_rng(5)
    shots = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(4)]
    video = place / "holiday.mp4"
    write_video(video, [shots[n // 30] for n in range(120)], frame_rate=Fraction(12))
    for dataset in ("symmv", "muvisync"):
        write_dataset(place / "data", dataset, video)
    kept = os.getcwd()
    os.chdir(place)
    try:
        assert call(f"train {SYMMV} --data symmv --root data --out runs/vmusprod") == 0
        assert call(f"train {AMT} --data muvisync --root data --out runs/amt") == 0
        assert call(f"train {REGRESSOR} --data muvisync --root data --out runs/regressor") == 0
    finally:
        os.chdir(kept)
    return place


@pytest.fixture(autouse=True)
def there(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)


def test_a_run_that_is_done_is_done_when_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(f"train {AMT} --data muvisync --root data --out runs/amt") == 0
    assert "all steps are done at step 2" in capsys.readouterr().out


def test_v_musprod_scores_a_video_in_the_asked_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = f"generate holiday.mp4 --model runs/vmusprod --key Dminor --out {tmp_path}"
    sys.argv = ["symmv", *arguments.split()]
    sys.argv[sys.argv.index("Dminor")] = "D minor"
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    out, err = capsys.readouterr()
    assert "UNTRAINED" in err
    assert out.startswith(f"{tmp_path}/holiday: 10.0 s")
    facts = json.loads((tmp_path / "holiday.json").read_text())
    assert facts["untrained"] == ["clip: untrained-512"]
    assert 90 <= facts["tempo_bpm"] <= 130
    notes = read_notes(tmp_path / "holiday.mid")
    assert len(notes.pitches) == sum(facts["notes"].values())
    assert notes.ends_s.max(initial=0) <= 10.01
    scored = probe(tmp_path / "holiday.mp4", "0" * 64)
    assert scored.audio_codec == "aac"
    assert scored.duration_s == pytest.approx(10.0, abs=0.1)
    assert (tmp_path / "holiday.wav").is_file()


def test_a_model_without_video_writes_as_long_as_a_video(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    blind = f"{SYMMV} --set without_semantic=true --set without_colour=true"
    assert (
        call(f"train {blind} --set without_motion=true --data symmv --root data --out blind") == 0
    )
    assert call(f"generate holiday.mp4 --model blind --out {tmp_path}") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{tmp_path}/holiday: 10.0 s")
    said = json.loads((tmp_path / "holiday.json").read_text())["said"]
    assert said == "this model sees no video; it took its length, cuts and motion alone"
    # Another video of the same length has a piece of its own, of the next seed.
    shutil.copy("holiday.mp4", tmp_path / "copy.mp4")
    out = tmp_path / "two"
    assert call(f"generate holiday.mp4 {tmp_path}/copy.mp4 --model blind --out {out}") == 0
    seeds = [json.loads((out / f"{name}.json").read_text())["seed"] for name in ("holiday", "copy")]
    assert seeds == [0, 1]
    assert (out / "holiday.mid").read_bytes() == (tmp_path / "holiday.mid").read_bytes()
    assert (out / "copy.mid").read_bytes() != (out / "holiday.mid").read_bytes()


def test_amt_scores_a_row_whose_video_is_stored(tmp_path: Path) -> None:
    arguments = (
        "generate --model runs/amt --regressor runs/regressor --dataset muvisync --split test "
        f"--root data --primer C --out {tmp_path}"
    )
    assert call(arguments) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"song-004.{kind}" for kind in ("mid", "wav", "mp4", "png", "json")
    }
    facts = json.loads((tmp_path / "song-004.json").read_text())
    assert facts["chords"][0] == "C"
    assert len(facts["chords"]) == len(facts["density"]) == 20


def test_amt_writes_for_the_first_seconds_alone_where_asked(tmp_path: Path) -> None:
    arguments = (
        "generate --model runs/amt --regressor runs/regressor --dataset muvisync --split test "
        f"--root data --seconds 5.5 --out {tmp_path}"
    )
    assert call([*arguments.split(), "--primer", "C G " * 9]) == 0
    facts = json.loads((tmp_path / "song-004.json").read_text())
    assert facts["chords"] == ["C", "G"] * 3
    assert facts["said"] == "of the primer's 18 chords 6 fit"
    assert read_notes(tmp_path / "song-004.mid").ends_s.max() == pytest.approx(5.5, abs=0.01)


def test_amt_writes_a_passage_anew_and_plays_as_busily_as_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "generate --model runs/amt --regressor runs/regressor --dataset muvisync --from song-004 "
        f"--root data --no-picture --out {tmp_path}"
    )
    assert call(f"{arguments}/one") == 0
    earlier = f"--piece {tmp_path}/one/song-004.json --passage 5.5 12 --seed 3"
    assert call(f"{arguments}/two {earlier}") == 0
    assert call(f"{arguments}/three --density 4") == 0
    one, two, three = (
        json.loads((tmp_path / name / "song-004.json").read_text())
        for name in ("one", "two", "three")
    )
    assert two["passages"] == [{"of": "song-004", "from_s": 6.0, "to_s": 12.0, "seed": 3}]
    for part in (slice(0, 6), slice(12, None)):
        assert one["chords"][part] == two["chords"][part]
    assert np.allclose(np.array(three["density"]), 4 * np.array(one["density"]), atol=1e-3)
    old, new = (read_notes(tmp_path / name / "song-004.mid") for name in ("one", "two"))
    kept = [(each.starts_s < 6) | (each.starts_s >= 12) for each in (old, new)]
    assert np.array_equal(old.pitches[kept[0]], new.pitches[kept[1]])
    assert np.array_equal(old.starts_s[kept[0]], new.starts_s[kept[1]])
    capsys.readouterr()
    assert call(f"{arguments}/four --pattern 2 --density 2") == 2
    assert "--density" in capsys.readouterr().err
    assert call(f"{arguments}/four --tempo 90") == 2
    assert "tempo is for" in capsys.readouterr().err


def test_the_split_all_is_every_one(tmp_path: Path) -> None:
    arguments = "generate --model runs/amt --pattern 1 --dataset muvisync --root data --split all"
    assert call(f"{arguments} --out {tmp_path}") == 0
    names = {path.stem for path in tmp_path.glob("*.mid")}
    assert names == {f"song-{number:03d}" for number in range(5)}


def test_amt_plays_by_the_papers_rules_or_by_those_of_its_code(tmp_path: Path) -> None:
    for style in ("paper", "released"):
        arguments = (
            "generate --model runs/amt --regressor runs/regressor --dataset muvisync --root data "
            f"--from song-004 --style {style} --out {tmp_path / style}"
        )
        assert call(arguments) == 0
    paper, released = (read_notes(tmp_path / s / "song-004.mid") for s in ("paper", "released"))
    assert not np.array_equal(paper.ends_s, released.ends_s)


def test_the_same_seed_is_the_same_piece_and_another_one_is_another(tmp_path: Path) -> None:
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        arguments = f"generate --model runs/vmusprod --from song-000 --dataset symmv --seed {seed}"
        assert call(f"{arguments} --root data --out {tmp_path / out}") == 0
    a, b, c = ((tmp_path / out / "song-000.mid").read_bytes() for out in "abc")
    assert a == b
    assert a != c
    assert not (tmp_path / "a" / "song-000.mp4").exists()


@pytest.mark.parametrize(
    "model",
    [
        "--model runs/vmusprod --dataset symmv --from song-000",
        "--model runs/amt --regressor runs/regressor --dataset muvisync --from song-004",
    ],
)
def test_greedy_is_one_piece_for_every_seed_and_the_json_says_how(
    model: str, tmp_path: Path
) -> None:
    name = model.rsplit(maxsplit=1)[-1]
    told = {}
    for place, how in (
        ("one", "--greedy --seed 1"),
        ("two", "--greedy --seed 2"),
        ("drawn", "--top-k 3 --temperature 0.9"),
    ):
        arguments = f"generate {model} --root data {how} --out {tmp_path / place}"
        assert call(arguments) == 0
        told[place] = json.loads((tmp_path / place / f"{name}.json").read_text())["sampling"]
    first, second = ((tmp_path / place / f"{name}.mid").read_bytes() for place in ("one", "two"))
    assert first == second
    assert told["one"] == told["two"] == {"method": "greedy"}
    assert told["drawn"] == {"method": "top-k", "top_k": 3, "temperature": 0.9}


def test_what_is_no_video_is_named_and_the_others_go_on(
    desk: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    shutil.copy(desk / "holiday.mp4", tmp_path / "good.mp4")
    model = f"generate --model runs/vmusprod --out {tmp_path / 'out'}"
    assert call(f"{model} {tmp_path / 'text.mp4'} {tmp_path / 'good.mp4'}") == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{tmp_path / 'out' / 'good'}: 10.0 s")
    assert f"symmv: {tmp_path / 'text.mp4'}: not_media: the file cannot be opened" in said.err
    # One that is refused has the same exit code alone; what is not there at all is a wrong call.
    assert call(f"{model}2 {tmp_path / 'text.mp4'}") == 1
    assert call(f"{model}2 {tmp_path / 'nowhere.mp4'}") == 2
    assert not (tmp_path / "out2").exists()


def test_pieces_of_one_name_are_refused_before_anything_is_watched(
    desk: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = [tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4"]
    for name in names:
        name.parent.mkdir()
        shutil.copy(desk / "holiday.mp4", name)
    arguments = f"generate {names[0]} {names[1]} --model runs/vmusprod --out {tmp_path / 'out'}"
    assert call(arguments) == 2
    assert "two pieces would be called x" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_video_in_the_folder_that_is_written_to_stays_as_it_is(
    desk: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = shutil.copy(desk / "holiday.mp4", tmp_path / "holiday.mp4")
    before = Path(own).read_bytes()
    for more in ("", " --overwrite"):
        arguments = f"generate {own} --model runs/vmusprod --out {tmp_path}{more}"
        assert call(arguments) == 2
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith(
            f"symmv: cannot write to {own}: it would take the place of {own}, which is read"
        )
        assert [path.name for path in tmp_path.iterdir()] == ["holiday.mp4"]
        assert Path(own).read_bytes() == before


def test_a_file_of_ones_own_is_kept_and_an_earlier_piece_is_replaced(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = f"generate --model runs/vmusprod --from song-000 --dataset symmv --out {tmp_path}"
    (tmp_path / "song-000.wav").write_text("a recording of one's own")
    assert call(f"{arguments} --root data") == 2
    assert "song-000.wav is there and was not made by this" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["song-000.wav"]
    assert call(f"{arguments} --root data --overwrite") == 0
    first = (tmp_path / "song-000.mid").read_bytes()
    assert call(f"{arguments} --root data --seed 9") == 0
    assert (tmp_path / "song-000.mid").read_bytes() != first
    assert json.loads((tmp_path / "song-000.json").read_text())["seed"] == 9
    assert len(list(tmp_path.iterdir())) == 4


def test_one_missing_file_does_not_stop_the_others(
    desk: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole = (desk / "holiday.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    videos = f"{tmp_path}/gone.mp4 {tmp_path}/cut.mp4 holiday.mp4"
    assert call(f"generate {videos} --model runs/vmusprod --out {tmp_path / 'out'}") == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{tmp_path / 'out' / 'holiday'}: 10.0 s")
    assert f"symmv: {tmp_path}/gone.mp4: unreadable: {tmp_path}/gone.mp4 is not a" in said.err
    assert f"symmv: {tmp_path}/cut.mp4: unreadable: " in said.err
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {
        ".mid", ".wav", ".mp4", ".png", ".json",
    }  # fmt: skip


def test_the_largest_seed_is_a_seed(tmp_path: Path) -> None:
    seed = 2**63 - 1_000_001
    arguments = f"generate --model runs/vmusprod --from song-000 --dataset symmv --seed {seed}"
    assert call(f"{arguments} --root data --count 2 --out {tmp_path}") == 0
    other = arguments.replace("vmusprod", "amt --regressor runs/regressor")
    other = other.replace("--dataset symmv", "--dataset muvisync")
    assert call(f"{other} --root data --out {tmp_path / 'amt'}") == 0
    assert json.loads((tmp_path / f"song-000-{seed + 1}.json").read_text())["seed"] == seed + 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("train nobody --data symmv --out x", "no trainer is called 'nobody'"),
        ("train amt --preset tiny --data symmv --out x", "no preset is called 'tiny'"),
        ("train amt --set widht=3 --data symmv --out x", "no setting is called 'widht'"),
        ("train amt --set width --data symmv --out x", "should look like FIELD=VALUE"),
        ("train amt --set width=wide --data symmv --out x", "it can be a whole number"),
        ("train amt --data nothing --root data --out x", "no dataset is called 'nothing'"),
        ("generate --model nowhere", "nowhere holds no checkpoint"),
        ("generate --model runs/vmusprod", "writes music for videos: give one"),
        ("generate nowhere.mp4 --model runs/vmusprod", "nowhere.mp4 is not a file"),
        ("generate --model runs/vmusprod --from song-000", "say of which dataset"),
        ("generate --model runs/vmusprod --dataset symmv", "add --from or --split"),
        (
            "generate --model runs/vmusprod --dataset symmv --root data --from song-999",
            "no row of symmv is called 'song-999' in data",
        ),
        ("generate holiday.mp4 --model runs/amt", "give --regressor"),
        ("generate holiday.mp4 --model runs/vmusprod --regressor runs/amt", "regressor is for AMT"),
        (
            "generate holiday.mp4 --model runs/vmusprod --key H",
            "key is 'H'; write a tonic and a mode",
        ),
        ("generate holiday.mp4 --model runs/vmusprod --primer Xyz", "chord is 'Xyz'; write a root"),
        (
            "generate holiday.mp4 --model runs/vmusprod --temperature 0",
            "a finite number above 0",
        ),
        ("generate holiday.mp4 --model runs/vmusprod --temperature nan", "temperature is nan"),
        ("generate holiday.mp4 --model runs/vmusprod --temperature inf", "temperature is inf"),
        ("generate holiday.mp4 --model runs/vmusprod --top-k 0", "'--top-k'"),
        ("generate holiday.mp4 --model runs/vmusprod --greedy --top-k 3", "draws nothing"),
        ("generate holiday.mp4 --model runs/amt --greedy --temperature 1", "draws nothing"),
        ("generate holiday.mp4 --model runs/amt --greedy --count 2", "would be the same one"),
        ("generate holiday.mp4 --model runs/vmusprod --pattern 3", "pattern is for AMT"),
        ("generate holiday.mp4 --model runs/vmusprod --seconds 1e9", "'--seconds'"),
        (f"generate holiday.mp4 --model runs/vmusprod --seed {10**19}", "'--seed'"),
        ("generate nowhere.mp4 nothing.mp4 --model runs/vmusprod", "nowhere.mp4 is not a file"),
        (
            "generate --model runs/vmusprod --dataset symmv --root data --split test "
            "--soundfont holiday.mp4",
            "holiday.mp4: a soundfont is wanted here: it is no SoundFont 2 file",
        ),
        (
            "generate --model runs/amt --pattern 1 --dataset muvisync --root data --split test "
            "--seconds 21",
            "song-004 lasts 20.0 s",
        ),
        ("generate holiday.mp4 --model runs/vmusprod --soundfont no.sf2", "no.sf2 is not a file"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if arguments.startswith("generate"):
        arguments += f" --out {tmp_path}"
    capsys.readouterr()
    assert call(arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("symmv: ")
    assert line in last
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "train amt --data muvisync --out {out}/run",
        "generate --model runs/vmusprod --dataset symmv --split test --out {out}/pieces",
    ],
)
def test_a_mistyped_data_root_is_not_made(
    arguments: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(arguments.format(out=tmp_path) + f" --root {tmp_path}/typo") == 2
    assert f"has no shards in {tmp_path}/typo" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_is_there_without_torch() -> None:
    code = (
        "import sys; from symmv_builder.cli import app; "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
