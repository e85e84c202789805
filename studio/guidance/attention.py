"""Guidance inside cross-attention: what the prompt gives there, moved away from what another condition would give.

Of one token of the latents, with Z+ the attention it pays to the prompt and Z- what the same query pays to the other
condition, heads side by side, s the scale, t the limit (tau) and a the share (alpha):

    Z~ = Z+ + (s - 1)*(Z+ - Z-)
    Z^ = Z~ * min(r, t)/r          r = |Z~|_1 / |Z+|_1
    Z  = Z+ + a*(Z^ - Z+)

Source: arXiv:2505.21179, section 3, with the scale as its authors' code counts it: s is 1 + phi of the paper.
Plain values and plain tensors. Who runs the network carries them out (studio.engine.perturb), as perturbations.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from studio.diffusion.parameterisation import at_least_float32

# Of a length that is divided by. A token that pays attention to nothing stays at nothing.
_TINY = 1e-30


@dataclass(frozen=True)
class AttentionGuidance:
    """What happens to the output of every cross-attention, for one row of a batch.

    cond: name of the condition it moves away from, as in studio.guidance.base.
    scale: 1 leaves attention as it is, more extrapolates.
    tau: how many times as long as the prompt's own attention the outcome may be, in the sum of absolute values.
    alpha: share of the outcome that is taken, 0..1.
    """

    cond: str
    scale: float
    tau: float
    alpha: float

    def guided(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Give Z of Z+ and Z-, [..., D] each; of positive's dtype, computed in float32 or better.

        Equal to `positive`, to the bit, where nothing is extrapolated: at scale 1, at alpha 0, or of equal inputs.
        """
        plus = at_least_float32(positive)
        away = plus + (self.scale - 1) * (plus - at_least_float32(negative))
        length, longest = away.abs().sum(-1, keepdim=True), self.tau * plus.abs().sum(-1, keepdim=True)
        bounded = away * (longest / length.clamp(min=_TINY)).clamp(max=1)
        return (plus + self.alpha * (bounded - plus)).to(positive.dtype)
