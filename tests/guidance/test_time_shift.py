"""The time shift: the time a state looks like, per sample; where nothing shifts; the network alone is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.schedule import FlowSchedule, NoiseSchedule, Schedule
from studio.guidance import Guided, NoisePoint, Pred, Request, StepCtx, run_plan
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.time_shift import TimeShift, network_time
from tests.guidance.stepping import NEXT, Step, by_condition, random

SCHEDULE = NoiseSchedule.from_config("scaled_linear", 0.00085, 0.012, 1000)


def of_variance(*variances: float) -> Tensor:
    """One sample per number, of exactly that variance, [B, 4, 5, 6]."""
    noise = random(0, shape=(len(variances), 4, 5, 6)).flatten(1)
    noise = (noise - noise.mean(1, keepdim=True)) / noise.std(1, keepdim=True)
    return (noise * torch.tensor(variances, dtype=torch.float64).sqrt()[:, None]).unflatten(1, (4, 5, 6))


def variance_at(t: float, of_data: float, schedule: Schedule = SCHEDULE) -> float:
    a, s = schedule.at(t)
    return a * a * of_data + s * s


@pytest.mark.parametrize("schedule", [SCHEDULE, FlowSchedule()])
@pytest.mark.parametrize("of_data", [0.0, 0.2, 3.0])
def test_a_state_of_some_other_time_is_told_that_time(schedule: Schedule, of_data: float) -> None:
    """Each sample its own, up to the end of the window."""
    x = of_variance(*(variance_at(t, of_data, schedule) for t in (600, 607, 589, 700, 500)))
    x0 = of_variance(*[of_data] * 5) if of_data else None
    assert network_time(x, x0, 600.0, schedule, 40).tolist() == [600, 607, 589, 620, 580]


def test_between_times_the_grid_of_candidates_hangs_on_its_own() -> None:
    x = of_variance(variance_at(603.3, 0.0))
    assert network_time(x, None, 600.3, SCHEDULE, 10).tolist() == [pytest.approx(603.3)]


def test_candidates_end_where_the_table_does() -> None:
    assert network_time(of_variance(9.0), None, 995.0, SCHEDULE, 100).tolist() == [999]
    assert network_time(of_variance(9.0), None, 995.0, FlowSchedule(), 100).tolist() == [1000]
    assert network_time(of_variance(0.0), None, 3.0, SCHEDULE, 100).tolist() == [0]


def test_of_equally_near_times_it_stays() -> None:
    """Data as wide as the noise: the variance is 1 at every time, to rounding, and says nothing."""
    flat = NoiseSchedule(torch.full((1000,), 0.5, dtype=torch.float64))
    assert network_time(of_variance(0.7), None, 600.0, flat, 100).tolist() == [600]


def run(
    method: TimeShift, x: Tensor, prev: Tensor | None, t: float = 600.0, schedule: Schedule = SCHEDULE
) -> tuple[Guided, list[Request]]:
    a, s = schedule.at(t)
    asked: list[Request] = []

    def answer(requests: list[Request]) -> dict[str, Pred]:
        asked.extend(requests)
        preds = {"cond": random(1), "uncond": random(2)}
        return {r.name: Pred("sample", preds[r.name], x, NoisePoint(a, s, t)) for r in requests}

    before = None if prev is None else Guided(prev)
    at = NoisePoint(a, s, t)
    ctx = StepCtx(i=3, n=20, at=at, at_next=NEXT, x=x, prev=before, schedule=schedule, diagnose=True)
    return run_plan(method.plan(ctx), answer), asked


def shift(x: Tensor, prev: Tensor | None, t: float = 600.0, **params: Any) -> list[float] | None:
    """What the network is told, less t."""
    guided, asked = run(TimeShift(guidance_scale=3.0, **params), x, prev, t)
    told = [request.t for request in asked]
    assert len(asked) == 2
    if told[0] is None:
        assert told[1] is None and "time_shift" not in guided.diag
        return None
    assert told[1] is told[0], "the rows of a sample share one time"
    assert torch.equal(guided.diag["time_shift"], told[0] - t)
    return guided.diag["time_shift"].tolist()


LATE = of_variance(*(variance_at(t, 0.3) for t in (600, 606, 590)))
DATA = of_variance(0.3, 0.3, 0.3)


def test_the_latent_criterion() -> None:
    assert shift(LATE, DATA) == [0, 6, -10]
    assert shift(LATE, DATA, window=8) == [0, 4, -4]


def test_the_papers_criterion_takes_the_data_for_flat() -> None:
    """There the same states seem later, for all their variance is taken for noise."""
    bare = of_variance(*(variance_at(t, 0.0) for t in (600, 606, 590)))
    assert shift(bare, DATA, criterion="paper") == [0, 6, -10]
    seem = shift(LATE, DATA, criterion="paper", window=200)
    assert seem is not None and all(40 < late - true < 70 for late, true in zip(seem, (0, 6, -10), strict=True))


@pytest.mark.parametrize("t", [300.0, 100.0])
def test_up_to_the_cutoff_nothing_shifts(t: float) -> None:
    assert shift(LATE, DATA, t) is None


def test_just_above_the_cutoff_it_does() -> None:
    assert shift(LATE, DATA, 301.0) is not None
    assert shift(LATE, DATA, 600.0, cutoff=600) is None


def test_the_first_step_and_an_empty_window_shift_nothing() -> None:
    assert shift(LATE, None) is None
    assert shift(LATE, DATA, window=0) is None


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_without_a_window_it_is_cfg(scale: float) -> None:
    table = {"pos": random(1), "empty": random(2)}
    shifted, plain = (
        Step(by_condition(table), random(3), "sample").run(method)
        for method in (TimeShift(guidance_scale=scale, window=0), ClassifierFreeGuidance(guidance_scale=scale))
    )
    torch.testing.assert_close(shifted.x0, plain.x0)


def test_state_and_levels_stay() -> None:
    guided, asked = run(TimeShift(guidance_scale=3.0), LATE, DATA)
    assert guided.x is None and all(request.x is None and request.at is None for request in asked)
    torch.testing.assert_close(guided.x0, random(2) + 3 * (random(1) - random(2)))


def test_window_and_cutoff_are_in_thousandths_of_the_schedule() -> None:
    short = NoiseSchedule(SCHEDULE.alphas_cumprod[::10].clone())  # 100 times
    x = of_variance(*(variance_at(t, 0.3, short) for t in (60, 61, 50)))
    _, asked = run(TimeShift(guidance_scale=3.0, window=40), x, DATA, 60.0, short)
    assert asked[0].t is not None and asked[0].t.tolist() == [60, 61, 58]
    _, asked = run(TimeShift(guidance_scale=3.0), x, DATA, 30.0, short)
    assert asked[0].t is None
