"""The A1111 dialect: what each sign means, what is only text, and that a tree survives being written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.prompts.a1111 import DOWN, UP, parse, print_tree
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
from tests.prompts.strategies import EMPTY, a1111_parts, a1111_trees, prompts, weights

A, B, X = Text("a"), Text("b"), Text("x")


def seq(*parts: Node) -> Sequence:
    return Sequence(parts)


@pytest.mark.parametrize(
    ("prompt", "tree"),
    [
        ("", EMPTY),
        ("a red star", Text("a red star")),
        (" a  red\nstar ", Text(" a  red\nstar ")),
        ("(x)", Weighted(X, 1.1)),
        ("[x]", Weighted(X, 1 / 1.1)),
        ("(x:1.4)", Weighted(X, 1.4)),
        ("(x: .5 )", Weighted(X, 0.5)),
        ("(x:-1)", Weighted(X, -1.0)),
        ("(x:1)", X),
        ("a(x:1.0)b", Text("axb")),
        ("((x))", Weighted(Weighted(X, 1.1), 1.1)),
        ("(a (x:2):1.5)", Weighted(seq(Text("a "), Weighted(X, 2.0)), 1.5)),
        ("()[](:2)", EMPTY),
        (r"\(x\) \[ \] \\ \: \|", Text(r"(x) [ ] \ : |")),
        (r"C:\new \o/", Text(r"C:\new \o/")),
        ("a BREAK b", seq(A, Break(), B)),
        ("a\nBREAK\nBREAK b", seq(A, Break(), Break(), B)),
        ("(a BREAK b:2)", Weighted(seq(A, Break(), B), 2.0)),
        (r"a \BREAK b", Text("a BREAK b")),
        ("BREAKFAST ABREAK break BREAK_", Text("BREAKFAST ABREAK break BREAK_")),
        ("a AND b", Conjunction((A, B), (1.0, 1.0))),
        ("a :0.5 AND b:-2", Conjunction((A, B), (0.5, -2.0))),
        ("AND", Conjunction((EMPTY, EMPTY), (1.0, 1.0))),
        ("a in 16:9", Text("a in 16:9")),
        ("a in 16:9 AND b", Conjunction((Text("a in 16"), B), (9.0, 1.0))),
        ("(a AND b)", Weighted(Text("a AND b"), 1.1)),
        (r"a \AND b", Text("a AND b")),
        ("[a:b:5]", Scheduled(A, B, 5.0)),
        ("[a:b: 0.25 ]", Scheduled(A, B, 0.25)),
        ("[a::3]", Scheduled(A, EMPTY, 3.0)),
        ("[:b:3]", Scheduled(EMPTY, B, 3.0)),
        ("[b:3]", Scheduled(EMPTY, B, 3.0)),
        ("[(a:2):[b|x]:3]", Scheduled(Weighted(A, 2.0), Alternating((B, X)), 3.0)),
        ("[a:b:c:3]", Weighted(Text("a:b:c:3"), DOWN)),
        ("[a:b]", Weighted(Text("a:b"), DOWN)),
        ("[a|b]", Alternating((A, B))),
        ("[a||b:2]", Alternating((A, EMPTY, Text("b:2")))),
        ("(a|b)", Weighted(Text("a|b"), UP)),
        ("a|b:c", Text("a|b:c")),
        ("(12:30)", Weighted(Text("12"), 30.0)),
        (r"(12\:30)", Weighted(Text("12:30"), UP)),
        ("(x:9e9)", Weighted(Text("x:9e9"), UP)),
        ("(x:1.2.3)", Weighted(Text("x:1.2.3"), UP)),
    ],
)
def test_parse(prompt: str, tree: Node) -> None:
    assert parse(prompt) == tree


@pytest.mark.parametrize("prompt", ["((", "x)", "[a:b:3", "(a]", "][", ")(", "<lora:../../x:9e9>", "{{ x }}"])
def test_brackets_without_a_partner_are_text(prompt: str) -> None:
    assert parse(prompt) == Text(prompt)


def test_the_nearest_partner_is_taken() -> None:
    assert parse("(a [x) b]") == seq(Weighted(Text("a [x"), UP), Text(" b]"))
    assert parse("((a (x)") == seq(Text("((a "), Weighted(X, UP))


def test_spans_point_into_the_source() -> None:
    source = r"a \(b (red:1.3) [x:y:2]"
    tree = parse(source)
    assert isinstance(tree, Sequence)
    said = [source[slice(*part.span)] for part in tree.parts]
    assert said == [r"a \(b ", "(red:1.3)", " ", "[x:y:2]"]
    red, change = tree.parts[1], tree.parts[3]
    assert isinstance(red, Weighted) and source[slice(*red.part.span)] == "red"
    assert isinstance(change, Scheduled) and source[slice(*change.after.span)] == "y"


def test_brackets_deeper_than_the_cap_are_text() -> None:
    node, depth = parse("(" * 100 + "x" + ")" * 100), 0
    while isinstance(node, Weighted):
        node, depth = node.part, depth + 1
    assert (node, depth) == (Text("(" * 68 + "x" + ")" * 68), MAX_DEPTH)


@settings(max_examples=300, deadline=None)
@given(prompts)
def test_what_is_written_reads_back(prompt: str) -> None:
    tree = parse(prompt)
    assert parse(print_tree(tree)) == tree


@settings(max_examples=200, deadline=None)
@given(a1111_trees)
def test_every_tree_can_be_written(tree: Node) -> None:
    assert parse(print_tree(tree)) == tree


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(a1111_parts, weights), min_size=2, max_size=3))
def test_every_conjunction_can_be_written(parts: list[tuple[Node, float]]) -> None:
    tree = Conjunction(tuple(part for part, _ in parts), tuple(weight for _, weight in parts))
    assert parse(print_tree(tree)) == tree


def test_short_forms_are_written() -> None:
    for prompt in ["(x)", "[x]", "(x:1.4)", "a AND b :0.5", "[a:b:3]", "[:b:0.5]", "[a|b]", "a BREAK b", "in 16:9"]:
        assert print_tree(parse(prompt)) == prompt


def test_a_blend_cannot_be_written() -> None:
    with pytest.raises(BadInput, match="no word for a blend"):
        print_tree(Blend((A, B), (1.0, 1.0)))
