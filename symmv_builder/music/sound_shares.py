"""How much of the sound is music, how much of it is sung, how much is speech: second by second.

A voice is heard by a speech detector, which does not tell singing from speech; tags of the music
do: over speech they name no instrument and no genre, over singing they do. Two kinds of tags are
left out of that question: those of voices, and those that musicnn, which was taught on music
alone, gives to applause, wind and speech (techno, fast, loud, ...). So music without any other tag,
such as drums alone, is missed. Under speech, where the tags are silent, music is heard by what is
steady: partials that hold their pitch for a quarter of a second, as notes do and speech does not.

The limits were chosen on one half of the material of ``benchmarks/sound_shares.py``, which is
synthetic, and measured on the other: precision and recall of music .97 and .94, of vocals .92 and
.99, of speech 1.0 and .92. What fails is speech over music: with music at -9 dB, 15 % of it is
taken for singing, and a fifth of the music is not heard.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from symmv_builder.backends.slots import SpeechDetector
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Floats, SoundShares, TagTrack
from symmv_builder.schema import Column

LABELS = ("music", "vocals", "speech")
VOICES = frozenset(
    (
        *("vocal", "vocals", "female", "male", "singing", "woman", "man", "choir", "choral"),
        *("voice", "male voice", "female voice", "male vocal", "female vocal", "opera"),
    )
)
# What musicnn says of noise and of speech, too.
OF_NOISE = frozenset(
    (
        *("techno", "electronic", "fast", "loud", "drums", "beat", "beats", "synth", "weird"),
        *("quiet", "no voice", "no vocal", "no vocals"),
    )
)
# From where on the detector says that somebody speaks; its authors' own threshold.
SPEAKS = 0.5
_WINDOW_S, _HOP_S, _BAND_HZ = 0.064, 0.016, (80.0, 5000.0)
_POWER_HOP_S = 0.01
# Noise holds, too, but in all of a band alike: a partial stands out over the band's median.
_BANDS, _STANDS_OUT = 8, 2.0
# Frames before and after this one for which a partial has to hold.
_HOLDS = 8
_BLOCK = 1024


class _ShareListener:
    mono = True
    block_s: float | None = None

    def __init__(self, model: SpeechDetector, **limits: float) -> None:
        self.rate_hz: int | None = model.rate_hz
        self._model, self._limits = model, limits

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        mono = samples[:, 0]
        self._speaks = self._model.likelihood(mono) >= SPEAKS
        self._steady = steadiness(mono, rate_hz)
        count = -(-len(mono) // round(_POWER_HOP_S * rate_hz))
        power = np.square(mono, dtype=np.float64)
        self._powers = _binned(power, 1.0 / rate_hz, _POWER_HOP_S, count)

    def finish(self, music_tags: TagTrack) -> SoundShares:
        many, hop_s = len(music_tags.values), music_tags.hop_s
        steady, whole = (_binned(part, _HOP_S, hop_s, many, total=True) for part in self._steady)
        return judge(
            music_tags,
            voiced=_binned(self._speaks.astype(np.float64), self._model.hop_s, hop_s, many),
            steady=steady / np.maximum(whole, 1e-12),
            level_db=10.0 * np.log10(_binned(self._powers, _POWER_HOP_S, hop_s, many) + 1e-12),
            **self._limits,
        )


def hear_shares(
    *,
    model: SpeechDetector,
    min_music: float = 0.14,
    min_steady: float = 0.022,
    min_voiced: float = 0.3,
    min_sung: float = 0.07,
    min_choir: float = 0.25,
    min_level_db: float = -60.0,
) -> _ShareListener:
    """Measure music, vocals and speech in every second, 0-1, ``[t]`` each: `SoundShares`.

    A second below `min_level_db` (of full scale, RMS) is silent. It has a voice where the detector
    hears one in a share of `min_voiced` of it. That is singing where a tag of music reaches
    `min_sung` (0-1), else speech; so is a second whose tags of voices reach `min_choir`. It is
    music where such a tag reaches `min_music`, where it is sung, and under speech where a share of
    `min_steady` of its energy holds its pitch. Music is 0 or 1; vocals and speech are the share
    of the second with a voice.
    """
    return _ShareListener(
        model,
        min_music=min_music,
        min_steady=min_steady,
        min_voiced=min_voiced,
        min_sung=min_sung,
        min_choir=min_choir,
        min_level_db=min_level_db,
    )


def judge(
    tags: TagTrack,
    *,
    voiced: Floats,
    steady: Floats,
    level_db: Floats,
    min_music: float,
    min_steady: float,
    min_voiced: float,
    min_sung: float,
    min_choir: float,
    min_level_db: float,
) -> SoundShares:
    """Apply the rule of `hear_shares` to what was measured of each hop, ``[t]`` each."""
    musical = tags.greatest(set(tags.tags) - VOICES - OF_NOISE)
    is_loud = level_db > min_level_db
    has_voice = is_loud & (voiced >= min_voiced)
    is_choir = tags.greatest(VOICES) >= min_choir
    is_sung = is_loud & (musical >= min_sung) & (has_voice | is_choir)
    is_spoken = has_voice & ~is_sung
    is_music = is_sung | (is_loud & (musical >= min_music)) | (is_spoken & (steady >= min_steady))
    # A choir that the detector does not take for a voice sings all the while.
    sings = np.where(has_voice, voiced, 1.0)
    shares = (is_music, is_sung * sings, is_spoken * voiced)
    music, vocals, speech = (share.astype(np.float32) for share in shares)
    return SoundShares(music, vocals, speech, tags.hop_s)


def steadiness(mono: NDArray[np.float32], rate_hz: int) -> tuple[Floats, Floats]:
    """Energy that holds its pitch in each frame of 16 ms, and all energy: ``[f]`` each.

    Of a bin and its neighbours, so that vibrato holds, the least magnitude over a quarter of a
    second counts as held, where it stands out among the bins of its band.
    """
    window, hop = round(_WINDOW_S * rate_hz), round(_HOP_S * rate_hz)
    hertz = np.fft.rfftfreq(window, 1.0 / rate_hz)
    inside = (hertz > _BAND_HZ[0]) & (hertz < _BAND_HZ[1])
    padded = np.pad(mono, (window // 2 + _HOLDS * hop, window // 2 + _HOLDS * hop))
    frames = sliding_window_view(padded, window)[::hop]
    taper = np.hanning(window).astype(np.float32)
    sustained, whole = [np.zeros(0)], [np.zeros(0)]
    for at in range(0, len(frames) - 2 * _HOLDS, _BLOCK):
        block = frames[at : at + _BLOCK + 2 * _HOLDS] * taper
        magnitudes = np.abs(np.fft.rfft(block, axis=1)[:, inside])
        sides = np.pad(magnitudes, ((0, 0), (1, 1)))
        wide = np.maximum(magnitudes, np.maximum(sides[:, :-2], sides[:, 2:]))
        least = sliding_window_view(wide, 2 * _HOLDS + 1, axis=0).min(axis=-1)
        for band in np.array_split(least, _BANDS, axis=1):
            band[band < _STANDS_OUT * np.median(band, axis=1, keepdims=True)] = 0.0
        sustained.append(np.square(least).sum(axis=1))
        whole.append(np.square(wide[_HOLDS : len(wide) - _HOLDS]).sum(axis=1))
    return np.concatenate(sustained), np.concatenate(whole)


def _binned(
    values: Floats, step_s: float, hop_s: float, many: int, *, total: bool = False
) -> Floats:
    """Average (or sum) values that lie `step_s` apart over each hop; 0 where there are none."""
    places = np.floor((np.arange(len(values)) + 0.5) * step_s / hop_s).astype(np.int64)
    inside = places < many
    sums = np.bincount(places[inside], weights=values[inside], minlength=many)
    if total:
        return np.asarray(sums)
    return np.asarray(sums / np.maximum(np.bincount(places[inside], minlength=many), 1))


STEP = Step(
    "sound_shares",
    1,
    ("music", "music_tags"),
    hear_shares,
    slot="speech",
    together=listening.listen,
    columns=(
        *(
            Column(f"{name}_share", "float32", "0-1", f"share of {meaning}", f"{name}_share")
            for name, meaning in zip(
                LABELS,
                ("the recording that is music", "it that is sung", "it that is spoken"),
                strict=True,
            )
        ),
        Column("{}_music", "list<float32>", "0-1", "whether each second is music", "music"),
        Column("{}_vocals", "list<float32>", "0-1", "share of each second that is sung", "vocals"),
        Column("{}_speech", "list<float32>", "0-1", "share of each that is spoken", "speech"),
    ),
)
