"""How surprising the songs of a split are by the chains, in nats for an event."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from symmv_builder.errors import NoRows
from symmv_builder.training.markov.chains import cells_of, nats_of
from symmv_builder.training.markov.composer import load
from symmv_builder.training.markov.train import NEEDED, song_and_mode
from symmv_builder.training.rows import Rows
from symmv_builder.training.trainer import ScoreRequest
from symmv_builder.training.usable import LeftOut


def score(request: ScoreRequest) -> Mapping[str, Any]:
    """Compute mean nats of a chord, of an onset or a length, of a pitch (`chains.nats_of`)."""
    chains, _, smoothing = load(request.run)
    rows = Rows(request.root, request.dataset, request.split, NEEDED, ["entry_id"])
    left_out, numbers = LeftOut(), Counter[str]()
    sums: dict[str, float] = defaultdict(float)
    songs = 0
    for done, row in enumerate(rows, 1):
        song = left_out.use(row, song_and_mode)
        if song is not None:
            songs += 1
            for kind, (nats, number) in nats_of(cells_of(*song), chains.counts, smoothing).items():
                sums[kind] += nats
                numbers[kind] += number
        request.tell(done, len(rows))
    if not songs:
        reason = left_out.none_left(request.dataset, request.split)
        raise NoRows(request.dataset, request.split, reason)
    metrics = {kind: sums[kind] / numbers[kind] for kind in ("chord", "rhythm", "pitch")}
    return {"metrics": metrics, "songs": songs, "left_out": left_out.reasons}
