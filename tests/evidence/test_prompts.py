"""The prompts of the claims: the same every time, all different, and paired with a negative of another style."""

import pytest

from studio.evidence.prompts import full, open_ended, suite


def test_prompts_are_the_same_every_time_and_a_shorter_list_is_their_beginning() -> None:
    assert full(12) == full(12)
    assert full(5).prompts == full(12).prompts[:5] and open_ended(5).prompts == open_ended(12).prompts[:5]


def test_full_prompts_say_what_is_wanted_and_the_negative_differs_in_style_alone() -> None:
    prompts = full(40).prompts
    assert len({prompt.text for prompt in prompts}) == 40
    for prompt in prompts:
        (object, colour), style = prompt.wanted.things[0], prompt.wanted.style
        assert object and colour and style and prompt.wanted.background
        assert all(word in prompt.text for word in (object, colour, style, prompt.wanted.background))
        ours, theirs = (set(text.split()) - {"a", "an"} for text in (prompt.text, prompt.negative))
        assert ours - theirs == {style} and len(theirs - ours) == 1


def test_open_prompts_say_object_and_colour_alone() -> None:
    for prompt in open_ended(20).prompts:
        object, colour = prompt.wanted.things[0]
        assert prompt.text in (f"a {colour} {object}", f"an {colour} {object}")
        assert prompt.wanted.style is prompt.wanted.background is None
    assert any(prompt.text.startswith("an orange") for prompt in open_ended(40).prompts)


@pytest.mark.parametrize("name", ["full", "open"])
def test_no_two_pictures_of_a_suite_have_one_seed(name: str) -> None:
    chosen = suite(name, 128)
    seeds = [chosen.seed(p, k) for p in range(len(chosen.prompts)) for k in range(chosen.seeds)]
    assert len(set(seeds)) == len(seeds) == chosen.pictures == 128


def test_a_suite_has_at_least_one_prompt() -> None:
    assert len(suite("full", 1).prompts) == len(suite("open", 0).prompts) == 1
