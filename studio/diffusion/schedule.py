"""Variance-preserving noise schedules: how much data (a) and noise (s) a state holds at training step t."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, overload

import torch
from torch import Tensor

BetaSchedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The table a network was trained with. alphas_cumprod: float64 [T], falling, within (0, 1); a² at each step."""

    alphas_cumprod: Tensor

    @classmethod
    def from_config(
        cls,
        beta_schedule: BetaSchedule,
        beta_start: float,
        beta_end: float,
        num_train_timesteps: int,
        rescale_betas_zero_snr: bool = False,
    ) -> NoiseSchedule:
        """Build the table of a diffusers scheduler config with these keys.

        beta_start, beta_end: ignored by squaredcos_cap_v2 (arXiv:2102.09672, eq. 17, betas capped at 0.999).
        rescale_betas_zero_snr: shift and scale a so that the last step is pure noise (arXiv:2305.08891, algorithm 1);
        of its a² = 0 the least that float16 can hold is left, 2**-24, as in diffusers' multi-step schedulers, or less
        where the step before it has less.
        Rounded to float32 where diffusers rounds, for that rounded table is what networks are trained with.
        """
        steps = num_train_timesteps
        match beta_schedule:
            case "linear":
                betas = torch.linspace(beta_start, beta_end, steps, dtype=torch.float32)
            case "scaled_linear":
                betas = torch.linspace(beta_start**0.5, beta_end**0.5, steps, dtype=torch.float32) ** 2
            case "squaredcos_cap_v2":
                bar = [math.cos((i / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(steps + 1)]
                capped = [min(1 - after / before, 0.999) for before, after in zip(bar, bar[1:], strict=False)]
                betas = torch.tensor(capped, dtype=torch.float32)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        if rescale_betas_zero_snr:
            a = alphas_cumprod.sqrt()
            squares = ((a - a[-1]) * (a[0] / (a[0] - a[-1]))) ** 2
            # To single steps and back, with the betas' rounding between.
            betas = 1 - torch.cat([squares[:1], squares[1:] / squares[:-1]])
            alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
            alphas_cumprod[-1] = min(2**-24, alphas_cumprod[-2].item() / 2)
        return cls(alphas_cumprod.double())

    @property
    def num_train_timesteps(self) -> int:
        """T: the network knows the times 0 .. T-1."""
        return len(self.alphas_cumprod)

    @property
    def log_sigma(self) -> Tensor:
        """log(s/a) at each step, float64 [T], rising: minus the half log-SNR."""
        return 0.5 * (torch.log1p(-self.alphas_cumprod) - self.alphas_cumprod.log())

    @overload
    def at(self, t: float) -> tuple[float, float]: ...
    @overload
    def at(self, t: Tensor) -> tuple[Tensor, Tensor]: ...
    def at(self, t: float | Tensor) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """Give (a, s) at time t, numbers for a number, float64 of t's shape for a tensor.

        t: 0 .. T-1, may be fractional: between steps log(s/a) is linear in t, as in k-diffusion.
        Raises ValueError if t is outside.
        """
        times = torch.as_tensor(t, dtype=torch.float64)
        last = self.num_train_timesteps - 1
        if not bool(((times >= 0) & (times <= last)).all()):
            raise ValueError(f"time must lie in 0..{last}, not {t}")
        log_sigma = self.log_sigma.to(times.device)
        low = times.floor().long().clamp(max=last - 1)
        sigma = torch.lerp(log_sigma[low], log_sigma[low + 1], times - low).exp()
        a = 1 / (1 + sigma * sigma).sqrt()
        s = sigma * a
        return (a, s) if isinstance(t, Tensor) else (a.item(), s.item())

    def time_of(self, log_sigma: float) -> float:
        """Give the fractional time whose log(s/a) is this, held within 0 .. T-1; the inverse of `at`."""
        table = self.log_sigma
        high = int(torch.searchsorted(table, log_sigma).clamp(1, len(table) - 1))
        below, above = table[high - 1].item(), table[high].item()
        return high - 1 + min(max((log_sigma - below) / (above - below), 0.0), 1.0)
