"""Recordings through PyAV, whose wheel carries FFmpeg: sound, pictures and facts.

One clock a file: time zero is the start of the best video or the best audio stream,
whichever comes first, so sound and picture of one file stay together and everything is
placed by timestamps, never by counting. Files are untrusted: only the `file` protocol,
only containers that hold their own media (no playlist, no image sequence, no script),
limits checked before and while decoding, and every error of FFmpeg becomes a
`RejectEntry`.
"""

from symmv_builder.backends.pyav.facts import probe
from symmv_builder.backends.pyav.opening import DEFAULT_LIMITS, Limits
from symmv_builder.backends.pyav.pictures import Frame, frames
from symmv_builder.backends.pyav.sound import Converter, Sound, SoundStream, Tape, read_sound

__all__ = [
    "DEFAULT_LIMITS",
    "Converter",
    "Frame",
    "Limits",
    "Sound",
    "SoundStream",
    "Tape",
    "frames",
    "probe",
    "read_sound",
]
