"""docs/erasures.md, from the results on record. No figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from studio.evidence.erasure.arms import ARMS

Result = Mapping[str, Any]
HEAD = """# Erasures, tried on Stencil

Written by `python launch.py reproduce --erasures --out docs/erasures.md`; do not edit. The numbers: [{json}]({json}).

Every concept is erased in every way, and every edit gets its report card ([guide](guide/erasing.md#the-report-card)) on
the same prompts and seeds, in the manner of UnlearnCanvas (arXiv:2402.11846). **UA**: the concept is not read where the
prompt names it. **UA valid**: and the picture is not broken; beside its ceiling, the base drawing the substitute's
prompt at the same seeds. **IRA**, **CRA**: on prompts that do not name the concept, its own attribute and the others
are right, as a share of the base's. **Neighbours**: what is nearest to the concept is drawn right. **FD**: Frechet
distance of other prompts' pictures from the base's, on the oracle's features. **Comes back**: the concept is read where
it is said otherwise. **CPU s**: the processor's seconds of making the edit.
Brackets are 95 % intervals. One training seed each: what lies within each other's
intervals is not told apart. Stencil is a small model of a small world: a figure here is about it, and says of other
models only what to look at."""
COLUMNS = (
    "UA",
    "UA valid",
    "ceiling",
    "substitute",
    "broken",
    "IRA / base",
    "CRA / base",
    "neighbours",
    "FD",
    "comes back",
    "CPU s",
    "KB",
)


def page(results: Sequence[Result], json_name: str) -> str:
    """The whole page. results: in any order; grouped by concept, in the order of the arms."""
    order = {arm.label: place for place, arm in enumerate(ARMS)}
    concepts = dict.fromkeys((result["concept"], result["kind"]) for result in results)
    parts = [HEAD.format(json=json_name), "## All concepts", _means(results)]
    for concept, kind in concepts:
        rows = [result for result in results if result["concept"] == concept]
        rows.sort(key=lambda result: order.get(result["arm"], len(order)))
        substitute = next((row["substitute"] for row in rows if row["substitute"]), "nothing")
        parts += [f"## {concept} ({kind}), to {substitute}", _table([_row(result) for result in rows], "how")]
        parts += [f"{result['arm']}: {result['why']}" for result in rows if result["why"]]
        parts += _unedited(rows)
    return "\n\n".join(parts) + "\n"


def _unedited(rows: Sequence[Result]) -> list[str]:
    """What a negative prompt does without an edit: of the base, so that every card of a concept has the same."""
    ways = next((row["unedited"] for row in rows if row["unedited"]), {})
    if not ways:
        return []
    figures = ", ".join(
        f"{name} {row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}], n = {row['n']}" for name, row in ways.items()
    )
    return [f"Without an edit, the concept's words as a negative prompt, UA valid: {figures}."]


def _means(results: Sequence[Result]) -> str:
    """Means over concepts, of ways that every concept was erased in, best kept UA valid first."""
    labels = dict.fromkeys(result["arm"] for result in results)
    concepts = {result["concept"] for result in results}
    rows = []
    for label in labels:
        measured = [result for result in results if result["arm"] == label and not result["why"]]
        if not measured:
            continue
        values = {column: [_value(result, column) for result in measured] for column in COLUMNS}
        numbers_present = {
            column: [value for value in numbers if value is not None] for column, numbers in values.items()
        }
        cells = [_text(column, fmean(numbers)) if numbers else "" for column, numbers in numbers_present.items()]
        rows.append([f"{label} ({len(measured)} of {len(concepts)})", *cells])
    return _table(rows, "how (concepts)")


def _row(result: Result) -> list[str]:
    if result["why"]:
        return [result["arm"], *("" for _ in COLUMNS)]
    return [result["arm"], *(_cell(result, column) for column in COLUMNS)]


PLACES = {
    "UA": ("ua", "edit"),
    "UA valid": ("ua_valid", "edit"),
    "ceiling": ("ua_valid", "beside"),
    "substitute": ("substitute", "edit"),
    "broken": ("invalid", "edit"),
    "IRA / base": ("ira", "apart"),
    "CRA / base": ("cra", "apart"),
    "neighbours": ("near", "edit"),
    "FD": ("fd_keep", "edit"),
    "comes back": ("back", "edit"),
}


def _figure(result: Result, column: str) -> Mapping[str, Any] | None:
    key, row = PLACES[column]
    return result["figures"].get(key, {}).get(row)


def _value(result: Result, column: str) -> float | None:
    if column == "CPU s":
        return result["seconds"]
    if column == "KB":
        return result["bytes"] / 1000
    figure = _figure(result, column)
    return None if figure is None else figure["value"]


def _cell(result: Result, column: str) -> str:
    value = _value(result, column)
    if value is None:
        return ""
    if column not in PLACES or column == "ceiling":
        return _text(column, value)
    figure = _figure(result, column)
    assert figure is not None, "it has a value"
    return f"{_text(column, value)} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _text(column: str, value: float) -> str:
    return f"{value:.1f}" if column == "CPU s" else f"{value:.0f}" if column == "KB" else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]], first: str) -> str:
    head = [first, *COLUMNS]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
