"""The starter model: V-MusProd trained on POP909, which comes with the package.

`path` is the folder of its run, as `symmv train vmusprod` leaves one: ``chord/best``,
``melody/best`` and ``accompaniment/best``, with weights in half precision. Beside it lies
``songs.json``, which names the songs of POP909 that it learned from, those that chose the best
weights (``validation``), and those that it has never seen (``test``).

`benchmarks/starter_model/` makes the folder again and measures what it writes.
"""

from pathlib import Path


def path() -> Path:
    """Give the folder of the starter model's run, to be opened as that of any other run."""
    return Path(__file__).parent / "run"
