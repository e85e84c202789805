"""Diversity of pictures: known values, and what must not matter."""

from __future__ import annotations

import math

import pytest
import torch

from studio.metrics.diversity import (
    KERNELS,
    cosine,
    dissimilarity,
    palette_spread,
    pvs,
    rbf,
    variety,
    vendi,
    vendi_of,
)
from studio.metrics.saturation import brightness, contrast, saturation
from tests.tolerance import rounding


def noise(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel", KERNELS)
def test_alike_they_are_one_and_with_nothing_in_common_as_many_as_there_are(kernel: str) -> None:
    close = rounding(torch.float64, 100, 5)
    same = torch.ones(5, 7)
    assert vendi_of(same, kernel) == pytest.approx(1, abs=close)
    apart = 1e3 * torch.eye(5, 7)  # orthogonal, and far from each other
    assert vendi_of(apart, kernel) == pytest.approx(5, abs=close)
    assert vendi_of(torch.cat([apart, apart]), kernel) == pytest.approx(5, abs=2 * close), "each twice counts once"


def test_the_vendi_score_is_its_formula() -> None:
    """Of two pictures that are alike by c the eigenvalues are (1 + c) / 2 and (1 - c) / 2."""
    c = 0.6
    shares = ((1 + c) / 2, (1 - c) / 2)
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    close = rounding(torch.float64, 100, 2)
    assert vendi(torch.tensor([[1, c], [c, 1]], dtype=torch.float64)) == pytest.approx(expected, abs=close)
    angle = torch.tensor([[1.0, 0.0], [c, 0.8]], dtype=torch.float64)
    assert vendi_of(angle) == pytest.approx(expected, abs=close) and vendi_of(7 * angle) == pytest.approx(expected)
    assert float(rbf(angle)[0, 1]) == pytest.approx(math.exp(-(0.4**2 + 0.8**2) / 4), abs=close)
    assert torch.equal(cosine(torch.tensor([[0.0, 0.0], [1.0, 1.0]])), torch.eye(2, dtype=torch.float64))


def test_the_order_of_pictures_does_not_matter() -> None:
    features = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    shuffled = features[torch.randperm(9, generator=torch.Generator().manual_seed(2))]
    for kernel in KERNELS:
        assert vendi_of(features, kernel) == pytest.approx(
            vendi_of(shuffled, kernel), abs=rounding(torch.float64, 1000, 9)
        )


def test_variety_is_of_what_is_read() -> None:
    assert variety(["neon"] * 6) == pytest.approx(1)
    assert variety(["neon", "flat", "sketch", "neon", "flat", "sketch"]) == pytest.approx(3)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert variety(["neon", "neon", "flat", "neon"]) == pytest.approx(math.exp(entropy))


def test_dissimilarity_of_known_features() -> None:
    same, across = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 0.5])
    prompts = torch.stack([torch.stack([same, same]), torch.stack([same, across]), torch.stack([same, -same])])
    assert dissimilarity(prompts).tolist() == pytest.approx([0, 1, 2])
    # Of three seeds, one pair alike and two across: (0 + 1 + 1) / 3.
    assert dissimilarity(torch.stack([same, same, across])[None]).tolist() == pytest.approx([2 / 3])


def test_palettes_spread_by_saturation_brightness_and_contrast() -> None:
    assert pvs(noise(1).expand(4, -1, -1, -1)) == pytest.approx(0, abs=rounding(torch.float32, 10))
    red, grey = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)
    red[:, 0] = 1.0
    # S: 1 and 0; V: 1 and 1/2; both pictures are of one grey.
    assert pvs(torch.cat([red, grey])) == pytest.approx(0.5 + 0.25, abs=rounding(torch.float32, 10))
    pictures = noise(6)
    spread = palette_spread(saturation(pictures), brightness(pictures), contrast(pictures))
    assert pvs(pictures.flip(0)) == pytest.approx(spread, abs=rounding(torch.float64, 10)) and spread > 0


@pytest.mark.parametrize("matrix", [torch.ones(2, 3), torch.zeros(0, 0), torch.tensor([[1.0, 0.2], [0.4, 1.0]])])
def test_what_is_no_similarity_is_refused(matrix: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="alike|as like"):
        vendi(matrix)
    with pytest.raises(ValueError, match="no 'dot'"):
        vendi_of(torch.ones(2, 2), "dot")
    with pytest.raises(ValueError, match=r"\[n, d\]"):
        vendi_of(torch.ones(2))
