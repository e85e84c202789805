"""The one way in: dialects by name, and prompts that mean harm."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType, ModuleType

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import MAX_PROMPT_CHARS
from studio.prompts import a1111, compel, compile
from studio.prompts.dialects import DIALECTS, parse, print_tree
from studio.prompts.plan import texts_at_most
from studio.prompts.tree import Dialect, Sequence, Text, Weighted

HOSTILE = [
    "(",
    "[",
    "()",
    "([",
    "([)]",
    "((a:2)",
    ":",
    "|",
    "\\",
    "A",
    "AND ",
    "BREAK ",
    "+",
    "a+ ",
    '"',
    '"a"+ ',
    '("a",',
    ")1.",
    "[a:b:.5]",
    "[a|",
    " ",
    "\0",
    "\u202e\u0301😀",
    "<script>{{ x }}</script>",
]


@pytest.mark.parametrize("dialect", [a1111, compel])
@pytest.mark.parametrize("piece", HOSTILE)
def test_ten_thousand_hostile_characters(piece: str, dialect: ModuleType) -> None:
    tree = dialect.parse((piece * MAX_PROMPT_CHARS)[:MAX_PROMPT_CHARS])
    assert dialect.parse(dialect.print_tree(tree)) == tree


def calls_of(work: Callable[[], object]) -> int:
    """How many functions it calls, those written in C among them."""
    count = 0

    def add(frame: FrameType, event: str, of: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(add)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("dialect", [a1111, compel])
@pytest.mark.parametrize("piece", [*HOSTILE, "a AND ", ":1 AND ", "(a AND ", "[a AND b] AND "])
def test_the_work_grows_with_the_length_alone(piece: str, dialect: ModuleType) -> None:
    def written_out(count: int) -> None:
        tree = dialect.parse(piece * count)
        texts_at_most(tree, 20)
        dialect.print_tree(tree)

    few, many = (calls_of(lambda count=count: written_out(count)) for count in (50, 500))
    assert many < 2 * 10 * few  # and not a hundred times as many


@pytest.mark.parametrize("dialect", [a1111, compel])
@pytest.mark.parametrize(("opening", "closing"), ["()", "[]", ("([", "])"), (' "', '" '), ("(x", "-)-"), ("[a|", "]")])
def test_deep_nesting_does_not_run_out_of_stack(opening: str, closing: str, dialect: ModuleType) -> None:
    deep = MAX_PROMPT_CHARS // len(opening + closing)
    tree = dialect.parse(opening * deep + closing * deep)
    assert dialect.parse(dialect.print_tree(tree)) == tree
    assert compile(tree, 20).branches[0].segments


@pytest.mark.parametrize(
    "prompt",
    ["\0", "\u202ea red\u2066", "e\u0301" * 50, "⭐👨‍👩‍👧", "<b>&amp;</b>", "'; DROP TABLE x; --", "{{ 7*7 }}"],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_odd_text_is_text(prompt: str, dialect: Dialect) -> None:
    assert parse(prompt, dialect) == Text(prompt)


def test_plain_has_no_syntax() -> None:
    prompt = r"(a) [b|c] \( x++ AND BREAK"
    assert parse(prompt, "plain") == Text(prompt) and print_tree(Text(prompt), "plain") == prompt
    assert parse("", "plain") == Sequence() and print_tree(Sequence(), "plain") == ""
    with pytest.raises(BadInput, match="no weights"):
        print_tree(Weighted(Text("x"), 2.0), "plain")


def test_one_dialect_is_written_in_the_other() -> None:
    assert print_tree(parse("a (red star:1.3) \\(x\\)", "a1111"), "compel") == "a (red star)1.3 \\(x\\)"
    assert print_tree(parse('("a star+", "[b]").and()', "compel"), "a1111") == "a (star) BREAK \\[b\\]"


def test_too_long_is_refused_with_its_length() -> None:
    with pytest.raises(BadInput, match="1000000 characters; at most 10000"):
        parse("(" * 1_000_000, "a1111")
    assert parse("(" * 1_000_000, "plain") == Text("(" * 1_000_000)


def test_unknown_dialect() -> None:
    with pytest.raises(NotFound, match="there are a1111, compel, plain"):
        parse("x", "comfy")  # type: ignore[arg-type]
