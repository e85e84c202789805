"""The weights of the two parts do what they say, for every reference and every size of block."""

import itertools

import pytest
import torch
from torch import Tensor

from studio.guidance.cfg import ClassifierFreeGuidance
from studio.guidance.projection import ProjectionGuidance
from studio.guidance.vectors import dot
from tests.guidance.stepping import guide, random

REFERENCES = ("cond", "uncond", "latent", "texture")
SIZES = ((3, 4, 5, 6), (2, 4, 16, 16), (1, 16, 9, 7), (2, 3, 1, 1))
each = pytest.mark.parametrize(
    ("reference", "blocks"), list(itertools.product(REFERENCES, ("sample", "channel", "patch"))), ids=str
)


def guided(c: Tensor, u: Tensor, x: Tensor | None = None, **values: object) -> Tensor:
    return guide(ProjectionGuidance.model_validate({"guidance_scale": 4.0, "patch": 3, **values}), c, u, x).x0


@each
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equal_weights_are_classifier_free_guidance(reference: str, blocks: str, size: tuple[int, ...]) -> None:
    c, u, x = (random(seed, shape=size) for seed in range(3))
    for weight in (0.5, 1.0):
        made = guided(c, u, x, reference=reference, blocks=blocks, parallel=weight, orthogonal=weight)
        torch.testing.assert_close(made, guide(ClassifierFreeGuidance(guidance_scale=1 + 3 * weight), c, u).x0)


@each
def test_linear_in_both_weights(reference: str, blocks: str) -> None:
    c, u, x = random(0), random(1), random(2)
    one, two, both = (
        guided(c, u, x, reference=reference, blocks=blocks, parallel=a, orthogonal=b) - c
        for a, b in ((1, 0), (0, 1), (0.3, 1.7))
    )
    torch.testing.assert_close(both, 0.3 * one + 1.7 * two)


def test_orthogonal_only_is_orthogonal_to_the_reference() -> None:
    c, u, x = random(0), random(1), random(2)
    references = {"cond": c, "uncond": u, "latent": x, "texture": c - c.mean((2, 3), keepdim=True)}
    for name, reference in references.items():
        step = guided(c, u, x, reference=name, parallel=0.0) - c
        assert dot(step, reference).abs().max() < 1e-10 and step.abs().max() > 0.1
        along = guided(c, u, x, reference=name, parallel=1.0, orthogonal=0.0) - c
        assert dot(along, reference).abs().min() > 1e-3


def test_blocks_are_split_each_for_itself() -> None:
    c, u = random(0), random(1)
    step = guided(c, u, parallel=0.0, blocks="channel") - c
    assert (step * c).sum((2, 3)).abs().max() < 1e-10
    step = guided(c, u, parallel=0.0, blocks="patch") - c
    for top, left in itertools.product((0, 3), (0, 3)):  # 3x3 patches of a 5x6 latent, the lower ones cut off
        here = (..., slice(top, top + 3), slice(left, left + 3))
        assert (step[here] * c[here]).sum((1, 2, 3)).abs().max() < 1e-10


def test_one_patch_over_all_is_the_whole_sample() -> None:
    c, u = random(0), random(1)
    torch.testing.assert_close(guided(c, u, blocks="patch", patch=64), guided(c, u))
    assert not torch.allclose(guided(c, u, blocks="patch", patch=1), guided(c, u))
