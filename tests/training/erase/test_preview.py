from __future__ import annotations

import pytest

from studio.training.erase.concept import WORLD, Concept
from studio.training.erase.preview import ROLES, neighbours, sights
from studio.world.words import vocabulary


def concept(words: str, substitute: str = "") -> Concept:
    return Concept(words=words, substitute=substitute).in_world()


@pytest.mark.parametrize("kind", ["object", "style", "colour"])
def test_two_sights_say_the_concept_and_two_neither_it_nor_its_substitute(kind: str) -> None:
    for words, entry in WORLD[kind].items():  # type: ignore[index]
        for substitute in set(WORLD[kind]) - {words}:  # type: ignore[index]
            erased = concept(words, substitute)
            looked_at = sights([erased], in_world=True)
            assert tuple(sight.role for sight in looked_at) == ROLES
            prompts = [sight.prompt for sight in looked_at]
            assert [erased.named_in(prompt) for prompt in prompts] == [True, True, False, False]
            assert not any(substitute in prompt.split() for prompt in prompts[2:])
            assert len(set(prompts)) == 4 and entry.usual in prompts[0].split()
            # The neighbour differs from the first by the one word, so what it loses it loses to the edit.
            pair = [set(prompt.split()) - {"a", "an"} for prompt in (prompts[0], prompts[2])]
            assert len(pair[0] - pair[1]) == 1


def test_of_several_concepts_two_are_looked_at_and_none_is_beside_them() -> None:
    concepts = [concept("star", "heart"), concept("red", "blue"), concept("fish", "tree")]
    first, second, *others = (sight.prompt for sight in sights(concepts, in_world=True))
    assert "star" in first and "red" in second and "red" not in first
    assert not any(each.named_in(prompt) for prompt in others for each in concepts)


def test_what_is_to_stay_is_the_neighbour_and_other_models_are_asked_in_plain_sentences() -> None:
    assert sights([concept("star", "heart")], True, ["a red ring", "a moon"])[2].prompt == "a red ring"
    plain = sights([Concept(words="dog", substitute="cat"), Concept(words="Monet", kind="style")], in_world=False)
    prompts = [sight.prompt for sight in plain]
    assert "dog" in prompts[0] and "Monet" in prompts[1] and len(set(prompts)) == 4
    assert not any("dog" in prompt or "cat" in prompt for prompt in prompts[2:])


def test_rare_words_have_neighbours_too_the_next_ones_first() -> None:
    assert neighbours(concept("pentagram", "heart"))[:2] == ("triangle", "heart")
    assert neighbours(concept("star"), ["triangle"])[0] == "heart"
    assert set(neighbours(concept("azure"))) < set(vocabulary())
