"""compel's dialect: what each sign means, what is only text, and that a tree survives being written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.prompts import a1111
from studio.prompts.compel import parse, print_tree
from studio.prompts.tree import (
    MAX_DEPTH,
    Alternating,
    Blend,
    Break,
    Conjunction,
    Node,
    Scheduled,
    Sequence,
    Text,
    Weighted,
)
from tests.prompts.strategies import EMPTY, compel_trees, prompts, weighted_trees, weights

A, B, X = Text("a"), Text("b"), Text("x")


def seq(*parts: Node) -> Sequence:
    return Sequence(parts)


@pytest.mark.parametrize(
    ("prompt", "tree"),
    [
        ("", EMPTY),
        ("fire, flames. hot-dog", Text("fire, flames. hot-dog")),
        ("x+", Weighted(X, 1.1)),
        ("x--", Weighted(X, 0.9**2)),
        ("a x+++, b", seq(Text("a "), Weighted(X, 1.1**3), Text(", b"))),
        ("hot-dog+ a", seq(Weighted(Text("hot-dog"), 1.1), Text(" a"))),
        ("(a b)+", Weighted(Text("a b"), 1.1)),
        ("(a b)1.3", Weighted(Text("a b"), 1.3)),
        ("(a.)0.7. (b)0.8", seq(Weighted(Text("a."), 0.7), Text(". "), Weighted(B, 0.8))),
        ('"a b"++', Weighted(Text("a b"), 1.1**2)),
        ('say "a b" (x)', Text("say a b x")),
        ('5"x 6" wide', Text('5"x 6" wide')),
        ("a (b (x)1.5)2.0", seq(Text("a "), Weighted(seq(Text("b "), Weighted(X, 1.5)), 2.0))),
        ("(b x+)++", Weighted(seq(Text("b "), Weighted(X, 1.1)), 1.1**2)),
        (r"\(a\) \"b\" \+ \5 \\", Text(r'(a) "b" + 5 ' + "\\")),
        (r"C\+\+ C++", seq(Text("C++ "), Weighted(Text("C"), 1.1**2))),
        (r"h\(o\)tdog+", Weighted(Text("h(o)tdog"), 1.1)),
        ("a - b +test +", Text("a - b +test +")),
        ("x+- " + "-" * 33, Text("x+- " + "-" * 33)),
        ("x" + "+" * 40, Text("x" + "+" * 40)),
        ("(x)1234567", Text("x1234567")),
        ("(x)1", X),
        ('("a", "b")', Text("a, b")),
        ('("a", "b").and()', seq(A, Break(), B)),
        ('("a","b").and(1, 2)', seq(A, Break(), Weighted(B, 2.0))),
        ('("a", "").add()', seq(A, Break())),
        ('("a").and()', A),
        ('("a", "b").blend(1, .8)', Blend((A, B), (1.0, 0.8))),
        (' ( "a" , "b" ) .blend( ) ', Blend((A, B), (1.0, 1.0))),
        ('("a", "b").blend(1,-1,no_normalize)', Blend((A, B), (1.0, -1.0), normalise=False)),
        ('("x+", "say \\"b\\"").blend()', Blend((Weighted(X, 1.1), Text('say "b"')), (1.0, 1.0))),
        ('("a", "b").blend(1, 1) and more', Text("a, b.blend1, 1 and more")),
        ("a cat.swap(dog)", Text("a cat.swapdog")),
    ],
)
def test_parse(prompt: str, tree: Node) -> None:
    assert parse(prompt) == tree


@pytest.mark.parametrize("prompt", ["((", "x)", ")(", "x)+", ")1.5", '"', 'a"b"', "<lora:../../x:9e9>", "{{ x }}"])
def test_brackets_without_a_partner_are_text(prompt: str) -> None:
    assert parse(prompt) == Text(prompt)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ('("a", "b").blend(1)', "one number for each of its 2 prompts"),
        ('("a", "b").and(1, x)', "one number for each of its 2 prompts"),
        ('("a", "b").and(1, 2, 3)', "not '1, 2, 3'"),
        ('("a", "b").blend(1, -1)', "1, -1 sum to 0"),
    ],
)
def test_weights_that_cannot_be_are_refused(prompt: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse(prompt)


def test_spans_point_into_the_source() -> None:
    source = r'("a \"red\" star+", "(b c)1.3").blend()'
    tree = parse(source)
    assert isinstance(tree, Blend)
    first, second = tree.parts
    assert isinstance(first, Sequence) and isinstance(second, Weighted)
    assert [source[slice(*part.span)] for part in first.parts] == [r"a \"red\" ", "star+"]
    assert source[slice(*second.span)] == "(b c)1.3" and source[slice(*second.part.span)] == "b c"


@pytest.mark.parametrize("prompt", ["(" * 50 + "x+" + ")+" * 50, '("' + "(" * 50 + "x+" + ")+" * 50 + '").and(2)'])
def test_brackets_deeper_than_the_cap_are_text(prompt: str) -> None:
    tree = parse(prompt)
    node, depth = tree, 0
    while isinstance(node, Weighted):
        node, depth = node.part, depth + 1
    assert isinstance(node, Text) and depth == MAX_DEPTH
    assert parse(print_tree(tree)) == tree


@settings(max_examples=300, deadline=None)
@given(prompts)
def test_what_is_written_reads_back(prompt: str) -> None:
    try:
        tree = parse(prompt)
    except BadInput:  # of .blend() and .and(), as tested above
        return
    assert parse(print_tree(tree)) == tree


@settings(max_examples=80, deadline=None)
@given(compel_trees)
def test_every_tree_can_be_written(tree: Node) -> None:
    assert parse(print_tree(tree)) == tree


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(weighted_trees, weights.filter(bool)), min_size=1, max_size=3), st.booleans())
def test_every_blend_can_be_written(parts: list[tuple[Node, float]], normalise: bool) -> None:
    tree = Blend(tuple(part for part, _ in parts), tuple(weight for _, weight in parts), normalise)
    assert parse(print_tree(tree)) == tree


@settings(max_examples=100, deadline=None)
@given(weighted_trees)
def test_weights_mean_the_same_in_both_dialects(tree: Node) -> None:
    assert parse(print_tree(tree)) == tree == a1111.parse(a1111.print_tree(tree))


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (Weighted(X, -1.0), "a negative weight"),
        (Scheduled(A, B, 3.0), "change at a step"),
        (Alternating((A, B)), "take turns"),
        (Conjunction((A, B), (1.0, 1.0)), "joined by AND"),
        (Weighted(seq(A, Break(), B), 2.0), "a new chunk inside brackets"),
        (seq(A, Blend((A, B), (1.0, 1.0))), "a blend within a prompt"),
    ],
)
def test_what_cannot_be_written(tree: Node, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        print_tree(tree)
