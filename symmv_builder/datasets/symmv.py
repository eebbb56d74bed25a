"""SymMV: piano covers transcribed to MIDI, paired with official music videos.

Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", ICCV
2023, section 3. The order is the paper's, but for the tests that cost little: what will
be turned away is turned away before the expensive stages. Chords are named on the notes by
templates; `CHORDS_AS_RELEASED` is how the release named them.

A crawl brings pairs that nobody has looked at: they go through more tests than the pairs
of a person's own folder, in place of the check by hand of the paper.
"""

from symmv_builder import screen
from symmv_builder.crawl import probe
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.music import (
    align,
    chords,
    dynamics,
    key,
    melody,
    piano_share,
    rhythm,
    transcribe,
)
from symmv_builder.pipeline.step import use
from symmv_builder.video import colour, motion, scenes, semantic, text

_FACTS = (use(probe.MUSIC), use(probe.VIDEO), use(screen.LENGTH))
_LOUDNESS = (use(dynamics.LOUDNESS), use(screen.LOUDNESS))
# One pass over the video.
_SEEN = (
    use(motion.STEP, variant="sampled", hop_s=0.2),
    use(semantic.STEP, model="vit-b-32", hop_s=1 / 6),
    use(colour.STEP),
    use(scenes.STEP, model="adaptive"),
)
_STILL = use(screen.MOTION)
_NOTES = (use(transcribe.STEP, makes="notes", model="transkun"), use(screen.NOTES))

CHORDS = use(chords.SYMBOLIC, makes="chords", model="templates")
# In the place of `CHORDS`: chorder on the texture, which gives the release's labels, and those of
# the roots that its files lack.
CHORDS_AS_RELEASED = (
    use(melody.TEXTURE),
    use(chords.SYMBOLIC, makes="chords", inputs={"notes": "texture"}, model="chorder"),
)

_ALIGNMENT = use(align.STEP, makes="alignment")

RECIPE = Recipe(
    name="symmv",
    pairs=True,
    shares={"train": 1000, "validation": 70, "test": 70},
    uses=(
        *_FACTS,
        *_LOUDNESS,
        *_SEEN,
        _STILL,
        *_NOTES,
        use(rhythm.STEP, model="madmom"),
        use(rhythm.QUANTISE, makes="grid"),
        use(melody.STEP, makes="parts", rule="learned"),
        CHORDS,
        use(key.STEP, profile="relative-pair"),
        use(key.SPANS),
    ),
    # The pairs of a person's own folder need not sound alike, and their videos may be silent.
    beside=(_ALIGNMENT,),
    screening=(
        *_FACTS,
        use(screen.DURATION_RATIO),
        *_LOUDNESS,
        *_SEEN,
        use(text.STEP, model="rapidocr"),
        _STILL,
        use(screen.STILLNESS),
        use(screen.CUTS),
        use(screen.TEXT),
        _ALIGNMENT,
        use(screen.ALIGNMENT),
        *_NOTES,
        use(screen.TRANSCRIPTION),
        use(piano_share.STEP),
        use(screen.PIANO),
    ),
)
