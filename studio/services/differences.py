"""How far two pictures are apart, by their pixels."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from studio.core.errors import NotFound


@functools.lru_cache(maxsize=512)
def mean_difference(first: Path, second: Path) -> float:
    """The mean absolute difference of two pictures of one size, in levels of 0 to 255; 0 only for equal pixels.

    The files are of an archive, where what is under a name does not change. Raises NotFound for one that is gone.
    """
    try:
        pixels = [np.asarray(Image.open(path).convert("RGB"), dtype=np.int16) for path in (first, second)]
    except OSError:
        raise NotFound("A picture's file is gone from the workspace.") from None
    return float(np.abs(pixels[0] - pixels[1]).mean())
