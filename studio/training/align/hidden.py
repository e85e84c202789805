"""What a model makes of pictures inside: the states that CHES (studio/alignment/ches.py) compares."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from studio.core.errors import BadInput
from studio.engine.edits.stack import EMPTY
from studio.engine.resident import room_of
from studio.models.bundle import ModelBundle

TIMES = (0.2, 0.4, 0.6, 0.8)  # shares of the schedule
ROWS = 32  # of one evaluation, as where pictures are drawn


def hidden_states(
    bundle: ModelBundle, x0: Tensor, prompts: Sequence[str], seed: int = 0
) -> Generator[None, None, Tensor]:
    """Of each picture, [N, d] float32 on the CPU: the mean over space of what leaves the middle of the network.

    Averaged over TIMES, with one noise for all pictures at each, by the model without edits. Yields after every
    evaluation of the network. x0: latents, [N, C, h, w]. prompts: of each picture.
    Raises BadInput for a network without a middle block.
    """
    middle, generator = _middle(bundle), torch.Generator().manual_seed(seed)
    final, sums = bundle.schedule.num_train_timesteps - 1, list[Tensor]()
    for share in TIMES:
        noise = torch.randn(x0.shape[1:], generator=generator)
        t = torch.full((len(x0),), float(round(share * final)))
        a, s = (part.float().view(-1, 1, 1, 1) for part in bundle.schedule.at(t.double()))
        x, parts = a * x0 + s * noise, list[Tensor]()
        for first in range(0, len(x0), ROWS):
            rows = slice(first, first + ROWS)
            room_of(bundle).use(EMPTY)
            with torch.inference_mode():
                condition = bundle.encode(tuple(prompts[rows]))
                parts.append(
                    _leaving(middle, lambda rows=rows, x=x, t=t, c=condition: _ask(bundle, x[rows], t[rows], c))
                )
            yield
        sums.append(torch.cat(parts))
    return torch.stack(sums).mean(0).clone()


def _ask(bundle: ModelBundle, x: Tensor, t: Tensor, condition: Any) -> Tensor:
    return bundle.predict(x.to(bundle.device), t.to(bundle.device), condition)


def _leaving(block: nn.Module, ask: Any) -> Tensor:
    """What leaves a block while something is asked, [B, d]: the mean over all but rows and channels."""
    outputs: list[Tensor] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        outputs.append(output[0] if isinstance(output, tuple) else output)

    handle = block.register_forward_hook(note)
    try:
        ask()
    finally:
        handle.remove()
    return outputs[-1].float().flatten(2).mean(2).cpu()


def _middle(bundle: ModelBundle) -> nn.Module:
    block = getattr(bundle.components().get("unet"), "mid_block", None)
    if not isinstance(block, nn.Module):
        raise BadInput(f"{bundle.name} has no block in its middle, where pairs would be compared.", field="model")
    return block
