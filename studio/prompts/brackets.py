"""Which brackets of a prompt belong together. Those without a partner are text, so nothing a user types is an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from studio.prompts.tree import MAX_DEPTH


def partners(brackets: Iterable[tuple[int, str, bool, bool]], deepest: int = MAX_DEPTH) -> dict[int, int]:
    """Pair brackets, in time linear in their number.

    brackets: (token number, kind, may open, may close) in order. One that may do both closes if its kind is open.
    A closing bracket takes the nearest open one of its kind; others in between stay without a partner. Pairs inside
    `deepest` pairs are dropped, which makes them text. Gives token number -> partner's, both ways.
    """
    stack: list[tuple[int, str]] = []
    is_open: Counter[str] = Counter()
    pairs: dict[int, int] = {}
    for number, kind, may_open, may_close in brackets:
        if may_close and is_open[kind]:
            while True:
                opening, its_kind = stack.pop()
                is_open[its_kind] -= 1
                if its_kind == kind:
                    break
            pairs[opening], pairs[number] = number, opening
        elif may_open:
            stack.append((number, kind))
            is_open[kind] += 1
    return _not_too_deep(pairs, deepest)


def _not_too_deep(pairs: dict[int, int], deepest: int) -> dict[int, int]:
    depth, shallow = 0, dict(pairs)
    for number in sorted(pairs):
        if number < pairs[number]:
            depth += 1
            if depth > deepest:
                del shallow[number], shallow[pairs[number]]
        else:
            depth -= 1
    return shallow
