"""Campaigns as planned: the wished number of items, no recipe twice, arms in turns, checks that say what is wrong."""

from collections import Counter

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import EditRef, Recipe
from studio.preference.campaign import (
    PICTURES,
    Design,
    Form,
    PlannedItem,
    TypedPrompt,
    again,
    check_count,
    plan_items,
    recipes_of,
)

PROMPTS = [TypedPrompt(text) for text in ("a star", "a heart", "a fish")]
BASE = Recipe(steps=12, batching="shared")
EDITED = BASE.model_copy(update={"edits": (EditRef(edit="x"),)})
GUIDED = BASE.model_copy(update={"steps": 20})
WORDS = (("neon", "flat"), ("red", "blue"))


def plain(items: list[PlannedItem]) -> list[PlannedItem]:
    return [item for item in items if item.wrong is None]


@pytest.mark.parametrize("form", PICTURES)
@pytest.mark.parametrize("arms", [[BASE], [BASE, EDITED], [BASE, EDITED, GUIDED]])
@pytest.mark.parametrize("same_seed", [True, False])
def test_every_plan_has_its_items_and_no_recipe_twice(form: Form, arms: list[Recipe], same_seed: bool) -> None:
    design = Design(form, 24, seed=3, same_seed=same_seed, checks=0.05, hidden_share=0.5, hidden_words=WORDS)
    items = plan_items(PROMPTS, arms, design)
    assert items == plan_items(PROMPTS, arms, design)
    assert items != plan_items(PROMPTS, arms, Design(form, 24, seed=4, same_seed=same_seed, checks=0.05))
    asked = plain(items)
    assert len(asked) == 24 and len(items) == 24 + check_count(design) == 25
    digests = [recipe.digest() for recipe in recipes_of(items)]
    assert len(set(digests)) == len(digests) == PICTURES[form] * len(items)
    for item in items:
        for recipe, arm in zip(item.recipes, item.arms, strict=True):
            blank = {"prompt": "", "seed": 0, "steps": 1}
            assert recipe.model_copy(update=blank) == arms[arm].model_copy(update=blank)
    used = Counter(arm for item in asked for arm in item.arms)
    assert len(used) == len(arms) and max(used.values()) - min(used.values()) <= PICTURES[form]
    assert sum(item.recipes[0].prompt != item.prompt for item in asked) == 12  # hidden words
    assert set(Counter(item.prompt for item in asked).values()) == {8}


def test_recipes_are_compared_at_one_seed_and_with_the_same_hidden_words_unless_wished_otherwise() -> None:
    arms, options = [BASE, EDITED], {"hidden_share": 1.0, "hidden_words": WORDS}
    for item in plan_items(PROMPTS, arms, Design("pair", 12, **options)):  # type: ignore[arg-type]
        assert {arm for arm in item.arms} == {0, 1}
        assert len({(recipe.seed, recipe.prompt) for recipe in item.recipes}) == 1
    apart = plan_items(PROMPTS, arms, Design("pair", 12, same_seed=False))
    assert all(item.recipes[0].seed != item.recipes[1].seed for item in apart)
    for item in plan_items(PROMPTS, arms, Design("list", 6)):  # two recipes, each at two seeds
        assert Counter(recipe.seed for recipe in item.recipes).most_common(2)[1][1] == 2
        assert Counter(item.arms) == {0: 2, 1: 2}


def test_what_is_there_already_does_not_come_again() -> None:
    first = plan_items(PROMPTS, [BASE], Design(count=20))
    more = plan_items(PROMPTS, [BASE], Design(count=20), present=recipes_of(first))
    assert not {recipe.digest() for recipe in recipes_of(first)} & {recipe.digest() for recipe in recipes_of(more)}


def test_checks_show_a_degraded_picture_or_one_of_another_prompt_and_name_it() -> None:
    checks = [item for item in plan_items(PROMPTS, [BASE], Design(count=400, checks=0.05)) if item.wrong is not None]
    assert len(checks) == 21
    assert len(checks) / (400 + len(checks)) <= 0.05
    kinds = set[str]()
    for check in checks:
        assert check.wrong is not None
        right, wrong = check.recipes[1 - check.wrong], check.recipes[check.wrong]
        assert right.prompt == check.prompt and right.steps == 12
        kinds.add("degraded" if wrong.steps == 1 else "other")
        assert (wrong.steps, wrong.prompt, wrong.seed) == (1, check.prompt, right.seed) or wrong.prompt != check.prompt
    assert kinds == {"degraded", "other"}
    assert {check.wrong for check in checks} == {0, 1}
    # With few steps and a single prompt there is none to be made.
    quick = BASE.model_copy(update={"steps": 4})
    assert len(plan_items(PROMPTS[:1], [quick], Design(count=30, checks=0.05))) == 30


def test_pictures_that_came_out_alike_are_drawn_again_at_other_seeds() -> None:
    item = plan_items(PROMPTS, [BASE, EDITED], Design(count=1))[0]
    other = again(item, 2**32 - 1)
    assert [recipe.seed for recipe in other.recipes] == [2**32 - 1] * 2
    apart = plan_items(PROMPTS, [BASE], Design(count=1))[0]
    assert [recipe.seed for recipe in again(apart, 2**32 - 1).recipes] == [2**32 - 1, 0]
    assert (other.prompt, other.arms) == (item.prompt, item.arms)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"form": "triple"}, "asks about a pair, a list, a single"),
        ({"count": 0}, "1 to 5,000 items"),
        ({"count": 2.5}, "1 to 5,000 items"),
        ({"checks": 0.2}, "At most 5%"),
        ({"hidden_share": 2}, "A share is 0 to 1"),
        ({"hidden_share": 1, "hidden_words": ((),)}, "is empty"),
    ],
)
def test_designs_out_of_range_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        Design(**values)  # type: ignore[arg-type]


def test_no_prompt_no_recipe_and_equal_recipes_are_refused() -> None:
    with pytest.raises(BadInput, match="needs a prompt"):
        plan_items([], [BASE], Design())
    with pytest.raises(BadInput, match="compares 1 to 8 recipes"):
        plan_items(PROMPTS, [], Design())
    with pytest.raises(BadInput, match="are equal"):
        plan_items(PROMPTS, [BASE, BASE.model_copy(update={"seed": 5})], Design())
