"""The guiders of diffusers as methods, to check ours against: on the network's raw output, as its pipelines use them.

Each step sets a guider's state, hands it both predictions and takes its result; what it carries along (momentum) goes
through our state, so runs cannot touch each other. diffusers is imported when the first step is taken, not before.
`DISABLED` names those that do not do, in diffusers 0.42.1, what their name says; the tests hold each such defect
fast, so that an upgrade which mends one is noticed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal, cast

from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE, OneRound, State, StepCtx
from studio.guidance.prediction import Preds
from studio.guidance.space import has, in_space, to_data

DISABLED: Mapping[str, str] = {
    "diffusers_seg": "its hook is never installed, so it is plain guidance with a wasted row; take seg",
    "diffusers_pag": "without classifier-free guidance it pushes from the unconditional prediction, and it refuses "
    "the attention of SD3; take pag",
    "diffusers_slg": "its documented list of layers raises TypeError and blocks of SD3 crash it; take slg",
    "diffusers_autoguidance": "it leaves out layers and the prompt instead of asking a weaker model; take autoguidance",
    "diffusers_magnitude": "torch 2.13 refuses its norm over three dimensions, so no latent passes; take magnitude",
    "diffusers_frequency": "it needs the package kornia, gives sizes that are no powers of two back larger, and fails "
    "where a band is off; take frequency",
}


class DiffusersGuider(OneRound):
    """A guider by the name of its class, with its parameters under the names they have there.

    carries: whether it has a momentum that goes from step to step.
    """

    neutral: ClassVar[dict[str, Any]] = {"guidance_scale": 1.0}
    native_space: ClassVar = "raw"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")
    guider: ClassVar[str]
    carries: ClassVar[bool] = False

    guidance_scale: float = param(5.0, low=1, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    space: Literal["raw", "x0"] = param("raw", help="what it is fed: the network's output, or the predicted image")

    def describe(self) -> str:
        return f"g = {type(self).guider} of diffusers, scale {self.guidance_scale:g}, on {self.space}"

    def settings(self) -> dict[str, Any]:
        """The arguments of the guider."""
        return self.model_dump(exclude={"space"})

    def active_needs(self) -> tuple[str, ...]:
        return ("cond",) if self.guidance_scale == 1 else self.needs

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        if self.guidance_scale == 1 or not has(preds.cond, self.space):
            return preds.cond.x0, state
        guider = _guider(type(self).guider, tuple(sorted(self.settings().items())))
        guider.set_state(step.i, step.n, step.at.t)
        if self.carries:
            guider.momentum_buffer.running_average = state[0] if state else 0
        pred = guider.forward(in_space(preds.cond, self.space), in_space(preds.uncond, self.space)).pred
        carried: State = (cast("Tensor", guider.momentum_buffer.running_average),) if self.carries else state
        return to_data(pred, preds.cond, self.space), carried


@lru_cache(maxsize=64)
def _guider(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
    """One guider for these settings; whoever uses it sets all of its state first."""
    module = importlib.import_module("diffusers.guiders")
    guider = getattr(module, name)(**dict(settings))
    if (momentum := dict(settings).get("adaptive_projected_guidance_momentum")) is not None:
        # What its prepare_inputs does at the first step, which is for pipelines.
        guider.momentum_buffer = importlib.import_module(type(guider).__module__).MomentumBuffer(momentum)
    return guider


@GUIDANCE.register("diffusers_cfg")
class DiffusersCFG(DiffusersGuider):
    """Classifier-free guidance as diffusers has it. Ours is `cfg`. Costs 2 NFE a step, 1 at scale 1."""

    source: ClassVar[str] = "diffusers 0.42.1, ClassifierFreeGuidance"
    label: ClassVar[str] = "diffusers: classifier-free"
    guider: ClassVar[str] = "ClassifierFreeGuidance"
    excused: ClassVar[Mapping[str, str]] = {"zero predictions": "its rescale divides by the spread of the outcome"}

    guidance_rescale: float = param(0.0, low=0, high=1, step=0.05, help="pulls contrast back; 0 is off")


@GUIDANCE.register("diffusers_apg")
class DiffusersAPG(DiffusersGuider):
    """Adaptive projected guidance as diffusers has it, on u: with eta below 1 not what the paper says.

    It jumps at scale 1, and its norm limit is of the whole latent. Ours is `apg`. Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "diffusers 0.42.1, AdaptiveProjectedGuidance"
    label: ClassVar[str] = "diffusers: adaptive projected"
    guider: ClassVar[str] = "AdaptiveProjectedGuidance"
    carries: ClassVar[bool] = True

    eta: float = param(1.0, low=-0.5, high=1.5, step=0.05, help="weight of the part that saturates; 1 keeps all of it")
    adaptive_projected_guidance_momentum: float = param(
        -0.5, low=-0.95, high=0.5, step=0.05, label="Momentum", help="share of earlier steps added; 0 is off"
    )
    adaptive_projected_guidance_rescale: float = param(
        15.0, low=0, high=100, step=0.5, label="Norm limit", help="longest step of the whole latent; 0 is off"
    )


@GUIDANCE.register("diffusers_zero_star")
class DiffusersZeroStar(DiffusersGuider):
    """CFG-Zero* as diffusers has it: the zeroed steps zero the raw output, whatever it means.

    Only for flow models do they stand still. Ours is `zero_star`. Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "diffusers 0.42.1, ClassifierFreeZeroStarGuidance"
    label: ClassVar[str] = "diffusers: CFG-Zero*"
    guider: ClassVar[str] = "ClassifierFreeZeroStarGuidance"
    neutral: ClassVar[dict[str, Any]] = {"guidance_scale": 1.0, "zero_init_steps": 0}
    excused: ClassVar[Mapping[str, str]] = {
        "first step": "its raw output is zero there",
        "precision": "its scale is computed in float32",
    }

    zero_init_steps: int = param(1, low=0, high=5, step=1, unit="steps", help="first steps of zero output; 0 is off")

    def breaks_history(self) -> str:
        return "predicts nothing in its first steps" if self.zero_init_steps > 0 and self.guidance_scale != 1 else ""


@GUIDANCE.register("diffusers_tangential")
class DiffusersTangential(DiffusersGuider):
    """Tangential damping as diffusers has it. Ours is `tangential`. Costs 2 NFE a step, 1 at scale 1."""

    source: ClassVar[str] = "diffusers 0.42.1, TangentialClassifierFreeGuidance"
    label: ClassVar[str] = "diffusers: tangential damping"
    guider: ClassVar[str] = "TangentialClassifierFreeGuidance"
    excused: ClassVar[Mapping[str, str]] = {"precision": "its decomposition is computed in float32"}


@GUIDANCE.register("diffusers_apg_mix")
class DiffusersAPGMix(DiffusersGuider):
    """Classifier-free guidance in the first steps, then adaptive projected guidance, as diffusers has it for Hunyuan.

    Steps up to and with the start step are guided plainly, while the momentum fills; at a projected scale of 1 all are.
    What `diffusers_apg` gets wrong is wrong here too: take `apg`. Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "diffusers 0.42.1, AdaptiveProjectedMixGuidance"
    label: ClassVar[str] = "diffusers: classifier-free, then projected"
    guider: ClassVar[str] = "AdaptiveProjectedMixGuidance"
    carries: ClassVar[bool] = True

    guidance_scale: float = param(3.5, low=1, high=30, step=0.1, help="of the first steps; 1 is no guidance at all")
    adaptive_projected_guidance_scale: float = param(
        10.0, low=1, high=30, step=0.1, label="Projected scale", help="of the steps after"
    )
    adaptive_projected_guidance_momentum: float = param(
        -0.5, low=-0.95, high=0.5, step=0.05, label="Momentum", help="share of earlier steps added; 0 is off"
    )
    adaptive_projected_guidance_rescale: float = param(
        10.0, low=0, high=100, step=0.5, label="Norm limit", help="longest step of the whole latent; 0 is off"
    )
    eta: float = param(0.0, low=-0.5, high=1.5, step=0.05, help="weight of the part that saturates; 1 keeps all of it")
    adaptive_projected_guidance_start_step: int = param(
        5, low=0, high=50, step=1, label="Start step", unit="steps", help="last step, from 0, that is guided plainly"
    )


@GUIDANCE.register("diffusers_ltx2")
class DiffusersLTX2(DiffusersGuider):
    """The guider of LTX-2 as diffusers has it: a difference added to the conditional prediction of the data.

    Of its three terms only classifier-free guidance: the others need a second modality, or blocks left out, for which
    there is `slg`. Set as in its pipeline. Ours is `cfg` with the rescale on x0. Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "diffusers 0.42.1, LTX2Guidance"
    label: ClassVar[str] = "diffusers: LTX-2"
    native_space: ClassVar = "x0"
    guider: ClassVar[str] = "LTX2Guidance"
    excused: ClassVar[Mapping[str, str]] = {"zero predictions": "its rescale divides by the spread of the outcome"}

    guidance_scale: float = param(3.0, low=1, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    space: Literal["raw", "x0"] = param("x0", help="what it is fed: the predicted image, as its pipeline does, or raw")
    guidance_rescale: float = param(0.7, low=0, high=1, step=0.05, help="pulls contrast back; 0 is off")
