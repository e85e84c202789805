"""Edits that act in a share of the steps: exactly then, whatever is drawn beside them; and gates, by their address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from studio.core.errors import BadInput
from studio.core.params import Params, param
from studio.core.recipe import EditRef, Recipe
from studio.engine.config import EngineConfig
from studio.engine.edits.files import to_bytes
from studio.engine.edits.format import Edit
from studio.engine.edits.gates import build_gate
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.timed import Stack, TimedStack
from studio.engine.order import Order
from studio.engine.resident import room_of
from studio.engine.runner import Engine
from studio.engine.sampler import Picture, sample
from studio.models.bundle import Conditioning
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.engine.edits.making import make_edit, shapes_of

STEPS = 6


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


def recipe(**values: Any) -> Recipe:
    fixed = {"prompt": "a red star", "seed": 3, "width": 32, "height": 32, "steps": STEPS, "sampler": "ddim"}
    return Recipe.load({**fixed, **values})


def edits_of(bundle: EmbeddedModel) -> tuple[Edit, Edit]:
    unet, text = bundle.components()["unet"], bundle.components()["text_encoder"]
    keys = [path for path in shapes_of(unet) if path.endswith(("to_k", "to_v"))]
    return (
        make_edit(shapes_of(unet, keys), seed=1, size=0.6),
        make_edit(shapes_of(text), seed=2, component="text_encoder", size=0.6),
    )


def pictures(bundle: EmbeddedModel, stacks: list[Stack], **values: Any) -> list[Picture]:
    drawn = dict(sample(bundle, [Order(recipe(**values), stack) for stack in stacks]))
    return [drawn[index] for index in range(len(stacks))]


def windowed(edit: Edit, first: int, last: int) -> TimedStack:
    return TimedStack(EditStack.of([(edit, 1.0)]), (range(first, last),))


@pytest.mark.parametrize("which", [0, 1], ids=["denoiser", "text encoder"])
def test_an_edit_acts_in_its_steps_and_in_no_other(
    bundle: EmbeddedModel, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """What the network gives at each step is what it gives there with the edit, or without it: nothing between."""
    edit, predict = edits_of(bundle)[which], EmbeddedModel.predict
    asked: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, Conditioning]] = []

    def noted(self: EmbeddedModel, x: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        raw = predict(self, x, t, cond)
        asked.append((x.clone(), t.clone(), raw.clone(), cond))
        return raw

    monkeypatch.setattr(EmbeddedModel, "predict", noted)
    pictures(bundle, [windowed(edit, 2, 5)], guidance={"params": {"guidance_scale": 1.0}})
    monkeypatch.undo()
    assert len(asked) == STEPS
    whole = EditStack.of([(edit, 1.0)])
    for step, (x, t, raw, cond) in enumerate(asked):
        with torch.inference_mode():
            room_of(bundle).use(whole.part(("unet",)) if 2 <= step < 5 else EMPTY)
            assert torch.equal(bundle.predict(x, t, cond), raw), step
    room_of(bundle).use(EMPTY)
    edited = [cond for step, (_, _, _, cond) in enumerate(asked) if 2 <= step < 5]
    base = [cond for step, (_, _, _, cond) in enumerate(asked) if not 2 <= step < 5]
    differs = not torch.equal(edited[0].tokens, base[0].tokens)
    assert differs == (which == 1)  # the prompt is read anew where a text encoder is edited
    assert all(torch.equal(one.tokens, edited[0].tokens) for one in edited)
    assert all(torch.equal(one.tokens, base[0].tokens) for one in base)


def test_in_mixed_company_each_is_as_alone(bundle: EmbeddedModel) -> None:
    unet, text = edits_of(bundle)
    stacks: list[Stack] = [
        EMPTY,
        EditStack.of([(unet, 1.0)]),
        windowed(unet, 3, STEPS),
        windowed(unet, 0, 3),
        windowed(text, 1, 4),
        TimedStack(EditStack.of([(unet, 0.5), (text, 1.0)]), (range(0, 4), range(2, STEPS))),
    ]
    alone = [pictures(bundle, [stack])[0] for stack in stacks]
    for first in range(len(stacks)):
        for second in range(first):
            assert not np.array_equal(alone[first], alone[second])
    for exact, company in zip(alone, pictures(bundle, stacks), strict=True):
        assert np.array_equal(exact, company)
    for exact, company in zip(alone, pictures(bundle, stacks, batching="shared"), strict=True):
        assert int(np.abs(exact.astype(int) - company.astype(int)).max()) <= 1
    room_of(bundle).use(EMPTY)
    assert room_of(bundle).equals_base()


# -- as recipes say it ------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(tiny_model: Path) -> Engine:
    address = f"{__name__}:ByWord"
    return Engine(EngineConfig(models={"stencil": tiny_model}, device="cpu", previews=False, gates={"word": address}))


def drawn(engine: Engine, files: Mapping[str, str], *refs: dict[str, Any], **values: Any) -> bytes:
    made: list[bytes] = []
    job = {
        "kind": "generate",
        "recipes": [recipe(edits=list(refs), **values).model_dump(mode="json")],
        "edits": dict(files),
    }
    engine.run(job, lambda kind, data: made.append(data["rgb"]) if kind == "image" else None, lambda: False)
    return made[0]


def written(folder: Path, engine: Engine, provenance: Mapping[str, Any] | None = None) -> dict[str, str]:
    unet = engine.bundle("stencil").components()["unet"]
    edit = make_edit(shapes_of(unet), seed=1, size=0.6)
    path = folder / f"edit-{len(list(folder.iterdir()))}.safetensors"
    path.write_bytes(to_bytes(Edit(edit.name, edit.kind, edit.layers, provenance=dict(provenance or {}))))
    return {"e": str(path)}


def test_a_recipes_window_is_rounded_down_and_the_whole_is_no_window(engine: Engine, tmp_path: Path) -> None:
    files = written(tmp_path, engine)
    assert EditRef(edit="e", start=0.25, stop=0.75).steps(STEPS) == range(1, 4)
    base, always = drawn(engine, files), drawn(engine, files, {"edit": "e"})
    early, late = (drawn(engine, files, {"edit": "e", **window}) for window in ({"stop": 0.5}, {"start": 0.5}))
    assert len({base, always, early, late}) == 4
    assert drawn(engine, files, {"edit": "e", "start": 0.16}) == always  # 0.16 of 6 steps is none
    assert drawn(engine, files, {"edit": "e", "start": 0.0, "stop": 1.0, "auto": False}) == always


class ByWord(Params):
    """As strong as its word is frequent in the prompt."""

    word: str = param("star", help="what calls for the edit")
    share: float = param(1.0, low=0, high=1, help="at most")
    asked: ClassVar[list[str]] = []

    def strength(self, prompt: str, bundle: Any) -> float:
        assert isinstance(bundle, EmbeddedModel)
        self.asked.append(prompt)
        return self.share if self.word in prompt.split() else 0.0


def test_with_auto_the_prompt_decides_how_much(engine: Engine, tmp_path: Path) -> None:
    half = {"gate": {"name": "word", "params": {"word": "star", "share": 0.5}}}
    files = written(tmp_path, engine, half)
    auto = {"edit": "e", "strength": 1.0, "auto": True}
    assert drawn(engine, files, auto) == drawn(engine, files, {"edit": "e", "strength": 0.5})
    other = {"prompt": "a blue square"}
    assert drawn(engine, files, auto, **other) == drawn(engine, files, **other)  # the base, to the bit
    early = {"stop": 0.5}
    assert drawn(engine, files, {**auto, **early}) == drawn(engine, files, {"edit": "e", "strength": 0.5, **early})
    assert set(ByWord.asked) == {"a red star", "a blue square"}


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ({}, "carries no gate, so its strength cannot follow the prompt"),
        ({"gate": "word"}, "carries no gate"),
        ({"gate": {"name": "spam"}}, "The gate of the edit 'an edit', 'spam', is not known here"),
        ({"gate": {"name": ["word"]}}, "is not known here"),
        ({"gate": {"name": "word", "params": {"share": 2}}}, "share must be a number from 0 to 1, not 2"),
    ],
)
def test_an_edit_without_a_gate_that_works_is_refused_in_a_sentence(
    engine: Engine, tmp_path: Path, provenance: dict[str, Any], sentence: str
) -> None:
    files = written(tmp_path, engine, provenance)
    with pytest.raises(BadInput, match=sentence):
        drawn(engine, files, {"edit": "e", "auto": True})
    with pytest.raises(BadInput):
        build_gate("edit 1", provenance, engine.config.gates)
