"""What is wrong with diffusers' guiders in 0.42.1, held fast: what is healthy is in test_diffusers_guiders.py.

Each xfail says what should hold. It is strict: when an upgrade mends a guider the test passes, which is reported.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.parameterisation import Parameterisation
from tests.guidance.stepping import random
from tests.guidance.their_guiders import EXTRA, PAIR, SD3_BLOCKS, Network, acting, fdg, guiders, pag, seg, slg, steps

mended = pytest.mark.xfail(strict=True, raises=AssertionError)
extra = pytest.mark.parametrize("name", EXTRA)


@mended
def test_apg_is_continuous_at_scale_one() -> None:
    made = []
    for scale in (1.0, 1.0001):
        guider = guiders.AdaptiveProjectedGuidance(
            guidance_scale=scale, eta=0.0, adaptive_projected_guidance_rescale=0.0
        )
        guider.set_state(0, 10, 500)
        made.append(guider.forward(random(0), random(1)).pred)
    torch.testing.assert_close(made[0], made[1], atol=1e-2, rtol=0)


@mended
def test_seg_counts_its_rows_so_that_its_hook_is_installed() -> None:
    guider = guiders.SmoothedEnergyGuidance(seg_guidance_config={"indices": [0], "fqn": "blocks"})
    guider.set_state(5, 10, 500)
    guider.prepare_models(torch.nn.Module())
    assert guider._count_prepared == 1


@pytest.mark.xfail(strict=True, raises=TypeError)
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SkipLayerGuidance", {"skip_layer_guidance_layers": [7, 8, 9]}),
        ("PerturbedAttentionGuidance", {"perturbed_guidance_layers": 7}),
        ("AutoGuidance", {"auto_guidance_layers": [7, 8, 9], "dropout": 1.0}),
    ],
)
def test_layers_given_as_documented_find_the_blocks(name: str, settings: dict[str, Any]) -> None:
    denoiser = torch.nn.Module()
    denoiser.transformer_blocks = torch.nn.ModuleList(torch.nn.Identity() for _ in range(10))
    guider = getattr(guiders, name)(**settings)
    guider.set_state(1, 10, 900)
    for _ in range(guider.num_conditions):
        guider.prepare_models(denoiser)


@mended
@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("SkipLayerGuidance", "skip_layer_config"),
        ("PerturbedAttentionGuidance", "perturbed_guidance_config"),
        ("SmoothedEnergyGuidance", "seg_guidance_config"),
    ],
)
def test_without_cfg_the_perturbed_row_keeps_the_prompt(name: str, option: str) -> None:
    guider = getattr(guiders, name)(guidance_scale=1.0, **{option: {"indices": [0], "fqn": "blocks"}})
    guider.set_state(1, 10, 900)
    _, perturbed = guider.prepare_inputs(PAIR)
    assert torch.equal(perturbed.x, PAIR["x"][0])


@mended
def test_autoguidance_keeps_the_prompt() -> None:
    guider = guiders.AutoGuidance(
        auto_guidance_config={
            "indices": [0],
            "fqn": "blocks",
            "dropout": 1.0,
            "skip_attention": False,
            "skip_ff": False,
        }
    )
    guider.set_state(5, 10, 500)
    _, weak = guider.prepare_inputs(PAIR)
    assert torch.equal(weak.x, PAIR["x"][0])


@pytest.mark.xfail(strict=True, raises=AttributeError)
def test_tangential_says_whether_it_is_conditional() -> None:
    assert guiders.TangentialClassifierFreeGuidance().is_conditional in (True, False)


@mended
def test_zero_star_with_rescale_is_a_number_in_its_zeroed_steps() -> None:
    guider = guiders.ClassifierFreeZeroStarGuidance(guidance_rescale=0.5)
    guider.set_state(0, 10, 500)
    assert guider.forward(random(0), random(1)).pred.isfinite().all()


@pytest.mark.xfail(strict=True, raises=RuntimeError)
def test_magnitude_aware_takes_a_latent() -> None:
    guider = guiders.MagnitudeAwareGuidance()
    guider.set_state(0, 10, 500)
    guider.forward(random(0), random(1))


@pytest.mark.xfail(strict=True, raises=ValueError)
def test_pag_finds_the_blocks_of_a_unet_by_itself() -> None:
    Network("unet").prepare(pag("auto"), 1, 3)


@pytest.mark.xfail(strict=True, raises=ValueError)
def test_pag_knows_the_joint_attention_of_sd3() -> None:
    Network("sd3").prepare(pag(SD3_BLOCKS), 1, 3)


@pytest.mark.xfail(strict=True, raises=RuntimeError)
def test_slg_skips_a_block_of_sd3() -> None:
    """It gives back (image, text) where those blocks give (text, image)."""
    network = Network("sd3")
    network.prepare(slg(), 1, 3)
    network.evaluate()


@pytest.mark.xfail(strict=True, raises=RuntimeError)
def test_after_an_evaluation_that_failed_the_next_one_is_plain() -> None:
    """The hooks stay, also when the next step begins: only the clean-up of the evaluation that failed removes them."""
    network, guider = Network("sd3"), slg()
    before = network.evaluate()
    network.prepare(guider, 1, 3)
    with pytest.raises(RuntimeError):
        network.evaluate()
    network.prepare(guider, 2, 1)
    assert torch.equal(network.evaluate(), before)


def blurred(sigma: float) -> tuple[Tensor, Tensor]:
    """Queries of 8x8 tokens before and after the blur of SEG, [1, 64, 4]."""
    hooks: Any = importlib.import_module("diffusers.hooks.smoothed_energy_guidance_utils")
    query = random(0, torch.float32, (1, 64, 4))
    return query, hooks.SmoothedEnergyGuidanceHook(sigma).post_forward(None, query.clone())


@mended
def test_seg_of_a_finite_sigma_blurs() -> None:
    _, made = blurred(1.0)
    assert made.std(1).min() > 0.01  # not the mean, which is what an infinite one should give


@mended
def test_seg_of_an_infinite_sigma_gives_the_mean() -> None:
    query, made = blurred(1e7)
    torch.testing.assert_close(made, query.mean(1, keepdim=True).expand_as(query))


@mended
def test_seg_blurs_as_infinite_from_the_threshold_it_is_given() -> None:
    network, guider = Network("sd3"), seg(seg_blur_sigma=50.0, seg_blur_threshold_inf=10.0)
    hooks: Any = importlib.import_module("diffusers.hooks.smoothed_energy_guidance_utils")
    hooks._apply_smoothed_energy_guidance_hook(network.denoiser, guider.seg_guidance_config[0], guider.seg_blur_sigma)
    query = network.denoiser.transformer_blocks[0].attn.to_q
    (hook,) = query._diffusers_hook.hooks.values()
    assert hook.blur_threshold_inf == guider.seg_blur_threshold_inf


@mended
def test_pag_acts_in_all_steps_unless_told_otherwise() -> None:
    """As its paper does. Its window is that of skip-layer guidance, 1 to 20 % of the steps."""
    assert acting(pag(SD3_BLOCKS))[5:] == [3] * 15


@mended
@extra
def test_outside_of_its_window_a_guider_asks_for_the_condition_alone(name: str) -> None:
    """`start` and `stop` bound classifier-free guidance, and the extra term goes on by a window of its own."""
    make, prefix, _ = EXTRA[name]
    guider = make(start=0.5, stop=0.75, **{f"{prefix}_start": 0.0, f"{prefix}_stop": 1.0})
    assert acting(guider)[1:10] == [1] * 9


@mended
@extra
def test_without_cfg_the_extra_term_is_added_to_the_conditional_prediction(name: str) -> None:
    """c + s*(c - d), as the papers have it; here d + s*(c - d), one less of it."""
    make, prefix, answer = EXTRA[name]
    guider = make(guidance_scale=1.0, **{f"{prefix}_start": 0.0, f"{prefix}_stop": 1.0})
    guider.set_state(5, 20, torch.tensor(500))
    c, d = random(0), random(1)
    torch.testing.assert_close(guider.forward(c, None, **{answer: d}).pred, c + 2.8 * (c - d))


@mended
def test_two_runs_of_one_guider_do_not_touch_each_other() -> None:
    """Its momentum is kept on it: one instance per run."""
    alone, shared = (guiders.AdaptiveProjectedGuidance(adaptive_projected_guidance_momentum=-0.5) for _ in range(2))
    runs: dict[str, Tensor] = {}
    for guider, seeds in ((alone, (0,)), (shared, (0, 10))):
        for i in range(2):
            for seed in seeds:
                guider.set_state(i, 10, 500)
                guider.prepare_inputs(PAIR)
                made = guider.forward(random(seed + 2 * i), random(seed + 2 * i + 1)).pred
                runs[f"{len(seeds)} {seed}"] = made
    torch.testing.assert_close(runs["2 0"], runs["1 0"])


@mended
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_zeroed_step_of_zero_star_stands_still_whatever_the_network_puts_out(kind: Parameterisation) -> None:
    """x0 = eps = x/(a + s) there; it zeroes the raw output, which for eps says x0 = x/a."""
    made, expected = (steps(name, {}, kind)[0] for name in ("diffusers_zero_star", "zero_star"))
    torch.testing.assert_close(made, expected)


@mended
@pytest.mark.parametrize("size", [(12, 12), (24, 24), (20, 28)])
def test_frequency_decoupled_keeps_sizes_that_are_no_powers_of_two(size: tuple[int, int]) -> None:
    """It fills them up to the next power, and gives that back without a word."""
    assert fdg(size)[2].shape[2:] == size


@pytest.mark.xfail(strict=True, raises=(UnboundLocalError, RuntimeError))
@pytest.mark.parametrize(
    "settings",
    [
        {"guidance_scales": [1.0, 5.0]},
        {"guidance_scales": [10.0, 1.0]},
        {"start": [0.5, 0.0]},
        {"start": [0.0, 0.5]},
        {"stop": [1.0, 0.1]},
    ],
)
def test_frequency_decoupled_takes_a_level_that_is_off(settings: dict[str, Any]) -> None:
    fdg(**settings)


@pytest.mark.xfail(strict=True, raises=TypeError)
@pytest.mark.parametrize("bound", [{"start": 0}, {"stop": 1}])
def test_frequency_decoupled_takes_a_whole_number_as_a_bound(bound: dict[str, Any]) -> None:
    fdg(**bound)
