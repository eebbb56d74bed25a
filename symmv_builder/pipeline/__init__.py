"""How a result is made, kept and found again: steps, keys, workers."""
