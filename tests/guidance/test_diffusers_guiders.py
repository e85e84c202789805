"""Ours against diffusers' guiders where those are healthy; where they are not, the defect held fast.

Each xfail says what should hold. It is strict: when an upgrade mends a guider the test passes, which is reported.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Kind, from_x0
from studio.guidance import GUIDANCE, State, build
from studio.guidance.diffusers_guiders import DISABLED
from studio.guidance.interval import StepInterval
from studio.guidance.slg import SkipLayerGuidance
from tests.guidance.stepping import AT, Step, by_condition, random

guiders: Any = importlib.import_module("diffusers.guiders")
mended = pytest.mark.xfail(strict=True, raises=AssertionError)


def steps(method: str, params: dict[str, Any], kind: Kind, first: int = 0) -> list[Tensor]:
    """Three steps of a run, predictions changing from step to step."""
    guidance = build(GuidanceSpec(method=method, params=params))
    state: State = guidance.init(random(0).shape)
    made: list[Tensor] = []
    for i in range(3):
        step = Step(by_condition({"pos": random(10 * i), "empty": random(10 * i + 1)}), random(100 + i), kind)
        guided = step.run(guidance, state, first + i)
        state = guided.state
        made.append(guided.x0)
    return made


RMS = 1 / random(0)[0].numel() ** 0.5  # their norm limit of 1, per element as ours


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize(
    ("ours", "params", "theirs", "their_params", "tolerance"),
    [
        ("cfg", {"guidance_scale": 6.0}, "cfg", {"guidance_scale": 6.0}, 1e-9),
        ("cfg", {"guidance_scale": 6.0, "rescale": 0.7}, "cfg", {"guidance_scale": 6.0, "guidance_rescale": 0.7}, 1e-9),
        (
            "zero_star",
            {"guidance_scale": 4.0, "zero_steps": 0},
            "zero_star",
            {"guidance_scale": 4.0, "zero_init_steps": 0},
            1e-5,
        ),
        (
            "tangential",
            {"guidance_scale": 4.0, "space": "raw"},
            "tangential",
            {"guidance_scale": 4.0},
            2e-4,
        ),
        # With eta 1 theirs is u + w*m; ours c + (w-1)*m differs unless m is D, so without momentum and limit.
        (
            "apg",
            {"guidance_scale": 4.0, "eta": 1.0, "momentum": 0.0, "norm_threshold_rms": 0.0, "space": "raw"},
            "apg",
            {
                "guidance_scale": 4.0,
                "adaptive_projected_guidance_momentum": 0.0,
                "adaptive_projected_guidance_rescale": 0.0,
            },
            1e-9,
        ),
    ],
)
def test_parity_on_the_raw_output(
    ours: str, params: dict[str, Any], theirs: str, their_params: dict[str, Any], tolerance: float, kind: Kind
) -> None:
    if ours == "zero_star" and kind != "flow":
        pytest.skip("ours works on velocities whatever the network puts out")
    expected = steps(f"diffusers_{theirs}", their_params, kind)
    for mine, other in zip(steps(ours, params, kind), expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("space", ["x0", "raw"])
def test_apg_as_the_paper_means_it(space: str) -> None:
    """With the original formulation and scale w-1, their guider is ours, momentum and norm limit included."""
    params = {"guidance_scale": 5.0, "eta": 0.2, "momentum": -0.5, "norm_threshold_rms": RMS, "space": space}
    guider = guiders.AdaptiveProjectedGuidance(
        guidance_scale=4.0, eta=0.2, adaptive_projected_guidance_rescale=1.0, use_original_formulation=True
    )
    guider.momentum_buffer = importlib.import_module(type(guider).__module__).MomentumBuffer(-0.5)
    for i, mine in enumerate(steps("apg", params, "v_prediction")):
        c, u, x = random(10 * i), random(10 * i + 1), random(100 + i)

        def there(x0: Tensor, x: Tensor = x) -> Tensor:
            return x0 if space == "x0" else from_x0("v_prediction", x0, x, AT.a, AT.s)

        guider.set_state(i, 20, 500)
        torch.testing.assert_close(there(mine), guider.forward(there(c), there(u)).pred)


@pytest.mark.parametrize("space", ["x0", "raw"])
@pytest.mark.parametrize("start_step", [0, 1, 5])
def test_apg_mix_is_their_own_run(space: str, start_step: int) -> None:
    """Driven as their pipelines do, on one instance: plain steps first, with the momentum filling, then projected."""
    params = {
        "guidance_scale": 4.0,
        "adaptive_projected_guidance_scale": 9.0,
        "adaptive_projected_guidance_momentum": -0.75,
        "adaptive_projected_guidance_rescale": 2.0,
        "eta": 0.25,
        "adaptive_projected_guidance_start_step": start_step,
    }
    guider = guiders.AdaptiveProjectedMixGuidance(**params)
    for i, mine in enumerate(steps("diffusers_apg_mix", params | {"space": space}, "v_prediction")):
        c, u, x = random(10 * i), random(10 * i + 1), random(100 + i)

        def there(x0: Tensor, x: Tensor = x) -> Tensor:
            return x0 if space == "x0" else from_x0("v_prediction", x0, x, AT.a, AT.s)

        guider.set_state(i, 20, 500)
        guider.prepare_inputs(PAIR)
        torch.testing.assert_close(there(mine), guider.forward(there(c), there(u)).pred)


def test_apg_mix_begins_as_cfg_and_goes_on_projected() -> None:
    """Our own two methods put together; a state of theirs carries across, with their formulation's scale."""
    params = {"guidance_scale": 4.0, "adaptive_projected_guidance_scale": 6.0, "eta": 1.0}
    off = {"adaptive_projected_guidance_momentum": 0.0, "adaptive_projected_guidance_rescale": 0.0}
    made = steps("diffusers_apg_mix", params | off | {"adaptive_projected_guidance_start_step": 0}, "flow")
    first, rest = (steps("cfg", {"guidance_scale": scale}, "flow") for scale in (4.0, 6.0))
    for mine, other in zip(made, [first[0], *rest[1:]], strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_ltx2_is_cfg_on_the_data(kind: Kind, rescale: float) -> None:
    theirs = {"guidance_scale": 6.0, "guidance_rescale": rescale}
    made = steps("diffusers_ltx2", theirs, kind)
    ours = steps("cfg", {"guidance_scale": 6.0, "rescale": rescale, "rescale_space": "x0"}, kind)
    guider = guiders.LTX2Guidance(**theirs)
    for i, (mine, other) in enumerate(zip(made, ours, strict=True)):
        torch.testing.assert_close(mine, other)
        guider.set_state(i, 20, 500)
        torch.testing.assert_close(mine, guider.forward(random(10 * i), random(10 * i + 1)).pred)


@pytest.mark.parametrize("method", ["diffusers_apg", "diffusers_apg_mix"])
def test_runs_do_not_touch_each_other(method: str) -> None:
    first, second = (steps(method, {}, "flow", first=6) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("name", DISABLED)
def test_a_disabled_one_is_refused_with_the_reason(name: str) -> None:
    assert name not in GUIDANCE.names()
    with pytest.raises(BadInput) as caught:
        build(GuidanceSpec(method=name))
    assert str(caught.value) == f"The guidance method {name} is not offered: {DISABLED[name]}."
    assert DISABLED[name].rsplit(" ", 1)[1] in GUIDANCE.names()  # what to take in its place


def test_listing_them_does_not_import_diffusers() -> None:
    code = (
        "import sys; from studio.guidance import *; build(__import__('studio.core.recipe').core.recipe.GuidanceSpec("
        "method='diffusers_apg')); print('diffusers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# -- defects of 0.42.1 ----------------------------------------------------------------------------------------------

PAIR = {"x": (torch.zeros(1), torch.ones(1))}  # conditional, unconditional


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
    guider = guiders.AutoGuidance(auto_guidance_config={"indices": [0], "fqn": "blocks", "dropout": 1.0,
                                                        "skip_attention": False, "skip_ff": False})  # fmt: skip
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


def test_magnitude_aware_agrees_on_tokens() -> None:
    """[B, tokens, channels]: two dimensions to take the norm over are what it can do."""
    guider = guiders.MagnitudeAwareGuidance(guidance_scale=6.0, alpha=2.0)
    guider.set_state(0, 10, 500)
    c, u = random(0).flatten(2), random(1).flatten(2)
    method = {"guidance_scale": 6.0, "damping": 2.0, "space": "raw"}
    step = Step(by_condition({"pos": random(0), "empty": random(1)}), random(2), "sample")
    ours = step.run(build(GuidanceSpec(method="magnitude", params=method))).x0
    torch.testing.assert_close(ours.flatten(2), guider.forward(c, u).pred)


# -- the same, in the network ---------------------------------------------------------------------------------------


class Network:
    """A small random transformer of the kind of SD 3, or a UNet; `evaluate` runs it plainly."""

    def __init__(self, kind: str) -> None:
        library: Any = importlib.import_module("diffusers")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if kind == "sd3":
                self.denoiser = library.SD3Transformer2DModel(
                    sample_size=4, patch_size=1, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8,
                    num_attention_heads=2, joint_attention_dim=16, caption_projection_dim=16,
                    pooled_projection_dim=16, pos_embed_max_size=8,
                ).eval()  # fmt: skip
                self.inputs = {
                    "hidden_states": torch.randn(1, 4, 4, 4),
                    "encoder_hidden_states": torch.randn(1, 5, 16),
                    "pooled_projections": torch.randn(1, 16),
                }
            else:
                self.denoiser = library.UNet2DConditionModel(
                    sample_size=8, in_channels=3, out_channels=3, block_out_channels=(8, 16), layers_per_block=1,
                    norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
                    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                ).eval()  # fmt: skip
                self.inputs = {"sample": torch.randn(1, 3, 8, 8), "encoder_hidden_states": torch.randn(1, 5, 16)}

    @torch.no_grad()
    def evaluate(self) -> Tensor:
        return self.denoiser(**self.inputs, timestep=torch.tensor([500.0]), return_dict=False)[0]

    def prepare(self, guider: Any, step: int, evaluation: int) -> None:
        """Do what pipelines do before an evaluation of a step, 1 conditional, 2 unconditional, 3 perturbed."""
        guider.set_state(step, 10, torch.tensor(900))
        guider.prepare_inputs(PAIR)
        for _ in range(evaluation):
            guider.prepare_models(self.denoiser)


UNET_BLOCKS = "mid_block.attentions.0.transformer_blocks"
SD3_BLOCKS = "transformer_blocks"


def slg(fqn: str = SD3_BLOCKS, **settings: Any) -> Any:
    return guiders.SkipLayerGuidance(skip_layer_config={"indices": [0], "fqn": fqn}, **settings)


def pag(fqn: str, **settings: Any) -> Any:
    attention = {"skip_attention": False, "skip_attention_scores": True, "skip_ff": False}
    return guiders.PerturbedAttentionGuidance(
        perturbed_guidance_config={"indices": [0], "fqn": fqn, **attention}, **settings
    )


def seg(**settings: Any) -> Any:
    return guiders.SmoothedEnergyGuidance(seg_guidance_config={"indices": [0], "fqn": SD3_BLOCKS}, **settings)


def test_pag_perturbs_a_unet_whose_blocks_are_named_and_leaves_no_trace() -> None:
    network, guider = Network("unet"), pag(UNET_BLOCKS)
    before = network.evaluate()
    network.prepare(guider, 1, 3)
    assert not torch.allclose(network.evaluate(), before)
    guider.cleanup_models(network.denoiser)
    assert torch.equal(network.evaluate(), before)


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


# -- when they act --------------------------------------------------------------------------------------------------

EXTRA = {
    "slg": (slg, "skip_layer_guidance", "pred_cond_skip"),
    "pag": (lambda **settings: pag(SD3_BLOCKS, **settings), "perturbed_guidance", "pred_cond_skip"),
    "seg": (seg, "seg_guidance", "pred_cond_seg"),
}
extra = pytest.mark.parametrize("name", EXTRA)


def acting(guider: Any, n: int = 20) -> list[int]:
    """How many predictions it wants at each of n steps."""
    found: list[int] = []
    for i in range(n):
        guider.set_state(i, n, torch.tensor(500))
        found.append(guider.num_conditions)
    return found


@settings(deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.integers(1, 60))
def test_start_and_stop_are_those_of_our_interval(one: float, other: float, n: int) -> None:
    start, stop = sorted((one, other))
    box = StepInterval(start=start, stop=stop)
    rows = [2 if box.holds(i, n, AT) else 1 for i in range(n)]
    assert acting(guiders.ClassifierFreeGuidance(start=start, stop=stop), n) == rows


@extra
def test_the_extra_term_takes_its_whole_window(name: str) -> None:
    """Its lower bound is strict: the first step is always left out. In Stability's code for SD 3.5 it is so too."""
    make, prefix, _ = EXTRA[name]
    whole = acting(make(**{f"{prefix}_start": 0.0, f"{prefix}_stop": 1.0}))
    assert whole == [2] + [3] * 19


@mended
def test_pag_acts_in_all_steps_unless_told_otherwise() -> None:
    """As its paper does. Its window is that of skip-layer guidance, 1 to 20 % of the steps."""
    assert acting(pag(SD3_BLOCKS))[5:] == [3] * 15


def test_the_early_window_of_slg_and_pag() -> None:
    assert acting(slg()) == acting(pag(SD3_BLOCKS)) == [2, 3, 3, 3] + [2] * 16
    ours = SkipLayerGuidance(guidance_scale=7.5)
    assert [ours.rows(i, 20, AT) for i in range(20)] == acting(slg())


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
def test_a_zeroed_step_of_zero_star_stands_still_whatever_the_network_puts_out(kind: Kind) -> None:
    """x0 = eps = x/(a + s) there; it zeroes the raw output, which for eps says x0 = x/a."""
    made, expected = (steps(name, {}, kind)[0] for name in ("diffusers_zero_star", "zero_star"))
    torch.testing.assert_close(made, expected)


def test_a_zeroed_step_of_zero_star_stands_still_for_flow_models() -> None:
    made, expected = (steps(name, {}, "flow")[0] for name in ("diffusers_zero_star", "zero_star"))
    torch.testing.assert_close(made, expected)


# -- frequency decoupled --------------------------------------------------------------------------------------------


def fdg(size: tuple[int, int] = (16, 16), **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    """c, u and what the guider makes of them at step 2 of 10."""
    pytest.importorskip("kornia", reason="without it the guider cannot be built")
    guider = guiders.FrequencyDecoupledGuidance(**settings)
    guider.set_state(2, 10, torch.tensor(500))
    c, u = (random(seed, torch.float32, (2, 4, *size)) for seed in (0, 1))
    return c, u, guider.forward(c, u).pred


@pytest.mark.parametrize("size", [(16, 16), (32, 8)])
def test_frequency_decoupled_of_equal_scales_is_cfg(size: tuple[int, int]) -> None:
    c, u, made = fdg(size, guidance_scales=[5.0, 5.0])
    torch.testing.assert_close(made, u + 5 * (c - u), rtol=1e-4, atol=1e-4)


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
