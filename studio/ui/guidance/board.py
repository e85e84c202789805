"""What the Guidance tab holds, as plain values that the browser can keep: rows of guidance, and where each was drawn.

    {"rows": [{"id": 1, "guidance": {...}}, ...], "chosen": 1, "next": 2,
     "cells": [{"row": 1, "seed": "7", "job": "...", "place": 0}, ...], "shown": 0, "sweep": null}

guidance is the JSON of a GuidanceSpec. A seed is text: as a number, JavaScript would round it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import load, shown
from studio.core.recipe import GuidanceSpec
from studio.ui.components import around
from studio.ui.methods import declarations, defaults
from studio.ui.sessions import Session

MAX_ROWS = 8
Board = dict[str, Any]
Row = dict[str, Any]

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


def new() -> Board:
    """What a first visitor finds: one question, four answers."""
    board: Board = {"rows": [], "chosen": 0, "next": 1, "cells": [], "shown": 0, "sweep": None}
    for spec in FIRST:
        board = add(board, spec)
    return {**board, "chosen": board["rows"][0]["id"]}


def read(value: Any) -> Board:
    """What the browser kept; what is no board is a new one."""
    try:
        rows = [{"id": int(row["id"]), "guidance": _spec(row["guidance"])} for row in value["rows"]]
        cells = [
            {"row": int(one["row"]), "seed": str(one["seed"]), "job": str(one["job"]), "place": int(one["place"])}
            for one in value["cells"]
        ]
        if not 0 < len(rows) <= MAX_ROWS or len(cells) > MAX_ROWS * 16 or len({row["id"] for row in rows}) < len(rows):
            return new()
        chosen, sweep = int(value["chosen"]), value.get("sweep")
        kept = None
        if isinstance(sweep, dict):
            kept = {"job": str(sweep["job"]), "name": str(sweep["name"]), "values": [float(v) for v in sweep["values"]]}
        return {
            "rows": rows,
            "chosen": chosen if any(row["id"] == chosen for row in rows) else rows[0]["id"],
            "next": max(row["id"] for row in rows) + 1,
            "cells": cells,
            "shown": int(value["shown"]),
            "sweep": kept,
        }
    except (KeyError, TypeError, ValueError, OverflowError, BadInput):
        return new()


class BoardSession(Session[Board]):
    """The board of one page. visited: whether its tab has been shown."""

    def __init__(self) -> None:
        super().__init__(new(), read, dict)
        self.visited = False


def row_of(board: Board, id: int) -> Row:
    """One row. Raises BadInput if it is not there."""
    for row in board["rows"]:
        if row["id"] == id:
            return row
    raise BadInput("This row is not there any more.")


def add(board: Board, guidance: Mapping[str, Any]) -> Board:
    """A further row, last and chosen. Raises BadInput for more than eight."""
    if len(board["rows"]) >= MAX_ROWS:
        raise BadInput(f"Up to {MAX_ROWS} rows can be compared.", "Remove one first.")
    row = {"id": board["next"], "guidance": _spec(guidance)}
    return {**board, "rows": [*board["rows"], row], "chosen": row["id"], "next": row["id"] + 1}


def change(board: Board, what: str, id: int, at: str = "", name: str = "", value: Any = None) -> Board:
    """Do one thing to a row. Raises BadInput for what cannot be done.

    choose, copy, remove, up, down; method (value: its name); param (name, value); and the changes of what is around
    the method: see `around.change`.
    """
    row = row_of(board, id)
    if what == "choose":
        return {**board, "chosen": id}
    if what == "copy":
        return add(board, row["guidance"])
    if what == "remove":
        return _removed(board, id)
    if what in ("up", "down"):
        return _moved(board, id, -1 if what == "up" else 1)
    spec = copy.deepcopy(row["guidance"])
    if what == "method":
        _change_method(spec, str(value))
    elif what == "param":
        spec["params"][name] = around.plain(value)
    elif what in around.CHANGES:
        spec["wrappers"] = around.change(spec.get("wrappers", []), what, at, name, value, str(spec["method"]))
    else:
        raise BadInput(f"There is nothing to do with a row called {shown(what)}.")
    return with_guidance(board, id, spec)


def with_guidance(board: Board, id: int, guidance: Mapping[str, Any]) -> Board:
    """The same board with other guidance in a row, which becomes the chosen one."""
    row_of(board, id)
    rows = [{**row, "guidance": _spec(guidance)} if row["id"] == id else row for row in board["rows"]]
    return {**board, "rows": rows, "chosen": id}


def drawn(board: Board, job: str, places: list[tuple[int, str]], *, all_anew: bool) -> Board:
    """Note that a job draws these (row, seed), in its order. all_anew: nothing else is shown any more."""
    made = [{"row": row, "seed": seed, "job": job, "place": place} for place, (row, seed) in enumerate(places)]
    replaced = {(cell["row"], cell["seed"]) for cell in made}
    kept = [] if all_anew else [cell for cell in board["cells"] if (cell["row"], cell["seed"]) not in replaced]
    return {**board, "cells": [*kept, *made]}


def seeds(board: Board) -> list[str]:
    """The seeds that were drawn, in the order of the first of each."""
    return list(dict.fromkeys(cell["seed"] for cell in board["cells"]))


def label(guidance: Mapping[str, Any]) -> str:
    """A row in a few words: "APG 6, interval"; "PAG 3 + CFG 4" of a method that has a scale of its own besides."""
    found = declarations().guidance.get(str(guidance["method"]))
    named = found.label if found else str(guidance["method"])
    short = named[named.index("(") + 1 : -1] if named.endswith(")") and "(" in named else named
    numbers = {
        name: f"{value:g}"
        for name, value in guidance["params"].items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    scales = [value for name, value in numbers.items() if name.endswith("scale")]
    plain, own = numbers.get("guidance_scale", next(iter(scales), "")), numbers.get(f"{guidance['method']}_scale")
    told = f"{short} {own or plain}".rstrip()
    if own and plain not in ("", "1"):
        told += f" + CFG {plain}"
    return ", ".join([told, *(str(each["wrapper"]).replace("_", " ") for each in guidance.get("wrappers", ()))])


# -- inside ---------------------------------------------------------------------------------------------------------


def _spec(value: Mapping[str, Any]) -> dict[str, Any]:
    return load(GuidanceSpec, dict(value), "guidance").model_dump(mode="json")


def _change_method(spec: dict[str, Any], name: str) -> None:
    """What both methods have is kept: the scale above all."""
    fresh = defaults(name)
    known = {one.name: one for one in declarations().guidance[name].params}
    for param, value in spec["params"].items():
        one = known.get(param)
        inside = one is not None and (one.low is None or isinstance(value, str | bool) or one.low <= value)
        if inside and one is not None and (one.high is None or isinstance(value, str | bool) or value <= one.high):
            fresh["params"][param] = value
    spec["method"], spec["params"] = name, fresh["params"]


def _removed(board: Board, id: int) -> Board:
    if len(board["rows"]) == 1:
        raise BadInput("One row has to stay.")
    rows = [row for row in board["rows"] if row["id"] != id]
    chosen = board["chosen"] if board["chosen"] != id else rows[0]["id"]
    return {**board, "rows": rows, "chosen": chosen, "cells": [cell for cell in board["cells"] if cell["row"] != id]}


def _moved(board: Board, id: int, by: int) -> Board:
    rows = list(board["rows"])
    at = next(place for place, row in enumerate(rows) if row["id"] == id)
    if 0 <= at + by < len(rows):
        rows[at], rows[at + by] = rows[at + by], rows[at]
    return {**board, "rows": rows}
