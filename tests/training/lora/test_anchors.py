"""Encodings at random in a prompt's place: their norm, what is taken, and that they depend on the generator alone."""

from __future__ import annotations

import pytest
import torch

from studio.models.conditioning import Conditioning
from studio.training.lora.anchors import HIGH, LOW, anchor_for, anchors_for, is_taken


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_anchor_is_about_as_long_as_the_prompt_and_points_elsewhere() -> None:
    encoding = torch.randn(12, 16, generator=seeded(1)) * 5
    cosines: list[float] = []
    for seed in range(40):
        anchor = anchor_for(encoding, seeded(seed))
        assert anchor.shape == encoding.shape and anchor.dtype == encoding.dtype
        assert LOW - 1e-5 <= float(anchor.norm() / encoding.norm()) <= HIGH + 1e-5
        cosines.append(float(torch.cosine_similarity(anchor.flatten(), encoding.flatten(), dim=0)))
    assert max(abs(cosine) for cosine in cosines) < 0.4  # of 192 dimensions, five standard deviations
    assert torch.equal(anchor_for(encoding, seeded(3)), anchor_for(encoding, seeded(3)))


@pytest.mark.parametrize(("cosine", "share"), [(1.0, 0.0), (0.75, 0.25), (0.0, 1.0), (-1.0, 1.0)])
def test_the_more_a_direction_is_the_prompt_s_the_seldomer_it_is_taken(cosine: float, share: float) -> None:
    chances = [number / 1000 for number in range(1000)]
    assert sum(is_taken(cosine, chance) for chance in chances) / 1000 == pytest.approx(share, abs=0.001)


def test_in_one_dimension_it_points_the_other_way() -> None:
    """There a direction is the prompt's or its opposite, and its own is never taken."""
    assert all(float(anchor_for(torch.tensor([2.0]), seeded(seed))) < 0 for seed in range(20))


def test_every_row_has_its_own_and_sizes_are_left_alone() -> None:
    tokens, pooled = torch.randn(3, 5, 4, generator=seeded(2)), torch.randn(3, 4, generator=seeded(3))
    sizes = torch.full((3, 6), 64.0)
    tokens[2] = 0  # what some models take for no prompt
    anchors = anchors_for(Conditioning(tokens, {"pooled": pooled, "time_ids": sizes}), seeded(4))
    assert not torch.equal(anchors.tokens[0], anchors.tokens[1]) and not anchors.tokens[2].any()
    assert not torch.equal(anchors.extras["pooled"], pooled) and torch.equal(anchors.extras["time_ids"], sizes)
