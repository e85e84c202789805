"""Drift: whether the base survives a thousand changes of the stack, ours and by fusing in and out."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.edits import their_pipeline
from studio.engine.bench.reference import add_adapters
from studio.engine.bench.results import Fact
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.resident import room_of

_CHANGES = 1000
_THEIR_CHANGES = 100  # one of theirs takes as long as thirty of ours, and the first already moves the weights


@CASES.register("drift")
def drift(bench: Bench) -> Fact:
    """How many weights are not what they were, bit for bit, after stacks came and went."""
    pipeline = their_pipeline(bench)
    edits = add_adapters(pipeline, 3, "attention")
    rng, room = random.Random(1), room_of(bench.bundle)
    weights = _weights(bench.bundle.unet)
    for _ in range(_CHANGES):
        chosen = rng.sample(edits, rng.randint(0, len(edits)))
        room.use(EditStack.of([(edit, rng.uniform(-2, 2)) for edit in chosen]), swap=rng.random() < 0.3)
    room.use(EMPTY)
    ours = _changed(weights, _weights(bench.bundle.unet))

    weights = _weights(pipeline.unet)
    for _ in range(_THEIR_CHANGES):
        pipeline.unet.set_adapters([rng.choice(edits).name], [rng.uniform(-2, 2)])
        pipeline.unet.fuse_lora()
        pipeline.unet.unfuse_lora()
    theirs = _changed(weights, _weights(pipeline.unet))
    return Fact(
        case="drift",
        work=f"after {_CHANGES:,} changes of the stack, against {_THEIR_CHANGES} times fuse and unfuse",
        unit="weights changed",
        ours=ours,
        theirs=theirs,
        at_most=0,
        limit="always computed from a copy of the base; theirs subtracts what it added, with rounding",
        made_by=bench.bundle.made_by(),
    )


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.named_parameters() if "lora_" not in name}


def _changed(first: dict[str, Tensor], second: dict[str, Tensor]) -> int:
    """How many numbers differ in any bit."""
    whole = {2: torch.int16, 4: torch.int32}
    return sum(
        int((first[name].view(whole[tensor.element_size()]) != tensor.view(whole[tensor.element_size()])).sum())
        for name, tensor in second.items()
    )
