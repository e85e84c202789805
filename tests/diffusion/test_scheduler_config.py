"""From a diffusers scheduler config to its grid and sampler: the levels of the scheduler itself, for each we read."""

from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from studio.core.errors import BadInput
from studio.diffusion.grid import make_grid
from studio.diffusion.schedule import NoiseSchedule
from studio.diffusion.scheduler_config import grid_for, sampler_for
from tests.diffusion.solving import FLOW
from tests.tolerance import rounding

SD: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
SCHEDULE = NoiseSchedule.from_config(**SD, num_train_timesteps=1000)
BY_TIME = ["DDIM", "DDPM", "PNDM", "EulerDiscrete", "EulerAncestralDiscrete", "DPMSolverMultistep", "UniPCMultistep"]
FLOW_SOLVER: dict[str, Any] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}


def scheduler_of(kind: str, **config: Any) -> Any:
    scheduler = getattr(diffusers, f"{kind}Scheduler")(**config)
    scheduler.set_timesteps(20)
    return scheduler


def config_of(scheduler: Any) -> dict[str, Any]:
    """As `scheduler_config.json` holds it."""
    return {**scheduler.config, "_class_name": type(scheduler).__name__}


@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("kind", [*BY_TIME, "DEISMultistep"])
def test_times_are_the_schedulers_own(kind: str, spacing: str) -> None:
    more = {"skip_prk_steps": True} if kind == "PNDM" else {}
    scheduler = scheduler_of(kind, **SD, timestep_spacing=spacing, steps_offset=1, **more)
    name, options = grid_for(config_of(scheduler))
    times = list(dict.fromkeys(scheduler.timesteps.tolist()))  # PNDM's second comes twice
    np.testing.assert_allclose(make_grid(name, SCHEDULE, 20, **options).timesteps, times, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("kind", [*BY_TIME, "DEISMultistep"])
def test_a_config_without_spacing_means_the_default_of_its_class(kind: str) -> None:
    scheduler = getattr(diffusers, f"{kind}Scheduler")(**SD)
    config = config_of(scheduler)
    assert grid_for({key: value for key, value in config.items() if key != "timestep_spacing"}) == grid_for(config)


@pytest.mark.parametrize("key", ["use_karras_sigmas", "use_exponential_sigmas"])
@pytest.mark.parametrize("kind", ["EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"])
def test_levels_are_the_schedulers_own(kind: str, key: str) -> None:
    scheduler = scheduler_of(kind, **SD, **{key: True})
    name, options = grid_for(config_of(scheduler))
    grid = make_grid(name, SCHEDULE, 20, **options)
    ours = [s / a for a, s in zip(grid.a, grid.s, strict=True)]
    np.testing.assert_allclose(ours, scheduler.sigmas.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("FlowMatchEulerDiscrete", {}),
        ("FlowMatchEulerDiscrete", {"shift": 3.0}),
        ("DPMSolverMultistep", FLOW_SOLVER),
        ("UniPCMultistep", FLOW_SOLVER),
    ],
)
def test_flow_levels_are_the_schedulers_own(kind: str, config: dict[str, Any]) -> None:
    scheduler = scheduler_of(kind, **config)
    name, options = grid_for(config_of(scheduler))
    np.testing.assert_allclose(
        make_grid(name, FLOW, 20, **options).s, scheduler.sigmas.numpy(), rtol=1e-6 + rounding(torch.float32)
    )


def test_stable_diffusion_1_5() -> None:
    config = {"_class_name": "PNDMScheduler", "steps_offset": 1, "skip_prk_steps": True, "set_alpha_to_one": False}
    assert grid_for(config) == ("leading", {"steps_offset": 1})


def test_shifts_that_follow_the_size_are_left_to_the_caller() -> None:
    config = {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True, "shift": 3.0}
    assert grid_for(config) == ("flow", {})


def test_beta_levels_are_known_by_name() -> None:
    """diffusers itself needs scipy for them."""
    config = {"_class_name": "DPMSolverMultistepScheduler", "use_beta_sigmas": True}
    assert grid_for(config) == ("beta_levels", {})


@pytest.mark.parametrize(
    ("kind", "config", "sampler"),
    [
        ("DDIM", {}, "ddim"),
        ("EulerDiscrete", {}, "euler"),
        ("EulerAncestralDiscrete", {}, "euler_ancestral"),
        ("UniPCMultistep", {}, "unipc"),
        ("DPMSolverMultistep", {}, "dpmpp_2m"),
        ("DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++"}, "dpmpp_2m_sde"),
        ("PNDM", {}, None),
        ("LCM", {}, None),
    ],
)
def test_the_sampler_that_a_scheduler_is(kind: str, config: dict[str, Any], sampler: str | None) -> None:
    """tests/diffusion/solvers holds each of ours against it."""
    assert sampler_for(config_of(scheduler_of(kind, **config))) == sampler


def test_an_older_algorithm_of_a_scheduler_is_not_taken_for_the_newer_one() -> None:
    assert sampler_for({"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver"}) is None


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"_class_name": "EDMEulerScheduler"}, "The steps of the scheduler EDMEulerScheduler are not known here"),
        ({}, "The steps of the scheduler None are not known"),
        ({"_class_name": "DDIMScheduler", "timestep_spacing": "ahead"}, "must be one of trailing, leading, linspace"),
        (
            {"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True, "sigma_min": 0.1},
            "sigma_min 0.1 places",
        ),
        (
            {"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True, "timestep_spacing": "leading"},
            "The levels of EulerDiscreteScheduler with use_karras_sigmas and leading spacing are not known",
        ),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"}, "timestep_type 'continuous' places"),
        ({"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -5.1}, "lambda_min_clipped -5.1 places"),
        (
            {**FLOW_SOLVER, "_class_name": "UniPCMultistepScheduler", "use_dynamic_shifting": True},
            "dynamic_shifting set",
        ),
        ({"_class_name": "LCMScheduler"}, "The steps of the scheduler LCMScheduler are not known here"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift_terminal": 0.1}, "shift_terminal 0.1 places"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler", "use_karras_sigmas": True}, "use_karras_sigmas set"),
        ({"_class_name": "DEISMultistepScheduler", "use_flow_sigmas": True}, "for flow models are not known"),
    ],
)
def test_what_no_grid_places_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        grid_for(config)
