"""diffusers' guiders for tests: driven as its pipelines drive them, beside ours."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Parameterisation
from studio.guidance import State, build
from tests.guidance.stepping import Step, by_condition, random

guiders: Any = importlib.import_module("diffusers.guiders")

PAIR = {"x": (torch.zeros(1), torch.ones(1))}  # conditional, unconditional


def steps(method: str, params: dict[str, Any], kind: Parameterisation, first: int = 0) -> list[Tensor]:
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


class Network:
    """A small random transformer of the kind of SD 3, or a UNet; `evaluate` runs it plainly."""

    def __init__(self, kind: str) -> None:
        library: Any = importlib.import_module("diffusers")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            if kind == "sd3":
                self.denoiser = library.SD3Transformer2DModel(
                    sample_size=4,
                    patch_size=1,
                    in_channels=4,
                    out_channels=4,
                    num_layers=2,
                    attention_head_dim=8,
                    num_attention_heads=2,
                    joint_attention_dim=16,
                    caption_projection_dim=16,
                    pooled_projection_dim=16,
                    pos_embed_max_size=8,
                ).eval()
                self.inputs = {
                    "hidden_states": torch.randn(1, 4, 4, 4),
                    "encoder_hidden_states": torch.randn(1, 5, 16),
                    "pooled_projections": torch.randn(1, 16),
                }
            else:
                self.denoiser = library.UNet2DConditionModel(
                    sample_size=8,
                    in_channels=3,
                    out_channels=3,
                    block_out_channels=(8, 16),
                    layers_per_block=1,
                    norm_num_groups=4,
                    cross_attention_dim=16,
                    attention_head_dim=4,
                    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                ).eval()
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


EXTRA = {
    "slg": (slg, "skip_layer_guidance", "pred_cond_skip"),
    "pag": (lambda **settings: pag(SD3_BLOCKS, **settings), "perturbed_guidance", "pred_cond_skip"),
    "seg": (seg, "seg_guidance", "pred_cond_seg"),
}


def acting(guider: Any, n: int = 20) -> list[int]:
    """How many predictions it wants at each of n steps."""
    found: list[int] = []
    for i in range(n):
        guider.set_state(i, n, torch.tensor(500))
        found.append(guider.num_conditions)
    return found


def fdg(size: tuple[int, int] = (16, 16), **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    """c, u and what the guider makes of them at step 2 of 10."""
    pytest.importorskip("kornia", reason="without it the guider cannot be built")
    guider = guiders.FrequencyDecoupledGuidance(**settings)
    guider.set_state(2, 10, torch.tensor(500))
    c, u = (random(seed, torch.float32, (2, 4, *size)) for seed in (0, 1))
    return c, u, guider.forward(c, u).pred
