"""Replay: make a picture again from the recipe it carries, and compare the pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.threads import processors
from studio.services.direct import Picture, generate_unrecorded
from studio.storage.png import read_png

# What a picture's bits depend on besides its recipe, and how each is called in a sentence.
_CAUSES = {
    "model_hash": "the model's weights",
    "weak_hash": "the early checkpoint's weights",
    "device": "the device",
    "dtype": "the number format",
    "threads": "the number of threads",
    "cpu": "the processor's instruction set",
    "torch": "the version of torch",
    "diffusers": "the version of diffusers",
    "transformers": "the version of transformers",
}


@dataclass(frozen=True)
class ReplayResult:
    """How a replay compares.

    different_pixels: of `pixels`.
    max_difference: of any channel, 0..255.
    causes: of a difference, what differs in how the two were made, in words; where empty, the difference is a defect.
    """

    identical: bool
    pixels: int
    different_pixels: int
    max_difference: int
    causes: tuple[str, ...]
    recipe: Recipe
    picture: Picture

    def sentence(self) -> str:
        """Say it."""
        if self.identical:
            return f"Bit-identical: all {self.pixels} pixels are the same."
        why = f" Different this time: {', '.join(self.causes)}." if self.causes else ""
        share = f"{self.different_pixels} of {self.pixels} pixels differ, by up to {self.max_difference} of 255."
        return f"Not identical: {share}{why}"


def replay(
    settings: Settings, image_path: Path, on_event: Callable[[str, dict[str, Any]], None] | None = None
) -> ReplayResult:
    """Make the picture again and compare. Raises BadInput for a file without a recipe, and what generating raises.

    With as many threads as it was made with, unless the settings say how many or the machine has fewer processors.
    """
    record = read_png(image_path)
    threads = threads_of(record.made_by)
    if settings.threads is None and threads is not None:
        settings = settings.model_copy(update={"threads": threads})
    picture = generate_unrecorded(settings, [record.recipe], on_event)[0]
    different, largest = compare(record.image, picture.image)
    causes = () if different == 0 else causes_of(record.made_by, picture.made_by)
    pixels = picture.image.width * picture.image.height
    return ReplayResult(different == 0, pixels, different, largest, causes, record.recipe, picture)


def causes_of(then: Mapping[str, Any], present: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs in how two pictures of one recipe were made, in words. then: may be of somebody else's file."""
    return tuple(
        f"{word} ({str(then.get(key, 'not recorded'))[:80]}, now {present.get(key)})"
        for key, word in _CAUSES.items()
        if then.get(key) != present.get(key)
    )


def threads_of(made_by: Mapping[str, Any]) -> int | None:
    """With how many threads a picture was made, where its record says so and this machine has as many processors."""
    threads = made_by.get("threads")
    return threads if type(threads) is int and 1 <= threads <= processors() else None


def compare(original: Image.Image, replayed: Image.Image) -> tuple[int, int]:
    """Count the pixels that differ, and by how much at most. Of unequal sizes, all differ, by 255."""
    if original.size != replayed.size:
        return replayed.width * replayed.height, 255
    difference = np.abs(np.asarray(original, dtype=np.int16) - np.asarray(replayed, dtype=np.int16))
    return int(difference.any(axis=-1).sum()), int(difference.max())
