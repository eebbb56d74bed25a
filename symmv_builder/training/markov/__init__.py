"""Markov chains of chords, rhythm and pitches: what a learned model has to be better than."""
