"""What a solver is: one step from noise level i to i+1, given the guided prediction of the data at level i.

A solver is a frozen value and keeps nothing of a run: its state goes in and comes out. So a run can be dropped at
any step, two runs cannot touch each other, and `peek` can ask what a step would give.

Guidance acts before the solver: `x0` is always the guided prediction. x, x0: [B, ...], one noise level for all rows,
x in float32 or better for a whole run (a half-precision state loses the late steps). Coefficients are float64.

States are x = a*x0 + s*eps, as fed to the network. diffusers' Euler schedulers keep x/a instead.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from studio.core.params import Params, load
from studio.core.registry import Registry
from studio.diffusion.grid import Grid
from studio.diffusion.parameterisation import at_least_float32

# What a solver carries from step to step, [B, ...] each; () when fresh. Kept where guidance begins or ends, as at the
# edges of an interval: put back to () there, so that the next step is first order and mixes no predictions of two
# kinds, runs of 10 to 40 steps on a known mixture came out farther from their limit twice as often as nearer.
SolverState = tuple[Tensor, ...]


class Solver(Params):
    """A solver: a frozen value whose fields are its parameters.

    label: what other programs call it, as in the infotext of pictures.
    source: where it comes from.
    """

    label: ClassVar[str]
    source: ClassVar[str]

    def init(self) -> SolverState:
        """Give the state of a fresh run."""
        return ()

    def needs_noise(self) -> bool:
        """Whether `step` must be given noise."""
        return False

    def keeps_history(self) -> bool:
        """Whether a step goes by predictions of earlier ones, which must then be of the path x is on."""
        return False

    def step(
        self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState, noise: Tensor | None = None
    ) -> tuple[Tensor, SolverState]:
        """Go from level i (0 .. N-1) to i+1; give the new x, of x's dtype, and the new state.

        noise: standard normal of x's shape, each image's own, if `needs_noise`. The last step is the same without.
        Raises ValueError if it is missing or of another shape.
        """
        mean, state = self.advance(at_least_float32(x), at_least_float32(x0), i, grid, state)
        if self.needs_noise():
            if noise is None or noise.shape != x.shape:
                noise_shape = "none" if noise is None else f"{tuple(noise.shape)}"
                raise ValueError(f"{self.label} as set up needs noise of shape {tuple(x.shape)}, not {noise_shape}")
            mean = mean + self.noise_sd(i, grid) * noise
        return mean.to(x.dtype), state

    def peek(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> Tensor:
        """Give the x that `step` would, leaving everything as it is; for a stochastic solver, its mean."""
        return self.advance(at_least_float32(x), at_least_float32(x0), i, grid, state)[0].to(x.dtype)

    @abstractmethod
    def advance(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> tuple[Tensor, SolverState]:
        """Give x at level i+1 before fresh noise is added, and the new state. x, x0: float32 or better."""

    def noise_sd(self, i: int, grid: Grid) -> float:
        """Give the standard deviation of the fresh noise in x at level i+1."""
        return 0.0


SOLVERS: Registry[type[Solver]] = Registry("sampler")


def build_solver(name: str, params: Mapping[str, Any]) -> Solver:
    """Build the solver of that name. Raises NotFound for the name, BadInput for a parameter."""
    return load(SOLVERS.get(name), params, f"sampler {name}")


def exp_minus_h(i: int, grid: Grid) -> float:
    """e^{-h} for the step from level i, h = lam_{i+1} - lam_i; written so that both infinite ends give 0."""
    return grid.s[i + 1] * grid.a[i] / (grid.a[i + 1] * grid.s[i])
