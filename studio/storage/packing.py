"""A job's payload as the ledger keeps it: what its pictures have in common stands there once.

{"packed": 1, "recipes": {"count": 2, "same": [[path, value], ...], "paths": [path, ...], "values": [[value, ...], ...],
"rows": [[place, ...], ...]}, ...}: a path leads to a value within a recipe, [name or place in a list, ...]; a row has,
for each path, which of that path's values the recipe has there, null where it has none. Keys beside "recipes" stay as
they are, and so does a payload whose recipes are a plain list, as older versions kept it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

VERSION = 1

Path = tuple[str | int, ...]


def pack(payload: Mapping[str, Any]) -> str:
    """Give the one JSON text of a payload: equal payloads, equal texts, in whatever order their keys came."""
    recipes = payload.get("recipes")
    values = dict(payload)
    if isinstance(recipes, list) and recipes and all(isinstance(recipe, dict) for recipe in recipes):
        values |= {"packed": VERSION, "recipes": _packed(recipes)}
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def unpack(text: str | bytes) -> dict[str, Any]:
    """Read a payload back, of today's shape or plain as older versions kept it.

    Raises ValueError for what is not JSON, no payload, or of a newer program.
    """
    values: Any = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    payload = cast("dict[str, Any]", values)
    version = payload.pop("packed", None)
    if version is None:
        return payload
    if version != VERSION:
        raise ValueError(f"it was packed by a newer Palimpsest, in version {version}")
    try:
        payload["recipes"] = _unpacked(payload["recipes"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"its recipes cannot be unpacked ({type(error).__name__})") from None
    return payload


def _packed(recipes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    flat = [dict(_leaves(recipe)) for recipe in recipes]
    paths = sorted({path for leaves in flat for path in leaves}, key=lambda path: json.dumps(path))
    same: list[Any] = []
    varied: list[Path] = []
    values: list[list[Any]] = []
    columns: list[list[int | None]] = []
    for path in paths:
        places: dict[Any, int] = {}
        distinct: list[Any] = []
        column: list[int | None] = []
        for leaves in flat:
            if path not in leaves:
                column.append(None)
                continue
            key = _key(leaves[path])
            if key not in places:
                places[key] = len(distinct)
                distinct.append(leaves[path])
            column.append(places[key])
        if len(distinct) == 1 and None not in column:
            same.append([path, distinct[0]])
        else:
            varied.append(path)
            values.append(distinct)
            columns.append(column)
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else []
    return {"count": len(recipes), "same": same, "paths": varied, "values": values, "rows": rows}


def _unpacked(packed: Mapping[str, Any]) -> list[dict[str, Any]]:
    recipes: list[dict[str, Any]] = []
    for number in range(packed["count"]):
        row = packed["rows"][number] if packed["paths"] else []
        leaves = {tuple(path): value for path, value in packed["same"]}
        for path, values, place in zip(packed["paths"], packed["values"], row, strict=True):
            if place is not None:
                leaves[tuple(path)] = values[place]
        recipes.append(_tree(leaves))
    return recipes


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each value that holds no other, with its path; an empty list or object is one."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))
    else:
        yield path, [] if isinstance(value, tuple) else value


def _tree(leaves: Mapping[Path, Any]) -> Any:
    """Put values together again; () leads to the whole."""
    if list(leaves) == [()]:
        value = leaves[()]
        return type(value)() if isinstance(value, dict | list) else value  # each recipe has an empty one of its own
    branches: dict[str | int, dict[Path, Any]] = {}
    for path, value in leaves.items():
        branches.setdefault(path[0], {})[path[1:]] = value
    if all(isinstance(name, int) for name in branches):
        return [_tree(branches[place]) for place in sorted(branches)]  # type: ignore[type-var]
    return {str(name): _tree(branch) for name, branch in branches.items()}


def _key(value: Any) -> tuple[str, Any]:
    """What tells values apart that JSON writes differently: 1, 1.0 and true are equal to Python."""
    return type(value).__name__, repr(value) if isinstance(value, float | dict | list) else value
