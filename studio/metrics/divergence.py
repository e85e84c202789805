"""How far one denoiser is from another, in nats, from what both predict at the same noisy states.

For two models p and q of one forward process x = a x0 + s eps, with lambda = log(a²/s²),

    KL(p || q) = 1/2 ∫ E_{x0 ~ p, eps} || eps_p(x, lambda) - eps_q(x, lambda) ||² d lambda

It is exact for exact denoisers that agree where all is noise, and an estimate for others. Written in the noise that is
predicted, it is one formula for every process: of a flow with velocity u it is ∫ (1-t)/t E||u_p - u_q||² dt.
FADE is KL(U || R) + KL(R || U), of an edited model U and one that never met the concept, R.

Sources: arXiv:2101.09258, theorem 1; arXiv:2303.00848, for the integral in log-SNR; arXiv:2510.12981, for FADE, whose
authors estimate a bound from pictures where this takes both models' predictions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from studio.metrics.intervals import Interval, bootstrap

MAX_LOG_SNR = 10.0  # what a state of pure noise or pure data counts as


def log_snr(a: Tensor, s: Tensor) -> Tensor:
    """log(a²/s²) in float64, held within -10..10."""
    return (2 * (a.double().log() - s.double().log())).clamp(-MAX_LOG_SNR, MAX_LOG_SNR)


def log_snr_widths(t: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """How much of the log-SNR each of the times of a way stands for: [N] for [N] of each.

    Half the way to both neighbours in the order of t, so that they sum to the range they cover: the integral as a sum
    over all of a schedule's times.
    """
    order = t.argsort()
    gaps = log_snr(a, s)[order].diff().abs()
    zero = torch.zeros(1, dtype=gaps.dtype)
    widths = torch.empty(len(t), dtype=gaps.dtype)
    widths[order] = (torch.cat([zero, gaps]) + torch.cat([gaps, zero])) / 2
    return widths


def stratified(low: float, high: float, pictures: int, levels: int, generator: torch.Generator) -> Tensor:
    """Log-SNR levels, one drawn evenly in each of `levels` equal parts of low..high: [pictures, levels], float64.

    Each stands for (high - low) / levels of the integral.
    """
    draws = torch.rand(pictures, levels, generator=generator, dtype=torch.float64)
    return low + (torch.arange(levels, dtype=torch.float64) + draws) * ((high - low) / levels)


def nats(eps_p: Tensor, eps_q: Tensor, widths: Tensor) -> Tensor:
    """What each state adds to the divergence of its picture, in nats: [B], never negative.

    eps_p, eps_q: [B, ...], the noise that both predict there.
    widths: [B], how much of the log-SNR each state stands for.
    """
    gap = (eps_p - eps_q).square().flatten(1).sum(1)
    return 0.5 * widths.to(gap) * gap


def fade(forward: Sequence[float], backward: Sequence[float]) -> list[float]:
    """KL(U || R) + KL(R || U), place by place. Raises ValueError for lists of unequal length."""
    return [forward_nats + backward_nats for forward_nats, backward_nats in zip(forward, backward, strict=True)]


def mean_with_interval(values: Sequence[float]) -> tuple[float, Interval]:
    """The mean over pictures, and its 95 % interval by bootstrap over them. Raises ValueError for none."""
    tensor = torch.tensor(values, dtype=torch.float64)
    return float(tensor.mean()), bootstrap(tensor)


def ratio_with_interval(values: Sequence[float], base: Sequence[float]) -> tuple[float, Interval]:
    """The mean of one over that of the other, paired picture by picture. Raises ValueError where the base is 0."""
    pairs = torch.tensor([values, base], dtype=torch.float64).T.contiguous()  # [n, 2]
    if not pairs[:, 1].any():
        raise ValueError("nothing is a multiple of no distance")

    def ratio(means: Tensor) -> Tensor:
        return means[:, 0] / means[:, 1]

    return float(ratio(pairs.mean(0, keepdim=True))), bootstrap(pairs, ratio)
