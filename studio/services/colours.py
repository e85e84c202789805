"""What became of a picture's colours: the numbers of too much guidance, read from its file."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from studio.core.errors import NotFound


def colours_at(path: Path) -> dict[str, float]:
    """Saturation, brightness, contrast and clipped share of a picture's file, 0..1 each. Raises NotFound.

    The files are of an archive, where what is under a name does not change.
    """
    return dict(_colours(str(path)))


@functools.lru_cache(maxsize=2048)
def _colours(path: str) -> tuple[tuple[str, float], ...]:
    import torch  # here and not above: the page, which imports this file, is painted before that
    from PIL import Image

    from studio.metrics.saturation import brightness, clipped, contrast, saturation

    try:
        with Image.open(path) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    except OSError:
        raise NotFound("The file of this picture is gone from the workspace.") from None
    measures = {"saturation": saturation, "brightness": brightness, "contrast": contrast, "clipped": clipped}
    return tuple((name, float(measure(pixels)[0])) for name, measure in measures.items())
