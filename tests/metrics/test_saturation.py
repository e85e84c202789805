"""Tone of pictures: known values, and what every measure must not depend on."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from studio.metrics.saturation import (
    MEASURES,
    brightness,
    clipped,
    clipped_high,
    clipped_low,
    colourfulness,
    contrast,
    measure_all,
    overexposed,
    saturation,
)

Measure = Callable[[Tensor], Tensor]


def plain(red: float, green: float, blue: float, size: int = 8) -> Tensor:
    return torch.tensor([red, green, blue], dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, size, size)


def noise(n: int = 4, size: int = 16) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
def test_each_picture_is_measured_alone(measure: Measure) -> None:
    pictures = noise()
    assert torch.allclose(measure(pictures), torch.cat([measure(p[None]) for p in pictures]))
    assert torch.allclose(measure(pictures.flip(0)), measure(pictures).flip(0))


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
def test_inputs_are_checked_and_left_alone(measure: Measure) -> None:
    pictures = noise()
    before = pictures.clone()
    out = measure(pictures)
    assert out.shape == (4,) and out.dtype == torch.float32 and torch.equal(pictures, before)
    with pytest.raises(ValueError, match=r"\[B, 3, H, W\]"):
        measure(pictures[0])
    with pytest.raises(ValueError, match="uint8"):
        measure(pictures.to(torch.uint8))


@pytest.mark.parametrize("name", ["saturation", "brightness", "contrast", "colourfulness"])
def test_rounding_to_uint8_hardly_matters(name: str) -> None:
    pictures = noise() * 0.8 + 0.1
    rounded = (pictures * 255).round() / 255
    assert float((MEASURES[name](rounded) - MEASURES[name](pictures)).abs().max()) < 0.004


def test_saturation_and_brightness_are_those_of_hsv() -> None:
    picture = noise(1, 5)
    pixels = [colorsys.rgb_to_hsv(*rgb) for rgb in picture[0].flatten(1).T.tolist()]
    assert float(saturation(picture)) == pytest.approx(sum(p[1] for p in pixels) / 25, abs=1e-5)
    assert float(brightness(picture)) == pytest.approx(sum(p[2] for p in pixels) / 25, abs=1e-5)


def test_saturation_of_greys_and_pure_colours() -> None:
    assert float(saturation(plain(0, 0, 0))) == 0
    assert float(saturation(plain(0.4, 0.4, 0.4))) == 0
    assert float(saturation(plain(0.6, 0, 0))) == pytest.approx(1)


def test_contrast_ignores_a_constant_and_knows_its_limit() -> None:
    picture = noise() * 0.5
    assert torch.allclose(contrast(picture), contrast(picture + 0.3), atol=1e-6)
    halves = torch.zeros(1, 3, 4, 4)
    halves[..., :2] = 1
    assert float(contrast(halves)) == pytest.approx(0.5)


def test_clipping_counts_pixels_at_the_ends_only() -> None:
    picture = torch.full((1, 3, 2, 2), 0.5)
    picture[0, :, 0, 0] = torch.tensor([254, 3, 80]) / 255  # high: one channel is enough
    picture[0, :, 0, 1] = torch.tensor([1, 1, 0]) / 255  # low: all of them
    picture[0, :, 1, 0] = torch.tensor([253, 2, 2]) / 255  # neither
    assert [float(f(picture)) for f in (clipped_high, clipped_low, clipped)] == [0.25, 0.25, 0.5]


def test_overexposed_is_about_grey() -> None:
    assert float(overexposed(plain(1, 1, 0))) == 0  # yellow is bright, and not over-exposed
    assert float(overexposed(plain(0.99, 0.99, 0.99))) == 1


def test_colourfulness_is_zero_for_grey_and_known_for_red() -> None:
    assert float(colourfulness(plain(0.3, 0.3, 0.3))) == pytest.approx(0, abs=1e-6)
    assert float(colourfulness(plain(1, 0, 0))) == pytest.approx(0.3 * (1 + 0.25) ** 0.5)


def test_more_guidance_like_pushing_apart_raises_what_it_should() -> None:
    picture = noise() * 0.4 + 0.3
    pushed = (0.5 + 4 * (picture - 0.5)).clamp(0, 1)
    before, after = measure_all(picture), measure_all(pushed)
    for name in ("saturation", "contrast", "clipped", "colourfulness"):
        assert bool((after[name] > before[name]).all()), name
