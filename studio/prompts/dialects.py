"""The dialects a prompt can be written in."""

from __future__ import annotations

from typing import get_args

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import MAX_PROMPT_CHARS
from studio.prompts import a1111, compel
from studio.prompts.tree import Dialect, Node, Sequence, Text

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)


def parse(source: str, dialect: Dialect) -> Node:
    """Read a prompt. plain: everything is text.

    A bracket without a partner is never an error; `unclosed` tells of those that mean something. Time grows with the
    length. Raises BadInput for a prompt with syntax that is longer than a recipe may hold, and for compel's .blend()
    and .and() with weights that cannot be; NotFound for an unknown dialect.
    """
    _check(dialect)
    if dialect == "plain":
        return Text(source, (0, len(source))) if source else Sequence()
    if len(source) > MAX_PROMPT_CHARS:
        raise BadInput(f"The prompt has {len(source)} characters; at most {MAX_PROMPT_CHARS} are read.", "Shorten it.")
    return (a1111 if dialect == "a1111" else compel).parse(source)


def unclosed(source: str, dialect: Dialect) -> list[int]:
    """Where in a prompt opening brackets stand that weigh everything behind them, because nothing closes them."""
    return a1111.unclosed(source) if dialect == "a1111" else []


def print_tree(tree: Node, dialect: Dialect) -> str:
    """Write a tree in a dialect, which `parse` reads back to an equal tree.

    Raises BadInput if the dialect has no words for it; NotFound for an unknown dialect.
    """
    _check(dialect)
    if dialect != "plain":
        return (a1111 if dialect == "a1111" else compel).print_tree(tree)
    if isinstance(tree, Text) or tree == Sequence():
        return tree.text if isinstance(tree, Text) else ""
    raise BadInput("A plain prompt has no weights and nothing that changes.", "Write it in the A1111 dialect.")


def _check(dialect: str) -> None:
    if dialect not in DIALECTS:
        raise NotFound(f"There is no prompt dialect {dialect!r}; there are {', '.join(DIALECTS)}.")
