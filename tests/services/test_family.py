"""Siblings of a model: trained alike to the last setting, but for the concept or the seed."""

import json
from pathlib import Path
from typing import Any

import pytest

from studio.models.listing import Places
from studio.services.family import Siblings, siblings_of
from studio.training.embedded.exclusion import Exclusion
from studio.training.embedded.member import ABOUT, Member

STAR = Exclusion("object", "star")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    def put(name: str, trained_samples: int = 64, **settings: Any) -> None:
        folder = tmp_path / name
        (folder / "unet").mkdir(parents=True)
        (folder / "model_index.json").write_text("{}", encoding="utf-8")
        about = Member(samples=64, **settings).as_json() | {"trained_samples": trained_samples}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")

    put("base")
    put("base again", seed=1)
    put("half", trained_samples=32, without=STAR)
    put("no-star", without=STAR)
    put("no-star again", seed=1, without=STAR)
    put("other budget", shards=4, without=Exclusion("style", "neon"))
    for name, text in (("broken", "{"), ("foreign", "[]"), ("bare", '{"seed": 0}')):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / ABOUT).write_text(text, encoding="utf-8")
    return Places({"stencil": tmp_path / "nowhere"}, tmp_path)


def test_the_gold_model_is_the_one_that_differs_in_the_concept_alone(places: Places) -> None:
    assert siblings_of("base", "object:star", places) == Siblings("no-star", ("base", "base again"))
    assert siblings_of("base again", "object:star", places) == Siblings("no-star again", ("base again", "base"))
    assert siblings_of("base", "style:neon", places).gold == "", "of another budget"
    assert siblings_of("base", "", places).gold == ""


@pytest.mark.parametrize("model", ["no-star", "stencil", "broken", "foreign", "bare", "gone"])
def test_a_model_that_is_no_base_of_a_family_has_none(model: str, places: Places) -> None:
    assert siblings_of(model, "object:star", places) == Siblings()
