"""One picture, and several variants of one: where the network is all there is to be fast at."""

from __future__ import annotations

from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.account import Accounts
from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.pairs import difference, time_pairs
from studio.engine.bench.reference import picture_of, plain_pipeline
from studio.engine.bench.results import BenchResult
from studio.engine.order import Order, SampleOptions, plain_orders
from studio.engine.sampler import Picture, sample

VARIANT_SCALES = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5)
ACCOUNT_PAIRS = 15  # at least: a difference of a few per cent is looked for


@CASES.register("single")
def single(bench: Bench) -> BenchResult:
    """One picture, from the prompt to pixels in memory."""
    bundle, recipe = bench.bundle, bench.recipe
    pipeline = plain_pipeline(bundle, recipe.sampler)

    def ours() -> Picture:
        bundle.forget_prompts()  # theirs encodes each time
        return next(picture for _, picture in sample(bundle, [Order(recipe)]))

    def theirs() -> Picture:
        return picture_of(pipeline, recipe)

    return BenchResult(
        case="single",
        work="one picture",
        **time_pairs(ours, theirs, bench.pairs, bench.on_pair),
        goal=1.0,
        max_difference=difference([ours()], [theirs()]),
        limit="94 % of it is the same network on both sides",
        made_by=bundle.made_by(),
    )


@CASES.register("variants")
def variants(bench: Bench) -> BenchResult:
    """Eight guidance scales of one prompt and seed: one job of ours, eight calls of theirs."""
    bundle = bench.bundle
    recipes = [
        bench.recipe.model_copy(
            update={"guidance": GuidanceSpec(params={"guidance_scale": scale}), "batching": "shared"}
        )
        for scale in VARIANT_SCALES
    ]
    pipeline = plain_pipeline(bundle, bench.recipe.sampler)

    def ours() -> list[Picture]:
        bundle.forget_prompts()
        return in_order(bench, recipes)

    def theirs() -> list[Picture]:
        return [picture_of(pipeline, recipe) for recipe in recipes]

    return BenchResult(
        case="variants",
        work="8 variants of one prompt and seed against 8 calls",
        **time_pairs(ours, theirs, bench.pairs, bench.on_pair),
        goal=1.8,
        max_difference=difference(ours(), theirs()),
        limit="how much cheaper a row is in a batch of 16 than in one of 2 on this processor",
        made_by=bundle.made_by(),
    )


@CASES.register("account")
def account(bench: Bench) -> BenchResult:
    """What it costs to note at every step what guidance did: ours is with the account, "theirs" is ours without."""
    bundle = bench.bundle
    recipe = bench.recipe.model_copy(
        update={"guidance": GuidanceSpec(method="apg", params={"guidance_scale": 4.0})}
    )  # which has numbers of its own to tell

    def ours() -> Picture:
        bundle.forget_prompts()
        accounts = Accounts(bundle, [recipe])
        picture = next(
            picture for _, picture in sample(bundle, [Order(recipe)], accounts, options=SampleOptions(diagnose=True))
        )
        accounts.take(0)
        return picture

    def theirs() -> Picture:
        bundle.forget_prompts()
        return next(picture for _, picture in sample(bundle, [Order(recipe)]))

    return BenchResult(
        case="account",
        work="one picture with the account of its steps, against ours without",
        **time_pairs(ours, theirs, max(bench.pairs, ACCOUNT_PAIRS), bench.on_pair),
        goal=0.95,
        max_difference=difference([ours()], [theirs()]),
        limit="a Gram matrix of four latents and a copy of x0 per step, one file per picture",
        made_by=bundle.made_by(),
    )


def in_order(bench: Bench, recipes: list[Recipe]) -> list[Picture]:
    """Our pictures of some recipes, in their order."""
    pictures = dict(sample(bench.bundle, plain_orders(recipes)))
    return [pictures[index] for index in range(len(recipes))]
