"""The plan of a slider: the training it makes of prompts, of words of Stencil's, and of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.engine.config import EngineConfig
from studio.engine.edits.files import read_edit
from studio.engine.edits.format import LowRank
from studio.engine.runner import Engine
from studio.erasure.columns import LESS, MORE, NEUTRAL, TARGET
from studio.erasure.picture_slider import AFTER
from studio.services.sources import KINDS, LOSSES
from studio.training.erase import slider
from studio.training.erase.slider import read_slider, slider_training
from studio.training.lora.losses import build_loss
from studio.training.lora.plan import Plan
from tests.tiny_model import build_once

PICTURES = ["a" * 64, "b" * 64, "c" * 64, "d" * 64]
PAIR = {"target": "person", "positive": "old person", "negative": "young person"}


def training_of(**values: Any) -> dict[str, Any]:
    """Of a plan that the trainer takes, whose prompts have all the columns its loss asks for."""
    training = slider_training(read_slider({"name": "e", "model": "stencil", **values}))
    plan = Plan.load(training)
    loss = build_loss(plan.loss, plan.loss_params, LOSSES)
    plan.check_columns({need.condition for need in loss.needs})
    return training


def test_prompts_are_taken_with_each_attribute_that_stays() -> None:
    plain = training_of(pairs=[PAIR])
    assert plain["prompts"] == [{TARGET: "person", NEUTRAL: "person", MORE: "old person", LESS: "young person"}]
    assert plain["loss"] == "slider" and plain["pool"]["condition"] == TARGET and "retention" not in plain
    rows = training_of(pairs=[{**PAIR, "neutral": ""}], keep=["male", "female"])["prompts"]
    assert rows == [
        {TARGET: f"{who} person", NEUTRAL: who, MORE: f"{who} old person", LESS: f"{who} young person"}
        for who in ("male", "female")
    ]


@pytest.mark.parametrize(
    ("pair", "without"),
    [({"positive": "watercolor", "negative": "flat"}, "style"), ({"positive": "large", "negative": "small"}, "large")],
)
def test_words_of_the_world_stand_in_its_sentences(pair: dict[str, str], without: str) -> None:
    rows = training_of(pairs=[{"target": "", **pair}], in_world=True)["prompts"]
    assert len(rows) == slider.ROWS
    for row in rows:
        assert pair["positive"] in row[MORE] and pair["negative"] in row[LESS] and pair["positive"] not in row[LESS]
        assert row[TARGET] == row[NEUTRAL]
        assert not {pair["positive"], pair["negative"], without} & set(row[TARGET].split())
        assert not row[TARGET].startswith(("a a", "an r", "a o"))  # the article is the next word's
    stars = training_of(pairs=[{"target": "star", **pair}], in_world=True)["prompts"]
    assert stars and all("star" in row[column] for row in stars for column in row)


def test_pictures_are_paired_in_their_order() -> None:
    training = training_of(negative_images=PICTURES[:2], positive_images=PICTURES[2:], caption="a star")
    assert training["pictures"] == {
        "images": [[PICTURES[0]], [PICTURES[1]]],
        "partners": {AFTER: [[PICTURES[2]], [PICTURES[3]]]},
    }
    assert training["prompts"] == [{TARGET: "a star"}] * 2 and training["loss"] == "picture_slider"
    assert slider.AFTER == AFTER


# As the edits of earlier versions have it among their origins: the names are those versions' own, written out.
BY_PROMPTS: dict[str, Any] = {
    "name": "e",
    "model": "stencil",
    "pairs": [{"target": "person", "more": "old person", "less": "young person", "neutral": None}],
    "keep": [],
    "before": [],
    "after": [],
    "caption": "",
    "seed": 3,
}
BY_PICTURES = {**BY_PROMPTS, "pairs": [], "before": PICTURES[:2], "after": PICTURES[2:], "caption": "a star"}


@pytest.mark.parametrize("stored", [BY_PROMPTS, BY_PICTURES])
def test_a_plan_that_was_stored_trains_the_same_again_and_is_stored_as_it_was(stored: dict[str, Any]) -> None:
    training = training_of(**stored)
    if stored["pairs"]:
        assert training["prompts"] == training_of(pairs=[PAIR], seed=3)["prompts"]
    else:
        assert training["pictures"]["images"] == [[PICTURES[0]], [PICTURES[1]]]
        assert training["pictures"]["partners"] == {AFTER: [[PICTURES[2]], [PICTURES[3]]]}
    rewritten = training["provenance"]["slider"]
    assert {name: rewritten[name] for name in stored} == stored and training_of(**rewritten) == training


def test_what_stays_and_how_it_is_trained_are_heard() -> None:
    options = {"rank": 2, "steps": 7, "lr": 0.1, "source": "base", "layers": "noxattn", "retention": "dual"}
    training = training_of(pairs=[PAIR], preserves=["a dog"], protect=2.0, alpha=1.0, gamma=3.0, training=options)
    assert (training["rank"], training["alpha"], training["steps"], training["lr"]) == (2, 1.0, 7, 0.1)
    assert training["bank"]["condition"] == TARGET and training["layers"] == "noxattn"
    assert training["retention"]["prompts"] == ["a dog"] and training["retention"]["how"] == "dual"
    assert training["loss_params"] == {"gamma": 3.0, "reach": 1.0, "both_ways": True}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "either from prompts"),
        ({"pairs": [PAIR], "negative_images": PICTURES[:1], "positive_images": PICTURES[1:2]}, "either from prompts"),
        ({"negative_images": PICTURES[:2], "positive_images": PICTURES[:1]}, "There are 2 pictures before and 1 after"),
        ({"negative_images": PICTURES[:1], "positive_images": PICTURES[:1]}, "is its own partner"),
        ({"pairs": [{"positive": "old", "negative": " Old"}]}, "Both ends of the slider are 'old'"),
        ({"pairs": [{"positive": ""}]}, "Both ends of the slider are ''"),
        ({"pairs": [PAIR], "gamma": 0}, "gamma"),
        ({"pairs": [{"positive": "watercolor"}], "in_world": True, "keep": ["red"]}, "vary in all else already"),
        ({"pairs": [{"positive": "luminous"}], "in_world": True}, "No sentence says 'luminous'"),
    ],
)
def test_what_could_only_be_a_mistake_is_told(
    values: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slider, "SOUGHT", 200)
    with pytest.raises(BadInput) as caught:
        training_of(**values)
    assert sentence in str(caught.value)


def test_a_slider_of_pictures_makes_an_edit_that_loads(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import numpy as np
    from PIL import Image

    paths: dict[str, str] = {}
    for number, name in enumerate(PICTURES):
        array = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(array).save(tmp_path / f"{number}.png")
        paths[name] = str(tmp_path / f"{number}.png")
    engine = Engine(
        EngineConfig(
            models={"stencil": build_once(tmp_path_factory)}, device="cpu", previews=False, kinds=KINDS, losses=LOSSES
        )
    )
    plan = training_of(
        negative_images=PICTURES[:2], positive_images=PICTURES[2:], training={"steps": 3, "batch": 2, "rank": 2}
    )
    events: list[tuple[str, dict[str, Any]]] = []
    job = {"kind": "train", "id": "abc", "folder": str(tmp_path / "run"), "plan": plan, "pictures": paths}
    for _ in engine.steps(job, lambda kind, data: events.append((kind, data)), lambda: False):
        pass
    told = next(data for kind, data in events if kind == "edit")
    edit = read_edit(Path(told["path"]))
    assert edit.layers["unet"] and edit.provenance["method"] == "slider"
    learned = [layer for layer in edit.layers["unet"].values() if isinstance(layer, LowRank) and layer.B.any()]
    assert learned
