"""Ways that the student walks: their places, their steps, and what they ask for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from studio.diffusion.grid import make_grid
from studio.diffusion.predictions import UNCONDITIONAL, Need, Prediction
from studio.diffusion.schedule import NoiseSchedule
from studio.training.lora.plan import PoolPlan
from studio.training.lora.pool import Pool, guided_x0, way_needs
from tests.tolerance import rounding

SCHEDULE = NoiseSchedule.from_config("scaled_linear", 0.00085, 0.012, 1000)
GRID = make_grid("leading", SCHEDULE, 6)
SHAPE = (2, 4, 4)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pool(batch: int = 3) -> Pool:
    return Pool(GRID, 5, batch, SHAPE, seeded(1))


def test_ways_are_spread_over_their_length() -> None:
    assert pool(3).stagger.tolist() == [0, 2, 4] and pool(6).stagger.tolist() == [0, 1, 2, 3, 4, 5]
    assert pool(8).stagger.max() < len(GRID)


def test_a_step_is_ddim_s_and_only_those_chosen_take_it() -> None:
    ways = pool()
    start, data = ways.x.clone(), torch.randn(3, *SHAPE, generator=seeded(2))
    ways.advance(data, seeded(3), torch.tensor([True, False, True]))
    assert ways.at.tolist() == [1, 0, 1] and torch.equal(ways.x[1], start[1])
    for way in (0, 2):
        eps = (start[way] - GRID.a[0] * data[way]) / GRID.s[0]
        expected = GRID.a[1] * data[way] + GRID.s[1] * eps
        torch.testing.assert_close(ways.x[way], expected, rtol=0, atol=rounding(torch.float32, 16, 8))
    assert ways.states().t.tolist() == [GRID.timesteps[1], GRID.timesteps[0], GRID.timesteps[1]]


def test_a_way_that_knows_its_data_ends_there_and_another_begins() -> None:
    ways, data = pool(), torch.randn(3, *SHAPE, generator=seeded(2))
    for step in range(len(GRID)):
        assert ways.at.tolist() == [step] * 3
        ways.advance(data, seeded(10 + step))
    assert ways.at.tolist() == [0] * 3 and not torch.isclose(ways.x, data).any(dim=0).all()
    fresh = seeded(10 + len(GRID) - 1)
    for way in range(3):
        assert ways.rows[way] == torch.randint(5, (), generator=fresh)
        assert torch.equal(ways.x[way], torch.randn(SHAPE, generator=fresh))


def test_what_was_kept_goes_on_to_the_same_places() -> None:
    ways, data = pool(), torch.randn(3, *SHAPE, generator=seeded(2))
    for step in range(4):
        ways.advance(data, seeded(step))
    other = Pool(GRID, 5, 3, SHAPE, seeded(99))
    other.load(ways.state())
    for step in range(5):  # over the end of a way
        ways.advance(data, seeded(step))
        other.advance(data, seeded(step))
    assert all(torch.equal(ways.state()[name], other.state()[name]) for name in ways.state())
    kept = ways.state()
    ways.advance(data, seeded(0))
    assert not torch.equal(kept["x"], ways.state()["x"])  # a copy, which later steps leave alone


def test_only_what_the_loss_does_not_ask_for_is_asked_besides() -> None:
    plan, concept = PoolPlan(condition="concept"), Need("c", "student", "concept")
    assert way_needs(None, [concept]) == ()
    assert [need.condition for need in way_needs(plan, [concept])] == [UNCONDITIONAL]
    assert way_needs(plan, [concept, Need("n", "student", UNCONDITIONAL)]) == ()
    assert [need.condition for need in way_needs(plan, [Need("c", "frozen", "concept")])] == ["concept", UNCONDITIONAL]
    unguided = PoolPlan(condition="concept", guidance_scale=1)
    assert way_needs(unguided, [concept]) == ()


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_guidance_is_that_of_pictures(scale: float) -> None:
    x, conditional, null = (torch.randn(3, *SHAPE, generator=seeded(seed)) for seed in range(3))
    a, s = torch.full((3, 1, 1, 1), 0.6), torch.full((3, 1, 1, 1), 0.8)

    def made(eps: Tensor) -> Prediction:
        return Prediction("epsilon", eps.clone().requires_grad_(), x, a, s)

    data = guided_x0(
        PoolPlan(condition="concept", guidance_scale=scale),
        "epsilon",
        {("concept", 1.0): made(conditional), (UNCONDITIONAL, 1.0): made(null)},
    )
    expected = (x - 0.8 * (null + scale * (conditional - null))) / 0.6
    torch.testing.assert_close(data, expected, rtol=0, atol=rounding(torch.float32, 32, 8))
    assert not data.requires_grad
