"""Notes sound when, as high and as loud as they are written, from any SoundFont 2 file."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.sampler import render, soundfont_path
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes

RATE = 22_050


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listed(name: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(chunks))


def soundfont(
    folder: Path,
    *generators: tuple[int, int],
    samples: NDArray[np.int16] | None = None,
    preset: tuple[tuple[int, int], ...] = (),
    kind: int = 1,
) -> Path:
    """A file of one instrument: a sine of 100 samples a wave, which is A4 at 44 kHz, looped."""
    if samples is None:
        samples = np.rint(np.sin(2 * np.pi * np.arange(4400) / 100) * 20_000).astype(np.int16)
    zone = (*generators, (53, 0))
    asked = (*preset, (41, 0))
    rows = {
        b"phdr": struct.pack("<20sHHHIII", b"sine", 0, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0),
        b"pbag": struct.pack("<HHHH", 0, 0, len(asked), 0),
        b"pmod": bytes(10),
        b"pgen": b"".join(struct.pack("<Hh", *pair) for pair in asked) + bytes(4),
        b"inst": struct.pack("<20sH", b"sine", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": struct.pack("<HHHH", 0, 0, len(zone), 0),
        b"imod": bytes(10),
        b"igen": b"".join(struct.pack("<Hh", *pair) for pair in zone) + bytes(4),
        b"shdr": struct.pack(
            "<20sIIIIIBbHH", b"sine", 0, len(samples) - 100, 1000, 2000, 44_000, 69, 0, 0, kind
        )
        + bytes(46),
    }
    data = b"sfbk" + listed(b"sdta", chunk(b"smpl", samples.tobytes()))
    data += listed(b"pdta", *(chunk(name, row) for name, row in rows.items()))
    path = folder / "sine.sf2"
    path.write_bytes(chunk(b"RIFF", data))
    return path


def of(*rows: tuple[float, float, int, int], pedal: tuple[float, float] | None = None) -> Notes:
    """Notes of (start, end, pitch, velocity)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    spans = np.array([pedal] if pedal else [], dtype=np.float64).reshape(-1, 2)
    return Notes(
        table[:, 0],
        table[:, 1],
        table[:, 2].astype(np.int64),
        table[:, 3].astype(np.int64),
        pedal_starts_s=spans[:, 0],
        pedal_ends_s=spans[:, 1],
    )


def hertz(sound: NDArray[np.float32]) -> float:
    """The strongest frequency of samples ``[n]``."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    return float(spectrum.argmax() / (1 << 18) * RATE)


def level(sound: NDArray[np.float32], start_s: float, end_s: float) -> float:
    """Level in dB between two times."""
    part = sound[round(start_s * RATE) : round(end_s * RATE)]
    return float(10 * np.log10(np.mean(np.square(part)) + 1e-12))


LOOPED = (54, 1)


@pytest.mark.parametrize(
    ("pitch", "expected"), [(69, 440.0), (57, 220.0), (81, 880.0), (70, 466.16)]
)
def test_a_key_has_its_pitch_also_in_the_loop(tmp_path: Path, pitch: int, expected: float) -> None:
    path = soundfont(tmp_path, LOOPED)
    sound = render(of((0.0, 2.0, pitch, 100)), rate_hz=RATE, soundfont=path)[:, 0]
    assert hertz(sound[:RATE]) == pytest.approx(expected, rel=2e-3)
    # The recording itself lasts a tenth of a second.
    assert level(sound, 1.0, 1.9) > level(sound, 0.01, 0.05) - 1


def test_a_note_begins_at_its_own_sample(tmp_path: Path) -> None:
    square = np.full(4400, 20_000, np.int16)
    path = soundfont(tmp_path, LOOPED, (34, -12_000), samples=square)
    for start in (0, 1, 100, 4411):
        sound = render(of((start / RATE, 1.0, 69, 100)), rate_hz=RATE, soundfont=path)[:, 0]
        assert int(np.flatnonzero(sound)[0]) == start


def test_a_key_that_is_struck_half_as_hard_is_six_decibels_softer(tmp_path: Path) -> None:
    path = soundfont(tmp_path, LOOPED)
    sound = render(of((0.0, 0.5, 69, 126), (1.0, 1.5, 69, 63)), rate_hz=RATE, soundfont=path)
    difference = level(sound[:, 0], 0.1, 0.4) - level(sound[:, 0], 1.1, 1.4)
    assert difference == pytest.approx(6.02, abs=0.05)


def test_a_preset_adds_to_what_its_instrument_says(tmp_path: Path) -> None:
    path = soundfont(tmp_path, LOOPED, (51, 1), preset=((51, 11), (17, 500)))
    sound = render(of((0.0, 1.0, 69, 100)), rate_hz=RATE, soundfont=path)
    assert hertz(sound[:RATE, 1]) == pytest.approx(880, rel=2e-3)
    assert not sound[:, 0].any()


def test_the_release_and_the_pedal_say_how_long_a_note_lasts(tmp_path: Path) -> None:
    path = soundfont(tmp_path, LOOPED, (38, 0))
    note = (0.0, 0.5, 69, 100)
    short = render(of(note), rate_hz=RATE, soundfont=path, tail_s=2)[:, 0]
    # 80 dB in the second of its release.
    assert level(short, 0.7, 0.75) - level(short, 0.3, 0.4) == pytest.approx(-18, abs=2)
    assert level(short, 1.6, 2.0) < -100
    held = render(of(note, pedal=(0.4, 1.5)), rate_hz=RATE, soundfont=path, tail_s=2)[:, 0]
    assert level(held, 1.3, 1.45) == pytest.approx(level(held, 0.3, 0.4), abs=0.5)


def test_a_low_pass_takes_away_what_lies_above_it(tmp_path: Path) -> None:
    open_path = soundfont(tmp_path, LOOPED)
    chord = of((0.0, 1.0, 45, 100), (0.0, 1.0, 93, 100))
    both = render(chord, rate_hz=RATE, soundfont=open_path)[:RATE, 0]
    # A cutoff of 440 Hz, four octaves below the higher note's two kHz and two above the lower's.
    closed = render(chord, rate_hz=RATE, soundfont=soundfont(tmp_path, LOOPED, (8, 6900)))[:RATE, 0]

    def share(sound: NDArray[np.float32]) -> float:
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        high, low = spectrum[1700:1820].max(), spectrum[100:120].max()
        return float(20 * np.log10(high / low))

    # Twelve dB an octave above the cutoff: two octaves are 24.
    assert share(closed) - share(both) == pytest.approx(-24, abs=2)


def test_no_notes_are_silence_and_the_same_notes_are_the_same_samples() -> None:
    assert not render(of(), rate_hz=RATE).any()
    notes = of((0.1, 0.4, 60, 90), (0.2, 0.9, 64, 50))
    first, second = (render(notes, rate_hz=RATE) for _ in range(2))
    assert (first == second).all()
    assert float(np.abs(first).max()) == pytest.approx(0.8)


@pytest.mark.parametrize("kind", ["text", "cut", "empty", "compressed", "absent", "contradicting"])
def test_a_file_that_is_no_soundfont_stops_the_run_with_one_line(kind: str, tmp_path: Path) -> None:
    path = soundfont(tmp_path, kind=0x11 if kind == "compressed" else 1)
    data = path.read_bytes()
    if kind == "contradicting":
        # The zone of the preset asks for an instrument that is not there.
        path = soundfont(tmp_path, preset=((41, 500),))
        path.write_bytes(
            path.read_bytes().replace(struct.pack("<Hh", 41, 0), struct.pack("<Hh", 41, 500))
        )
    elif kind in ("text", "cut", "empty"):
        path.write_bytes({"text": b"no soundfont", "cut": data[:9000], "empty": b""}[kind])
    elif kind == "absent":
        path.unlink()
    with pytest.raises(StopRun, match="a soundfont is wanted here") as stopped:
        render(of((0.0, 1.0, 69, 100)), soundfont=path)
    assert "\n" not in str(stopped.value)


def test_a_program_that_the_file_lacks_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="no instrument for program 5"):
        render(of((0.0, 1.0, 69, 100)), soundfont=soundfont(tmp_path), program=5)


def test_the_piano_sounds_as_tinysoundfont_plays_it() -> None:
    """Another program's reading of the same format: the same waves, in place to a millisecond."""
    tinysoundfont: Any = pytest.importorskip("tinysoundfont")
    rate = 44_100
    for key, velocity in ((40, 60), (60, 100), (76, 30)):
        ours = render(of((0.0, 1.0, key, velocity)), rate_hz=rate)[:rate]
        synth = tinysoundfont.Synth(gain=-12.0, samplerate=rate)
        synth.program_select(0, synth.sfload(str(soundfont_path())), 0, 0)
        synth.noteon(0, key, velocity)
        theirs = np.frombuffer(synth.generate(rate), dtype=np.float32).reshape(-1, 2)
        for side in (0, 1):
            assert np.corrcoef(ours[:, side], theirs[:, side])[0, 1] > 0.98
