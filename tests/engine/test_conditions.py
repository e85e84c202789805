"""Prompts as recipes write them, and edits, as they reach the network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.core.errors import Cancelled
from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.conditions import Conditions
from studio.engine.edits.format import Dense, Edit
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.order import Order
from studio.engine.resident import encoder_of, room_of
from studio.engine.sampler import Picture, sample
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.tiny_model import SIZE_PX


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


def recipe(prompt: str = "a red star", **values: object) -> Recipe:
    guidance = GuidanceSpec(params={"guidance_scale": 4.0})
    given = {"prompt": prompt, "seed": 7, "width": SIZE_PX, "height": SIZE_PX, "steps": 6, "guidance": guidance}
    return Recipe.load({**given, **values})


def picture(bundle: EmbeddedModel, recipe: Recipe, stack: EditStack = EMPTY) -> Picture:
    return next(made for _, made in sample(bundle, [Order(recipe, stack)]))


def difference(first: Picture, second: Picture) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def conditions(bundle: EmbeddedModel, recipe: Recipe) -> Conditions:
    return Conditions.of(recipe, encoder_of(bundle))


# -- the prompt language --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", ["a1111", "compel", "plain"])
def test_a_plain_prompt_is_the_same_in_every_dialect_bit_for_bit(bundle: EmbeddedModel, syntax: str) -> None:
    ((weight, cond),) = conditions(bundle, recipe(syntax=syntax)).parts("pos", 0)
    assert weight == 1 and torch.equal(cond.tokens, bundle.encode_one("a red star").tokens)


def test_weights_count_and_only_in_their_dialect(bundle: EmbeddedModel) -> None:
    def tokens(prompt: str, syntax: str) -> torch.Tensor:
        return conditions(bundle, recipe(prompt, syntax=syntax)).parts("pos", 0)[0][1].tokens

    plain = bundle.encode_one("a red star").tokens
    assert not torch.allclose(tokens("a (red:1.5) star", "a1111"), plain)
    assert torch.equal(tokens("a (red:1.5) star", "plain"), bundle.encode_one("a (red:1.5) star").tokens)


def test_a_schedule_changes_the_prompt_at_its_step(bundle: EmbeddedModel) -> None:
    found = conditions(bundle, recipe("a [red:blue:0.5] star"))
    early, late = bundle.encode_one("a red star").tokens, bundle.encode_one("a blue star").tokens
    for step in range(6):
        assert torch.equal(found.parts("pos", step)[0][1].tokens, early if step < 3 else late)


def test_prompts_joined_by_and_are_their_weighted_sum_around_the_unconditional(bundle: EmbeddedModel) -> None:
    parts = conditions(bundle, recipe("a red star :0.5 AND a blue square :1.5")).parts("pos", 0)
    assert [weight for weight, _ in parts] == [0.5, 1.5, -1.0]
    assert torch.equal(parts[2][1].tokens, bundle.encode_one("").tokens)


def test_a_prompt_joined_with_itself_is_that_prompt(bundle: EmbeddedModel) -> None:
    twice = recipe("a red star :0.5 AND a red star :0.5")
    assert difference(picture(bundle, twice), picture(bundle, recipe())) <= 1


# -- windows of negatives -------------------------------------------------------------------------------------------


def negative(**window: float) -> dict[str, Any]:
    return {"more_negatives": [{"prompt": "blue", **window}]}


@pytest.mark.parametrize("method", ["cfg", "perp_neg"])
def test_a_window_of_no_step_is_no_negative_and_of_all_steps_no_window(bundle: EmbeddedModel, method: str) -> None:
    spec = GuidanceSpec(method=method, params={"guidance_scale": 4.0})
    plain, always, never, none, early = (
        picture(bundle, recipe(guidance=spec, **values))
        for values in ({}, negative(), negative(start=0.5, stop=0.5), negative(stop=0.1), negative(stop=0.5))
    )
    assert np.array_equal(never, plain) and np.array_equal(none, plain)  # 0.1 of 6 steps is none
    assert np.array_equal(picture(bundle, recipe(guidance=spec, **negative(start=0.0, stop=1.0))), always)
    assert difference(early, plain) > 1 and difference(early, always) > 1


@pytest.mark.parametrize("method", ["cfg", "perp_neg"])
def test_a_window_is_the_schedule_a1111_would_write(bundle: EmbeddedModel, method: str) -> None:
    """Where a lone negative says nothing it is the empty prompt, which a window saves the row of."""
    spec = GuidanceSpec(method=method, params={"guidance_scale": 4.0})
    written = recipe(guidance=spec, negative_prompt="[:[blue::0.7]:0.3]")
    assert (
        difference(picture(bundle, recipe(guidance=spec, **negative(start=0.3, stop=0.7))), picture(bundle, written))
        <= 1
    )


# -- edits ----------------------------------------------------------------------------------------------------------


def dense(bundle: EmbeddedModel, component: str, ending: str, size: float, seed: int = 0) -> Edit:
    generator = torch.Generator().manual_seed(seed)
    module = bundle.components()[component]
    layers = {
        path: Dense(size * torch.randn(layer.weight.shape, generator=generator))
        for path, layer in module.named_modules()
        if path.endswith(ending) and isinstance(layer, torch.nn.Linear)
    }
    return Edit(name=f"{component} {seed}", kind="dense", layers={component: layers})


def test_edits_side_by_side_are_as_each_alone(bundle: EmbeddedModel) -> None:
    """Base and edits of the denoiser and of the text encoder in one company; afterwards the base is the base."""
    base = picture(bundle, recipe())
    first, second = dense(bundle, "unet", "to_v", 0.3), dense(bundle, "unet", "to_k", 0.3, seed=1)
    words = dense(bundle, "text_encoder", "v_proj", 0.3)
    stacks = [
        EMPTY,
        EditStack.of([(first, 1.0)]),
        EditStack.of([(first, 0.5), (second, -1.0)]),
        EditStack.of([(words, 1.0)]),
    ]
    together = dict(sample(bundle, [Order(recipe(batching="shared"), stack) for stack in stacks]))
    for index, stack in enumerate(stacks):
        alone = picture(bundle, recipe(), stack)
        assert difference(together[index], alone) <= 1
        assert index == 0 or difference(alone, base) > 1, "the edit shows"
    assert np.array_equal(picture(bundle, recipe()), base)
    room_of(bundle).use(EMPTY)
    assert room_of(bundle).equals_base()


def test_what_the_engine_keeps_beside_a_model_goes_with_it(tiny_model: Path) -> None:
    import gc
    import weakref

    mine = load_stencil(tiny_model)
    picture(mine, recipe(steps=1), EditStack.of([(dense(mine, "unet", "to_v", 0.1), 1.0)]))
    network = weakref.ref(mine.unet)
    del mine
    gc.collect()
    assert network() is None


# -- how often the text encoder is asked -----------------------------------------------------------------------------


@pytest.fixture
def passes(bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry per pass of the text encoder."""
    made: list[int] = []
    row = bundle.embed
    monkeypatch.setattr(bundle, "embed", lambda ids: (made.append(1), row(ids))[1])
    return made


ALTERNATING = "w0 [" + "|".join(f"x{n}" for n in range(7)) + "] [" + "|".join(f"y{n}" for n in range(11)) + "]"


def test_each_different_text_is_encoded_once(bundle: EmbeddedModel, passes: list[int]) -> None:
    once = recipe(ALTERNATING.replace("w0", "w1"), steps=500, negative_prompt="[a|b] w1")
    plan = conditions(bundle, once).plan
    assert len(plan.texts) == 7 * 11 + 2 + 1
    assert sum(passes) <= len(plan.texts)  # the empty prompt may be known from before
    before = sum(passes)
    conditions(bundle, once.model_copy(update={"seed": 8}))
    assert sum(passes) == before


@pytest.mark.parametrize("prompt", [ALTERNATING, " BREAK ".join(f"w2 (a{n}:1.3)" for n in range(16))])
def test_a_stop_is_heard_between_two_passes(bundle: EmbeddedModel, passes: list[int], prompt: str) -> None:
    """Many texts, and many chunks of one."""
    for looks in (1, 4):
        passes.clear()
        left = iter([False] * looks)
        with pytest.raises(Cancelled):
            Conditions.of(recipe(f"{looks} {prompt}", steps=500), encoder_of(bundle), EMPTY, partial(next, left, True))
        assert sum(passes) <= looks
