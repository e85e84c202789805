"""Grids: the times diffusers visits, the shape every grid has, and what is refused."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from studio.diffusion.grid import GRIDS, Grid, karras, leading, linspace, trailing
from studio.diffusion.schedule import NoiseSchedule

# diffusers makes numpy arrays of tensors in a way numpy 2 warns of; not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SCHEDULE = NoiseSchedule.from_config("squaredcos_cap_v2", 1e-4, 0.02, 1000)
CONFIG: dict[str, Any] = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}


@pytest.mark.parametrize("name", GRIDS.names())
@pytest.mark.parametrize("n", [1, 2, 3, 20, 999, 1000])
def test_every_grid_runs_from_noise_to_data(name: str, n: int) -> None:
    grid = GRIDS.get(name)(SCHEDULE, n)
    assert len(grid) == n == len(grid.timesteps) and len(grid.a) == len(grid.s) == n + 1
    assert (grid.a[-1], grid.s[-1]) == (1.0, 0.0)
    assert all(after < before for before, after in itertools.pairwise(grid.timesteps))
    assert all(after < before for before, after in itertools.pairwise(grid.s))
    assert 0 <= grid.timesteps[-1] and grid.timesteps[0] <= 999
    for t, a, s in zip(grid.timesteps, grid.a, grid.s, strict=False):
        assert (a, s) == pytest.approx(SCHEDULE.at(t), rel=1e-14)


def test_trailing_of_twenty() -> None:
    assert trailing(SCHEDULE, 20).timesteps == tuple(float(t) for t in range(999, 0, -50))


def test_trailing_is_diffusers_for_every_count() -> None:
    dpm = DPMSolverMultistepScheduler(timestep_spacing="trailing", **CONFIG)
    ddim = DDIMScheduler(timestep_spacing="trailing", **CONFIG)
    for n in range(1, 1001):
        ours = trailing(SCHEDULE, n).timesteps
        for theirs in (dpm, ddim):
            theirs.set_timesteps(n)
            # For some n diffusers' list is one longer and ends in -1, a time there is no network for.
            assert theirs.timesteps.tolist()[:n] == list(ours), n


def test_trailing_levels_are_diffusers() -> None:
    """Within float32: diffusers rounds s/a to it, we keep float64 of the same table."""
    dpm = DPMSolverMultistepScheduler(timestep_spacing="trailing", **CONFIG)
    dpm.set_timesteps(20)
    grid = trailing(SCHEDULE, 20)
    ours = [s / a for a, s in zip(grid.a, grid.s, strict=True)]
    np.testing.assert_allclose(ours, dpm.sigmas.double().numpy(), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 7, 20, 48, 1000])
def test_leading_and_linspace_are_ddims(n: int) -> None:
    pairs: tuple[tuple[Any, Grid], ...] = (("leading", leading(SCHEDULE, n)), ("linspace", linspace(SCHEDULE, n)))
    for spacing, ours in pairs:
        theirs = DDIMScheduler(timestep_spacing=spacing, **CONFIG)
        theirs.set_timesteps(n)
        assert list(ours.timesteps) == theirs.timesteps.tolist()


def test_karras_levels_are_diffusers() -> None:
    dpm = DPMSolverMultistepScheduler(use_karras_sigmas=True, **CONFIG)
    dpm.set_timesteps(20)
    grid = karras(SCHEDULE, 20)
    ours = [s / a for a, s in zip(grid.a, grid.s, strict=True)]
    np.testing.assert_allclose(ours, dpm.sigmas.double().numpy(), rtol=1e-4)


def test_half_log_snr_is_infinite_at_the_ends() -> None:
    grid = Grid((1.0, 0.5), (0.0, 0.6, 1.0), (1.0, 0.8, 0.0))
    assert grid.lam(0) == -math.inf
    assert grid.lam(1) == pytest.approx(math.log(0.75))
    assert grid.lam(2) == math.inf


@pytest.mark.parametrize("n", [0, -1, 1001, 10**9])
@pytest.mark.parametrize("name", GRIDS.names())
def test_impossible_counts_are_refused(name: str, n: int) -> None:
    with pytest.raises(ValueError, match="1..1000"):
        GRIDS.get(name)(SCHEDULE, n)


@pytest.mark.parametrize(
    ("timesteps", "a", "s", "says"),
    [
        ((), (1.0,), (0.0,), "N\\+1"),
        ((1.0,), (0.5, 1.0), (0.5,), "N\\+1"),
        ((1.0,), (0.5, 0.9), (0.5, 0.1), "must be data"),
        ((1.0, 2.0), (0.1, 0.5, 1.0), (0.9, 0.5, 0.0), "must fall"),
    ],
)
def test_malformed_grids_are_refused(
    timesteps: tuple[float, ...], a: tuple[float, ...], s: tuple[float, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Grid(timesteps, a, s)
