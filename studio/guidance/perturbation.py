"""A perturbation of the network: what is done, on some rows of a batch, to make it predict worse on purpose.

Plain values. Who runs the network carries them out (studio.engine.perturb), so methods need not know of layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

PerturbationKind = Literal["identity", "blur", "skip"]


@dataclass(frozen=True)
class Perturbation:
    """What happens to the chosen layers.

    kind: "identity": self-attention gives its values, each token its own; "blur": its queries are blurred over the
    grid of tokens; "skip": the whole transformer block gives its input.
    layers: paths in the network; each stands for all transformer blocks at or below it. () is the model's own choice.
    sigma: of the blur, in tokens; infinite gives every token the mean query.
    """

    kind: PerturbationKind
    layers: tuple[str, ...] = ()
    sigma: float = math.inf


def layers_of(text: str) -> tuple[str, ...]:
    """Read layer paths from text, between commas or blanks, without doubles; () for none."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))
