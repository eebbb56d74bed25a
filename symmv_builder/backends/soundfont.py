"""The General MIDI soundfont that rendered music is played with where no other is named.

It is published inside the package pretty_midi, of which nothing else is used for this.
"""

from typing import final

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.backends.slots import Soundfont
from symmv_builder.backends.wheels import Packed, Wheel, files_of

WHEEL = Wheel(
    get="timgm6mb",
    project="pretty-midi",
    version="0.2.11.post0",
    sha256="a3e2321736245a9c92259716d85a4762f16b7bde2f591fb0dba95bdb6e793d8a",
    megabytes=6,
    files=(
        Packed(
            "pretty_midi/TimGM6mb.sf2",
            5_994_284,
            "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1",
        ),
    ),
)


@final
class TimGm6mb(Soundfont):
    """Tim Brechbill's soundfont of 6 MB: all instruments of General MIDI."""

    backend = "timgm6mb"

    def __init__(self, home: ModelHome) -> None:
        del home
        [self.path] = files_of(WHEEL)

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        del home
        return ModelIdentity(cls.backend, "1", hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("TimGM6mb.sf2 (Tim Brechbill)", "GPL-2.0", WHEEL.where, fetched=True)
