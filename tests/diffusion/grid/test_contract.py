"""What every grid must do: the shape it has, what it declares, and what it refuses."""

import inspect
import itertools
import math

import pytest
import torch

from studio.core.errors import BadInput, NotFound
from studio.core.params import specs
from studio.diffusion.grid import GRIDS, Grid, make_grid, trailing
from studio.diffusion.schedule import FlowSchedule, NoiseSchedule, Schedule
from tests.diffusion.solving import COSINE, FLOW, SCHEDULE
from tests.tolerance import rounding

SCHEDULES: dict[str, Schedule] = {
    "cosine": SCHEDULE,
    "sd": NoiseSchedule.from_config("scaled_linear", 0.00085, 0.012, 1000),
    "zero snr": NoiseSchedule.from_config(**COSINE, rescale_betas_zero_snr=True),
    "flow": FLOW,
    "flow of 500": FlowSchedule(500),
}
FITTING = [
    pytest.param(name, schedule, id=f"{name}-{of}")
    for name, maker in GRIDS.items()
    for of, schedule in SCHEDULES.items()
    if isinstance(schedule, maker.schedule_type)
]


ALLOWED = rounding(torch.float64)


def most_steps(name: str) -> int:
    return 999 if name.endswith("_dpm") and not name.startswith("flow") else 1000


@pytest.mark.parametrize(("name", "schedule"), FITTING)
@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_every_grid_runs_from_noise_to_data(name: str, schedule: Schedule, n: int) -> None:
    grid = make_grid(name, schedule, n)
    assert len(grid) == n == len(grid.timesteps) and len(grid.a) == len(grid.s) == n + 1
    assert (grid.a[-1], grid.s[-1]) == (1.0, 0.0)
    assert all(after < before for before, after in itertools.pairwise(grid.timesteps))
    assert all(after < before for before, after in itertools.pairwise(grid.s))
    assert all(after > before for before, after in itertools.pairwise(grid.a))
    for t, a, s in zip(grid.timesteps, grid.a, grid.s, strict=False):
        there_a, there_s = schedule.at(t)
        assert abs(a - there_a) <= ALLOWED * there_a and abs(s - there_s) <= ALLOWED * there_s


@pytest.mark.parametrize("name", GRIDS.names())
def test_the_most_steps_it_takes_are_one_for_each_time(name: str) -> None:
    schedule = SCHEDULE if isinstance(SCHEDULE, GRIDS.get(name).schedule_type) else FLOW
    assert len(make_grid(name, schedule, most_steps(name))) == most_steps(name)


@pytest.mark.parametrize("name", GRIDS.names())
def test_every_option_has_a_control(name: str) -> None:
    maker = GRIDS.get(name)
    assert maker.source and (inspect.getdoc(maker) or "").strip()
    for spec in specs(type(maker)):
        assert spec.help and spec.low is not None and spec.high is not None and spec.step, spec.name
        for value in (spec.low, spec.high):
            if name not in ("karras", "exponential", "beta_levels") or not spec.name.startswith("sigma"):
                make_grid(name, SCHEDULE if maker.schedule_type is NoiseSchedule else FLOW, 20, **{spec.name: value})


@pytest.mark.parametrize("name", GRIDS.names())
@pytest.mark.parametrize("n", [0, -1, 1001, 10**9])
def test_impossible_counts_are_refused(name: str, n: int) -> None:
    schedule = SCHEDULE if isinstance(SCHEDULE, GRIDS.get(name).schedule_type) else FLOW
    for count in {n, most_steps(name) + 1}:
        with pytest.raises(BadInput, match=rf"takes 1..{most_steps(name)} steps, not {count}\."):
            make_grid(name, schedule, count)


def test_grids_refuse_models_of_the_other_kind() -> None:
    for name, maker in GRIDS.items():
        other = FLOW if maker.schedule_type is NoiseSchedule else SCHEDULE
        with pytest.raises(BadInput, match="This grid is for"):
            make_grid(name, other, 20)


def test_unknown_grids_and_options_are_refused() -> None:
    with pytest.raises(NotFound, match="There is no grid named 'karas', did you mean 'karras'"):
        make_grid("karas", SCHEDULE, 20)
    with pytest.raises(BadInput, match="The grid karras has no field 'roh'; did you mean 'rho'"):
        make_grid("karras", SCHEDULE, 20, roh=7)
    with pytest.raises(BadInput, match="In the grid flow, shift must be a number from 0.1 to 20, not 0"):
        make_grid("flow", FLOW, 20, shift=0)


def test_options_that_leave_no_room_are_refused() -> None:
    with pytest.raises(BadInput, match="some of the 50 steps of the grid fall on one time"):
        make_grid("karras", SCHEDULE, 50, sigma_min=1, sigma_max=1 + 1e-14)


def test_a_grid_by_name_is_the_one_by_hand() -> None:
    assert make_grid("trailing", SCHEDULE, 20) == trailing(SCHEDULE, 20) == GRIDS.get("trailing")(SCHEDULE, 20)


def test_half_log_snr_is_infinite_at_the_ends() -> None:
    grid = Grid((1.0, 0.5), (0.0, 0.6, 1.0), (1.0, 0.8, 0.0))
    assert grid.lam(0) == -math.inf
    assert grid.lam(1) == pytest.approx(math.log(0.75))
    assert grid.lam(2) == math.inf


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
