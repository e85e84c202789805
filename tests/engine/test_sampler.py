"""The loop: equal to diffusers' own pipeline, image by image its own, stoppable, and honest about NaN."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.core.errors import Cancelled, NonFinite
from studio.core.recipe import GuidanceSpec, Recipe
from studio.diffusion.solvers import DDIM, DPMpp2M
from studio.engine.bench.reference import plain_pipeline
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.noise import NoiseSource
from studio.engine.order import Order, SampleOptions, plain_orders
from studio.engine.sampler import Picture, StepReport, companies, sample
from studio.guidance import Preds, State, StepCtx
from studio.guidance.apg import AdaptiveProjectedGuidance
from studio.guidance.base import Plan
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.cfg_pp import CFGPlusPlus
from studio.models.bundle import Conditioning
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.engine.edits.making import make_edit
from tests.tiny_model import SIZE_PX, build


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


def recipe(**values: object) -> Recipe:
    return Recipe.load({"prompt": "a red star", "seed": 7, "width": SIZE_PX, "height": SIZE_PX, "steps": 8, **values})


def scale(value: float) -> GuidanceSpec:
    return GuidanceSpec(params={"guidance_scale": value})


def pictures(bundle: EmbeddedModel, *recipes: Recipe) -> list[Picture]:
    found = dict(sample(bundle, plain_orders(recipes)))
    return [found[index] for index in range(len(recipes))]


def theirs(bundle: EmbeddedModel, recipe: Recipe, guidance_scale: float) -> Picture:
    made = plain_pipeline(bundle, recipe.sampler)(
        recipe.prompt,
        negative_prompt=recipe.negative_prompt or None,
        num_inference_steps=recipe.steps,
        guidance_scale=guidance_scale,
        generator=torch.Generator().manual_seed(recipe.seed),
        width=recipe.width,
        height=recipe.height,
        output_type="np",
    )
    return (made.images[0] * 255).round().astype(np.uint8)


def difference(first: Picture, second: Picture) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


# -- parity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim"])
@pytest.mark.parametrize("negative", ["", "a blue square"])
def test_equals_diffusers(bundle: EmbeddedModel, sampler: str, negative: str) -> None:
    """<= 1/255: the same arithmetic in another order."""
    mine = recipe(sampler=sampler, negative_prompt=negative, guidance=scale(5.0))
    assert difference(pictures(bundle, mine)[0], theirs(bundle, mine, 5.0)) <= 1


@pytest.mark.parametrize(
    ("width", "height", "prompt"), [(48, 32, "a blue square"), (32, 64, "zebra " * 30), (40, 40, "")]
)
def test_equals_diffusers_at_other_sizes_and_prompts(
    bundle: EmbeddedModel, width: int, height: int, prompt: str
) -> None:
    mine = recipe(width=width, height=height, prompt=prompt, guidance=scale(4.0))
    assert difference(pictures(bundle, mine)[0], theirs(bundle, mine, 4.0)) <= 1


def test_equals_diffusers_without_guidance(bundle: EmbeddedModel) -> None:
    mine = recipe(guidance=scale(1.0))
    assert difference(pictures(bundle, mine)[0], theirs(bundle, mine, 1.0)) <= 1


def test_equals_diffusers_for_a_noise_predicting_model(tmp_path: Path) -> None:
    build(tmp_path / "eps", prediction_type="epsilon")
    bundle = load_stencil(tmp_path / "eps")
    mine = recipe(guidance=scale(2.0))
    assert difference(pictures(bundle, mine)[0], theirs(bundle, mine, 2.0)) <= 1


def test_prompt_and_seed_matter(bundle: EmbeddedModel) -> None:
    """So that parity above is not parity of two constants."""
    base = pictures(bundle, recipe(guidance=scale(5.0)))[0]
    assert difference(base, pictures(bundle, recipe(guidance=scale(5.0), prompt="a blue square"))[0]) > 2
    assert difference(base, pictures(bundle, recipe(guidance=scale(5.0), seed=8))[0]) > 10


# -- seeds and batches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cfg", "apg"])
def test_isolated_is_bit_equal_alone_and_in_company(bundle: EmbeddedModel, method: str) -> None:
    spec = GuidanceSpec(method=method)
    alone = pictures(bundle, recipe(guidance=spec))[0]
    among = pictures(bundle, *(recipe(seed=seed, guidance=spec) for seed in (3, 7, 2**64 - 1)))
    assert np.array_equal(among[1], alone)
    assert np.array_equal(pictures(bundle, recipe(guidance=spec))[0], alone)


@pytest.mark.parametrize("method", ["cfg", "apg"])
def test_shared_is_equal_to_rounding(bundle: EmbeddedModel, method: str) -> None:
    shared = [
        recipe(seed=seed, prompt=prompt, guidance=GuidanceSpec(method=method), batching="shared")
        for seed, prompt in ((3, "a red star"), (7, "a blue square"), (9, ""))
    ]
    among = pictures(bundle, *shared)
    for one, picture in zip(shared, among, strict=True):
        assert difference(picture, pictures(bundle, one.model_copy(update={"batching": "isolated"}))[0]) <= 1


def test_seeds_reach_to_the_end_of_64_bits(bundle: EmbeddedModel) -> None:
    """All are taken; of each, torch's CPU generator uses the lower 32 bits. If that changes, replays change."""

    def noise(seed: int) -> torch.Tensor:
        return NoiseSource(bundle, recipe(seed=seed)).start()

    assert not torch.equal(noise(0), noise(1))
    assert not torch.equal(noise(0), noise(2**32 - 1))
    assert torch.equal(noise(2**64 - 1), noise(2**32 - 1))
    assert torch.equal(noise(2**63), noise(0))


def test_the_global_generator_is_left_alone(bundle: EmbeddedModel) -> None:
    before = torch.get_rng_state()
    pictures(bundle, recipe())
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_shared_runs_in_one_company() -> None:
    shared = {"batching": "shared"}
    recipes = [recipe(**shared), recipe(seed=2), recipe(**shared, steps=9), recipe(**shared, negative_prompt="a dog")]
    assert companies(recipes) == [(0, 2, 3), (1,)]


MIXED = (
    {"guidance": scale(1.0)},
    {"guidance": scale(5.0), "steps": 5},
    {"guidance": GuidanceSpec(method="apg"), "sampler": "ddim", "sampler_params": {"eta": 1.0}},
    {"prompt": "a blue square", "negative_prompt": "red", "more_negatives": [{"prompt": "green", "weight": 3.0}]},
    {"spacing": "karras", "variation_seed": 5, "variation_strength": 0.3},
    {"width": SIZE_PX * 2, "seed": 11},
)


@pytest.mark.parametrize("max_rows", [1, 3, 32])
def test_a_mixed_company_equals_each_alone(bundle: EmbeddedModel, max_rows: int) -> None:
    """Steps, samplers, guidance, sizes and prompts all differ; every image is as if it were alone, to rounding."""
    mixed = [recipe(**values, batching="shared") for values in MIXED]
    together = dict(sample(bundle, plain_orders(mixed), options=SampleOptions(max_rows)))
    for index, one in enumerate(mixed):
        alone = pictures(bundle, one.model_copy(update={"batching": "isolated"}))[0]
        assert difference(together[index], alone) <= 1, index


def test_order_does_not_matter(bundle: EmbeddedModel) -> None:
    mixed = [recipe(**values, batching="shared") for values in MIXED]
    forth, back = pictures(bundle, *mixed), pictures(bundle, *reversed(mixed))[::-1]
    assert max(difference(a, b) for a, b in zip(forth, back, strict=True)) <= 1


def test_several_negatives_are_their_weighted_mean(bundle: EmbeddedModel) -> None:
    """Two halves of one prompt are that prompt; a negative of weight 0 is none."""
    one = recipe(negative_prompt="blue")
    twice = recipe(negative_prompt="blue", more_negatives=[{"prompt": "blue", "weight": 3.0}])
    unheard = recipe(negative_prompt="blue", more_negatives=[{"prompt": "green", "weight": 0.0}])
    plain = pictures(bundle, one)[0]
    assert difference(pictures(bundle, twice)[0], plain) <= 1
    assert np.array_equal(pictures(bundle, unheard)[0], plain)
    other = recipe(negative_prompt="blue", more_negatives=[{"prompt": "green", "weight": 3.0}], guidance=scale(9.0))
    assert (
        difference(pictures(bundle, other)[0], pictures(bundle, recipe(negative_prompt="blue", guidance=scale(9.0)))[0])
        > 1
    )


def test_variation_goes_from_one_seed_to_the_other(bundle: EmbeddedModel) -> None:
    def varied(strength: float) -> Picture:
        return pictures(bundle, recipe(seed=7, variation_seed=8, variation_strength=strength))[0]

    assert np.array_equal(varied(0.0), pictures(bundle, recipe(seed=7))[0])
    assert np.array_equal(varied(1.0), pictures(bundle, recipe(seed=8))[0])
    assert difference(varied(0.05), varied(0.0)) < difference(varied(0.5), varied(0.0))


def test_noise_on_the_arc_is_as_loud_as_at_its_ends(bundle: EmbeddedModel) -> None:
    noise = NoiseSource(bundle, recipe(width=256, height=256, variation_seed=8, variation_strength=0.5)).start()
    assert float(noise.std()) == pytest.approx(1.0, abs=0.05)


def test_the_state_of_guidance_goes_from_step_to_step_and_starts_anew_with_every_picture(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, State, State]] = []
    combine = AdaptiveProjectedGuidance.combine

    def watched(
        self: AdaptiveProjectedGuidance, preds: Preds, step: StepCtx, state: State
    ) -> tuple[torch.Tensor, State]:
        x0, after = combine(self, preds, step, state)
        seen.append((step.i, state, after))
        return x0, after

    monkeypatch.setattr(AdaptiveProjectedGuidance, "combine", watched)
    pictures(bundle, *(recipe(seed=seed, guidance=GuidanceSpec(method="apg")) for seed in (7, 8)))
    assert [i for i, _, _ in seen] == [*range(8)] * 2
    for (_, _, before), (i, given, _) in zip([(0, (), ()), *seen], seen, strict=False):
        assert given == () if i == 0 else given is before


def test_the_sampler_goes_on_from_where_guidance_moved_the_state(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[torch.Tensor | None] = []
    given: list[torch.Tensor] = []
    plan, step = CFGPlusPlus.plan, DDIM.step

    def watched(self: CFGPlusPlus, ctx: StepCtx) -> Plan:
        guided = yield from plan(self, ctx)
        moved.append(guided.x)
        return guided

    monkeypatch.setattr(CFGPlusPlus, "plan", watched)
    monkeypatch.setattr(DDIM, "step", lambda self, x, *rest: (given.append(x), step(self, x, *rest))[1])
    pictures(bundle, recipe(sampler="ddim", guidance=GuidanceSpec(method="cfg_pp")))
    assert len(moved) == 8 and all(one is other for one, other in zip(moved, given, strict=True))


# -- cost -----------------------------------------------------------------------------------------------------------


def test_variants_of_one_seed_share_what_they_ask_alike(bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three scales from one noise: the first step is two rows for all three, the others two for each."""
    seen: list[int] = []
    predict = bundle.predict
    monkeypatch.setattr(bundle, "predict", lambda x, t, cond: (seen.append(len(x)), predict(x, t, cond))[1])
    pictures(bundle, *(recipe(guidance=scale(w), batching="shared") for w in (2.0, 3.0, 4.0)))
    assert seen == [2, *[6] * 7]


@pytest.mark.parametrize(("value", "rows"), [(1.0, 1), (3.0, 2)])
def test_scale_1_runs_no_unconditional_rows(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch, value: float, rows: int
) -> None:
    seen: list[int] = []
    predict = bundle.predict
    monkeypatch.setattr(bundle, "predict", lambda x, t, cond: (seen.append(len(x)), predict(x, t, cond))[1])
    pictures(bundle, recipe(guidance=scale(value)))
    assert seen == [rows] * 8


# -- stopping and failing -------------------------------------------------------------------------------------------


def test_stops_within_one_step(bundle: EmbeddedModel) -> None:
    seen: list[StepReport] = []
    with pytest.raises(Cancelled):
        list(sample(bundle, [Order(recipe())], seen.append, lambda: len(seen) >= 3))
    assert [report.step for report in seen] == [1, 2, 3]


def test_pictures_finished_before_the_stop_are_whole(bundle: EmbeddedModel) -> None:
    steps: list[StepReport] = []
    made: Iterator[tuple[int, Picture]] = sample(
        bundle, [Order(recipe()), Order(recipe(seed=8))], steps.append, lambda: len(steps) >= 10
    )
    index, picture = next(made)
    assert index == 0 and np.array_equal(picture, pictures(bundle, recipe())[0])
    with pytest.raises(Cancelled):
        next(made)


@pytest.mark.parametrize("at_step", [1, 4, 8])
def test_nan_is_named_by_its_step_and_the_next_run_is_fine(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch, at_step: int
) -> None:
    calls: list[int] = []
    predict: Callable[..., torch.Tensor] = bundle.predict

    def spoiled(x: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        calls.append(1)
        return predict(x, t, cond) * (torch.nan if len(calls) == at_step else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(bundle, "predict", spoiled)
        with pytest.raises(NonFinite, match=f"step {at_step} of 8; it began with the network[.]"):
            pictures(bundle, recipe())
    assert len(calls) == at_step
    assert pictures(bundle, recipe())[0].shape == (SIZE_PX, SIZE_PX, 3)


@pytest.mark.parametrize("method", ["diffusers_tangential", "cfg_mp_plus"])
def test_nan_is_named_where_a_decomposition_meets_it(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    guided = recipe(guidance=GuidanceSpec(method=method))
    monkeypatch.setattr(bundle, "predict", lambda x, t, cond: torch.full_like(x, torch.nan))
    with pytest.raises(NonFinite, match="step 1 of 8; it began with the network[.]"):
        pictures(bundle, guided)


def test_nan_is_named_by_who_began(bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(stack: EditStack = EMPTY) -> str:
        with pytest.raises(NonFinite) as caught:
            next(sample(bundle, [Order(recipe(), stack)]))
        return str(caught.value)

    path = "mid_block.attentions.0.proj_in"
    shape = tuple(bundle.unet.get_submodule(path).get_parameter("weight").shape)
    huge = make_edit({path: shape}, size=1e30, name="a loud one")
    assert "began with the network, with the edits 'a loud one'" in told(EditStack.of([(huge, 10.0)]))
    with monkeypatch.context() as patch:
        patch.setattr(ClassifierFreeGuidance, "combine", lambda self, preds, step, state: (preds.cond.x0 / 0, state))
        assert "began with the guidance method cfg" in told()
    with monkeypatch.context() as patch:
        patch.setattr(DPMpp2M, "step", lambda self, x, *rest: (x / 0, ()))
        assert "began with the sampler dpmpp_2m" in told()
    assert np.isfinite(pictures(bundle, recipe())[0]).all()


def test_what_half_precision_cannot_hold_is_named_and_full_precision_draws_it(tiny_model: Path) -> None:
    """Beyond 65,504 a number of 16 bits is infinite: what guards against NaN guards against that."""
    half, full = (load_stencil(tiny_model, dtype=dtype) for dtype in (torch.float16, torch.float32))
    shape = tuple(full.unet.get_submodule("conv_out").get_parameter("weight").shape)
    loud = EditStack.of([(make_edit({"conv_out": shape}, size=1e5, name="a loud one"), 1.0)])
    order = Order(recipe(steps=2), loud)
    with pytest.raises(NonFinite, match="step 1 of 2; it began with the network, with the edits 'a loud one'"):
        next(sample(half, [order]))
    assert np.isfinite(next(sample(full, [order]))[1]).all()
    assert np.isfinite(pictures(half, recipe(steps=2))[0]).all()


def test_a_decoder_that_gives_nan_is_told(bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "decode", lambda latents: torch.full((1, 3, SIZE_PX, SIZE_PX), torch.nan))
    with pytest.raises(NonFinite, match="decoder"):
        pictures(bundle, recipe())


def test_a_stop_is_heard_between_two_pictures_that_were_done_together(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = bundle.decode
    monkeypatch.setattr(bundle, "decode", lambda latents: (decoded.append(1), decode(latents))[1])
    together = [recipe(seed=seed, batching="shared", steps=2) for seed in range(4)]
    with pytest.raises(Cancelled):
        list(sample(bundle, plain_orders(together), should_stop=lambda: len(decoded) == 1))
    assert len(decoded) == 1
