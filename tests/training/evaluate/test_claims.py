"""The prompts of the claims: the same every time, all different, and paired with a negative of another style."""

from studio.training.evaluate.suites.claims import full, open_ended


def test_full_prompts_say_what_is_wanted_and_the_negative_differs_in_style_alone() -> None:
    cases = full(40)
    assert len({case.prompt for case in cases}) == 40
    for case in cases:
        assert case.expectation is not None
        (object, colour), style = case.expectation.things[0], case.expectation.style
        assert object and colour and style and case.expectation.background
        assert all(word in case.prompt for word in (object, colour, style, case.expectation.background))
        ours, theirs = (set(text.split()) - {"a", "an"} for text in (case.prompt, case.negative))
        assert ours - theirs == {style} and len(theirs - ours) == 1


def test_open_prompts_say_object_and_colour_alone_with_four_seeds_each() -> None:
    cases = open_ended(20)
    assert [case.prompt for case in cases[::4]] == [case.prompt for case in cases[3::4]]
    for case in cases:
        assert case.expectation is not None
        object, colour = case.expectation.things[0]
        assert case.prompt in (f"a {colour} {object}", f"an {colour} {object}")
        assert case.expectation.style is case.expectation.background is None
    assert any(case.prompt.startswith("an orange") for case in open_ended(40))
