"""What is seen: semantics, emotion, motion, colour, scenes, from one pass over the file."""
