"""What is measured of the pictures of an arm: what the oracle reads in them, their tones, how much they vary.

Every measure is one number per prompt, [P] float64, the mean over the prompt's seeds.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from studio.evidence.prompts import Suite
from studio.metrics.saturation import MEASURES
from studio.world.reading import Reading, Wanted

ATTRIBUTES = ("object", "colour", "style", "background")
TONES = ("saturation", "contrast", "clipped")
# Measure -> how it is told, and whether it is a share.
TOLD: dict[str, tuple[str, bool]] = {
    "object": ("object right", True),
    "colour": ("colour right", True),
    "style": ("style right", True),
    "background": ("background right", True),
    "accuracy": ("mean of the stated attributes right", True),
    "all": ("everything stated right, and valid", True),
    "shared": ("mean of object, colour and background right", True),
    "invalid": ("invalid pictures", True),
    "quality": ("accuracy, 0 for invalid pictures", True),
    "saturation": ("mean HSV saturation", False),
    "contrast": ("standard deviation of grey", False),
    "clipped": ("pixels at either end of the range", True),
    "diversity": ("1 - cosine of the oracle's features, between seeds", False),
}


class Reader(Protocol):
    """What is needed of an oracle (studio.world.oracle). images: uint8 [N, H, W, 3]."""

    def read(self, images: Any, /) -> list[Reading]:
        """Read every picture."""
        ...

    def features(self, images: Any, /) -> Tensor:
        """Give features, [N, F]."""
        ...


def read_picture(reading: Reading, wanted: Wanted) -> dict[str, float]:
    """What one picture gets right of what was wanted, 0 or 1, and the shares made of it; see TOLD."""
    found = {name: float(right) for name, right in reading.matches(wanted).items()}
    stated = [found[name] for name in ATTRIBUTES if name in found]
    valid = not reading.invalid
    whole = all(found[name] for name in ("bound", "style", "background") if name in found)
    values = {name: found[name] for name in ATTRIBUTES if name in found}
    values["accuracy"] = float(np.mean(stated))
    values["all"] = float(whole and valid)
    values["shared"] = float(np.mean([found[name] for name in ATTRIBUTES if name in found and name != "style"]))
    values["invalid"] = float(not valid)
    values["quality"] = values["accuracy"] * valid
    return values


def measure(pictures: npt.NDArray[np.uint8], suite: Suite, oracle: Reader) -> dict[str, Tensor]:
    """Measure an arm. pictures: [P*S, H, W, 3], the seeds of a prompt side by side. Gives measure -> [P]."""
    readings = oracle.read(pictures)
    rows = [read_picture(reading, suite.prompts[i // suite.seeds].wanted) for i, reading in enumerate(readings)]
    values = {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    values |= {name: MEASURES[name](images).double() for name in TONES}
    means = {name: value.reshape(-1, suite.seeds).mean(1) for name, value in values.items()}
    if suite.seeds > 1:
        means["diversity"] = diversity(oracle.features(pictures).reshape(len(suite.prompts), suite.seeds, -1))
    return means


def diversity(features: Tensor) -> Tensor:
    """Mean over pairs of seeds of 1 - cosine, per prompt. features: [P, S, F], S at least 2. Gives [P] in 0..2."""
    unit = normalize(features.double(), dim=2)
    cosines = unit @ unit.transpose(1, 2)  # [P, S, S]
    seeds = features.shape[1]
    return 1 - (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / (seeds * (seeds - 1))
