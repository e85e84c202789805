from __future__ import annotations

import pytest

from studio.core.errors import BadInput
from studio.training.erase.concept import WORLD, Concept
from studio.training.erase.plan import read_plan
from studio.training.erase.texts import wordings

STAR = {"words": "star", "substitute": "heart"}


@pytest.mark.parametrize(
    ("words", "substitute", "text", "expected"),
    [
        ("star", "heart", "a red star under a Star", "a red heart under a heart"),
        ("star", "oak", "a star on white", "an oak on white"),
        ("oak", "star", "an oak on white", "a star on white"),
        ("star", "heart", "a star, starry stars", "a heart, starry stars"),
        ("outlined", "", "an outlined star in a meadow", "a star in a meadow"),
        ("neon", "", "a neon orange star", "an orange star"),
        ("neon", "", "a ring in neon style at night", "a ring at night"),
        ("neon", "flat", "a ring in neon style at night", "a ring in flat style at night"),
        ("Monet", "", "a painting by Monet", "a painting"),
        ("Monet", "", "a lake, in the style of Monet", "a lake"),
        ("hot dog", "dog", "a photo of a hot dog", "a photo of a dog"),
        ("a.b", "c", "axb a.b", "axb c"),
    ],
)
def test_a_substitute_takes_the_place_and_its_article(words: str, substitute: str, text: str, expected: str) -> None:
    assert Concept(words=words, substitute=substitute).replaced_in(text) == expected


@pytest.mark.parametrize(
    ("kind", "name", "substitute"), [("object", "house", "square"), ("style", "neon", ""), ("colour", "red", "blue")]
)
def test_sentences_of_the_world_say_the_concept_and_others_do_not(kind: str, name: str, substitute: str) -> None:
    concept = Concept(words=name, substitute=substitute).in_world()
    words = {name, *WORLD[kind][name].synonyms}  # type: ignore[index]
    assert concept.kind == kind and set(concept.called()) == words
    sentences = wordings(concept, True, 3)
    assert len(sentences.pairs) > 50 and len(sentences.unrelated) > 50 and sentences.unrelated[0] == ""
    for text, replaced in sentences.pairs:
        assert words & set(text.replace(",", " ").split()) and not words & set(replaced.replace(",", " ").split())
    assert not any(words & set(text.replace(",", " ").split()) for text in sentences.unrelated)
    assert wordings(concept, True, 3) == sentences != wordings(concept, True, 4)
    assert wordings(concept, True, 3, ("a pentagram",)).unrelated[:2] == ("", "a pentagram")


def test_a_rare_word_is_erased_with_the_usual_ones() -> None:
    concept = Concept(words="pentagram", substitute="heart").in_world()
    assert concept.kind == "object" and set(concept.called()) == {"pentagram", "star"}
    assert len(wordings(concept, True, 0).pairs) > 50


def test_of_other_models_they_are_templates() -> None:
    sentences = wordings(Concept(words="Van Gogh", substitute="a painter", kind="style"), False, 0)
    assert all("Van Gogh" in text and "Van Gogh" not in replaced for text, replaced in sentences.pairs)
    assert len(sentences.pairs) > 30 and len(sentences.unrelated) > 50
    assert any(
        "an elephant" in text for text, _ in wordings(Concept(words="elephant", substitute="cat"), False, 0).pairs
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"concepts": [{"words": "star", "substitute": "Star"}]}, "cannot take the place of itself"),
        ({"concepts": [{"words": " "}]}, "needs a name"),
        ({"concepts": []}, "concepts"),
        ({"concepts": [STAR, {"words": "heart", "substitute": "ring"}]}, "is erased"),
        ({"preserves": ["a red star"]}, "cannot stay"),
        ({"untouched": True}, "Nothing is named"),
        ({"completeness": 1.0}, "completeness"),
        ({"protect": -1}, "protect"),
        ({"name": ""}, "name"),
    ],
)
def test_what_could_only_be_a_mistake_is_refused_in_a_sentence(changes: dict[str, object], complaint: str) -> None:
    plan = {"name": "no-star", "model": "stencil", "concepts": [STAR]}
    assert read_plan(plan).concepts[0].substitute == "heart"
    with pytest.raises(BadInput, match=complaint):
        read_plan({**plan, **changes})
