"""What the pages and the terminal say of a record in a line."""

import numpy as np

from symmv_builder.api.entry import describe
from symmv_builder.records import Chords, KeySpans, Scenes


def test_a_list_that_is_cut_says_so_and_times_have_a_unit() -> None:
    edges = np.arange(15, dtype=np.float64)
    labels = ("C", "G") * 7
    assert describe(Chords(edges[:-1], edges[1:], labels)) == (
        f"14 spans, 2 different: {' '.join(labels[:12])} …"
    )
    assert describe(Chords(edges[:1], edges[1:2], ("C",))) == "1 span, 1 different: C"
    shots = Scenes(edges[:2], edges[1:3], np.arange(2))
    assert describe(shots) == "2 shots from 0.00 1.00 s"
    keys = KeySpans(edges[:2], edges[1:3], ("C", "A"), ("major", "minor"))
    assert describe(keys) == "2 spans: C major from 0.00 s, a minor from 1.00 s"
