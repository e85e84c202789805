r"""The dialect of the AUTOMATIC1111 web UI.

(x) counts 1.1 times, [x] 1/1.1 times, (x:1.4) as said; nesting multiplies. BREAK starts a new chunk. a AND b :0.5 are
prompts of their own. [a:b:k] becomes b after k steps (k < 1: a fraction of them), [a::k] goes, [:b:k] and [b:k] come,
[a|b] takes turns. A backslash before one of ( ) [ ] \ : | AND BREAK makes it text.

Differs from the web UI where that guesses or fails: brackets without a partner are text (there, an open bracket holds
to the end); AND counts only outside of brackets; a weight at the end of a prompt only if there is an AND ("in 16:9").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from studio.core.errors import BadInput
from studio.prompts.brackets import partners
from studio.prompts.numbers import read_number, written
from studio.prompts.tree import (
    Alternating,
    Blend,
    Break,
    Conjunction,
    Node,
    Scheduled,
    Sequence,
    Text,
    Weighted,
    sequence,
    trimmed,
    weighted,
)

UP, DOWN = 1.1, 1 / 1.1

_TOKEN = re.compile(
    r"\\(?P<escaped>[()\[\]\\:|]|(?:AND|BREAK)\b)"
    r"|(?P<bracket>[()\[\]])"
    r"|(?P<mark>[:|]|\b(?:AND|BREAK)\b)"
    r"|(?P<text>(?:[^\\()\[\]:|AB]|(?!\b(?:AND|BREAK)\b)[AB])+|\\)"
)
_KEYWORD = re.compile(r"\b(?=(?:AND|BREAK)\b)")
_KINDS = {"(": "round", ")": "round", "[": "square", "]": "square"}


@dataclass(frozen=True)
class _Mark:
    """A sign that may mean something where it stands: ":", "|" or "AND". Else it is text."""

    sign: Text


@dataclass
class _Open:
    """What has been read since an opening bracket; the outermost has none."""

    bracket: str
    start: int
    items: list[Node | _Mark] = field(default_factory=list)


def parse(source: str) -> Node:
    """Read a prompt. Never fails; time grows with its length."""
    tokens = list(_TOKEN.finditer(source))
    brackets = [(n, token["bracket"]) for n, token in enumerate(tokens) if token["bracket"]]
    partner = partners((n, _KINDS[sign], sign in "([", sign in ")]") for n, sign in brackets)
    stack = [_Open("", 0)]
    for number, token in enumerate(tokens):
        start, end = token.span()
        if number not in partner:
            stack[-1].items.append(_item(token))
        elif partner[number] > number:
            stack.append(_Open(token[0], start))
        else:
            group = stack.pop()
            stack[-1].items.append((_round if group.bracket == "(" else _square)(group, end))
    return _root(stack[0].items, len(source))


def _item(token: re.Match[str]) -> Node | _Mark:
    start, end = token.span()
    if token["escaped"]:
        return Text(token["escaped"], (start, end), ((0, start + 1),))
    if token["mark"] == "BREAK":
        return Break((start, end))
    text = Text(token[0], (start, end), ((0, start),))
    return _Mark(text) if token["mark"] else text


def _round(group: _Open, end: int) -> Node:
    items, weight = _weight_at_end(group.items)
    return weighted(_sequence(items, (group.start, end)), UP if weight is None else weight, (group.start, end))


def _square(group: _Open, end: int) -> Node:
    span = (group.start, end)
    options = _split(group.items, "|")
    if len(options) > 1:
        return Alternating(tuple(_sequence(option, span) for option in options), span)
    sides = _split(group.items, ":")
    at = _number(sides[-1])
    if at is not None and len(sides) in (2, 3):
        before = _sequence(sides[0] if len(sides) == 3 else [], span)
        return Scheduled(before, _sequence(sides[-2], span), at, span)
    return weighted(_sequence(group.items, span), DOWN, span)


def _root(items: list[Node | _Mark], end: int) -> Node:
    prompts = _split(items, "AND")
    if len(prompts) == 1:
        return _sequence(items, (0, end))
    read = [_weight_at_end(prompt) for prompt in prompts]
    parts = tuple(trimmed(_sequence(part, (0, end))) for part, _ in read)
    return Conjunction(parts, tuple(1.0 if weight is None else weight for _, weight in read), (0, end))


def _weight_at_end(items: list[Node | _Mark]) -> tuple[list[Node | _Mark], float | None]:
    """Take ": number" off the end."""
    for at in range(len(items) - 1, -1, -1):
        if _is(items[at], ":"):
            weight = _number(items[at + 1 :])
            return (items, None) if weight is None else (items[:at], weight)
    return items, None


def _number(items: list[Node | _Mark]) -> float | None:
    texts = [item.text for item in items if isinstance(item, Text)]
    return read_number("".join(texts)) if len(texts) == len(items) else None


def _split(items: list[Node | _Mark], sign: str) -> list[list[Node | _Mark]]:
    parts: list[list[Node | _Mark]] = [[]]
    for item in items:
        if _is(item, sign):
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def _is(item: Node | _Mark, sign: str) -> bool:
    return isinstance(item, _Mark) and item.sign.text == sign


def _sequence(items: Iterable[Node | _Mark], span: tuple[int, int]) -> Node:
    """Items one after the other; the marks still among them are text."""
    return sequence((item.sign if isinstance(item, _Mark) else item for item in items), span)


def print_tree(tree: Node) -> str:
    """Write a tree in this dialect; `parse` gives it back. Raises BadInput for a blend, which it cannot say."""
    if not isinstance(tree, Conjunction):
        return _print(tree, nested=False)
    parts = [
        _print(part, nested=True) + ("" if weight == 1 else f" :{written(weight)}")
        for part, weight in zip(tree.parts, tree.weights, strict=True)
    ]
    return " AND ".join(parts)


def _print(node: Node, *, nested: bool) -> str:
    """nested: inside brackets or beside an AND, where ":" and "|" mean something."""
    match node:
        case Text():
            return _escape(node.text, nested)
        case Break():
            return " BREAK "
        case Sequence():
            return "".join(_print(part, nested=nested) for part in node.parts)
        case Weighted():
            inside = _print(node.part, nested=True)
            if node.weight in (UP, DOWN):
                return f"({inside})" if node.weight == UP else f"[{inside}]"
            return f"({inside}:{written(node.weight)})"
        case Scheduled():
            return f"[{_print(node.before, nested=True)}:{_print(node.after, nested=True)}:{written(node.at)}]"
        case Alternating():
            return f"[{'|'.join(_print(option, nested=True) for option in node.options)}]"
        case Blend() | Conjunction():
            raise BadInput(
                "The A1111 dialect has no word for a blend, nor for prompts combined within a prompt.",
                "Write the prompt in compel's dialect.",
            )


def _escape(text: str, nested: bool) -> str:
    text = re.sub(r"[()\[\]\\:|]" if nested else r"[()\[\]\\]", r"\\\g<0>", text)
    return _KEYWORD.sub(r"\\", text)
