"""Plans: which words, with which weight, at which step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.prompts import compile, parse
from studio.prompts.plan import (
    Branch,
    Fragment,
    Mix,
    PromptPlan,
    Segment,
    Wording,
    _Speller,
    switch_step,
    texts_at_most,
)
from studio.prompts.tree import Blend, Node, Sequence, Text
from tests.prompts.strategies import a1111_trees


def plan(prompt: str, steps: int = 10) -> PromptPlan:
    return compile(parse(prompt, "a1111"), steps)


def words(*chunks: str) -> Wording:
    """Chunks of one fragment of weight 1 each; "" for an empty one."""
    return Wording(tuple((Fragment(text),) if text else () for text in chunks))


def segments(prompt: str, steps: int = 10) -> list[tuple[int, int, object]]:
    (branch,) = plan(prompt, steps).branches
    return [(segment.start, segment.stop, segment.item) for segment in branch.segments]


def test_a_plain_prompt_is_one_of_everything() -> None:
    assert plan("a red star") == PromptPlan(10, (Branch(1.0, (Segment(0, 10, words("a red star")),)),))
    assert plan("a red star").plain == "a red star"
    assert plan("").plain == "" and plan("").items() == (words(""),)


@pytest.mark.parametrize("prompt", ["(a:2)", "a BREAK b", "a AND b", "[a:b:5]", "[a|b]", "a (b:0)"])
def test_others_are_not_plain(prompt: str) -> None:
    assert plan(prompt).plain is None


def test_weights_multiply_and_equal_neighbours_join() -> None:
    (wording,) = plan("a (big (red:2):1.5)(:3) [x:x:5] \\(star\\)").items()
    fragments = (Fragment("a "), Fragment("big ", 1.5), Fragment("red", 3.0), Fragment(" x (star)"))
    assert wording == Wording((fragments,))


def test_a_change_that_has_come_gives_the_words_of_the_plain_prompt() -> None:
    assert segments("a [red:blue:4] star") == [(0, 4, words("a red star")), (4, 10, words("a blue star"))]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("[a::3]", [(0, 3, words("a")), (3, 10, words(""))]),
        ("[:b:3]", [(0, 3, words("")), (3, 10, words("b"))]),
        ("[a:b:0.25]", [(0, 2, words("a")), (2, 10, words("b"))]),
        ("[a:b:0]", [(0, 10, words("b"))]),
        ("[a:b:-2]", [(0, 10, words("b"))]),
        ("[a:b:1]", [(0, 1, words("a")), (1, 10, words("b"))]),
        ("[a:b:10]", [(0, 10, words("a"))]),
        ("[a:b:999]", [(0, 10, words("a"))]),
        ("[[a:b:2]:c:6]", [(0, 2, words("a")), (2, 6, words("b")), (6, 10, words("c"))]),
        ("[a:[b:c:2]:6]", [(0, 6, words("a")), (6, 10, words("c"))]),
        ("[a|b|]", [(i, i + 1, words(("a", "b", "")[i % 3])) for i in range(10)]),
        ("[a|a]", [(0, 10, words("a"))]),
        ("x [BREAK a:b:3]", [(0, 3, words("x ", "a")), (3, 10, words("x b"))]),
    ],
)
def test_schedules(prompt: str, expected: list[tuple[int, int, object]]) -> None:
    assert segments(prompt) == expected


def test_a_fraction_counts_the_steps_it_stands_for() -> None:
    assert [switch_step(0.29, 100), switch_step(0.5, 5), switch_step(0.999, 10), switch_step(7.9, 10)] == [29, 2, 9, 7]


def test_equal_items_are_one_object() -> None:
    alternating = plan("[a|b] AND [b|a]")
    first, second = (branch.segments for branch in alternating.branches)
    assert first[0].item is first[2].item is second[1].item and len(alternating.items()) == 2
    assert {alternating: 1}[plan("[a|b] AND [b|a]")] == 1


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a", 1),
        ("[a|b] [c|d|e]", 6),
        ("[a|b] [c|d] [e|f|g|h]", 4),
        ("[a:b:300] [c:d:0.3] [e::500]", 3),
        ("[[a|b]:c:10] [d|e|f]", 6 + 3),
        ("[a:[b|c|d]:990]", 1 + 3),
        ("[a|b] AND c AND [d|e|f]", 2 + 1 + 3),
    ],
)
def test_the_work_is_by_different_texts_not_by_steps(monkeypatch: pytest.MonkeyPatch, prompt: str, texts: int) -> None:
    spelled: list[int] = []
    item = _Speller.item
    monkeypatch.setattr(_Speller, "item", lambda speller, step: (spelled.append(step), item(speller, step))[1])
    assert len(plan(prompt, 1000).items()) == len(spelled) == texts_at_most(parse(prompt, "a1111"), 1000) == texts


@settings(max_examples=100, deadline=None)
@given(a1111_trees, st.integers(1, 40))
def test_the_texts_are_never_more_than_they_were_said_to_be(tree: Node, steps: int) -> None:
    try:
        made = compile(tree, steps)
    except BadInput:
        return
    assert 1 <= len(made.items()) <= texts_at_most(tree, steps) <= steps


def test_conjunction() -> None:
    both = plan("a AND [b:c:5] :0.5")
    assert both.at(4) == ((1.0, words("a")), (0.5, words("b")))
    assert both.at(5) == ((1.0, words("a")), (0.5, words("c")))
    with pytest.raises(ValueError, match="outside"):
        both.at(10)


def test_blend() -> None:
    def items(prompt: str) -> tuple[object, ...]:
        return compile(parse(prompt, "compel"), 10).items()

    assert items('("a", "b").blend(1, 3)') == (Mix(((0.25, words("a")), (0.75, words("b")))),)
    assert items('("a", "b").blend(1, 3, no_normalize)') == (Mix(((1.0, words("a")), (3.0, words("b")))),)
    assert items('("a", "b").blend(1, 0)') == items('("a").blend(5)') == (words("a"),)
    assert items('("a", "b").blend(0, 0, no_normalize)') == (Mix(((0.0, words("a")),)),)
    assert compile(parse('("a", "b").blend()', "compel"), 10).wordings() == (words("a"), words("b"))


def test_fragments_know_where_they_come_from() -> None:
    source = r"\(a\) [red:blue:5](green:2)"
    (first, second), *_ = (item.chunks[0] for item in plan(source).items() if isinstance(item, Wording))
    assert first.text == "(a) red" and second.text == "green"
    assert source[slice(*first.source_span(0, 3))] == r"(a\)"  # the backslash of the first bracket is left out
    assert source[slice(*first.source_span(4, 7))] == "red"
    assert source[slice(*second.source_span(1, 4))] == "ree"


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("(x:101)", "weight of 'x' must be from -100 to 100, not 101"),
        ("((x:999999):999999)", "from -100 to 100"),
        ("a AND b :-200", "a prompt joined by AND"),
        ("a" + " AND a" * 16, "joins 17 prompts by AND; at most 16"),
    ],
)
def test_refused(prompt: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        plan(prompt)


def test_too_many_blended() -> None:
    with pytest.raises(BadInput, match="blends 17 prompts"):
        compile(Blend((Text("a"),) * 17, (1.0,) * 17), 5)
    with pytest.raises(BadInput, match="a blended prompt"):
        compile(parse('("a", "b").blend(1000, -999)', "compel"), 5)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        compile(Text("a"), 0)
    with pytest.raises(ValueError, match="only be the root"):
        compile(Sequence((Text("a"), Blend((Text("b"),), (1.0,)))), 5)


@settings(max_examples=100, deadline=None)
@given(a1111_trees, st.integers(1, 12))
def test_segments_cover_all_steps_and_say_what_each_step_says(tree: Node, steps: int) -> None:
    try:
        whole = compile(tree, steps)
    except BadInput:
        return
    (branch,) = whole.branches
    ends = [0, *(segment.stop for segment in branch.segments)]
    assert ends[-1] == steps and [segment.start for segment in branch.segments] == ends[:-1]
    neighbours = zip(branch.segments, branch.segments[1:], strict=False)
    assert all(before.item != after.item for before, after in neighbours)
