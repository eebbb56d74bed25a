"""Features of several widths onto one: what lets a model go on with another recipe's videos.

The paper trains the video-music CLIP on music videos first and then on SymMV, whose frames
another CLIP saw. Everything behind the entrances is shared; each width of features has an
entrance of its own.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn


class Entrances(nn.ModuleDict):
    """A projection for each width of features ``[..., width]``, all onto one width."""

    def __init__(self, widths: Sequence[int], make: Callable[[int], nn.Module]) -> None:
        super().__init__({str(width): make(width) for width in sorted(widths)})

    def forward(self, features: Tensor) -> Tensor:
        return self[str(features.shape[-1])](features)  # type: ignore[no-any-return]

    def train_only(self, width: int) -> None:
        """Leave the entrances of other widths as they are: no data of a run comes through them."""
        for name, entrance in self.items():
            entrance.requires_grad_(name == str(width))
