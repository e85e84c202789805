"""Encodings at random in a prompt's place, for a loss that anchors what no prompt names (Need.anchor).

    c~ = u |c| d,  u in [0.8, 1.2),  d a direction drawn evenly, taken with probability 1 - cos(d, c)

over all positions of the encoding as one vector, and of pooled text as another. In so many dimensions nearly every
direction is about orthogonal to the prompt's, so that few are turned down.

Source: SPM, arXiv:2312.16145, section 3.3, with the numbers of its code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from studio.models.conditioning import Conditioning

LOW, HIGH = 0.8, 1.2  # of the prompt's own norm
TEXT_EXTRAS = ("pooled",)  # the others are sizes


def anchors_for(prompts: Conditioning, generator: torch.Generator) -> Conditioning:
    """Draw one anchor for each row. generator: on the CPU, so that every device has the same."""
    tokens = torch.stack([anchor_for(row, generator) for row in prompts.tokens])
    extras = {
        name: torch.stack([anchor_for(row, generator) for row in extra]) if name in TEXT_EXTRAS else extra
        for name, extra in prompts.extras.items()
    }
    return Conditioning(tokens, extras)


def anchor_for(encoding: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one in the place of an encoding of any shape; 0 in the place of 0."""
    norm = float(encoding.double().norm())
    if not norm:
        return encoding.clone()
    direction_of_prompt = (encoding.double() / norm).flatten().cpu()
    while True:
        direction = torch.randn(direction_of_prompt.shape, generator=generator, dtype=direction_of_prompt.dtype)
        direction /= direction.norm()
        if is_taken(float(direction_of_prompt @ direction), float(torch.rand((), generator=generator))):
            break
    scale = LOW + (HIGH - LOW) * float(torch.rand((), generator=generator))
    return (scale * norm * direction).view(encoding.shape).to(encoding)


def is_taken(cosine: float, chance: float) -> bool:
    """Whether a direction is taken. cosine: to the prompt's. chance: drawn evenly from [0, 1)."""
    return chance < 1 - cosine
