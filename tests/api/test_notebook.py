"""What a notebook does, from videos in a folder to a release and back, by the names of the face."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import symmv_builder as sb
from symmv_builder import cli
from tests.loopback import make_video
from tests.songs import song


def test_a_notebook_builds_asks_releases_and_takes_down(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in range(3):
        make_video(videos / f"clip{number}.mp4", seed=number)
    dataset = sb.open_dataset("muvisync", root=str(tmp_path / "root"))
    assert dataset.status().entries == 0
    assert dataset.take_in(videos) == 3
    assert len(dataset) == 3
    assert len(dataset.status().unfinished) == 3
    built = dataset.build(only=["motion"], workers=1)
    assert (built.made, built.rejected) == (3, 0)
    assert dataset.status().made == 3
    story = dataset.why("clip1")
    assert isinstance(story, list)
    assert [made.result.artifact for made in story] == ["video_asset", "motion"]
    values = dataset["clip1"].motion.values
    [split] = {dataset["clip1"].split} & {"train", "validation", "test"}
    rows = {str(row["entry_id"]): row for row in dataset.rows(split, ["entry_id", "motion"])}
    assert rows["clip1"]["motion"].tolist() == values.ravel().tolist()
    assert dataset.verify() == []
    assert dataset.review() == []
    assert dataset.release("1.0.0")["entries"] == 3
    gone = dataset.takedown("clip1", "asked for by its owner")
    assert gone.entries == ("clip1",)
    assert gone.withdrawn == ("1.0.0",)
    assert len(dataset) == dataset.status().made == 2
    assert dataset.verify() == []
    with pytest.raises(sb.StopRun, match="say which entries"):
        dataset.promote()


def test_evaluate_says_what_its_command_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, real = tmp_path / "generated", tmp_path / "real"
    for number in range(3):
        song(files, f"s{number}.mid", number)
        song(real, f"r{number}.mid", 2 * number)
    told: list[tuple[int, int, str]] = []
    measured = sb.evaluate(
        "music", files, reference=str(real), tell=lambda *count: told.append(count)
    )
    words = ["evaluate", "music", str(files), "--reference", str(real), "--json"]
    monkeypatch.setattr(sys, "argv", ["symmv", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    assert measured == json.loads(capsys.readouterr().out)
    assert (measured["songs"], measured["reference"]["songs"]) == (3, 3)
    assert told
    notes = sb.evaluate("transcription", files / "s0.mid", files / "s0.mid")
    assert notes["songs"] == 1
    assert set(notes["metrics"].values()) == {1.0}
    beats = sb.evaluate("beats", files, files)
    assert (beats["task"], beats["songs"]) == ("beats", 3)
    for metric, what, said in (
        ("beats", (files,), "name ESTIMATE and REFERENCE"),
        ("loveliness", (), "no metric is called"),
        ("music", (), "name either"),
        ("amt", (tmp_path / "nowhere", "muvisync"), "is not a folder"),
    ):
        with pytest.raises(sb.StopRun, match=said):
            sb.evaluate(metric, *what)


def test_a_plain_script_builds_and_guards_and_runs_once(tmp_path: Path) -> None:
    """Workers do not run a script again that has no ``if __name__ == "__main__"``."""
    (tmp_path / "videos").mkdir()
    for number in range(2):
        make_video(tmp_path / "videos" / f"clip{number}.mp4", seed=number)
    plain = (
        "import operator\n"
        "import symmv_builder as sb\n"
        "from symmv_builder.pipeline.guard import Guarded\n"
        "print('begins')\n"
        "dataset = sb.open_dataset('muvisync', root='root')\n"
        "print(dataset.build('videos', only=['motion'], workers=2).made)\n"
        "with Guarded(operator.is_not, patience_s=60) as guarded:\n"
        "    print(guarded('an argument'))\n"
    )
    assert run_script(tmp_path, plain) == "begins\n2\nTrue\n"


def test_a_function_of_a_script_runs_in_a_worker(tmp_path: Path) -> None:
    """Its module is imported there, so what it does beside must stand behind a guard."""
    guarded = (
        "from symmv_builder.pipeline.guard import Guarded\n"
        "def double(number, tell):\n"
        "    return 2 * number\n"
        "if __name__ == '__main__':\n"
        "    with Guarded(double, patience_s=60) as guarded:\n"
        "        print(guarded(21))\n"
    )
    assert run_script(tmp_path, guarded) == "42\n"


def run_script(folder: Path, text: str) -> str:
    """Run a program and give what it prints."""
    (folder / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
