"""How far two pictures are apart, by their pixels."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from studio.core.errors import NotFound


@dataclass(frozen=True)
class PixelDifference:
    """Of two pictures of one size, in levels of 0 to 255. mean: absolute; largest: of any channel of any pixel."""

    mean: float
    largest: int


@functools.lru_cache(maxsize=2048)
def pixel_difference(first: Path, second: Path) -> PixelDifference | None:
    """How far two pictures are apart; None for pictures of different sizes.

    The files are of an archive, where what is under a name does not change. Raises NotFound for one that is gone.
    """
    try:
        pixels = [np.asarray(Image.open(path).convert("RGB"), dtype=np.int16) for path in (first, second)]
    except OSError:
        raise NotFound("A picture's file is gone from the workspace.") from None
    if pixels[0].shape != pixels[1].shape:
        return None
    apart = np.abs(pixels[0] - pixels[1])
    return PixelDifference(float(apart.mean()), int(apart.max()))


def mean_difference(first: Path, second: Path) -> float:
    """The mean absolute difference of two pictures of one size, in levels of 0 to 255; 0 only for equal pixels.

    Raises NotFound for a file that is gone, ValueError for pictures of different sizes.
    """
    apart = pixel_difference(first, second)
    if apart is None:
        raise ValueError("pictures of different sizes have no difference")
    return apart.mean
