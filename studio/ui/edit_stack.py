"""The edit stack of a page: rows that keep their strength when switched off, and what was there before.

Recipes have of it what is on. What the browser keeps of it are plain values:
{"rows": [{"edit", "strength", "on", "start", "stop", "auto"}], "undo": [rows, ...], "solving": job}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import EditRef
from studio.ui.sessions import Session

MAX_ROWS = 64  # as in a recipe
MAX_UNDO = 30
MAX_JOB_CHARS = 64
LIMIT = 10.0  # of a strength, as in a recipe


@dataclass(frozen=True)
class EditRow:
    """One edit. strength: what it has when it is on. start, stop, auto: as in studio.core.recipe.EditRef."""

    edit: str
    strength: float = 1.0
    on: bool = True
    start: float = 0.0
    stop: float = 1.0
    auto: bool = False

    @property
    def ref(self) -> EditRef:
        """What goes into a recipe."""
        return EditRef(edit=self.edit, strength=self.strength, start=self.start, stop=self.stop, auto=self.auto)


@dataclass(frozen=True)
class Stack:
    """rows: in the user's order. undo: the rows as they were before each change, newest last. solving: the job whose
    edits will take the place of some, "" for none.
    """

    rows: tuple[EditRow, ...] = ()
    undo: tuple[tuple[EditRow, ...], ...] = ()
    solving: str = ""

    @property
    def refs(self) -> tuple[EditRef, ...]:
        """What goes into a recipe: what is on and has a strength."""
        return tuple(row.ref for row in self.rows if row.on and row.strength)

    @property
    def names(self) -> set[str]:
        """What it calls the edits it has, or would have after an undo."""
        return {row.edit for rows in (self.rows, *self.undo) for row in rows}

    def plain(self) -> dict[str, Any]:
        """The value for the browser."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "undo": [[asdict(row) for row in rows] for rows in self.undo],
            "solving": self.solving,
        }


class StackSession(Session[Stack]):
    """The stack of one page. drawing: id of the last job that drew the picture again because the stack changed."""

    def __init__(self) -> None:
        super().__init__(Stack(), read, Stack.plain)
        self.drawing: str | None = None


def read(value: Any) -> Stack:
    """Read what the browser kept; what is not a stack is an empty one."""
    try:
        rows, undo = _rows(value["rows"]), tuple(_rows(rows) for rows in value["undo"][-MAX_UNDO:])
        return Stack(rows, undo, str(value.get("solving") or "")[:MAX_JOB_CHARS])
    except (AttributeError, KeyError, TypeError, ValueError):
        return Stack()


def from_refs(refs: Sequence[EditRef], previous: Stack) -> Stack:
    """The stack of a recipe, on top of the previous one, which an undo brings back."""
    return _changed(
        previous, tuple(EditRow(ref.edit, ref.strength, True, ref.start, ref.stop, ref.auto) for ref in refs)
    )


def change(stack: Stack, op: str, edit: str = "", value: Any = None) -> Stack:
    """Do one thing to a stack. edit: whose row; by its name, for the page may show rows that have moved meanwhile.

    toggle; strength (value: a number); start, stop (value: a share of the steps); auto (value: true or false); up,
    down; remove; add, which puts it last; undo. Raises BadInput for what cannot be done.
    """
    if op == "undo":
        return replace(stack, rows=stack.undo[-1], undo=stack.undo[:-1]) if stack.undo else stack
    if op == "add":
        return _added(stack, edit)
    at = next((at for at, row in enumerate(stack.rows) if row.edit == edit), None)
    if at is None:
        raise BadInput("This edit is not in the stack any more.")
    changes: dict[str, Callable[[], tuple[EditRow, ...]]] = {
        "toggle": lambda: _replaced(stack.rows, at, on=not stack.rows[at].on),
        "strength": lambda: _replaced(stack.rows, at, strength=strength(value)),
        "start": lambda: _replaced(stack.rows, at, start=share(value, 0.0, stack.rows[at].stop)),
        "stop": lambda: _replaced(stack.rows, at, stop=share(value, stack.rows[at].start, 1.0)),
        "auto": lambda: _replaced(stack.rows, at, auto=switch(value)),
        "up": lambda: _swapped(stack.rows, at, at - 1),
        "down": lambda: _swapped(stack.rows, at, at + 1),
        "remove": lambda: (*stack.rows[:at], *stack.rows[at + 1 :]),
    }
    if op not in changes:
        raise BadInput(f"There is nothing to do with the edit stack called {shown(op)}.")
    return _changed(stack, changes[op]())


def forget(stack: Stack, edits: Collection[str]) -> Stack:
    """The stack without edits that are deleted: an undo does not bring them back either."""
    rows, *undo = (tuple(row for row in rows if row.edit not in edits) for rows in (stack.rows, *stack.undo))
    # A step that only an edit now gone had made is a step no more.
    steps = [step for step, next_rows in zip(undo, [*undo, rows][1:], strict=True) if step != next_rows]
    return replace(stack, rows=rows, undo=tuple(steps))


def put_in_place(stack: Stack, edits: Collection[str], rows: Sequence[EditRow]) -> Stack:
    """The stack with other rows where the first of some edits was, and without these."""
    at = next((at for at, row in enumerate(stack.rows) if row.edit in edits), len(stack.rows))
    gone = {*edits, *(row.edit for row in rows)}
    above, below = (tuple(row for row in part if row.edit not in gone) for part in (stack.rows[:at], stack.rows[at:]))
    return _changed(stack, (*above, *rows, *below)[:MAX_ROWS])


def strength(value: Any) -> float:
    """Read a strength. Raises BadInput for what is no number from -10 to 10."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > LIMIT:
        raise BadInput(f"A strength is a number from {-LIMIT:g} to {LIMIT:g}, not {shown(value)}.", field="edits")
    return round(float(value), 4)


def share(value: Any, low: float, high: float) -> float:
    """Read a share of the steps. Raises BadInput for what is no number from low to high."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # NaN is in no range
        percent = shown(round(value * 100, 2)) if is_number and math.isfinite(value) else shown(value)
        raise BadInput(f"Here a share of the steps is from {low:.0%} to {high:.0%}, not {percent}.", field="edits")
    return round(float(value), 4)


def switch(value: Any) -> bool:
    """Read what is on or off. Raises BadInput for what is neither."""
    if not isinstance(value, bool):
        raise BadInput(f"A switch is true or false, not {shown(value)}.", field="edits")
    return value


def _added(stack: Stack, edit: str) -> Stack:
    if any(row.edit == edit for row in stack.rows):
        raise BadInput(f"The edit {shown(edit)} is in the stack already.")
    if len(stack.rows) >= MAX_ROWS:
        raise BadInput(f"A stack holds at most {MAX_ROWS} edits.", "Remove one first.")
    return _changed(stack, (*stack.rows, EditRow(edit)))


def _changed(stack: Stack, rows: tuple[EditRow, ...]) -> Stack:
    return stack if rows == stack.rows else replace(stack, rows=rows, undo=(*stack.undo, stack.rows)[-MAX_UNDO:])


def _replaced(rows: tuple[EditRow, ...], at: int, **values: Any) -> tuple[EditRow, ...]:
    return (*rows[:at], replace(rows[at], **values), *rows[at + 1 :])


def _swapped(rows: tuple[EditRow, ...], at: int, neighbour: int) -> tuple[EditRow, ...]:
    if not 0 <= neighbour < len(rows):
        return rows
    swapped = list(rows)
    swapped[at], swapped[neighbour] = swapped[neighbour], swapped[at]
    return tuple(swapped)


def _rows(values: Any) -> tuple[EditRow, ...]:
    """Raises KeyError, TypeError or ValueError (BadInput is none of these, so it is turned) for other values."""
    rows = []
    for value in values[:MAX_ROWS]:
        if not isinstance(value["edit"], str) or not isinstance(value["on"], bool) or len(value["edit"]) > 200:
            raise ValueError("not a row")
        try:
            start, auto = share(value.get("start", 0.0), 0.0, 1.0), value.get("auto", False) is True
            stop = share(value.get("stop", 1.0), start, 1.0)
            rows.append(EditRow(value["edit"], strength(value["strength"]), value["on"], start, stop, auto))
        except BadInput as error:
            raise ValueError(str(error)) from None
    return tuple(rows)
