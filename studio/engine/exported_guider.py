"""Our guidance as a guider of diffusers: for its modular pipelines, saved and loaded as guiders are.

A guider is handed raw outputs, and neither x nor the noise level, which most methods need. So `prepare_models` listens
to what the network is fed (already scaled, the coordinates our methods work in), and the level comes from the timestep
and the `alphas_cumprod` of the schedule, or, for flow models, from the timestep alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.guiders.guider_utils import BaseGuidance, GuiderOutput
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Parameterisation, at_least_float32
from studio.guidance import Guidance, NoisePoint, OneRound, Pred, Request, StepCtx, build, run_plan
from studio.guidance.asking import nominal_steps
from studio.guidance.sum import Sum
from studio.guidance.wrapper import Wrapped

_TRAINED_STEPS = 1000
_INPUTS = ("sample", "hidden_states")


def exportable(guidance: Guidance) -> bool:
    """Whether a method asks no more than one conditional and one unconditional prediction, in one round."""
    if isinstance(guidance, Wrapped):
        added = guidance.wrapper.addend if isinstance(guidance.wrapper, Sum) else None
        return exportable(guidance.inner) and (added is None or exportable(added))
    return isinstance(guidance, OneRound) and set(guidance.needs) <= {"cond", "uncond"}


def _reason(guidance: Guidance) -> str:
    """Why a method that is not `exportable` is not."""
    if any(r.attention is not None for step in nominal_steps() for requests in guidance.rounds(step) for r in requests):
        return "it acts in the network's attention, and a guider is given the network's predictions alone"
    return "it asks for more than one conditional and one unconditional prediction, or in several rounds"


class ExportedGuidance(BaseGuidance):
    """One of our methods, with its wrappers, as a guider.

    method, params, wrappers: as in a recipe's guidance. kind: what the network puts out. Call `bind` before the run,
    but for flow models. One instance per run, as with all guiders.
    Raises NotFound or BadInput for what a recipe could not say either, BadInput for a method of other predictions.
    """

    _input_predictions = ["pred_cond", "pred_uncond"]

    @register_to_config
    def __init__(
        self,
        method: str = "cfg",
        params: dict[str, Any] | None = None,
        wrappers: list[dict[str, Any]] | None = None,
        kind: Parameterisation = "epsilon",
        start: float = 0.0,
        stop: float = 1.0,
        enabled: bool = True,
    ) -> None:
        super().__init__(start, stop, enabled)
        values = {"method": method, "params": params or {}, "wrappers": wrappers or []}
        self.guidance = build(load(GuidanceSpec, values, "guider"))
        if not exportable(self.guidance):
            raise BadInput(
                f"The guidance method {method} cannot be a guider: {_reason(self.guidance)}.", field="method"
            )
        self.kind: Parameterisation = kind
        self._alphas_cumprod: Tensor | None = None
        self._fed: Tensor | None = None
        self._hooks: list[Any] = []
        self._memory: tuple[Tensor, ...] = ()

    def bind(self, alphas_cumprod: Tensor) -> None:
        """Tell the schedule the network was trained with: [T], the scheduler's `alphas_cumprod`."""
        self._alphas_cumprod = alphas_cumprod.double().cpu()

    # -- what pipelines call -----------------------------------------------------------------------------------------

    def prepare_models(self, denoiser: torch.nn.Module) -> None:
        super().prepare_models(denoiser)
        self._hooks.append(denoiser.register_forward_pre_hook(self._listen, with_kwargs=True))

    def cleanup_models(self, denoiser: torch.nn.Module) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def prepare_inputs(self, data: Any) -> list[Any]:
        return [self._prepare_batch(data, k, name) for k, name in self._slots()]

    def prepare_inputs_from_block_state(self, data: Any, input_fields: Any) -> list[Any]:
        return [self._prepare_batch_from_block_state(input_fields, data, k, name) for k, name in self._slots()]

    @property
    def is_conditional(self) -> bool:
        return self._count_prepared == 1

    @property
    def num_conditions(self) -> int:
        if not self._active():
            return 1
        return max(1, self.guidance.rows(self._step, self._num_inference_steps, self._level()))

    def forward(self, pred_cond: Tensor, pred_uncond: Tensor | None = None) -> GuiderOutput:
        if not self._active():
            return self._told(pred_cond, pred_cond, pred_uncond)
        if self._fed is None:
            raise BadInput("The guider was not prepared with the network: call prepare_models before each evaluation.")
        x, at = at_least_float32(self._fed), self._level()
        state = self._memory if self._step else self.guidance.init(x.shape)
        ctx = StepCtx(i=self._step, n=self._num_inference_steps, at=at, at_next=at, x=x, state=state)
        cond = Pred(self.kind, pred_cond, x, at)

        def answer(requests: list[Request]) -> Mapping[str, Pred]:
            predictions = {"pos": pred_cond, "empty": pred_uncond}
            return {r.name: Pred(self.kind, cast("Tensor", predictions[r.cond]), x, at) for r in requests}

        guided = run_plan(self.guidance.plan(ctx), answer)
        self._memory = guided.state
        return self._told(cond.raw_of(guided.x0).to(pred_cond.dtype), pred_cond, pred_uncond)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _listen(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        latents = next((kwargs[name] for name in _INPUTS if name in kwargs), args[0] if args else None)
        self._fed = latents if isinstance(latents, Tensor) else None

    def _slots(self) -> list[tuple[int, str]]:
        return list(enumerate(self._input_predictions))[: self.num_conditions]

    def _active(self) -> bool:
        if not self._enabled or self._num_inference_steps is None:
            return self._enabled
        n = self._num_inference_steps
        return int(self._start * n) <= self._step < int(self._stop * n)

    def _level(self) -> NoisePoint:
        t = float(torch.as_tensor(self._timestep).flatten()[0])
        if self.kind == "flow":
            return NoisePoint(1 - t / _TRAINED_STEPS, t / _TRAINED_STEPS, t)
        if self._alphas_cumprod is None:
            raise BadInput("The guider does not know the schedule: call bind with the scheduler's alphas_cumprod.")
        alpha = float(self._alphas_cumprod[round(t)])
        return NoisePoint(alpha**0.5, (1 - alpha) ** 0.5, t)

    @staticmethod
    def _told(pred: Tensor, pred_cond: Tensor, pred_uncond: Tensor | None) -> GuiderOutput:
        return GuiderOutput(pred=pred, pred_cond=pred_cond, pred_uncond=pred_uncond)
