"""Least and greatest values of settings, for the command line and for recipes alike."""

# What a person may ask of a parameter: beyond lies nothing but hours of work or no memory.
BOUNDS: dict[str, tuple[float, float]] = {
    "hop_s": (0.01, 3600.0),
    "causal_window_s": (0.0, 3600.0),
    "bins": (2, 256),
    "steps_per_beat": (1, 96),
    "min_pitch": (0, 127),
    "change_penalty": (0.0, 10_000.0),
    "threshold": (0.0, 1000.0),
    "min_scene_frames": (1, 100_000),
}
