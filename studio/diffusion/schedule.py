"""Noise schedules: how much data (a) and noise (s) a state holds at training time t.

`NoiseSchedule`: a table with a² + s² = 1, of the models that predict eps or v. `FlowSchedule`: a = 1 - s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, overload

import torch
from torch import Tensor

BetaSchedule = Literal["linear", "scaled_linear", "squaredcos_cap_v2"]


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The table a network was trained with.

    alphas_cumprod: float64 [T], falling, within (0, 1); a² at each step. The last may be 0: zero terminal SNR.
    """

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
        rescale_betas_zero_snr: end the table in pure noise (arXiv:2305.08891, algorithm 1). It stays exactly 0, as
        in diffusers' DDIM; diffusers' other schedulers put 2^-24 there, more than some tables have one step before.
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
                capped = [min(1 - later / level, 0.999) for level, later in zip(bar, bar[1:], strict=False)]
                betas = torch.tensor(capped, dtype=torch.float32)
        if rescale_betas_zero_snr:
            betas = _to_zero_terminal_snr(betas)
        return cls(torch.cumprod(1.0 - betas, dim=0).double())

    @property
    def num_train_timesteps(self) -> int:
        """T: the network knows the times 0 .. T-1."""
        return len(self.alphas_cumprod)

    @property
    def log_sigma(self) -> Tensor:
        """log(s/a) at each step, float64 [T], rising: minus the half log-SNR.

        With zero terminal SNR the last one is not infinite but continues the two before it on a line, so that times
        close to it can be placed.
        """
        table = 0.5 * (torch.log1p(-self.alphas_cumprod) - self.alphas_cumprod.log())
        if self.zero_terminal_snr:
            table[-1] = 2 * table[-2] - table[-3]
        return table

    @property
    def zero_terminal_snr(self) -> bool:
        """Whether the last step is pure noise: a = 0 there."""
        return self.alphas_cumprod[-1].item() == 0

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
        if self.zero_terminal_snr:
            a, s = a.masked_fill(times == last, 0.0), s.masked_fill(times == last, 1.0)
        return (a, s) if isinstance(t, Tensor) else (a.item(), s.item())

    def time_of(self, log_sigma: float) -> float:
        """Give the fractional time whose log(s/a) is this, held within 0 .. T-1; the inverse of `at`."""
        table = self.log_sigma
        high = int(torch.searchsorted(table, log_sigma).clamp(1, len(table) - 1))
        below, above = table[high - 1].item(), table[high].item()
        return high - 1 + min(max((log_sigma - below) / (above - below), 0.0), 1.0)


@dataclass(frozen=True)
class FlowSchedule:
    """The straight path of flow models: a = 1 - s, and the network is fed t = T*s, as diffusers' flow schedulers do.

    num_train_timesteps: T, the time of pure noise. A `shift` is no part of it: it only says where a grid puts its
    levels. Source: arXiv:2403.03206.
    """

    num_train_timesteps: int = 1000

    @overload
    def at(self, t: float) -> tuple[float, float]: ...
    @overload
    def at(self, t: Tensor) -> tuple[Tensor, Tensor]: ...
    def at(self, t: float | Tensor) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """Give (a, s) at time t, numbers for a number, float64 of t's shape for a tensor.

        t: 0 .. T, may be fractional. Raises ValueError if t is outside.
        """
        s = torch.as_tensor(t, dtype=torch.float64) / self.num_train_timesteps
        if not bool(((s >= 0) & (s <= 1)).all()):
            raise ValueError(f"time must lie in 0..{self.num_train_timesteps}, not {t}")
        return (1 - s, s) if isinstance(t, Tensor) else (1 - s.item(), s.item())


Schedule = NoiseSchedule | FlowSchedule


def _to_zero_terminal_snr(betas: Tensor) -> Tensor:
    """Shift a = sqrt(alphas_cumprod) down until its last is 0, and stretch it back to its first. betas: float32 [T]."""
    a = torch.cumprod(1.0 - betas, dim=0).sqrt()
    a = (a - a[-1]) * (a[0] / (a[0] - a[-1]))
    squared = a**2
    alphas = torch.cat([squared[:1], squared[1:] / squared[:-1]])
    return 1 - alphas
