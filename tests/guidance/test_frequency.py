"""The pyramid gives back what went in, at every size, and each band follows its own scale."""

import pytest
import torch

from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.frequency import FrequencyDecoupledGuidance
from studio.guidance.pyramid import join, split
from tests.guidance.stepping import Step, by_condition, guide, random

SIZES = [(2, 4, 8, 8), (1, 4, 12, 12), (1, 16, 18, 14), (2, 3, 9, 7), (1, 4, 64, 48), (1, 1, 3, 5), (1, 1, 1, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_bands_come_back_together(size: tuple[int, ...], levels: int) -> None:
    x = random(0, shape=size)
    bands = split(x, levels)
    assert 1 <= len(bands) <= levels and (min(size[2:]) < 8 or len(bands) >= min(levels, 2))
    torch.testing.assert_close(join(bands), x, rtol=0, atol=1e-14)


def test_a_level_picture_is_in_the_coarsest_band() -> None:
    bands = split(torch.full((1, 1, 16, 16), 3.0, dtype=torch.float64), 3)
    assert all(band.abs().max() < 1e-14 for band in bands[:-1]) and (bands[-1] - 3).abs().max() < 1e-14


def test_a_checkered_picture_is_in_the_finest_band() -> None:
    x = torch.arange(16)
    bands = split(((x[:, None] + x) % 2 * 2.0 - 1).to(torch.float64)[None, None], 3)
    assert bands[0].square().mean() > 0.9 and bands[-1].square().mean() < 0.05


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equal_scales_are_cfg(size: tuple[int, ...]) -> None:
    c, u = random(0, shape=size), random(1, shape=size)
    expected = guide(ClassifierFreeGuidance(guidance_scale=3.0), c, u).x0
    for levels in (1, 2, 4):
        made = guide(FrequencyDecoupledGuidance(low_scale=3.0, high_scale=3.0, levels=levels), c, u).x0
        torch.testing.assert_close(made, expected)
    one = guide(FrequencyDecoupledGuidance(low_scale=3.0, high_scale=9.0, levels=1), c, u).x0
    torch.testing.assert_close(one, expected)


def test_a_band_of_scale_one_is_that_of_the_conditional() -> None:
    c, u = random(0, shape=(1, 4, 16, 16)), random(1, shape=(1, 4, 16, 16))
    fine = guide(FrequencyDecoupledGuidance(low_scale=1.0, high_scale=5.0), c, u).x0 - c
    coarse = guide(FrequencyDecoupledGuidance(low_scale=5.0, high_scale=1.0), c, u).x0 - c
    difference = split(c - u, 2)
    torch.testing.assert_close(fine, 4 * difference[0])
    torch.testing.assert_close(coarse, 4 * join([torch.zeros_like(difference[0]), difference[1]]))


def test_bands_between_have_scales_between() -> None:
    """Evenly: of three bands the middle one has the mean of both scales."""
    c, u = random(0, shape=(1, 4, 16, 16)), random(1, shape=(1, 4, 16, 16))
    made = guide(FrequencyDecoupledGuidance(low_scale=3.0, high_scale=9.0, levels=3), c, u).x0
    bands = zip((9, 6, 3), split(c, 3), split(u, 3), strict=True)
    torch.testing.assert_close(made, join([own + w * (band - own) for w, band, own in bands]))


def test_the_same_in_every_space_while_nothing_is_projected() -> None:
    x, table = random(2), {"pos": random(0), "empty": random(1)}
    made = [Step(by_condition(table), x, kind).run(FrequencyDecoupledGuidance()).x0 for kind in ("epsilon", "flow")]
    torch.testing.assert_close(made[0], made[1])


def test_without_the_parallel_part_each_band_moves_across_its_own() -> None:
    c, u = random(0, shape=(2, 4, 16, 16)), random(1, shape=(2, 4, 16, 16))
    method = FrequencyDecoupledGuidance(low_scale=1.0, high_scale=2.0, parallel=0.0)
    moved = guide(method, c, u).x0 - guide(method.model_copy(update={"high_scale": 1.0}), c, u).x0
    finest = split(c, 2)[0]
    assert (moved * finest).sum((1, 2, 3)).abs().max() < 1e-9 and moved.abs().max() > 0.1
