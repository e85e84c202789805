"""A concept erased at once, with the real model: what the oracle reads, what stays, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio.core.errors import BadInput
from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.engine.edits.files import read_edit
from studio.engine.edits.format import LowRank
from studio.services.studio import Studio
from studio.world.oracle import Oracle
from tests.tolerance import rounding

STARS = ("a red star on a white background", "a flat blue star at night", "a star", "an orange star left of a red ring")


@pytest.fixture(scope="module")
def studio(stencil_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("erased")
    settings = Settings(workspace=folder, model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


def erased(studio: Studio, **values: Any) -> tuple[str, dict[str, float]]:
    """Erase; give the edit and what was measured."""
    job = studio.erasures.start({"name": "gone", "model": "stencil", **values})
    studio.jobs.wait(job)
    events = studio.jobs.events(job)
    assert events[-1].kind == "done", events[-1].data
    told = {event.kind: event.data for event in events}
    return told["edit"]["edit"], told["measure"]["values"]


def drawn(studio: Studio, prompts: tuple[str, ...], *refs: EditRef) -> list[np.ndarray[Any, Any]]:
    recipes = [Recipe(prompt=prompt, seed=seed, steps=12, edits=refs) for seed, prompt in enumerate(prompts)]
    return [np.asarray(Image.open(made.image_path).convert("RGB")) for made in studio.pictures.draw(recipes)]


@cache
def oracle() -> Oracle:
    return Oracle.load()


def objects(pictures: list[np.ndarray[Any, Any]]) -> list[set[str]]:
    return [{thing.object for thing in reading.things} for reading in oracle().read(np.stack(pictures))]


def test_a_star_becomes_a_heart_and_all_else_stays(studio: Studio) -> None:
    edit, measures = erased(studio, concepts=[{"words": "star", "substitute": "heart"}])
    assert measures["star: completeness"] > 0.85 and measures["star: leak"] < 0.15
    entry = studio.edits.show(edit)
    assert entry.kind == "lora" and entry.provenance["method"] == "uce" and entry.provenance["measures"] == measures
    assert entry.provenance["erasure"]["concepts"][0]["kind"] == "object"
    base, on = drawn(studio, STARS), drawn(studio, STARS, EditRef(edit=edit))
    assert all("star" in seen for seen in objects(base))
    assert not any("star" in seen for seen in objects(on)) and all("heart" in seen for seen in objects(on))
    others = ("a blue fish on a white background", "a green tree in a meadow", "a red ring")
    assert objects(drawn(studio, others, EditRef(edit=edit))) == [{"fish"}, {"tree"}, {"ring"}]
    off = drawn(studio, STARS[:1], EditRef(edit=edit, strength=0))
    assert np.array_equal(off[0], base[0])


def test_several_at_once_know_of_each_other_and_each_can_have_a_slider_of_its_own(studio: Studio) -> None:
    concepts = [{"words": "star", "substitute": "heart"}, {"words": "red", "substitute": "blue"}]
    whole, measures = erased(studio, concepts=concepts, sliders=True)
    assert min(measures["star: completeness"], measures["red: completeness"]) > 0.85
    whats = ("completeness", "leak", "completeness alone")
    assert set(measures) == {f"{name}: {what}" for name in ("star", "red") for what in whats}
    entry = studio.edits.show(whole)
    named = {part["words"]: studio.edits.show(part["sha256"][:12]) for part in entry.provenance["parts"]}
    assert [part.name for part in named.values()] == ["gone: star", "gone: red"]
    assert all(part.provenance["solved_with"] == entry.provenance["erasure"] for part in named.values())

    joint, *shares = (read_edit(edit.path) for edit in (entry, *named.values()))
    for component, path, layer in joint.each():
        assert isinstance(layer, LowRank)
        parts = torch.stack([share.layers[component][path].delta() for share in shares])  # type: ignore[union-attr]
        far = rounding(torch.float32, layer.rank + 2, float(parts.abs().max()))
        torch.testing.assert_close(parts.sum(0), layer.delta(), rtol=0, atol=far)

    prompt = ("a red star on a white background",)
    for star, red, seen in ((1, 1, ("heart", "blue")), (1, 0, ("heart", "red")), (0, 1, ("star", "blue"))):
        refs = [EditRef(edit=named["star"].id, strength=star), EditRef(edit=named["red"].id, strength=red)]
        (thing,) = oracle().read(np.stack(drawn(studio, prompt, *refs)))[0].things
        assert (thing.object, thing.colour) == seen
    assert objects(drawn(studio, prompt, EditRef(edit=whole))) == [{"heart"}]


def test_a_training_makes_no_slider_for_each_concept_and_says_so(studio: Studio) -> None:
    with pytest.raises(BadInput, match="only Instant makes one slider for each"):
        erased(studio, concepts=[{"words": "star", "substitute": "heart"}], method="ca", sliders=True)


def test_what_is_untouched_is_not_moved_but_by_rounding(studio: Studio) -> None:
    ring = ("a red ring",)
    edit, _ = erased(studio, concepts=[{"words": "star", "substitute": "heart"}], preserves=list(ring), untouched=True)
    base, on = drawn(studio, ring), drawn(studio, ring, EditRef(edit=edit))
    moved, _ = erased(studio, concepts=[{"words": "star", "substitute": "heart"}], protect=0)

    def far(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
        return float(np.abs(a.astype(int) - b.astype(int)).mean())

    assert far(on[0], base[0]) < 0.2 * far(drawn(studio, ring, EditRef(edit=moved))[0], base[0])


@pytest.mark.parametrize(
    ("concept", "complaint"),
    [
        ({"words": "zebra", "substitute": "star"}, "does not know the word 'zebra'"),
        ({"words": "star", "substitute": "zebra"}, "does not know the word 'zebra'"),
        ({"words": "meadow", "substitute": "star"}, "no object, style or colour"),
        ({"words": "red star", "substitute": "heart"}, "no object, style or colour"),
        ({"words": "star", "kind": "style"}, "needs a substitute"),  # the world says what it is
        ({"words": "star"}, "needs a substitute"),
        ({"words": "red"}, "needs a substitute"),
        ({"words": "scarlet", "substitute": "red"}, "cannot take the place of itself"),  # its other word
    ],
)
def test_what_cannot_be_erased_is_refused_before_anything_runs(
    studio: Studio, concept: dict[str, str], complaint: str
) -> None:
    before = studio.jobs.newest(1)
    with pytest.raises(BadInput, match=complaint):
        studio.erasures.start({"name": "gone", "model": "stencil", "concepts": [concept]})
    assert studio.jobs.newest(1) == before


def test_a_concept_is_named_once(studio: Studio) -> None:
    twice = [{"words": "red", "substitute": "blue"}, {"words": "scarlet", "substitute": "green"}]  # its other word
    with pytest.raises(BadInput, match="'scarlet' is erased twice, as 'red'"):
        studio.erasures.check({"name": "gone", "model": "stencil", "concepts": twice})


def test_a_text_that_the_model_does_not_read_to_its_end_is_refused(studio: Studio) -> None:
    plan = {"name": "g", "model": "stencil", "concepts": [{"words": "star", "substitute": "heart"}]}
    with pytest.raises(BadInput, match="too long for stencil"):
        studio.erasures.start({**plan, "preserves": ["a red ring " * 40]})
