"""Inflated Inception (I3D): pictures or optical flow of a moment to 1,024 numbers.

Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset" (CVPR
2017), figure 3. Convolutions and pools pad as TensorFlow's "SAME" does. Names of modules are those
of the well-known PyTorch weights of the model, so that these load as they are.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The widths of each block: its first branch, the second's two layers, the third's two, the fourth.
BLOCKS = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
# Pools before some blocks: window and stride over time, height and width.
POOLS = {"Mixed_3b": ((1, 3, 3), (1, 2, 2)), "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
         "Mixed_5b": ((2, 2, 2), (2, 2, 2))}  # fmt: skip
WIDTH = 1024
CLASSES = 400


def same(x: Tensor, window: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Pad ``[b, c, t, h, w]`` with zeros, so that a layer gives ``ceil(size / stride)``."""
    padding: list[int] = []
    for size, wide, step in zip(x.shape[2:], window, stride, strict=True):
        more = max(0, (-(-size // step) - 1) * step + wide - size)
        padding = [more // 2, more - more // 2, *padding]
    return F.pad(x, padding)


def _pool(x: Tensor, window: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Maxima; what is pooled is never below zero, so zeros around it change nothing."""
    return F.max_pool3d(same(x, window, stride), window, stride)


class _Unit(nn.Module):
    """A convolution, normalised and without what is below zero."""

    def __init__(self, inputs: int, outputs: int, window: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, window, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=0.001)
        self._window, self._stride = (window,) * 3, (stride,) * 3

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(same(x, self._window, self._stride))))


class _Block(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.b0 = _Unit(inputs, widths[0])
        self.b1a, self.b1b = _Unit(inputs, widths[1]), _Unit(widths[1], widths[2], 3)
        self.b2a, self.b2b = _Unit(inputs, widths[3]), _Unit(widths[3], widths[4], 3)
        self.b3b = _Unit(inputs, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x))]
        return torch.cat([*branches, self.b3b(_pool(x, (3, 3, 3), (1, 1, 1)))], dim=1)


class _Logits(nn.Module):
    """The classifier, which no feature needs, but which weights have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(WIDTH, CLASSES, 1)


class I3d(nn.Module):
    """Three channels for pictures, two for flow, values in -1..1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Unit(channels, 64, 7, 2)
        self.Conv3d_2b_1x1, self.Conv3d_2c_3x3 = _Unit(64, 64), _Unit(64, 192, 3)
        for name, (inputs, widths) in BLOCKS.items():
            self.add_module(name, _Block(inputs, widths))
        self.logits = _Logits()

    def last(self, x: Tensor) -> Tensor:
        """Give the last block's output ``[b, 1024, t / 8, h / 32, w / 32]``.

        The input is ``[b, c, t, h, w]``.
        """
        x = _pool(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        blocks: dict[str, Any] = dict(self.named_children())
        for name in BLOCKS:
            if name in POOLS:
                x = _pool(x, *POOLS[name])
            x = blocks[name](x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Average features ``[b, 1024]`` of ``[b, c, t, 224, 224]`` over windows of two steps."""
        pooled = F.avg_pool3d(self.last(x), (2, 7, 7), stride=1)
        return pooled.mean(dim=(2, 3, 4))

    def classify(self, x: Tensor) -> Tensor:
        """Compute the logits of the classes ``[b, 400]``, averaged over time."""
        pooled = F.avg_pool3d(self.last(x), (2, 7, 7), stride=1)
        answers: Tensor = self.logits.conv3d(pooled)
        return answers.mean(dim=(2, 3, 4))
