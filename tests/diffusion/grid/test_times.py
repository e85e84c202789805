"""Grids by training time: the times diffusers' classes visit, each under the name of its class."""

from typing import Any

import numpy as np
import pytest
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from studio.core.errors import BadInput
from studio.diffusion.grid import leading, linspace, make_grid, trailing
from studio.diffusion.grid.times import Trailing
from studio.diffusion.schedule import NoiseSchedule
from tests.diffusion.solving import COSINE, SCHEDULE

SD_SCHEDULE = NoiseSchedule.from_config("scaled_linear", 0.00085, 0.012, 1000)
COUNTS = [2, 7, 20, 48, 500]
EULERS = [EulerDiscreteScheduler, EulerAncestralDiscreteScheduler]


def their_times(scheduler_class: Any, n: int, **config: Any) -> list[float]:
    scheduler = scheduler_class(**COSINE, **config)
    scheduler.set_timesteps(n)
    return scheduler.timesteps.tolist()


def test_trailing_of_twenty() -> None:
    assert trailing(SCHEDULE, 20).timesteps == tuple(float(t) for t in range(999, 0, -50))


def test_trailing_is_diffusers_for_every_count() -> None:
    schedulers: list[Any] = [kind(timestep_spacing="trailing") for kind in (DPMSolverMultistepScheduler, DDIMScheduler)]
    for n in range(1, 1001):
        ours = Trailing().times(SCHEDULE, n)
        for theirs in schedulers:
            theirs.set_timesteps(n)
            # For some n diffusers' list is one longer and ends in -1, a time there is no network for.
            assert theirs.timesteps.tolist()[:n] == ours, n


def test_trailing_levels_are_diffusers() -> None:
    """Within float32: diffusers rounds s/a to it, we keep float64 of the same table."""
    dpm: Any = DPMSolverMultistepScheduler(**COSINE, timestep_spacing="trailing")
    dpm.set_timesteps(20)
    grid = trailing(SCHEDULE, 20)
    ours = [s / a for a, s in zip(grid.a, grid.s, strict=True)]
    np.testing.assert_allclose(ours, dpm.sigmas.double().numpy(), rtol=1e-5)


@pytest.mark.parametrize("n", COUNTS)
def test_linspace_is_ddims(n: int) -> None:
    assert list(linspace(SCHEDULE, n).timesteps) == their_times(DDIMScheduler, n, timestep_spacing="linspace")


@pytest.mark.parametrize("steps_offset", [0, 1])
@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("kind", [DDIMScheduler, *EULERS])
def test_leading_is_ddims_and_eulers(kind: Any, n: int, steps_offset: int) -> None:
    ours = make_grid("leading", SCHEDULE, n, steps_offset=steps_offset)
    theirs = their_times(kind, n, timestep_spacing="leading", steps_offset=steps_offset)
    assert list(ours.timesteps) == theirs


def test_leading_is_pndms_which_asks_at_its_second_time_twice() -> None:
    theirs = their_times(PNDMScheduler, 20, steps_offset=1, skip_prk_steps=True)
    assert list(dict.fromkeys(theirs)) == list(make_grid("leading", SCHEDULE, 20, steps_offset=1).timesteps)


@pytest.mark.parametrize("steps_offset", [0, 1])
@pytest.mark.parametrize("n", [1, *COUNTS])
@pytest.mark.parametrize("kind", [DPMSolverMultistepScheduler, UniPCMultistepScheduler])
def test_leading_dpm_is_dpm_solvers_and_unipcs(kind: Any, n: int, steps_offset: int) -> None:
    ours = make_grid("leading_dpm", SCHEDULE, n, steps_offset=steps_offset)
    assert list(ours.timesteps) == their_times(kind, n, timestep_spacing="leading", steps_offset=steps_offset)


@pytest.mark.parametrize("n", [1, *COUNTS])
@pytest.mark.parametrize("kind", [DPMSolverMultistepScheduler, UniPCMultistepScheduler])
def test_linspace_dpm_is_dpm_solvers_and_unipcs(kind: Any, n: int) -> None:
    ours = make_grid("linspace_dpm", SCHEDULE, n)
    assert list(ours.timesteps) == their_times(kind, n, timestep_spacing="linspace")


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("kind", EULERS)
def test_linspace_fractional_is_eulers(kind: Any, n: int) -> None:
    ours = make_grid("linspace_fractional", SCHEDULE, n)
    np.testing.assert_allclose(ours.timesteps, their_times(kind, n, timestep_spacing="linspace"), rtol=1e-6, atol=1e-4)


def test_linspace_fractional_levels_are_nearly_eulers() -> None:
    """It interpolates s/a between whole times, we its logarithm, as k-diffusion."""
    for n in (20, 50):
        theirs: Any = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
        theirs.set_timesteps(n)
        grid = make_grid("linspace_fractional", SD_SCHEDULE, n)
        ours = [s / a for a, s in zip(grid.a, grid.s, strict=True)]
        np.testing.assert_allclose(ours, theirs.sigmas.double().numpy(), rtol=1e-3)


def test_leading_and_leading_dpm_differ_as_told() -> None:
    """The trap: one word, two grids."""
    assert leading(SCHEDULE, 10).timesteps[:2] == (900, 800)
    assert make_grid("leading_dpm", SCHEDULE, 10).timesteps[:2] == (900, 810)
    assert leading(SCHEDULE, 10).timesteps[-1] == 0 and make_grid("leading_dpm", SCHEDULE, 10).timesteps[-1] == 90


@pytest.mark.parametrize(("name", "n", "begins"), [("leading", 1000, 1000), ("leading_dpm", 999, 1000)])
def test_an_offset_beyond_the_table_is_refused(name: str, n: int, begins: int) -> None:
    with pytest.raises(BadInput, match=f"With {n} steps and a steps_offset of 1 a grid would start at time {begins}"):
        make_grid(name, SCHEDULE, n, steps_offset=1)
