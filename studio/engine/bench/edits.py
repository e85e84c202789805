"""Edits: side by side in one forward, a strength that moves, and the change of weights alone."""

from __future__ import annotations

import itertools
from typing import Any

from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.pairs import difference, time_pairs
from studio.engine.bench.reference import add_adapters, picture_of, plain_pipeline
from studio.engine.bench.results import BenchResult
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.order import Order
from studio.engine.resident import room_of
from studio.engine.sampler import Picture, sample
from studio.models.embedded import load_stencil

_STRENGTHS = (1.0, 0.6)  # in turns: a strength that stays would be no change


def their_pipeline(bench: Bench) -> Any:
    """A pipeline around a copy of the model: peft rewrites the UNet it is given."""
    bundle = load_stencil(bench.bundle.card.folder, bench.bundle.device, bench.bundle.dtype)
    return plain_pipeline(bundle, bench.recipe.sampler)


@CASES.register("grid")
def grid(bench: Bench) -> BenchResult:
    """The base and three edits side by side: one job of ours, four calls of theirs, each with its adapters set."""
    pipeline = their_pipeline(bench)
    edits = add_adapters(pipeline, 3, "attention")
    stacks = [EMPTY, *(EditStack.of([(edit, 1.0)]) for edit in edits)]
    shared = bench.recipe.model_copy(update={"batching": "shared"})
    orders = [Order(shared, stack) for stack in stacks]

    def ours() -> list[Picture]:
        bench.bundle.forget_prompts()
        pictures_by_index = dict(sample(bench.bundle, orders))
        return [pictures_by_index[index] for index in range(len(orders))]

    def theirs() -> list[Picture]:
        pictures = []
        for edit in (None, *edits):
            if edit is None:
                pipeline.unet.disable_adapters()
            else:
                pipeline.unet.enable_adapters()
                pipeline.unet.set_adapters([edit.name], [1.0])
            pictures.append(picture_of(pipeline, bench.recipe))
        return pictures

    return BenchResult(
        case="grid",
        work="base and 3 edits against 4 calls with set_adapters",
        **time_pairs(ours, theirs, bench.pairs, bench.on_pair),
        goal=1.9,
        max_difference=difference(ours(), theirs()),
        limit="rows of a batch of 8 cost two thirds of those in a batch of 2; unfused adapters cost theirs 10 to 20 %",
        made_by=bench.bundle.made_by(),
    )


def _strength(bench: Bench, layers: str, goal: float) -> BenchResult:
    pipeline = their_pipeline(bench)
    (edit,) = add_adapters(pipeline, 1, layers)
    our_turn, their_turn = itertools.cycle(_STRENGTHS), itertools.cycle(_STRENGTHS)

    def ours(strength: float | None = None) -> Picture:
        strength = next(our_turn) if strength is None else strength
        stack = EditStack.of([(edit, strength)])
        return next(picture for _, picture in sample(bench.bundle, [Order(bench.recipe, stack)]))

    def theirs(strength: float | None = None) -> Picture:
        strength = next(their_turn) if strength is None else strength
        pipeline.unet.set_adapters([edit.name], [strength])
        return picture_of(pipeline, bench.recipe)

    return BenchResult(
        case=f"strength-{layers}",
        work=f"a strength moves, next picture; LoRA on {layers} layers",
        **time_pairs(ours, theirs, bench.pairs, bench.on_pair),
        goal=goal,
        max_difference=difference([ours(0.6)], [theirs(0.6)]),
        limit="the network itself; what is won is the adapter that theirs computes at every step",
        made_by=bench.bundle.made_by(),
    )


@CASES.register("strength-attention")
def strength_attention(bench: Bench) -> BenchResult:
    """A strength changes, then one picture; LoRA on the attention layers."""
    return _strength(bench, "attention", 1.2)


@CASES.register("strength-all")
def strength_all(bench: Bench) -> BenchResult:
    """A strength changes, then one picture; LoRA on all layers."""
    return _strength(bench, "all", 1.3)


def _apply(bench: Bench, case: str, label: str, goal: float, fuse: bool) -> BenchResult:
    pipeline = their_pipeline(bench)
    (edit,) = add_adapters(pipeline, 1, "attention")
    our_turn, their_turn = itertools.cycle(_STRENGTHS), itertools.cycle(_STRENGTHS)
    room = room_of(bench.bundle)
    room.use(EditStack.of([(edit, 0.5)]))

    def ours() -> None:
        room.use(EditStack.of([(edit, next(our_turn))]))

    def theirs() -> None:
        pipeline.unet.set_adapters([edit.name], [next(their_turn)])
        if fuse:
            pipeline.unet.fuse_lora()
            pipeline.unet.unfuse_lora()

    timed = time_pairs(ours, theirs, bench.pairs, bench.on_pair, repeat=100)
    room.use(EMPTY)
    limit = (
        "memory: the touched weights are written once" if not fuse else "as above; theirs writes twice, layer by layer"
    )
    return BenchResult(case=case, work=label, **timed, goal=goal, limit=limit, made_by=bench.bundle.made_by())


@CASES.register("apply")
def apply(bench: Bench) -> BenchResult:
    """The change of a strength alone, against set_adapters."""
    return _apply(bench, "apply", "applying a changed strength against set_adapters", 5.0, fuse=False)


@CASES.register("apply-fuse")
def apply_fuse(bench: Bench) -> BenchResult:
    """The change of a strength alone, against fusing it in and out again."""
    return _apply(bench, "apply-fuse", "applying a changed strength against fuse and unfuse", 20.0, fuse=True)
