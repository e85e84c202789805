"""From pictures to facts: what the oracle reads in them, their tones, their features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.metrics.saturation import measure_all
from studio.training.evaluate.results import Facts
from studio.world.reading import Reading

TOGETHER = 32  # pictures read at once: a reading is the same to the bit only in a batch of the same size

Picture = npt.NDArray[np.uint8]  # [H, W, 3]


class Reader(Protocol):
    """What is needed of an oracle (studio.world.oracle). images: uint8 [N, H, W, 3]."""

    def read(self, images: Any, /) -> list[Reading]:
        """Read every picture."""
        ...


class FeatureReader(Reader, Protocol):
    """One that gives features too."""

    def features(self, images: Any, /) -> Tensor:
        """Give features, [N, F]."""
        ...


class Meter:
    """Measures pictures of one size. read, features: of an oracle, None where there is none or nobody asks."""

    def __init__(
        self,
        read: Callable[[Any], list[Reading]] | None = None,
        features: Callable[[Any], Tensor] | None = None,
    ) -> None:
        self._read, self._features = read, features

    def __call__(self, pictures: Sequence[Picture]) -> list[Facts]:
        """Measure so many pictures as they come, TOGETHER of them at a time."""
        return [facts for at in range(0, len(pictures), TOGETHER) for facts in self._some(pictures[at : at + TOGETHER])]

    def _some(self, pictures: Sequence[Picture]) -> list[Facts]:
        batch = np.stack(pictures)
        tones = {name: values.tolist() for name, values in measure_all(tensor(batch)).items()}
        readings = self._read(batch) if self._read is not None else [None] * len(batch)
        features = self._features(batch).float().numpy() if self._features is not None else [None] * len(batch)
        return [
            Facts(
                sha256(np.ascontiguousarray(picture).tobytes()).hexdigest(),
                {name: values[i] for name, values in tones.items()},
                readings[i],
                features[i],
            )
            for i, picture in enumerate(batch)
        ]


def tensor(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """Pictures [N, H, W, 3] uint8 as [N, 3, H, W] float32 in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
