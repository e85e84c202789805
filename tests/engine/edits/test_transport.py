"""Facilitated transport: how strong an edit is under a prompt, exactly; and pictures under prompts it has no say in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.edits.files import to_bytes
from studio.engine.edits.format import Edit
from studio.engine.edits.gates import build_gate
from studio.engine.edits.transport import FacilitatedTransport
from studio.engine.runner import Engine
from studio.models.conditioning import Conditioning
from studio.services.sources import GATES
from tests.engine.edits.making import make_edit, shapes_of

ANGLES = {"star": 0.0, "a star": 60.0, "moon": 90.0, "opposite": 180.0, "a": 45.0, "near": 30.0}


class Words:
    """A tokenizer and an encoder: each text has an angle, over two positions of one number each."""

    tokenizer: Any

    def __init__(self) -> None:
        self.tokenizer = self
        self.known: dict[str, int] = {}

    def word_ids(self, text: str) -> list[int]:
        return [self.known.setdefault(word, len(self.known)) for word in text.split()]

    def encode(self, prompts: Sequence[str]) -> Conditioning:
        angles = [math.radians(ANGLES.get(prompt, 90.0)) for prompt in prompts]
        return Conditioning(torch.tensor([[[3 * math.cos(angle)], [3 * math.sin(angle)]] for angle in angles]))


def strength(prompt: str, **params: Any) -> float:
    return FacilitatedTransport(**{"prompts": ("star",), **params}).strength(prompt, Words())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "measure", "share"),
    [
        ("star", "either", 1.0),
        ("moon", "either", 0.0),  # no word in common, and at a right angle
        ("opposite", "either", 0.0),  # not below it
        ("a star", "encoding", 0.5),
        ("a star", "words", 1.0),
        ("a star", "either", 1.0),
        ("near", "either", math.cos(math.radians(30.0))),
        ("near", "words", 0.0),
    ],
)
def test_it_is_the_larger_of_the_angle_and_the_words_in_common(prompt: str, measure: str, share: float) -> None:
    assert strength(prompt, measure=measure) == pytest.approx(share, abs=1e-6)


def test_of_several_texts_the_one_that_is_found_counts_and_of_a_text_the_share_of_its_words() -> None:
    assert strength("a moon", prompts=("red star", "small moon"), measure="words") == 0.5
    assert strength("small blue moon", prompts=("red star", "small moon"), measure="words") == 1.0
    assert strength("blue", prompts=("",), measure="words") == 0.0


def test_what_unrelated_texts_have_in_common_with_it_counts_as_nothing() -> None:
    assert strength("a star", measure="encoding", unrelated=("a star",)) == 0.0
    assert strength("moon", unrelated=("a star",), measure="encoding") == 0.0
    raw, rest = math.cos(math.radians(30.0)), 0.5
    assert strength("near", measure="encoding", unrelated=("a star", "moon")) == pytest.approx(
        (raw - rest) / (1 - rest), abs=1e-6
    )
    assert strength("star", unrelated=("a star",)) == 0.0  # by words all of it is in what is said to be unrelated
    assert strength("star", unrelated=("a star",), measure="encoding") == pytest.approx(1.0)


@pytest.mark.parametrize("params", [{"prompts": []}, {"prompts": ["star"], "measure": "smell"}, {"words": ["star"]}])
def test_a_gate_that_says_nothing_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="gate of e"):
        build_gate("e", {"gate": {"name": "spm", "params": params}}, GATES)


def test_under_a_prompt_it_has_no_say_in_the_picture_is_the_base_s(tiny_model: Path, tmp_path: Path) -> None:
    engine = Engine(EngineConfig(models={"stencil": tiny_model}, device="cpu", previews=False, gates=GATES))
    edit = make_edit(shapes_of(engine.bundle("stencil").components()["unet"]), seed=1, size=0.6)
    gate = {"name": "spm", "params": {"prompts": ["star"], "measure": "words"}}
    path = tmp_path / "edit.safetensors"
    path.write_bytes(to_bytes(Edit(edit.name, edit.kind, edit.layers, provenance={"gate": gate})))

    def drawn(prompt: str, *edits: dict[str, Any]) -> bytes:
        made: list[bytes] = []
        recipe = Recipe.load({"prompt": prompt, "seed": 3, "width": 32, "height": 32, "steps": 2, "edits": [*edits]})
        job = {"kind": "generate", "recipes": [recipe.model_dump(mode="json")], "edits": {"e": str(path)}}
        engine.run(job, lambda kind, data: made.append(data["rgb"]) if kind == "image" else None, lambda: False)
        return made[0]

    always, auto = {"edit": "e"}, {"edit": "e", "auto": True}
    assert drawn("a blue square", auto) == drawn("a blue square") != drawn("a blue square", always)
    assert drawn("a red star", auto) == drawn("a red star", always) != drawn("a red star")
