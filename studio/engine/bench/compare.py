"""A comparison as the Compare tab draws it: guidance, edits and seeds crossed, in one job."""

from __future__ import annotations

from itertools import product

from studio.core.recipe import GuidanceSpec
from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.edits import their_pipeline
from studio.engine.bench.pairs import difference, time_pairs
from studio.engine.bench.reference import add_adapters, picture_of
from studio.engine.bench.results import BenchResult
from studio.engine.edits.stack import EditStack
from studio.engine.order import Order
from studio.engine.sampler import Picture, sample

SCALES, EDITS, SEEDS = (2.0, 4.0, 7.5), 2, (7, 8)


@CASES.register("compare")
def compare(bench: Bench) -> BenchResult:
    """Three guidance scales by two edits by two seeds: one job of ours, twelve calls of theirs.

    Theirs sets its adapter once for each edit, as whoever writes such a loop would.
    """
    pipeline = their_pipeline(bench)
    edits = add_adapters(pipeline, EDITS, "attention")
    variants = [
        (
            edit,
            bench.recipe.model_copy(
                update={
                    "guidance": GuidanceSpec(params={"guidance_scale": scale}),
                    "seed": seed,
                    "batching": "shared",
                }
            ),
        )
        for edit, scale, seed in product(edits, SCALES, SEEDS)
    ]
    orders = [Order(recipe, EditStack.of([(edit, 1.0)])) for edit, recipe in variants]

    def ours() -> list[Picture]:
        bench.bundle.forget_prompts()
        pictures_by_index = dict(sample(bench.bundle, orders))
        return [pictures_by_index[index] for index in range(len(orders))]

    def theirs() -> list[Picture]:
        pictures: list[Picture] = []
        for edit in edits:
            pipeline.unet.set_adapters([edit.name], [1.0])
            pictures += [picture_of(pipeline, recipe) for of_edit, recipe in variants if of_edit is edit]
        return pictures

    return BenchResult(
        case="compare",
        work="3 guidance scales by 2 edits by 2 seeds against 12 calls",
        **time_pairs(ours, theirs, bench.pairs, bench.on_pair),
        goal=2.2,
        max_difference=difference(ours(), theirs()),
        limit="how much cheaper a row is in a batch of 24 than in one of 2 on this processor",
        made_by=bench.bundle.made_by(),
    )
