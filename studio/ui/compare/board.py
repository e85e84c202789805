"""What the Compare tab holds: rows, columns, and which row the others are held against. The browser keeps a copy, as
plain values:

    {"comparison": {...}, "ids": [1, 2], "chosen": 1, "open": false, "tests": []}

comparison is the JSON of a Comparison. Pictures are no part of it: a cell's is whatever the history has of its recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import EditRef, Recipe
from studio.services.comparisons.comparison import MAX_NAME_CHARS, MAX_ROWS, Column, Comparison
from studio.services.comparisons.comparison import Row as Compared
from studio.ui.compare.columns import OWN
from studio.ui.components import rule
from studio.ui.components.rows import Row, Rows
from studio.ui.components.seeds import parse_seed
from studio.ui.sessions import Session

FIELDS = ("prompt", "negative_prompt", "seed", "steps", "sampler", "model", "width", "height")  # of a recipe, in a row
MAX_TESTS = 20


@dataclass(frozen=True)
class Board:
    """Everything on the tab.

    rows: what is compared.
    columns: what all cells of one have in common.
    reference: id of the row that the others are held against; 0 or one that is gone stands for the first.
    equal: whether all rows cost as much as that one.
    is_open: whether the settings of the chosen row are on the page.
    name: under which it was saved or opened.
    tests: campaigns in which two of the rows are compared blind, newest first.
    """

    rows: Rows[Compared]
    columns: tuple[Column, ...] = OWN
    reference: int = 0
    equal: bool = False
    is_open: bool = False
    name: str = ""
    tests: tuple[int, ...] = ()

    @property
    def reference_id(self) -> int:
        """Id of the row that the others are held against, 0 without rows."""
        return self.reference if self.reference in self.rows else next((row.id for row in self.rows), 0)

    @property
    def basis(self) -> Recipe | None:
        """What further rows are made from: the open row, else the reference; None without rows."""
        id = self.rows.chosen if self.is_open and self.rows.chosen in self.rows else self.reference_id
        return self.rows[id].recipe if id else None

    @property
    def comparison(self) -> Comparison:
        """What is drawn and measured."""
        ids = [row.id for row in self.rows]
        return Comparison(
            name=self.name,
            rows=tuple(row.value for row in self.rows),
            columns=self.columns,
            reference=ids.index(self.reference_id) if ids else 0,
            equal_nfe=self.equal,
        )


def new() -> Board:
    """What a first visitor finds: nothing yet."""
    return Board(Rows[Compared].of((), MAX_ROWS, least=0))


def of_comparison(comparison: Comparison) -> Board:
    """A comparison that was saved or handed over."""
    rows = Rows.of(comparison.rows, MAX_ROWS, least=0)
    reference = rows.items[comparison.reference].id if rows.items else 0
    return Board(rows, comparison.columns, reference, comparison.equal_nfe, name=comparison.name)


def read(value: Any) -> Board:
    """The board of a browser's copy; what is no board is a new one."""
    try:
        board = of_comparison(Comparison.load(value["comparison"]))
        ids = [int(id) for id in value["ids"]]
        if len(ids) != len(board.rows) or len(set(ids)) < len(ids) or any(id < 1 for id in ids):
            return board
        items = tuple(Row(id, row.value) for id, row in zip(ids, board.rows, strict=True))
        chosen = int(value["chosen"])
        rows = replace(
            board.rows,
            items=items,
            chosen=chosen if chosen in ids else next(iter(ids), 0),
            next_id=max(ids, default=0) + 1,
        )
        reference = ids[board.comparison.reference] if ids else 0
        tests = tuple(int(id) for id in value.get("tests", ())[:MAX_TESTS])
        is_open = value.get("open") is True and bool(ids)
        return replace(board, rows=rows, reference=reference, is_open=is_open, tests=tests)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, BadInput):
        return new()


def plain(board: Board) -> dict[str, Any]:
    """The reverse of `read`."""
    return {
        "comparison": board.comparison.model_dump(mode="json"),
        "ids": [row.id for row in board.rows],
        "chosen": board.rows.chosen,
        "open": board.is_open,
        "tests": list(board.tests),
    }


class BoardSession(Session[Board]):
    """The board of one page. visited: whether its tab has been shown. asked_images: sha256 of pictures
    that were asked to be read. before: what was replaced as a whole, None for nothing.
    """

    def __init__(self) -> None:
        super().__init__(new(), read, plain)
        self.visited = False
        self.asked_images: set[str] = set()
        self.before: Board | None = None


def with_rows(board: Board, rows: Sequence[Compared]) -> Board:
    """The board with further rows, last. Raises BadInput for more than there is room for; none is added then."""
    room = MAX_ROWS - len(board.rows)
    if len(rows) > room:
        message = f"A comparison has at most {MAX_ROWS} rows; {len(rows)} more beside {len(board.rows)} are too many."
        raise BadInput(message, "Remove some first, or add fewer.", field="rows")
    longer = board.rows
    for row in rows:
        longer = longer.add(row)
    return checked(replace(board, rows=replace(longer, chosen=longer.items[-1].id if longer.items else 0)))


def checked(board: Board) -> Board:
    """The board, whose rows and columns go together. Raises BadInput."""
    board.comparison.check()
    return board


def change(board: Board, op: str, id: int, at: str = "", name: str = "", value: Any = None) -> Board:
    """Do one thing to a row. Raises BadInput for what cannot be done.

    op: one of `Rows.OPS`, of which choosing the open row closes it; close; refer, which has the others held against it;
    rename (value); set (name: one of FIELDS, value); strength (name: an edit, value), edit (value: one that is added)
    and unedit (name); or one of `rule.OPS`, on its guidance.
    """
    if op == "close":
        return replace(board, is_open=False)
    row = board.rows[id]
    if op == "refer":
        return replace(board, reference=id)
    if op == "choose":
        is_shut = board.is_open and board.rows.chosen == id
        return replace(board, rows=board.rows.choose(id), is_open=not is_shut)
    if op == "copy":
        return checked(replace(board, rows=board.rows.add(row.model_copy(update={"name": ""}))))
    if op in Rows.OPS:
        rows = board.rows.do(op, id)
        # Without the row that was open, no other opens by itself.
        return replace(board, rows=rows, is_open=board.is_open and board.rows.chosen in rows)
    if op == "rename":
        return with_value(board, id, row.model_copy(update={"name": _name(value)}))
    return with_value(board, id, row.model_copy(update={"recipe": _changed(row.recipe, op, at, name, value)}))


def with_value(board: Board, id: int, row: Compared) -> Board:
    """The same board with another value in a row, which is open then."""
    return replace(board, rows=board.rows.put(id, row))


def with_strength(recipe: Recipe, edit: str, strength: float) -> Recipe:
    """The recipe with an edit of its stack at another strength, or with it besides. Raises BadInput."""
    refs = [ref.model_dump(mode="json") for ref in recipe.edits]
    mine = next((ref for ref in refs if ref["edit"] == edit), None)
    if mine is None:
        refs.append(EditRef(edit=edit).model_dump(mode="json") | {"strength": strength})
    else:
        mine["strength"] = strength
    return Recipe.load({**recipe.model_dump(mode="json"), "edits": refs})


# -- inside ---------------------------------------------------------------------------------------------------------


def _changed(recipe: Recipe, op: str, at: str, name: str, value: Any) -> Recipe:
    if op in rule.OPS:
        return recipe.model_copy(update={"guidance": rule.changed(recipe.guidance, op, at, name, value)})
    if op == "strength":
        return with_strength(recipe, name, value)
    if op == "edit":
        return with_strength(recipe, str(value), 1.0)
    if op == "unedit":
        return recipe.model_copy(update={"edits": tuple(ref for ref in recipe.edits if ref.edit != name)})
    if op != "set" or name not in FIELDS:
        raise BadInput(f"There is nothing to do with a row called {shown(name if op == 'set' else op)}.")
    if name == "seed":
        value = parse_seed(value if isinstance(value, str | int) else str(value))
        if value is None:
            raise BadInput(
                "A row's seed is a whole number from 0.", "Columns can have seeds of their own.", field="seed"
            )
    values = {**recipe.model_dump(mode="json"), name: value}
    if name == "sampler":
        values["sampler_params"] = {}  # of the other one
    return Recipe.load(values)


def _name(value: Any) -> str:
    name = str(value or "").strip()
    if len(name) > MAX_NAME_CHARS:
        raise BadInput(f"A row's name has at most {MAX_NAME_CHARS} characters, not {len(name)}.", field="name")
    return name
