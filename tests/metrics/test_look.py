"""The look of pictures: shares that sum to 1, drifts of known size, and when somebody should look."""

from __future__ import annotations

import pytest
import torch

from studio.metrics.look import ALARM, Drift, alarm, colour_shares, drifts, floor, moved, octave_shares, shift
from tests.tolerance import rounding


def noise(n: int, seed: int = 0, side: int = 16) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_shares_are_of_pixels_and_of_variance() -> None:
    close = rounding(torch.float64, 1000)
    for profile, columns in ((colour_shares, 512), (octave_shares, 5)):
        shares = profile(noise(3))
        assert shares.shape == (3, columns) and shares.min() >= -close
        torch.testing.assert_close(shares.sum(1), torch.ones(3, dtype=torch.float64), rtol=0, atol=close)
    black_and_white = torch.zeros(1, 3, 4, 4)
    black_and_white[..., :1] = 1.0
    assert colour_shares(black_and_white)[0, [0, 511]].tolist() == [0.75, 0.25]
    with pytest.raises(ValueError, match=r"\[B, 3, H, W\]"):
        colour_shares(noise(1)[0])


def test_each_octave_has_what_its_scale_has() -> None:
    finest, coarsest = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    finest[..., ::2] = 1.0  # stripes of a pixel
    coarsest[..., 4:] = 1.0  # two halves
    close = rounding(torch.float32, 64)
    assert octave_shares(finest)[0].tolist() == pytest.approx([1, 0, 0, 0], abs=close)
    assert octave_shares(coarsest)[0].tolist() == pytest.approx([0, 0, 1, 0], abs=close)
    assert octave_shares(torch.full((1, 3, 8, 8), 0.5))[0].tolist() == pytest.approx([0] * 4, abs=close)
    assert octave_shares(noise(1, side=12)).shape == (1, 3), "12, 6 and 3 pixels: what is left counts as one"


def test_drift_is_the_share_that_moved() -> None:
    dark, bright = torch.full((4, 3, 8, 8), 0.1), torch.full((4, 3, 8, 8), 0.9)
    assert (
        moved(colour_shares(dark), colour_shares(bright)) == 1 and moved(colour_shares(dark), colour_shares(dark)) == 0
    )
    half = torch.cat([dark, bright])
    assert moved(colour_shares(half), colour_shares(dark)) == 0.5
    by_aspect = {drift.aspect: drift for drift in drifts(bright, dark)}
    assert by_aspect["colour"] == Drift("colour", 1.0, 0.0) and by_aspect["colour"].is_alarming


def test_chance_is_no_alarm() -> None:
    pictures = noise(64)
    by_chance = {drift.aspect: drift for drift in drifts(pictures[:32], pictures[32:])}
    assert all(not drift.is_alarming and drift.value > 0 for drift in by_chance.values())
    shares = colour_shares(pictures)
    assert floor(shares) == floor(shares) > floor(shares.mean(0, keepdim=True).expand(64, -1)) == 0
    assert not Drift("colour", ALARM, 0.0).is_alarming and not Drift("colour", 0.5, 0.6).is_alarming
    with pytest.raises(ValueError, match="no halves"):
        floor(shares[:1])


def test_the_alarm_says_what_to_look_at() -> None:
    calm, loud = Drift("texture", 0.1, 0.02), Drift("colour", 0.31, 0.06)
    assert alarm([calm]) == "" == alarm([])
    assert alarm([loud, calm]) == (
        "Look at the pictures: 31% of the pixels' colours (6% by chance) are others than the base's."
    )
    assert " and 40% of the scales of their texture (2% by chance)" in alarm([loud, Drift("texture", 0.4, 0.02)])


def test_a_shift_is_in_spreads_of_the_base() -> None:
    base = torch.tensor([0.1, 0.3, 0.5, 0.7], dtype=torch.float64)
    spread = float(base.std(correction=0))
    mean, low, high = shift(base + 2 * spread, base)
    assert (mean, low, high) == pytest.approx((2, 2, 2))
    with pytest.raises(ValueError, match="no spread"):
        shift(base, torch.ones(4))
