"""A list of typed things that one adds, copies, orders, removes and edits in place: rules to compare, concepts.

`Rows` is the list as a value; each change gives another one. `rows_html` is the list on the page, of which one row is
open; its script tells {op, row, at, name, value} (see fields.py), of which `Rows.do` does what is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.ui.components import fields
from studio.ui.markup import tag, text

T = TypeVar("T")


@dataclass(frozen=True)
class Row(Generic[T]):
    """One of them.

    id: from 1; it stays while others come, go and move, and is not given again.
    value: what it is about.
    """

    id: int
    value: T


@dataclass(frozen=True)
class Rows(Generic[T]):
    """Some of a kind, from top to bottom.

    items: the rows.
    chosen: id of the one that is open, 0 where there is none.
    next_id: of the next that is added.
    most: how many there may be.
    least: how many there have to be, 0 or 1.
    """

    items: tuple[Row[T], ...]
    chosen: int
    next_id: int
    most: int = 8
    least: int = 1

    OPS = ("choose", "copy", "remove", "up", "down")

    @classmethod
    def of(cls, values: Iterable[T], most: int = 8, least: int = 1) -> Rows[T]:
        """Rows of some values, the first of them open."""
        items = tuple(Row(id, value) for id, value in enumerate(values, start=1))
        return cls(items, items[0].id if items else 0, len(items) + 1, most, least)

    def __iter__(self) -> Iterator[Row[T]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, id: object) -> bool:
        return any(row.id == id for row in self.items)

    def __getitem__(self, id: int) -> T:
        """The value of a row. Raises BadInput if it is not there."""
        return self.items[self._at(id)].value

    @property
    def is_full(self) -> bool:
        """Whether none can be added."""
        return len(self.items) >= self.most

    def choose(self, id: int) -> Rows[T]:
        """The same with another row open. Raises BadInput if it is not there."""
        self._at(id)
        return replace(self, chosen=id)

    def add(self, value: T) -> Rows[T]:
        """A further row, last and open. Raises BadInput for one too many."""
        if self.is_full:
            raise BadInput(f"There is room for {self.most} rows.", "Remove one first.")
        row = Row(self.next_id, value)
        return replace(self, items=(*self.items, row), chosen=row.id, next_id=row.id + 1)

    def put(self, id: int, value: T) -> Rows[T]:
        """Another value in a row, which is open then. Raises BadInput if it is not there."""
        at = self._at(id)
        return replace(self, items=(*self.items[:at], Row(id, value), *self.items[at + 1 :]), chosen=id)

    def remove(self, id: int) -> Rows[T]:
        """Without a row; the first is open where that one was. Raises BadInput for the last one."""
        self._at(id)
        if len(self.items) <= self.least:
            raise BadInput("One row has to stay.")
        items = tuple(row for row in self.items if row.id != id)
        first = items[0].id if items else 0
        return replace(self, items=items, chosen=first if self.chosen == id else self.chosen)

    def move(self, id: int, by: int) -> Rows[T]:
        """A row up (-1) or down (1); at the end it stays. Raises BadInput if it is not there."""
        at, items = self._at(id), list(self.items)
        if 0 <= at + by < len(items):
            items[at], items[at + by] = items[at + by], items[at]
        return replace(self, items=tuple(items))

    def do(self, op: str, id: int) -> Rows[T]:
        """One of OPS. Raises BadInput for what cannot be done."""
        match op:
            case "choose":
                return self.choose(id)
            case "copy":
                return self.add(self[id])
            case "remove":
                return self.remove(id)
            case "up" | "down":
                return self.move(id, -1 if op == "up" else 1)
            case _:
                raise BadInput(f"There is nothing to do with a row called {shown(op)}.")

    def _at(self, id: int) -> int:
        for at, row in enumerate(self.items):
            if row.id == id:
                return at
        raise BadInput("This row is not there any more.")


# -- on the page ----------------------------------------------------------------------------------------------------


def rows_html(
    rows: Rows[T],
    name: Callable[[Row[T]], str],
    line: Callable[[Row[T]], str],
    body: Callable[[Row[T]], str],
    adder: str,
) -> str:
    """The list. name: HTML of a row's name; line: of what stands beneath it; body: of the open row's controls.

    adder: HTML of what adds a row.
    """
    items = "".join(_row(rows, row, name, line, body) for row in rows)
    return tag("ol", items, class_="guides") + tag("div", adder, class_="guide-add")


def _row(
    rows: Rows[T],
    row: Row[T],
    name: Callable[[Row[T]], str],
    line: Callable[[Row[T]], str],
    body: Callable[[Row[T]], str],
) -> str:
    is_open = row.id == rows.chosen
    inner = head_html(rows, row, name(row), is_open) + line(row)
    if is_open:
        inner += tag("div", body(row), class_="settings")
    return tag("li", inner, class_="guide chosen" if is_open else "guide")


def head_html(rows: Rows[T], row: Row[T], name: str, is_open: bool, further: str = "") -> str:
    """A row's name, which opens it, and what can be done with it. name: HTML; further: of buttons besides."""
    title = tag(
        "button",
        name,
        type="button",
        class_="guide-name",
        data_op="choose",
        data_row=str(row.id),
        aria_expanded=str(is_open).lower(),
        title="Open this row's settings",
    )
    return tag("div", title + _tools(rows, row.id, further), class_="head")


def _tools(rows: Rows[T], id: int, further: str) -> str:
    first, last = rows.items[0].id == id, rows.items[-1].id == id
    return tag(
        "span",
        further
        + fields.button("up", id, "↑", "Move up", disabled=first)
        + fields.button("down", id, "↓", "Move down", disabled=last)
        + fields.button("copy", id, "+", "Add a copy of this row", disabled=rows.is_full)
        + fields.button("remove", id, "×", "Remove this row", disabled=len(rows) <= rows.least),
        class_="tools",
    )


def adder_html(label: str, entries: Iterable[fields.Entry], title: str, disabled: bool) -> str:
    """A list that adds a row of what is chosen, and forgets it."""
    options = tag("option", text(label), value="", selected=True) + fields.options_html(list(entries))
    return tag(
        "select",
        options,
        data_op="add",
        data_row="0",
        data_once="1",
        title=title,
        aria_label=label,
        class_="menu-like",
        disabled=disabled,
    )
