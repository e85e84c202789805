"""Labels and pictures to train from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.preference.answer import Answer
from studio.preference.label import Label, Picture


def image(number: int) -> str:
    """The sha256 that a picture of this number goes by."""
    return f"{number:064x}"


def label(number: int, answer: Answer, count: int = 2, prompt: str = "", **changes: Any) -> Label:
    """Of pictures number * 10 and on. prompt: of its own where it is not named."""
    pictures = tuple(Picture(image(10 * number + place), model="stencil") for place in range(count))
    values: dict[str, Any] = {"item": number, "campaign": "taste", "annotator": "ann", "order": tuple(range(count))}
    return Label(
        id=f"label-{number}",
        prompt=prompt or f"a star {number}",
        pictures=pictures,
        answer=answer,
        **{**values, **changes},
    )


def stored(folder: Path, names: Sequence[str], side: int = 32) -> dict[str, str]:
    """A picture file for each of these names, all different: name -> path."""
    paths: dict[str, str] = {}
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path := folder / f"{number}.png")
        paths[name] = str(path)
    return paths
