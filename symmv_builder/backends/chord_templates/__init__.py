"""Chords of notes by template matching: `chord_templates.py`, as a model of its slot.

The rules' own file is what identifies them, as weights do a network: an edit of it makes all
results anew. So the file holds the rules alone, and what changes without them stands here.
"""

from typing import final

from symmv_builder.backends.chord_templates import chord_templates as rules
from symmv_builder.backends.slots import ChordNamer


@final
class Templates(rules.TemplateDecoder, ChordNamer):
    """Template matching with Viterbi decoding."""
