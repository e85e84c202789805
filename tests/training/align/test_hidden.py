"""Hidden states of pictures: one for each, whatever its company, by the base alone."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from studio.alignment.ches import ches
from studio.core.errors import BadInput
from studio.models.bundle import ModelBundle
from studio.models.embedded import load_stencil
from studio.training.align.hidden import ROWS, TIMES, hidden_states
from tests.tiny_model import build_once
from tests.tolerance import rounding


def of(steps: Generator[None, None, torch.Tensor]) -> tuple[torch.Tensor, int]:
    """What came of it, and after how many evaluations."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


def test_states_are_of_each_picture_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    bundle = load_stencil(build_once(tmp_path_factory), require_checksums=False)
    generator = torch.Generator().manual_seed(3)
    side = bundle.default_size_px // bundle.latent_scale_px
    x0 = torch.randn(ROWS + 2, bundle.latent_channels, side, side, generator=generator)
    prompts = [f"a star {number % 3}" for number in range(len(x0))]
    states, evaluations = of(hidden_states(bundle, x0, prompts))
    assert evaluations == 2 * len(TIMES) and states.shape[0] == len(x0) and not states.requires_grad
    alone, _ = of(hidden_states(bundle, x0[-1:], prompts[-1:]))
    close = rounding(torch.float32, 200, float(states.abs().max()))
    torch.testing.assert_close(alone[0], states[-1], rtol=0, atol=close)
    again, _ = of(hidden_states(bundle, x0, prompts))
    assert torch.equal(again, states)
    assert float(ches(states[:1], states[:1])) == 0 != float(ches(states[:1], states[1:2]))
    assert not any(module._forward_hooks for module in bundle.unet.modules()), "nothing is left behind"


def test_a_network_without_a_middle_is_refused() -> None:
    bare = cast(ModelBundle, SimpleNamespace(name="flow", components=lambda: dict[str, Any]()))
    with pytest.raises(BadInput, match="flow has no block in its middle"):
        next(hidden_states(bare, torch.zeros(1, 4, 8, 8), ["a star"]))
