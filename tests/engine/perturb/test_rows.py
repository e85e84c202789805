"""Perturbed rows in one forward with plain ones: equal to separate forwards, true to their equations, without trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from studio.core.errors import BadInput
from studio.engine.perturb import Perturber, blur
from studio.engine.perturb.rows import token_grid
from studio.guidance import Perturbation
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.tolerance import rounding

IDENTITY, SKIP = Perturbation("identity"), Perturbation("skip")
MEAN, SOFT = Perturbation("blur"), Perturbation("blur", ("up_blocks",), 0.8)
MIXED = [None, IDENTITY, MEAN, SOFT, SKIP, Perturbation("identity", ("down_blocks.0", "mid_block"))]
SIZE = (8, 6)


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


@pytest.fixture
def perturber(bundle: EmbeddedModel) -> Perturber:
    return Perturber(bundle.unet, ("mid_block",), "tiny")


@torch.inference_mode()
def forward(bundle: EmbeddedModel, rows: Sequence[int]) -> Tensor:
    """Rows of a batch of six: each its own noise, time and prompt."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 3, *SIZE, generator=generator)[list(rows)]
    t = torch.tensor([900.0, 700, 500, 300, 100, 20])[list(rows)]
    prompts = ["a red star", "blue", "a square", "", "a blue star", "red"]
    return bundle.predict(x, t, bundle.encode([prompts[row] for row in rows]))


def attention(bundle: EmbeddedModel) -> Any:
    return bundle.unet.mid_block.attentions[0].transformer_blocks[0].attn1


def state_of(network: nn.Module) -> list[tuple[object, ...]]:
    """All that could be left behind: hooks, processors, weights by identity."""
    return [
        (
            path,
            *(len(getattr(module, kind)) for kind in ("_forward_hooks", "_forward_pre_hooks")),
            id(getattr(module, "processor", None)),
            *(id(weight) for weight in module.parameters(recurse=False)),
            "forward" in vars(module),
        )
        for path, module in network.named_modules()
    ]


NETWORK = rounding(torch.float32, 10, 2)  # of the tiny network's outputs, whatever else is in the batch


def test_a_mixed_batch_equals_separate_forwards(bundle: EmbeddedModel, perturber: Perturber) -> None:
    with perturber.applied(MIXED, SIZE):
        together = forward(bundle, range(6))
    for row, perturbation in enumerate(MIXED):
        with perturber.applied([perturbation], SIZE):
            alone = forward(bundle, [row])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=NETWORK)


def test_every_perturbation_does_something_and_each_its_own(bundle: EmbeddedModel, perturber: Perturber) -> None:
    outputs: list[Tensor] = []
    for perturbation in MIXED:
        with perturber.applied([perturbation], SIZE):
            outputs.append(forward(bundle, [0]))
    for k, one in enumerate(outputs):
        for other in outputs[:k]:
            assert (one - other).abs().max() > 1e-4


def test_plain_rows_are_left_alone(bundle: EmbeddedModel, perturber: Perturber) -> None:
    with perturber.applied([None, SKIP, None], SIZE):
        among = forward(bundle, range(3))
    torch.testing.assert_close(among[::2], forward(bundle, range(3))[::2], rtol=0, atol=NETWORK)


def test_without_perturbed_rows_nothing_is_installed(bundle: EmbeddedModel, perturber: Perturber) -> None:
    before, plain = state_of(bundle.unet), forward(bundle, range(3))
    with perturber.applied([None] * 3, SIZE):
        assert state_of(bundle.unet) == before
        assert torch.equal(forward(bundle, range(3)), plain)


def test_nothing_is_left_behind(bundle: EmbeddedModel, perturber: Perturber) -> None:
    before, plain = state_of(bundle.unet), forward(bundle, range(6))
    with perturber.applied(MIXED, SIZE):
        assert state_of(bundle.unet) != before
        forward(bundle, range(6))
    assert state_of(bundle.unet) == before
    with pytest.raises(ZeroDivisionError), perturber.applied(MIXED, SIZE):
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="sees 2 rows, and 6 were announced"), perturber.applied(MIXED, SIZE):
        forward(bundle, range(2))
    assert state_of(bundle.unet) == before
    assert torch.equal(forward(bundle, range(6)), plain)


def test_a_layer_that_does_not_exist_installs_nothing(bundle: EmbeddedModel, perturber: Perturber) -> None:
    before = state_of(bundle.unet)
    wrong = Perturbation("identity", ("mid_block", "middle"))
    with pytest.raises(BadInput) as caught, perturber.applied([IDENTITY, wrong], SIZE):
        pass
    assert str(caught.value).startswith(
        "The model tiny has no self-attention at layers 'middle'; it has some at down_blocks.0, up_blocks.1, mid_block."
    )
    assert state_of(bundle.unet) == before
    with pytest.raises(BadInput, match="'down_blocks.1'"):
        perturber.check(Perturbation("skip", ("down_blocks.1",)))  # it exists, and does not attend
    with pytest.raises(BadInput, match="'down_blocks.0.att'"):
        perturber.check(Perturbation("skip", ("down_blocks.0.att",)))  # no path, but the beginning of one


def test_identity_attention_gives_each_token_its_own_value(bundle: EmbeddedModel, perturber: Perturber) -> None:
    layer, seen = attention(bundle), []
    hook = layer.register_forward_hook(lambda module, given, named, out: seen.append((given, out)), with_kwargs=True)
    try:
        with perturber.applied([IDENTITY], SIZE):
            forward(bundle, [0])
    finally:
        hook.remove()
    (given,), out = seen[0]
    torch.testing.assert_close(out, layer.to_out[0](layer.to_v(given)))


@pytest.mark.parametrize(("sigma", "size"), [(math.inf, (4, 3)), (0.8, (4, 3))])
def test_blurred_queries(bundle: EmbeddedModel, perturber: Perturber, sigma: float, size: tuple[int, int]) -> None:
    """The output of the layer is that of attention with blurred queries; the mid block has half the side."""
    layer, seen = attention(bundle), []
    hook = layer.register_forward_hook(lambda module, given, named, out: seen.append((given, out)), with_kwargs=True)
    try:
        with perturber.applied([Perturbation("blur", sigma=sigma)], SIZE):
            forward(bundle, [0])
    finally:
        hook.remove()
    (given,), out = seen[0]
    q, k, v = (part(given).unflatten(2, (layer.heads, -1)).transpose(1, 2) for part in _projections(layer, size, sigma))
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    if sigma == math.inf:  # every token attends alike
        torch.testing.assert_close(weights, weights[:, :, :1].expand_as(weights))
    torch.testing.assert_close(out, layer.to_out[0]((weights @ v).transpose(1, 2).flatten(2)), rtol=1e-4, atol=1e-5)


def _projections(layer: Any, size: tuple[int, int], sigma: float) -> list[Any]:
    return [lambda given: blur(layer.to_q(given), size, sigma), layer.to_k, layer.to_v]


def test_a_skipped_block_gives_its_input(bundle: EmbeddedModel, perturber: Perturber) -> None:
    block: Any = bundle.unet.mid_block.attentions[0].transformer_blocks[0]
    seen: list[tuple[Tensor, Tensor]] = []
    with perturber.applied([SKIP, None], SIZE):
        hook = block.register_forward_hook(lambda module, given, out: seen.append((given[0], out)))
        try:
            forward(bundle, range(2))
        finally:
            hook.remove()
    given, out = seen[0]
    assert torch.equal(given[0], out[0]) and not torch.equal(given[1], out[1])


def test_one_token_attends_to_itself_anyway(bundle: EmbeddedModel, perturber: Perturber) -> None:
    """With a single token identity attention is attention: the tiny model's middle at latents of 2 x 2."""
    x = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    cond, t = bundle.encode(["a red star"]), torch.tensor([500.0])
    with torch.inference_mode():
        plain = bundle.predict(x, t, cond)
        with perturber.applied([IDENTITY], (2, 2)):
            torch.testing.assert_close(bundle.predict(x, t, cond), plain, rtol=0, atol=NETWORK)


def test_a_blur_of_no_width_does_nothing(bundle: EmbeddedModel, perturber: Perturber) -> None:
    with perturber.applied([Perturbation("blur", sigma=0.0)], SIZE):
        perturbed = forward(bundle, [0])
    assert torch.equal(perturbed, forward(bundle, [0]))


@pytest.mark.parametrize(
    ("size", "tokens", "grid"),
    [((16, 16), 256, (16, 16)), ((16, 24), 96, (8, 12)), ((15, 9), 40, (8, 5)), ((15, 9), 12, (4, 3))],
)
def test_grids_of_levels(size: tuple[int, int], tokens: int, grid: tuple[int, int]) -> None:
    assert token_grid(size, tokens) == grid


def test_tokens_of_no_level() -> None:
    with pytest.raises(RuntimeError, match="50 tokens are no level of latents of 16 x 16"):
        token_grid((16, 16), 50)
