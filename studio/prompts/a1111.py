r"""The dialect of the AUTOMATIC1111 web UI.

(x) counts 1.1 times, [x] 1/1.1 times, (x:1.4) as said; nesting multiplies, and a bracket that is not closed holds to
the end. BREAK starts a new chunk. a AND b :0.5 are prompts of their own. [a:b:k] becomes b after k steps, or after that
share of them where k has a point, so never from 1.0 on; [a::k] goes, [:b:k] and [b:k] come, [a|b] takes turns. A
backslash before one of ( ) [ ] \ : | AND BREAK makes it text. Source: modules/prompt_parser.py of the web UI.

Where it differs is listed for users in docs/guide/prompts.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

from studio.core.errors import BadInput
from studio.prompts.numbers import read_number, written
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
_OPENS = {")": "(", "]": "["}
NEVER = math.inf  # of a Scheduled: the prompt stays what it was before


@dataclass(frozen=True)
class _Mark:
    """A sign that may mean something where it stands: ":", "|" or "AND". Else it is text."""

    sign: Text


@dataclass
class _Open:
    """What has been read since an opening bracket; the outermost has none.

    closing: number of the token that closes it, or the number of tokens.
    weight: where one is written before that.
    ragged: whether a bracket within it has no partner, or one outside of it; then it is emphasis and nothing else.
    """

    start: int
    bracket: str = ""
    closing: int = -1
    weight: float | None = None
    ragged: bool = False
    items: list[Node | _Mark] = field(default_factory=list)


def parse(source: str) -> Node:
    """Read a prompt. Never fails; time grows with its length."""
    tokens = list(_TOKEN.finditer(source))
    partner = _partners(tokens)
    stack = [_Open(0)]
    for number, token in enumerate(tokens):
        start, end = token.span()
        if token["bracket"] and partner.get(number, len(tokens)) == len(tokens):
            _mark_ragged(stack)
        if number not in partner:
            if token["mark"] == "AND" and all(group.closing == len(tokens) for group in stack[1:]):
                _close_all(stack, start, weighs=True)
            stack[-1].items.append(_item(token))
        elif partner[number] > number:
            stack.append(_opened(tokens, number, partner[number]))
        else:
            _close(stack, number, end)
    _close_all(stack, len(source), weighs=any(_is(item, "AND") for item in stack[0].items))
    return _root(stack[0].items, len(source))


def unclosed(source: str) -> list[int]:
    """Where in a prompt brackets stand that hold to its end, because nothing closes them."""
    tokens = list(_TOKEN.finditer(source))
    return [tokens[number].start() for number, at in _partners(tokens).items() if at == len(tokens)]


def _partners(tokens: Items[re.Match[str]]) -> dict[int, int]:
    """Number of a bracket -> its partner's, both ways; of an opening one that nothing closes -> the number of tokens.

    As in the web UI each kind is paired for itself, so pairs may cross. Closing brackets without a partner are left
    out, and so are pairs inside MAX_DEPTH others: both are text.
    """
    waiting: dict[str, list[int]] = {"(": [], "[": []}
    closing: dict[int, int] = {}
    for number, token in enumerate(tokens):
        sign = token["bracket"]
        if sign in waiting:
            waiting[sign].append(number)
            closing[number] = len(tokens)
        elif sign and waiting[_OPENS[sign]]:
            closing[waiting[_OPENS[sign]].pop()] = number
    partner: dict[int, int] = {}
    depth = 0
    for number in range(len(tokens)):
        if number in partner:
            depth -= 1
        elif number in closing and depth < MAX_DEPTH:
            depth += 1
            partner[number] = closing[number]
            if closing[number] < len(tokens):
                partner[closing[number]] = number
    return partner


def _opened(tokens: Items[re.Match[str]], number: int, closing: int) -> _Open:
    token = tokens[number]
    weight = _weight_before(tokens, closing) if token[0] == "(" else None
    return _Open(token.start(), token[0], closing, weight, ragged=closing == len(tokens))


def _weight_before(tokens: Items[re.Match[str]], closing: int) -> float | None:
    """The number in ":1.3)"."""
    if closing >= len(tokens) or closing < 2 or tokens[closing - 2]["mark"] != ":" or not tokens[closing - 1]["text"]:
        return None
    return read_number(tokens[closing - 1][0])


def _mark_ragged(stack: list[_Open]) -> None:
    for group in stack:
        group.ragged = True


def _close(stack: list[_Open], number: int, end: int) -> None:
    """Close the bracket that a token closes. Those of the other kind, opened since, hold on behind it."""
    group = next(group for group in reversed(stack) if group.closing == number)
    across = stack[stack.index(group) + 1 :]
    if across:
        _mark_ragged(stack)
    if group.weight is not None:
        del stack[-1].items[-2:]
    for _ in across:
        _fold(stack, end)
    _fold(stack, end)
    stack.extend(
        _Open(end, open_group.bracket, open_group.closing, open_group.weight, ragged=True) for open_group in across
    )


def _close_all(stack: list[_Open], end: int, *, weighs: bool) -> None:
    """Close what holds to the end, of the whole or of a prompt before an AND, whose weight stands outside: weighs."""
    if len(stack) == 1:  # or each of a thousand ANDs would look through all that was read before it
        return
    inside = stack[-1].items
    words = _weight_at_end(inside)[0] if weighs else inside
    weight = inside[len(words) :]
    del inside[len(words) :]
    while len(stack) > 1:
        _fold(stack, end)
    stack[0].items += weight


def _fold(stack: list[_Open], end: int) -> None:
    """Make the innermost open bracket a part of the one around it."""
    group = stack.pop()
    span = (group.start, end)
    if group.bracket == "[" and not group.ragged:
        node = _square(group.items, span)
    else:
        usual = UP if group.bracket == "(" else DOWN
        node = weighted(_sequence(group.items, span), usual if group.weight is None else group.weight, span)
    stack[-1].items.append(node)


def _item(token: re.Match[str]) -> Node | _Mark:
    start, end = token.span()
    if token["escaped"]:
        return Text(token["escaped"], (start, end), ((0, start + 1),))
    if token["mark"] == "BREAK":
        return Break((start, end))
    text = Text(token[0], (start, end), ((0, start),))
    return _Mark(text) if token["mark"] else text


def _square(items: list[Node | _Mark], span: tuple[int, int]) -> Node:
    options = _split(items, "|")
    if len(options) > 1:
        return Alternating(tuple(_sequence(option, span) for option in options), span)
    sides = _split(items, ":")
    at = _moment(sides[-1])
    if at is not None and len(sides) in (2, 3):
        earlier = _sequence(sides[0] if len(sides) == 3 else [], span)
        return Scheduled(earlier, _sequence(sides[-2], span), at, span)
    return weighted(_sequence(items, span), DOWN, span)


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


def _moment(items: list[Node | _Mark]) -> float | None:
    """A number with a point is a share of the steps, and all of them or more is never; one without counts steps."""
    number = _number(items)
    with_point = any(isinstance(item, Text) and "." in item.text for item in items)
    return NEVER if number is not None and number >= 1 and with_point else number


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
            at = "1.0" if node.at == NEVER else written(node.at)
            return f"[{_print(node.earlier, nested=True)}:{_print(node.later, nested=True)}:{at}]"
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
