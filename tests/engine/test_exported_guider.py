"""Ours as a guider of diffusers: the same numbers in its loop as in ours; saved, loaded, nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.guiders import ClassifierFreeGuidance
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.diffusion.parameterisation import Parameterisation
from studio.engine.exported_guider import ExportedGuidance, exportable
from studio.guidance import GUIDANCE, NoisePoint, Pred, Request, StepCtx, build, run_plan

STEPS = 6
SCHEDULER = DDIMScheduler(num_train_timesteps=1000)
METHODS = [name for name in GUIDANCE.names() if exportable(GUIDANCE.get(name)()) and not name.startswith("diffusers_")]


class Denoiser(torch.nn.Module):
    """A network of no meaning whose output depends on x and the prompt."""

    def forward(self, sample: Tensor, prompt: Tensor) -> Tensor:
        return torch.tanh(sample * 0.7 + prompt) + 0.1 * prompt


def level(kind: Parameterisation, t: int) -> NoisePoint:
    if kind == "flow":
        return NoisePoint(1 - t / 1000, t / 1000, t)
    kept = float(SCHEDULER.alphas_cumprod[t])
    return NoisePoint(kept**0.5, (1 - kept) ** 0.5, t)


def random(seed: int, size: tuple[int, ...] = (2, 4, 6, 6)) -> Tensor:
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


PROMPTS = (random(1, (2, 4, 1, 1)), random(2, (2, 4, 1, 1)))


def by_guider(guider: Any, kind: Parameterisation) -> tuple[list[Tensor], int]:
    """The loop of diffusers' denoising block, x fixed per step; raw guided outputs, and the rows asked for."""
    denoiser, made, rows = Denoiser(), list[Tensor](), 0
    for i in range(STEPS):
        t = 950 - 150 * i
        x = random(10 + i)
        guider.set_state(step=i, num_inference_steps=STEPS, timestep=torch.tensor(t))
        batches = guider.prepare_inputs({"prompt": PROMPTS})
        for batch in batches:
            guider.prepare_models(denoiser)
            batch.noise_pred = denoiser(sample=x, prompt=batch.prompt)
            guider.cleanup_models(denoiser)
            rows += 1
        made.append(guider(batches).pred)
        assert not denoiser._forward_pre_hooks
    return made, rows


def by_us(guidance: dict[str, Any], kind: Parameterisation) -> list[Tensor]:
    method = build(Recipe.load({"guidance": guidance}).guidance)
    denoiser, state, made = Denoiser(), method.init((2, 4, 6, 6)), list[Tensor]()
    for i in range(STEPS):
        x, at = random(10 + i), level(kind, 950 - 150 * i)

        def answer(requests: list[Request], x: Tensor = x, at: NoisePoint = at) -> dict[str, Pred]:
            prompts = {"pos": PROMPTS[0], "empty": PROMPTS[1]}
            return {r.name: Pred(kind, denoiser(x, prompts[r.cond]), x, at) for r in requests}

        guided = run_plan(method.plan(StepCtx(i=i, n=STEPS, at=at, at_next=at, x=x, state=state)), answer)
        state = guided.state
        made.append(Pred(kind, x, x, at).raw_of(guided.x0))
    return made


def exported(guidance: dict[str, Any], kind: Parameterisation) -> ExportedGuidance:
    guider = ExportedGuidance(**guidance, kind=kind)
    guider.bind(SCHEDULER.alphas_cumprod)
    return guider


WRAPPED = {"method": "apg", "wrappers": [{"wrapper": "interval", "params": {"start": 0.3, "stop": 0.9}}]}
CASES = [*({"method": name} for name in METHODS), WRAPPED]


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize("guidance", CASES, ids=lambda case: case["method"] + ("+" if "wrappers" in case else ""))
def test_in_their_loop_it_is_what_it_is_in_ours(guidance: dict[str, Any], kind: Parameterisation) -> None:
    made, _ = by_guider(exported(guidance, kind), kind)
    for theirs, ours in zip(made, by_us(guidance, kind), strict=True):
        torch.testing.assert_close(theirs, ours)


def test_most_methods_can_be_exported() -> None:
    assert {"cfg", "apg", "projection", "tangential", "zero_star", "magnitude", "frequency"} <= set(METHODS)


def test_plain_guidance_agrees_with_theirs() -> None:
    ours, rows = by_guider(exported({"params": {"guidance_scale": 5.0}}, "epsilon"), "epsilon")
    theirs, _ = by_guider(ClassifierFreeGuidance(guidance_scale=5.0), "epsilon")
    assert rows == 2 * STEPS
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two)


def test_outside_an_interval_one_row_is_asked() -> None:
    _, rows = by_guider(exported(WRAPPED, "flow"), "flow")
    assert rows == STEPS + len(range(int(0.3 * STEPS), int(0.9 * STEPS)))


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    guidance = {**WRAPPED, "params": {"guidance_scale": 7.0, "eta": 0.25}}
    exported(guidance, "v_prediction").save_pretrained(tmp_path)
    assert (tmp_path / "guider_config.json").is_file()
    again = ExportedGuidance.from_pretrained(tmp_path)
    again.bind(SCHEDULER.alphas_cumprod)
    assert again.kind == "v_prediction" and again.guidance == exported(guidance, "v_prediction").guidance
    for one, two in zip(by_guider(again, "v_prediction")[0], by_us(guidance, "v_prediction"), strict=True):
        torch.testing.assert_close(one, two)


def test_a_second_run_starts_afresh() -> None:
    guider = exported({"method": "apg"}, "flow")
    first, second = by_guider(guider, "flow")[0], by_guider(guider, "flow")[0]
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["pag", "autoguidance", "cfg_mp", "perp_neg"])
def test_what_asks_for_more_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=f"The guidance method {name} cannot be a guider"):
        ExportedGuidance(method=name)


def test_what_acts_in_attention_is_refused_for_that() -> None:
    sentence = "nag cannot be a guider: it acts in the network's attention, and a guider is given the network's"
    with pytest.raises(BadInput, match=sentence):
        ExportedGuidance(method="nag")
    with pytest.raises(BadInput, match="the network's attention"):
        ExportedGuidance(method="cfg", wrappers=[{"wrapper": "sum", "added": {"method": "nag"}}])


def test_missing_steps_are_told() -> None:
    guider = ExportedGuidance()
    guider.set_state(0, 5, torch.tensor(900))  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="call prepare_models"):
        guider.forward(random(0), random(1))
    guider.prepare_models(denoiser := Denoiser())
    denoiser(random(0), PROMPTS[0])
    with pytest.raises(BadInput, match="call bind"):
        guider.forward(random(0), random(1))
    guider.cleanup_models(denoiser)


def test_disabled_it_is_the_conditional_prediction() -> None:
    guider = exported({"params": {"guidance_scale": 5.0}}, "epsilon")
    guider.disable()
    made, rows = by_guider(guider, "epsilon")
    assert rows == STEPS
    torch.testing.assert_close(made[0], Denoiser()(random(10), PROMPTS[0]))
