"""What the Guidance tab holds: rows of guidance, and where each was drawn. The browser keeps a copy, as plain values:

    {"rows": [{"id": 1, "guidance": {...}}, ...], "chosen": 1, "next": 2,
     "cells": [{"row": 1, "seed": "7", "job": "...", "place": 0}, ...], "shown": 0, "sweep": null}

guidance is the JSON of a GuidanceSpec. A seed is text: as a number, JavaScript would round it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec
from studio.ui.components import rule
from studio.ui.components.rows import Row, Rows
from studio.ui.sessions import Session

MAX_ROWS = 8
MAX_SEEDS = 16  # that a copy is believed to have

FIRST = (
    {"method": "cfg", "params": {"guidance_scale": 1.5}},
    {"method": "cfg", "params": {"guidance_scale": 6.0}},
    {"method": "apg", "params": {"guidance_scale": 6.0}},
    {
        "method": "cfg",
        "params": {"guidance_scale": 6.0},
        "wrappers": [{"wrapper": "interval", "params": {"start": 0.1, "stop": 0.7}}],
    },
)


@dataclass(frozen=True)
class Place:
    """Where the picture of a row and a seed is drawn.

    row: its id.
    seed: as text.
    job: that draws it.
    place: in that job, from 0.
    """

    row: int
    seed: str
    job: str
    place: int


@dataclass(frozen=True)
class Sweep:
    """One parameter over a range.

    job: that draws it.
    name: of the parameter.
    values: it goes through.
    """

    job: str
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Board:
    """Everything on the tab.

    rows: what is compared.
    cells: where their pictures are.
    picture_id: number of the picture that is looked into, 0 for none.
    sweep: the last one, None without.
    """

    rows: Rows[GuidanceSpec]
    cells: tuple[Place, ...] = ()
    picture_id: int = 0
    sweep: Sweep | None = None

    @property
    def seeds(self) -> list[str]:
        """The seeds that were drawn, in the order of the first of each."""
        return list(dict.fromkeys(cell.seed for cell in self.cells))

    @property
    def chosen(self) -> GuidanceSpec:
        """The rule of the open row."""
        return self.rows[self.rows.chosen]


def new() -> Board:
    """What a first visitor finds: one question, four answers."""
    return Board(Rows.of([rule.loaded(values) for values in FIRST], MAX_ROWS))


def read(value: Any) -> Board:
    """The board of a browser's copy; what is no board is a new one."""
    try:
        items = tuple(Row(int(row["id"]), rule.loaded(row["guidance"])) for row in value["rows"])
        ids = [row.id for row in items]
        cells = tuple(
            Place(int(cell["row"]), str(cell["seed"]), str(cell["job"]), int(cell["place"])) for cell in value["cells"]
        )
        if not 0 < len(items) <= MAX_ROWS or len(cells) > MAX_ROWS * MAX_SEEDS or len(set(ids)) < len(ids):
            return new()
        chosen, swept = int(value["chosen"]), value.get("sweep")
        rows = Rows(items, chosen if chosen in ids else ids[0], max(ids) + 1, MAX_ROWS)
        sweep = None
        if isinstance(swept, dict):
            sweep = Sweep(str(swept["job"]), str(swept["name"]), tuple(float(value) for value in swept["values"]))
        return Board(rows, cells, int(value["shown"]), sweep)
    except (KeyError, TypeError, ValueError, OverflowError, BadInput):
        return new()


def plain(board: Board) -> dict[str, Any]:
    """The reverse of `read`."""
    return {
        "rows": [{"id": row.id, "guidance": row.value.model_dump(mode="json")} for row in board.rows],
        "chosen": board.rows.chosen,
        "next": board.rows.next_id,
        "cells": [asdict(cell) for cell in board.cells],
        "shown": board.picture_id,
        "sweep": {**asdict(board.sweep), "values": list(board.sweep.values)} if board.sweep else None,
    }


class BoardSession(Session[Board]):
    """The board of one page. visited: whether its tab has been shown."""

    def __init__(self) -> None:
        super().__init__(new(), read, plain)
        self.visited = False


def add(board: Board, guidance: GuidanceSpec | Mapping[str, Any]) -> Board:
    """A further row, last and open. Raises BadInput for more than eight."""
    return replace(board, rows=board.rows.add(rule.loaded(guidance)))


def change(board: Board, op: str, id: int, at: str = "", name: str = "", value: Any = None) -> Board:
    """Do one thing to a row. Raises BadInput for what cannot be done.

    op: one of `Rows.OPS`, or of `rule.OPS`: see `rule.changed`.
    """
    guidance = board.rows[id]
    if op in rule.OPS:
        return with_guidance(board, id, rule.changed(guidance, op, at, name, value))
    rows = board.rows.do(op, id)
    return replace(board, rows=rows, cells=tuple(cell for cell in board.cells if cell.row in rows))


def with_guidance(board: Board, id: int, guidance: GuidanceSpec | Mapping[str, Any]) -> Board:
    """The same board with other guidance in a row, which is open then."""
    return replace(board, rows=board.rows.put(id, rule.loaded(guidance)))


def with_places(board: Board, job: str, places: list[tuple[int, str]], *, all_anew: bool) -> Board:
    """Note that a job draws these (row, seed), in its order. all_anew: nothing else is shown any more."""
    new_places = [Place(row, seed, job, place) for place, (row, seed) in enumerate(places)]
    replaced = {(cell.row, cell.seed) for cell in new_places}
    other_places = [] if all_anew else [cell for cell in board.cells if (cell.row, cell.seed) not in replaced]
    return replace(board, cells=(*other_places, *new_places))
