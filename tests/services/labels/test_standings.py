"""Recipes against each other: who won counts, whatever the prompt and the seed."""

from __future__ import annotations

from dataclasses import replace

from studio.core.recipe import Recipe
from studio.preference.answer import Answer
from studio.preference.label import Label, Picture
from studio.services.labels.standings import standings
from tests.preference.labels import answered, pair_label


def drawn(label: Label, *steps: int) -> Label:
    """The label about pictures of so many steps each, of another seed each time."""
    pictures = tuple(
        Picture(picture.sha256, Recipe(prompt=label.prompt, seed=int(label.id) + place, steps=count))
        for place, (picture, count) in enumerate(zip(label.pictures, steps, strict=True))
    )
    return replace(label, pictures=pictures)


def test_the_recipe_that_is_preferred_comes_first() -> None:
    labels = [drawn(pair_label("a", "b", "first", prompt=f"p{k % 3}"), 30, 5) for k in range(9)]
    labels += [drawn(pair_label("a", "b", "first"), 5, 30)] * 1 + [drawn(pair_label("a", "b", "tie"), 5, 30)]
    best, worst = standings(labels)
    assert (best.recipe.steps, worst.recipe.steps) == (30, 5) and best.recipe.prompt == ""
    assert best.rating.games == worst.rating.games == 11 and best.points > 1000 > worst.points
    assert best.rating.low > worst.rating.high


def test_what_says_nothing_of_recipes_does_not_count() -> None:
    label = drawn(pair_label("a", "b", "first"), 30, 5)
    silent = [
        replace(label, id="1", purpose="check"),
        replace(label, id="2", purpose="repeat"),
        replace(label, id="3", is_blind=False),
        replace(label, id="4", chosen_by="bald"),
        replace(label, id="5", question="look"),
        replace(label, id="6", answer=Answer("pair")),
        drawn(pair_label("a", "b", "first"), 5, 5),  # seeds of one recipe
        pair_label("a", "b", "first"),  # whose making is not known
    ]
    assert standings(silent) == []
    assert len(standings([*silent, label])) == 2


def test_a_list_counts_as_one_answer() -> None:
    best = drawn(answered(("a", "b", "c", "d"), Answer.best(2, 4)), 5, 10, 20, 40)
    assert standings([best])[0].recipe.steps == 20
    assert len(standings([best])) == 4
