"""Grids by noise level: diffusers' levels, what the options do, and what is refused."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from studio.core.errors import BadInput
from studio.diffusion.grid import Grid, karras, make_grid
from studio.diffusion.schedule import NoiseSchedule
from tests.diffusion.solving import COSINE, SCHEDULE
from tests.tolerance import rounding

SD: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
SD_SCHEDULE = NoiseSchedule.from_config(**SD, num_train_timesteps=1000)
LEVEL_GRIDS = ["karras", "exponential", "beta_levels"]


def levels(grid: Grid) -> list[float]:
    return [s / a for a, s in zip(grid.a, grid.s, strict=True)]


@pytest.mark.parametrize("n", [1, 2, 20, 100])
@pytest.mark.parametrize(("name", "key"), [("karras", "use_karras_sigmas"), ("exponential", "use_exponential_sigmas")])
def test_levels_are_diffusers(name: str, key: str, n: int) -> None:
    """Within its float32 table, in which the cosine's last level is known to 1e-4, or 1e-3 on another processor."""
    for config, schedule, rtol in ((SD, SD_SCHEDULE, rounding(torch.float32)), (COSINE, SCHEDULE, 1e-3)):
        options: Any = {**config, key: True}
        dpm: Any = DPMSolverMultistepScheduler(**options)
        dpm.set_timesteps(n)
        np.testing.assert_allclose(levels(make_grid(name, schedule, n)), dpm.sigmas.double().numpy(), rtol=rtol)


def test_exponential_is_diffusers_uniform_log_snr_too() -> None:
    dpm: Any = DPMSolverMultistepScheduler(**SD, use_lu_lambdas=True)
    dpm.set_timesteps(20)
    np.testing.assert_allclose(
        levels(make_grid("exponential", SD_SCHEDULE, 20)), dpm.sigmas.numpy(), rtol=rounding(torch.float32)
    )


def test_beta_levels_are_diffusers() -> None:
    """Its DPMSolverMultistepScheduler with use_beta_sigmas and scipy 1.17.1, which it needs for that, at 6 steps."""
    theirs = [14.6146469, 12.8217745, 9.3244791, 5.3193355, 1.8220402, 0.0291675, 0.0]
    np.testing.assert_allclose(
        levels(make_grid("beta_levels", SD_SCHEDULE, 6)), theirs, rtol=0, atol=rounding(torch.float32, 1, 15)
    )


def test_karras_spaces_roots_and_exponential_logarithms_evenly() -> None:
    roots = [level ** (1 / 5) for level in levels(make_grid("karras", SD_SCHEDULE, 20, rho=5))[:-1]]
    logs = [math.log(level) for level in levels(make_grid("exponential", SD_SCHEDULE, 20))[:-1]]
    for found in (roots, logs):
        steps = [before - after for before, after in itertools.pairwise(found)]
        assert steps == pytest.approx([steps[0]] * 19, rel=1e-9)


@pytest.mark.parametrize("name", LEVEL_GRIDS)
def test_lowest_and_highest_can_be_set(name: str) -> None:
    found = levels(make_grid(name, SCHEDULE, 20, sigma_min=0.05, sigma_max=80))
    assert (found[0], found[-2]) == (pytest.approx(80, rel=1e-12), pytest.approx(0.05, rel=1e-12))


def test_a_higher_rho_shortens_the_late_steps() -> None:
    assert [levels(make_grid("karras", SD_SCHEDULE, 20, rho=rho))[10] for rho in (1, 3, 7, 20)] == sorted(
        (levels(make_grid("karras", SD_SCHEDULE, 20, rho=rho))[10] for rho in (1, 3, 7, 20)), reverse=True
    )


@pytest.mark.parametrize("name", LEVEL_GRIDS)
@pytest.mark.parametrize(
    "options", [{"sigma_max": 15.0}, {"sigma_min": 0.02}, {"sigma_min": 0.9, "sigma_max": 0.8}, {"sigma_max": 0.029}]
)
def test_levels_the_model_does_not_know_are_refused(name: str, options: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=r"within what the model knows, 0\.02917 to 14\.61, not"):
        make_grid(name, SD_SCHEDULE, 20, **options)


def test_times_belong_to_the_levels() -> None:
    grid = karras(SD_SCHEDULE, 20)
    assert grid.timesteps[0] == 999 and grid.timesteps[-1] == 0
    assert any(t != round(t) for t in grid.timesteps)
