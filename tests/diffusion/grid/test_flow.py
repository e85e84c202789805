"""Flow grids: four that all go by "shift 3", each where diffusers' classes put it."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from studio.diffusion.grid import make_grid
from tests.diffusion.solving import FLOW
from tests.tolerance import rounding

COUNTS = [1, 2, 8, 50]
SHIFTS = [0.5, 1.0, 3.0]


def sigmas(name: str, n: int, shift: float) -> np.ndarray[Any, Any]:
    return np.array(make_grid(name, FLOW, n, shift=shift).s)


def flow_solver(kind: Any, n: int, shift: float) -> Any:
    scheduler = kind(use_flow_sigmas=True, flow_shift=shift, prediction_type="flow_prediction")
    scheduler.set_timesteps(n)
    return scheduler


@pytest.mark.parametrize(
    ("name", "first_eight"),
    [
        ("flow", [1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3, 0]),
        ("flow_euler", [1, 0.9475, 0.8828, 0.8008, 0.6938, 0.548, 0.338, 0.0089, 0]),
        ("flow_dpm", [0.9997, 0.9542, 0.8996, 0.833, 0.7496, 0.6425, 0.4997, 0.2998, 0]),
        ("flow_unipc", [1, 0.9546, 0.9001, 0.8336, 0.7504, 0.6435, 0.501, 0.3017, 0]),
    ],
)
def test_shift_three_is_four_grids(name: str, first_eight: list[float]) -> None:
    np.testing.assert_allclose(sigmas(name, 8, 3.0), first_eight, rtol=0, atol=5.1e-5)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("n", COUNTS)
def test_flow_euler_is_flow_match_euler(n: int, shift: float) -> None:
    theirs: Any = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(n)
    np.testing.assert_allclose(sigmas("flow_euler", n, shift), theirs.sigmas.numpy(), rtol=rounding(torch.float32))
    ours = make_grid("flow_euler", FLOW, n, shift=shift).timesteps
    np.testing.assert_allclose(ours, theirs.timesteps.numpy(), rtol=rounding(torch.float32))


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("n", COUNTS)
def test_flow_is_flow_match_euler_given_sigmas(n: int, shift: float) -> None:
    theirs: Any = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(sigmas=np.linspace(1, 1 / n, n))
    np.testing.assert_allclose(sigmas("flow", n, shift), theirs.sigmas.numpy(), rtol=rounding(torch.float32))


@pytest.mark.parametrize("mu", [0.5, 1.15])
def test_the_exponential_shift_of_flux_is_a_shift(mu: float) -> None:
    theirs: Any = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    theirs.set_timesteps(sigmas=np.linspace(1, 1 / 28, 28), mu=mu)
    np.testing.assert_allclose(
        sigmas("flow", 28, np.exp(mu).item()), theirs.sigmas.numpy(), rtol=rounding(torch.float32)
    )


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("n", COUNTS)
def test_flow_dpm_is_dpm_solvers(n: int, shift: float) -> None:
    theirs = flow_solver(DPMSolverMultistepScheduler, n, shift)
    np.testing.assert_allclose(sigmas("flow_dpm", n, shift), theirs.sigmas.numpy(), rtol=rounding(torch.float32))
    # It rounds its times down.
    np.testing.assert_allclose(make_grid("flow_dpm", FLOW, n, shift=shift).timesteps, theirs.timesteps, atol=1)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("n", COUNTS)
def test_flow_unipc_is_unipcs(n: int, shift: float) -> None:
    """But for the millionth by which it keeps away from pure noise."""
    theirs = flow_solver(UniPCMultistepScheduler, n, shift).sigmas.numpy()
    ours = sigmas("flow_unipc", n, shift)
    assert ours[0] == 1 and theirs[0] == pytest.approx(1 - 1e-6, abs=1e-7)
    np.testing.assert_allclose(ours[1:], theirs[1:], rtol=rounding(torch.float32))


def test_flows_start_from_pure_noise() -> None:
    for name in ("flow", "flow_euler", "flow_unipc"):
        grid = make_grid(name, FLOW, 20, shift=3)
        assert (grid.a[0], grid.s[0], grid.timesteps[0]) == (0, 1, 1000)
    assert make_grid("flow_dpm", FLOW, 20, shift=3).a[0] > 0
