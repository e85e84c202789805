"""The A1111 dialect: what each sign means, what is only text, and that a tree survives being written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.prompts import compile
from studio.prompts.a1111 import DOWN, NEVER, UP, parse, print_tree, unclosed
from studio.prompts.plan import Wording
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
        ("[a:b:1]", Scheduled(A, B, 1.0)),
        ("[a:b:1.0]", Scheduled(A, B, NEVER)),
        ("[a:b: 1. ]", Scheduled(A, B, NEVER)),
        ("[b:2.5]", Scheduled(EMPTY, B, NEVER)),
        ("[a:b:0]", Scheduled(A, B, 0.0)),
        ("[a:b:0.0]", Scheduled(A, B, 0.0)),
        ("[a:b:-1]", Scheduled(A, B, -1.0)),
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


@pytest.mark.parametrize(
    ("prompt", "tree"),
    [
        ("((", EMPTY),
        ("x)", Text("x)")),
        ("][", Text("]")),
        ("{{ x }} <lora:../../x:9e9>", Text("{{ x }} <lora:../../x:9e9>")),
        ("(x", Weighted(X, UP)),
        ("a [x", seq(Text("a "), Weighted(X, DOWN))),
        ("((x", Weighted(Weighted(X, UP), UP)),
        ("(a]", Weighted(Text("a]"), UP)),
        ("(in 16:9", Weighted(Text("in 16:9"), UP)),
        ("[a:b:3", Weighted(Text("a:b:3"), DOWN)),
        ("([a:b:3]", Weighted(Scheduled(A, B, 3.0), UP)),
        ("[a) :b:3]", Weighted(Text("a) :b:3"), DOWN)),
        ("[a|(b] x", seq(Weighted(seq(Text("a|"), Weighted(B, UP)), DOWN), Weighted(Text(" x"), UP))),
        ("(a AND b", Conjunction((Weighted(Text("a "), UP), B), (1.0, 1.0))),
        ("(a :0.5 AND [b:2", Conjunction((Weighted(Text("a "), UP), Weighted(B, DOWN)), (0.5, 2.0))),
        ("(a AND (b)", Conjunction((Weighted(Text("a "), UP), Weighted(B, UP)), (1.0, 1.0))),
        ("(a BREAK b", Weighted(seq(A, Break(), B), UP)),
        (r"\(a", Text("(a")),
    ],
)
def test_a_bracket_without_a_partner_holds_to_the_end(prompt: str, tree: Node) -> None:
    assert parse(prompt) == tree


def test_pairs_may_cross_and_each_keeps_its_range() -> None:
    assert parse("(a [x) b]") == seq(Weighted(seq(Text("a "), Weighted(X, DOWN)), UP), Weighted(Text(" b"), DOWN))
    assert parse("[a (x] b:2)") == seq(Weighted(seq(Text("a "), Weighted(X, 2.0)), DOWN), Weighted(Text(" b"), 2.0))
    assert parse("((a (x)") == Weighted(Weighted(seq(Text("a "), Weighted(X, UP)), UP), UP)


def test_where_brackets_are_not_closed_is_known() -> None:
    assert unclosed(r"(a) [b \( (c] ( d)(") == [10, 18]
    assert unclosed("a (b) c] )") == []


SIGNS = ["(", ")", "[", "]", ":1.3)", r"\(", r"\]", "a", "b c", ", "]


def web_ui_weights(signs: list[str]) -> list[tuple[str, float]]:
    """Every letter with its weight, by the web UI's rule: a bracket multiplies all that was read since it opened."""
    letters: list[list[str | float]] = []
    waiting: dict[str, list[int]] = {"(": [], "[": []}

    def multiply(start: int, weight: float) -> None:
        for letter in letters[start:]:
            letter[1] = float(letter[1]) * weight

    for sign in signs:
        if sign in waiting:
            waiting[sign].append(len(letters))
        elif sign in (")", ":1.3)") and waiting["("]:
            multiply(waiting["("].pop(), UP if sign == ")" else 1.3)
        elif sign == "]" and waiting["["]:
            multiply(waiting["["].pop(), DOWN)
        else:
            letters += [[letter, 1.0] for letter in sign.removeprefix("\\")]
    for sign, weight in (("(", UP), ("[", DOWN)):
        for start in waiting[sign]:
            multiply(start, weight)
    return [(str(letter), round(float(weight), 6)) for letter, weight in letters]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(SIGNS), max_size=14))
def test_weights_are_the_web_uis_whatever_the_brackets(signs: list[str]) -> None:
    ((_, wording),) = compile(parse("".join(signs)), 1).at(0)
    assert isinstance(wording, Wording)
    ours = [(letter, round(part.weight, 6)) for part in wording.chunks[0] for letter in part.text]
    assert ours == web_ui_weights(signs)


def test_hostile_brackets() -> None:
    for prompt in ("([" * 1_000, "(" * 1_000 + ")" * 1_000, "([" * 16 + ")]" * 1_000, "([)]" * 500):
        assert parse(print_tree(parse(prompt))) == parse(prompt)


def test_spans_point_into_the_source() -> None:
    source = r"a \(b (red:1.3) [x:y:2]"
    tree = parse(source)
    assert isinstance(tree, Sequence)
    said = [source[slice(*part.span)] for part in tree.parts]
    assert said == [r"a \(b ", "(red:1.3)", " ", "[x:y:2]"]
    red, change = tree.parts[1], tree.parts[3]
    assert isinstance(red, Weighted) and source[slice(*red.part.span)] == "red"
    assert isinstance(change, Scheduled) and source[slice(*change.later.span)] == "y"


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


@settings(max_examples=80, deadline=None)
@given(a1111_trees)
def test_every_tree_can_be_written(tree: Node) -> None:
    assert parse(print_tree(tree)) == tree


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(a1111_parts, weights), min_size=2, max_size=3))
def test_every_conjunction_can_be_written(parts: list[tuple[Node, float]]) -> None:
    tree = Conjunction(tuple(part for part, _ in parts), tuple(weight for _, weight in parts))
    assert parse(print_tree(tree)) == tree


SHORT_FORMS = ("(x)", "[x]", "(x:1.4)", "a AND b :0.5", "a BREAK b", "in 16:9", "[a|b]")


def test_short_forms_are_written() -> None:
    for prompt in (*SHORT_FORMS, "[a:b:3]", "[:b:0.5]", "[a:b:1.0]", "[a:b:1]"):
        assert print_tree(parse(prompt)) == prompt


def test_a_blend_cannot_be_written() -> None:
    with pytest.raises(BadInput, match="no word for a blend"):
        print_tree(Blend((A, B), (1.0, 1.0)))
