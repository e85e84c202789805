"""Rows whose cross-attention is guided, in one forward with plain ones: true to the equations, without trace."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.batcher import Batcher
from studio.engine.conditions import Conditions
from studio.engine.order import plain_orders
from studio.engine.perturb import AttentionRow, CrossAttentionGuider
from studio.engine.resident import encoder_of, room_of
from studio.engine.sampler import sample_latents
from studio.engine.trajectory import Trajectory
from studio.guidance.attention import AttentionGuidance
from studio.models.bundle import Conditioning
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.engine.perturb.test_rows import state_of
from tests.tiny_model import SIZE_PX
from tests.tolerance import rounding

SIZE = (8, 6)
NETWORK = rounding(torch.float32, 10, 2)  # of the tiny network's outputs, whatever else is in the batch
PROMPTS = ("a red star", "blue", "a square", "", "a blue star", "red")
STRONG = AttentionGuidance("neg/0", 6.0, 2.5, 1.0)


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


@pytest.fixture
def guider(bundle: EmbeddedModel) -> CrossAttentionGuider:
    return CrossAttentionGuider(bundle.unet, "tiny")


@pytest.fixture(scope="module")
def rows(bundle: EmbeddedModel) -> list[AttentionRow | None]:
    """Plain ones, and ones of other strengths, other negatives, several of them, and one of another length."""
    one, other = bundle.encode_one("blue"), bundle.encode_one("a white square")
    long = Conditioning(torch.cat([one.tokens, other.tokens], 1))
    weak = AttentionGuidance("neg", 3.0, 1.5, 0.5)
    return [
        None,
        AttentionRow(STRONG, ((1.0, other),)),
        AttentionRow(weak, ((1.0, one),)),
        None,
        AttentionRow(weak, ((0.25, one), (0.75, other))),
        AttentionRow(STRONG, ((1.0, long),)),
    ]


@torch.inference_mode()
def forward(bundle: EmbeddedModel, places: Sequence[int]) -> Tensor:
    """Rows of a batch of six: each its own noise, time and prompt."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 3, *SIZE, generator=generator)[list(places)]
    t = torch.tensor([900.0, 700, 500, 300, 100, 20])[list(places)]
    return bundle.predict(x, t, bundle.encode([PROMPTS[place] for place in places]))


def test_plain_rows_of_a_mixed_batch_are_what_they_were_bit_for_bit(
    bundle: EmbeddedModel, guider: CrossAttentionGuider, rows: list[AttentionRow | None]
) -> None:
    plain = forward(bundle, range(6))
    with guider.applied(rows):
        mixed = forward(bundle, range(6))
    for i, row in enumerate(rows):
        if row is None:
            assert torch.equal(mixed[i], plain[i])
        else:
            assert (mixed[i] - plain[i]).abs().max() > 1e-3


def test_guided_rows_of_a_mixed_batch_are_what_each_is_alone(
    bundle: EmbeddedModel, guider: CrossAttentionGuider, rows: list[AttentionRow | None]
) -> None:
    with guider.applied(rows):
        mixed = forward(bundle, range(6))
    for i, row in enumerate(rows):
        with guider.applied([row]):
            torch.testing.assert_close(mixed[i : i + 1], forward(bundle, [i]), rtol=0, atol=NETWORK)


def test_the_layer_as_its_equations_say_in_double_precision(bundle: EmbeddedModel) -> None:
    """All of one cross-attention by hand: two attentions of one query, what is made of them, and the projection."""
    unet: Any = copy.deepcopy(bundle.unet).double()
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn2
    prompt, *negatives = (
        Conditioning(bundle.encode_one(text).tokens.double()) for text in ("a red star", "blue", "a white square")
    )
    away_from = tuple(zip((0.25, 0.75), negatives, strict=True))
    seen: list[Any] = []
    hook = layer.register_forward_hook(lambda module, inputs, named, out: seen.append((inputs, out)), with_kwargs=True)
    x = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)).double()
    try:
        with torch.inference_mode(), CrossAttentionGuider(unet, "tiny").applied([AttentionRow(STRONG, away_from)]):
            unet(x, torch.tensor([500.0]), encoder_hidden_states=prompt.tokens)
    finally:
        hook.remove()
    ((hidden,), out) = seen[0]

    def attended(tokens: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(2, (layer.heads, -1)).transpose(1, 2)
            for part in (layer.to_q(hidden), layer.to_k(tokens), layer.to_v(tokens))
        )
        return ((q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ v).transpose(1, 2).flatten(2)

    plus, minus = attended(prompt.tokens), sum(weight * attended(cond.tokens) for weight, cond in away_from)
    away = plus + 5 * (plus - minus)
    r = away.abs().sum(-1, keepdim=True) / plus.abs().sum(-1, keepdim=True)
    expected = layer.to_out[0](away * r.clamp(max=2.5) / r)
    assert (r > 2.5).any() and (r < 2.5).any()
    tolerance = rounding(torch.float64, 100, 10)
    torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("off", [AttentionGuidance("neg", 1.0, 2.5, 1.0), AttentionGuidance("neg", 6.0, 2.5, 0.0)])
def test_off_it_is_the_plain_row_bit_for_bit(
    bundle: EmbeddedModel, guider: CrossAttentionGuider, off: AttentionGuidance
) -> None:
    plain = forward(bundle, range(2))
    with guider.applied([AttentionRow(off, ((1.0, bundle.encode_one("blue")),)), None]):
        assert torch.equal(forward(bundle, range(2)), plain)


def test_half_precision_gives_nearly_the_same(tiny_model: Path, rows: list[AttentionRow | None]) -> None:
    """Of every row what single precision gives, to the rounding of the network's type; and of that type."""
    made: list[Tensor] = []
    for dtype in (torch.float32, torch.bfloat16):
        other = load_stencil(tiny_model, dtype=dtype)
        typed = [
            row and AttentionRow(row.guidance, tuple((w, Conditioning(cond.tokens.to(dtype))) for w, cond in row.away))
            for row in rows
        ]
        with CrossAttentionGuider(other.unet, "tiny").applied(typed):
            made.append(forward(other, range(6)))
    assert made[1].dtype == torch.bfloat16
    torch.testing.assert_close(made[1].float(), made[0], rtol=0, atol=rounding(torch.bfloat16, 1, 2))


def test_away_from_the_prompt_itself_nothing_moves(bundle: EmbeddedModel, guider: CrossAttentionGuider) -> None:
    plain = forward(bundle, [0])
    with guider.applied([AttentionRow(STRONG, ((1.0, bundle.encode_one(PROMPTS[0])),))]):
        torch.testing.assert_close(forward(bundle, [0]), plain, rtol=0, atol=6 * NETWORK)


def test_nothing_is_left_behind(
    bundle: EmbeddedModel, guider: CrossAttentionGuider, rows: list[AttentionRow | None]
) -> None:
    before, plain = state_of(bundle.unet), forward(bundle, range(6))
    with guider.applied([None] * 6):
        assert state_of(bundle.unet) == before
    with guider.applied(rows):
        assert state_of(bundle.unet) != before
        forward(bundle, range(6))
    with pytest.raises(ZeroDivisionError), guider.applied(rows):
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="sees 2 rows, and 6 were announced"), guider.applied(rows):
        forward(bundle, range(2))
    assert state_of(bundle.unet) == before
    assert torch.equal(forward(bundle, range(6)), plain)


def test_a_network_that_attends_to_no_prompt_is_refused(rows: list[AttentionRow | None]) -> None:
    guider = CrossAttentionGuider(nn.Sequential(nn.Linear(2, 2)), "bare")
    with pytest.raises(BadInput, match="The model bare has no cross-attention"), guider.applied(rows):
        pass


# -- whole pictures -------------------------------------------------------------------------------------------------

PLAIN = GuidanceSpec(params={"guidance_scale": 1.0})
NAG = GuidanceSpec(method="nag", params={"nag_scale": 6.0, "nag_alpha": 1.0})


def recipe(guidance: GuidanceSpec = NAG, **values: object) -> Recipe:
    size = {"width": SIZE_PX, "height": SIZE_PX, "steps": 4}
    return Recipe.load({"prompt": "a red star", "seed": 7, **size, "guidance": guidance.model_dump(), **values})


def latents(bundle: EmbeddedModel, *recipes: Recipe) -> list[Tensor]:
    made = dict(sample_latents(bundle, plain_orders(recipes)))
    return [made[index] for index in range(len(recipes))]


def rows_run(bundle: EmbeddedModel, one: Recipe) -> int:
    trajectory = Trajectory(0, one, bundle, Conditions.of(one, encoder_of(bundle)))
    batcher = Batcher(bundle, room_of(bundle))
    with torch.inference_mode():
        list(batcher.run([trajectory], lambda report: None, lambda: False))
    assert trajectory.rows == batcher.rows
    return batcher.rows


def test_a_negative_prompt_acts_without_classifier_free_guidance_at_one_row_a_step(bundle: EmbeddedModel) -> None:
    plain, red, blue = (
        latents(bundle, recipe(guidance, negative_prompt=text))[0]
        for guidance, text in ((PLAIN, "blue"), (NAG, "red"), (NAG, "blue"))
    )
    assert (red - blue).abs().max() > 1e-3 and (red - plain).abs().max() > 1e-3
    assert torch.equal(
        plain, latents(bundle, recipe(PLAIN, negative_prompt="red"))[0]
    )  # which plain guidance cannot use
    assert rows_run(bundle, recipe(negative_prompt="blue")) == 4
    assert (
        rows_run(bundle, recipe(NAG.model_copy(update={"params": {"guidance_scale": 3.0}}), negative_prompt="red")) == 8
    )


def test_the_prompt_as_its_own_negative_is_the_plain_picture_bit_for_bit(bundle: EmbeddedModel) -> None:
    own = recipe(negative_prompt="a red star")
    assert torch.equal(latents(bundle, own)[0], latents(bundle, recipe(PLAIN))[0])
    beside = recipe(GuidanceSpec(method="nag", params={"guidance_scale": 3.0}), negative_prompt="a red star")
    assert rows_run(bundle, beside) == 4  # prompt and negative prompt are one row


def test_several_negatives_count_by_weight_and_window(bundle: EmbeddedModel) -> None:
    def made(**values: object) -> Tensor:
        return latents(bundle, recipe(NAG, **values))[0]

    both = made(negative_prompt="blue", more_negatives=[{"prompt": "red", "weight": 3.0}])
    one, other = made(negative_prompt="blue"), made(negative_prompt="red")
    assert min((both - one).abs().max(), (both - other).abs().max()) > 1e-3
    never = made(negative_prompt="blue", more_negatives=[{"prompt": "red", "start": 1.0}])
    torch.testing.assert_close(never, one, rtol=0, atol=10 * NETWORK)
    late = made(more_negatives=[{"prompt": "red", "start": 0.5}])
    empty = made()
    assert (late - empty).abs().max() > 1e-4 and (late - other).abs().max() > 1e-4


def test_other_recipes_of_a_shared_batch_are_left_alone(bundle: EmbeddedModel) -> None:
    """In company of guided rows a plain picture is, to the bit, what it is in company of as many plain ones."""
    plain = [recipe(PLAIN, seed=seed, batching="shared") for seed in (1, 2, 3)]
    guided = [plain[0], recipe(seed=2, negative_prompt="blue", batching="shared"), plain[2]]
    among_plain, among_guided = latents(bundle, *plain), latents(bundle, *guided)
    assert torch.equal(among_plain[0], among_guided[0]) and torch.equal(among_plain[2], among_guided[2])
    assert not torch.equal(among_plain[1], among_guided[1])
