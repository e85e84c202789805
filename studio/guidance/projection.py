"""Projection guidance: the part of the step along a reference, and the part across it, each with its own weight.

With D = c - u, P the part of D along the reference, O = D - P and w the scale:

    g = c + (w-1)*(A*P + B*O)

A = B = 1 is classifier-free guidance; A = 0 leaves only what is orthogonal to the reference. All on predictions of the
data. The split can be made once per sample, once per channel, or once per patch of the latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn.functional import pad

from studio.core.params import param
from studio.guidance.base import GUIDANCE, OneRound, Quantity, State, StepCtx
from studio.guidance.prediction import Preds
from studio.guidance.vectors import project, ratio


@GUIDANCE.register("projection")
class ProjectionGuidance(OneRound):
    """Weigh the parallel and the orthogonal part of guidance apart, to see what each does.

    Only parallel shows saturation by itself; only orthogonal is what adaptive projected guidance keeps. Known failure:
    small patches lose the picture's composition. Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "this project, after arXiv:2410.02416"
    label: ClassVar[str] = "Projection, parallel and orthogonal"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0}
    native_space: ClassVar = "x0"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")
    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "parallel": Quantity("Length along the reference, over the whole step"),
        "orthogonal": Quantity("Length across the reference, over the whole step"),
    }

    guidance_scale: float = param(3.0, low=1, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    parallel: float = param(0.2, low=0, high=2, step=0.05, help="weight of the part along the reference; saturates")
    orthogonal: float = param(1.0, low=0, high=2, step=0.05, help="weight of the part across the reference")
    reference: Literal["cond", "uncond", "latent", "texture"] = param(
        "cond", help="along what: a prediction, the noisy latent, or the prediction without each channel's mean"
    )
    blocks: Literal["sample", "channel", "patch"] = param("sample", help="what is split at once")
    patch: int = param(
        8, low=1, high=64, step=1, unit="latent elements", help="side of a patch", when={"blocks": ("patch",)}
    )

    def describe(self) -> str:
        per = f"{self.patch}x{self.patch} patch" if self.blocks == "patch" else self.blocks
        return (
            f"g = c + {self.guidance_scale - 1:g}*({self.parallel:g}*D∥ + {self.orthogonal:g}*D⊥), "
            f"D = c - u split along {self.reference} per {per}"
        )

    def active_needs(self) -> tuple[str, ...]:
        return ("cond",) if self.guidance_scale == 1 else self.needs

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        c = preds.cond.x0  # [B, C, H, W]
        if self.guidance_scale == 1:
            return c, state
        along, across = self._parts(preds, step)
        return c + (self.guidance_scale - 1) * (self.parallel * along + self.orthogonal * across), state

    def observe(self, preds: Preds, step: StepCtx, state: State) -> dict[str, Tensor]:
        if self.guidance_scale == 1:
            return {}
        along, across = self._parts(preds, step)
        return {"parallel": ratio(along, along + across), "orthogonal": ratio(across, along + across)}

    def _parts(self, preds: Preds, step: StepCtx) -> tuple[Tensor, Tensor]:
        c, u = preds.cond.x0, preds.uncond.x0
        delta = c - u
        match self.reference:
            case "cond":
                reference = c
            case "uncond":
                reference = u
            case "latent":
                reference = step.x.to(c.dtype)
            case "texture":
                reference = c - c.mean((2, 3), keepdim=True)
        blocks, back = _blocks(delta, self.blocks, self.patch)
        along = back(project(blocks, onto=_blocks(reference, self.blocks, self.patch)[0]))
        return along, delta - along


def _blocks(x: Tensor, kind: str, side: int) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Lay out [B, C, H, W] as [blocks, ...], and give what puts it back. Zeros fill patches that hang over."""
    b, c, h, w = x.shape
    if kind == "sample":
        return x, lambda y: y
    if kind == "channel":
        return x.reshape(b * c, h, w), lambda y: y.reshape(b, c, h, w)
    rows, columns = -(-h // side), -(-w // side)
    filled = pad(x, (0, columns * side - w, 0, rows * side - h))
    cut = filled.reshape(b, c, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)

    def back(y: Tensor) -> Tensor:
        laid = y.reshape(b, rows, columns, c, side, side).permute(0, 3, 1, 4, 2, 5)
        return laid.reshape(b, c, rows * side, columns * side)[..., :h, :w]

    return cut.reshape(b * rows * columns, c, side, side), back
