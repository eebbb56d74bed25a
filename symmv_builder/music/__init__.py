"""What is heard: notes, beats, melody, chords, key, dynamics."""
