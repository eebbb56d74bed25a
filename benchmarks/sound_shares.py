"""How well music, vocals and speech are told apart, second by second, on sound made for it.

    python benchmarks/sound_shares.py [--speech FILE...] [--singing FILE...]

Needs espeak-ng (speech; `apt install espeak-ng`), or recordings of people, without which nothing is
measured. What is heard:
pieces of the demo's repertoire by the piano and other instruments, sentences in several voices,
the same sentences sung (the vocal tract of espeak's voice, driven by pulses at the pitches of a
melody), both over a piano and over strings, applause, wind and silence. A half of the pieces and
voices chose the limits of `music/sound_shares.py`; precision and recall are printed for
that half and for the other. Synthetic voices are no human ones: the table says how the rule
behaves on this material, and no more. So recordings of real voices are measured, too, where
`--speech` and `--singing` name some: each alone and over the piano. Of these only seconds count in
which the voice itself is heard. Small ones lie in packages: people who talk in label-studio
(``opossum-talk-1.mp3``), singers in the source of basic-pitch (``vocadito_10.wav``).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.sampler import render
from symmv_builder.crawl.probe import probe_music
from symmv_builder.demo.repertoire import PIECES, SONGS, play
from symmv_builder.music.listening import listen
from symmv_builder.music.music_tags import hear_tags
from symmv_builder.music.sound_shares import LABELS, hear_shares
from symmv_builder.records import Notes, SoundShares

Sound = NDArray[np.float32]
RATE_HZ, SECONDS = 16_000, 20
VOICES = ("en-us", "en-gb+f3", "de+m3", "fr+f2", "es+m5", "it+f4", "en-scotland+m7", "nl+f1")
TEXT = {
    "en": "The river runs slowly past the old mill, and in the evening the miller walks along its "
    "bank. He thinks of the years that went by, of the grain and of the wind, and he is glad that "
    "the summer has come. Tomorrow the carts will arrive from the town with news of the fair.",
    "de": "Der Fluss zieht langsam an der alten Mühle vorbei, und am Abend geht der Müller an "
    "seinem Ufer entlang. Er denkt an die Jahre, die vergangen sind, an das Korn und an den Wind, "
    "und er freut sich, dass der Sommer gekommen ist. Morgen kommen die Wagen aus der Stadt.",
    "fr": "La rivière passe lentement devant le vieux moulin, et le soir le meunier marche le long "
    "de sa rive. Il pense aux années passées, au grain et au vent, et il est heureux que l'été "
    "soit venu. Demain les charrettes arriveront de la ville avec des nouvelles de la foire.",
}
PROGRAMS = (0, 0, 48, 24, 73, 40, 19, 0)


@dataclass(frozen=True, slots=True)
class Example:
    """Twenty seconds of sound, and which of `LABELS` are true of every second of it.

    `judged` says which seconds count, all without it.
    """

    kind: str
    samples: Sound
    truth: tuple[bool, bool, bool]
    judged: NDArray[np.bool_] | None = None


def spoken(voice: str, words_per_minute: int = 160) -> Sound:
    """A text read by a voice of espeak-ng, to its end."""
    text = TEXT.get(voice[:2], TEXT["en"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-w", str(path), text]
        subprocess.run(command, check=True, capture_output=True)
        return read_sound(path, rate_hz=RATE_HZ, mono=True).samples[:, 0]


def sung(voice: str, melody: NDArray[np.int64], note_s: float = 0.5) -> Sound:
    """The vocal tract of slow speech, each frame of it driven by pulses at a melody's pitches."""
    speech = spoken(voice, 80).astype(np.float64)
    frame, order = 320, 18
    count = len(speech) // frame - 2
    times_s = np.arange((count + 2) * frame) / RATE_HZ
    numbers = (times_s / note_s).astype(int) % len(melody)
    vibrato = 0.35 * np.sin(2 * np.pi * 5.5 * times_s)
    hertz = 440.0 * 2.0 ** ((melody[numbers] - 69 + vibrato) / 12.0)
    phase = np.cumsum(hertz) / RATE_HZ
    pulses = np.diff(np.floor(phase), prepend=0.0)
    # A glottal pulse falls by 12 dB an octave, of which the lips give half back.
    driven = lfilter([1.0], [1.0, -0.9], pulses) + 0.02 * np.random.default_rng(0).normal(
        size=len(pulses)
    )
    samples, state = np.zeros(len(driven)), np.zeros(order)
    window = np.hanning(2 * frame)
    for number in range(count):
        at = number * frame
        piece = speech[at : at + 2 * frame] * window
        lags = np.correlate(piece, piece, "full")[2 * frame - 1 : 2 * frame + order]
        lags[0] = lags[0] * 1.001 + 1e-9
        toeplitz = lags[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))]
        filters = np.concatenate([[1.0], -np.linalg.solve(toeplitz, lags[1 : order + 1])])
        gain = np.sqrt(max(0.0, float(filters @ lags[: order + 1])) / frame)
        out, state = lfilter([gain], filters, driven[at : at + frame], zi=state)
        samples[at : at + frame] = out
    return level(np.clip(samples, -8 * samples.std(), 8 * samples.std()))


def played(notes: Notes, program: int) -> Sound:
    return level(render(notes, rate_hz=RATE_HZ, program=program).mean(axis=1))


def level(samples: NDArray[np.floating], rms: float = 0.08) -> Sound:
    """Twenty seconds of a sound (repeated where it is shorter), with one loudness."""
    there = np.resize(samples, SECONDS * RATE_HZ).astype(np.float32)
    return there * np.float32(rms / max(1e-9, float(np.sqrt(np.mean(np.square(there))))))


def applause(seed: int) -> Sound:
    """Thousands of claps: short bursts of noise about 1-3 kHz."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(SECONDS * RATE_HZ)
    clap = rng.normal(size=(40, 400)) * np.exp(-np.arange(400) / 60.0)
    for start in rng.integers(0, len(samples) - 400, 150 * SECONDS):
        samples[start : start + 400] += clap[rng.integers(40)] * rng.uniform(0.2, 1.0)
    return level(lfilter([1.0, 0.0, -1.0], [1.0, -1.0, 0.6], samples))


def wind(seed: int) -> Sound:
    rng = np.random.default_rng(seed)
    slow = 1.0 + 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(SECONDS * RATE_HZ) / RATE_HZ + seed)
    return level(lfilter([1.0], [1.0, -0.97], rng.normal(size=len(slow))) * slow)


def examples(half: int) -> Iterator[Example]:
    """One half of the material: 0 chooses the limits, 1 measures them."""
    pieces = [*PIECES, *SONGS][half::2]
    for number, voice in enumerate(VOICES[half::2]):
        notes = play(pieces[number % len(pieces)], longest_s=SECONDS).notes
        top = notes.pitches[np.argsort(notes.starts_s)][::4] % 12 + 52 + 6 * (number % 2)
        music = played(notes, PROGRAMS[half::2][number])
        speech, song = level(spoken(voice)), sung(voice, top)
        yield Example("music alone", music, (True, False, False))
        yield Example("singing over music", 0.5 * music + song, (True, True, False))
        yield Example("singing alone", song, (True, True, False))
        yield Example("speech over music", 0.35 * music + speech, (True, False, True))
        yield Example("speech alone", speech, (False, False, True))
    for seed in range(2):
        yield Example("applause", applause(2 * seed + half), (False, False, False))
        yield Example("wind", wind(2 * seed + half), (False, False, False))
    silence = np.zeros(SECONDS * RATE_HZ, dtype=np.float32)
    yield Example("silence", silence, (False, False, False))
    hiss = np.random.default_rng(half).normal(0, 3e-4, len(silence)).astype(np.float32)
    yield Example("silence", hiss, (False, False, False))


def recorded(speech: list[Path], singing: list[Path]) -> Iterator[Example]:
    """Voices of people, twenty seconds at a time, alone and over pieces for the piano."""
    pieces, number = [*PIECES, *SONGS], 0
    for path in (*speech, *singing):
        whole = read_sound(path, rate_hz=RATE_HZ, mono=True).samples[:, 0]
        for start in range(0, max(1, len(whole) - SECONDS * RATE_HZ + 1), SECONDS * RATE_HZ):
            voice = level(whole[start : start + SECONDS * RATE_HZ])
            power = np.square(voice).reshape(SECONDS, 10, -1).mean(axis=2)
            # A voice is heard in a second of which it fills half.
            voiced = (power > 0.01 * np.quantile(power, 0.9)).mean(axis=1) >= 0.5
            notes = play(pieces[number % len(pieces)], longest_s=SECONDS).notes
            music, number = played(notes, 0), number + 1
            if path in singing:
                yield Example("singing alone", voice, (True, True, False), voiced)
                over = 0.5 * music + voice
                yield Example("singing over piano", over, (True, True, False), voiced)
            else:
                yield Example("speech alone", voice, (False, False, True), voiced)
                over = 0.35 * music + voice
                yield Example("speech over piano", over, (True, False, True), voiced)
            yield Example("piano alone", music, (True, False, False))


def heard(samples: Sound) -> SoundShares:
    """What the two steps make of a sound, through a file and the pass as in a build."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        write_sound(path, samples[:, None], RATE_HZ)
        home = ModelHome()
        ears = [
            hear_tags(model=load("tags", "musicnn", home)),
            hear_shares(model=load("speech", "silero-vad", home)),
        ]
        tags, shares = listen(path, ears)
        result: SoundShares = shares(tags(probe_music(path)))
        return result


def measure(title: str, material: Iterator[Example]) -> None:
    """Print precision and recall of each label, and what is said of each kind of sound."""
    print(title, flush=True)
    estimates, truth, kinds = [], [], []
    for example in material:
        shares = heard(example.samples)
        judged = np.stack([getattr(shares, label) > 0 for label in LABELS], axis=1)
        if example.judged is not None:
            judged = judged[: len(example.judged)][example.judged[: len(judged)]]
        estimates.append(judged)
        truth.append(np.tile(example.truth, (len(judged), 1)))
        kinds += [example.kind] * len(judged)
    ours, real, of_kind = np.concatenate(estimates), np.concatenate(truth), np.array(kinds)
    for number, label in enumerate(LABELS):
        hits = int((ours[:, number] & real[:, number]).sum())
        precision = hits / max(1, int(ours[:, number].sum()))
        recall = hits / max(1, int(real[:, number].sum()))
        print(f"  {label:8} precision {precision:.3f} recall {recall:.3f}")
    for kind in dict.fromkeys(kinds):
        seconds = ours[of_kind == kind]
        line = " ".join(
            f"{label} {share:.2f}" for label, share in zip(LABELS, seconds.mean(0), strict=True)
        )
        print(f"  {kind:20} {len(seconds):4} s: {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, nargs="+", default=[], help="recordings of talk")
    parser.add_argument(
        "--singing", type=Path, nargs="+", default=[], help="of song, unaccompanied"
    )
    arguments = parser.parse_args()
    people = [*arguments.speech, *arguments.singing]
    if shutil.which("espeak-ng"):
        measure("half that chose the limits", examples(0))
        measure("other half", examples(1))
    elif people:
        print("espeak-ng is not installed: recordings alone (apt install espeak-ng)")
    else:
        sys.exit("espeak-ng is not installed: apt install espeak-ng")
    if people:
        measure("recordings of people", recorded(arguments.speech, arguments.singing))


if __name__ == "__main__":
    main()
