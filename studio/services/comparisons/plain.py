"""What is known of a comparison as plain values: for reports, for programs, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studio.services.comparisons.cells import Cell
from studio.services.comparisons.facts import CellFacts, ComparisonFacts, RowFacts
from studio.services.comparisons.plan import ComparisonPlan, RowPlan

if TYPE_CHECKING:
    from studio.metrics.contrasts import Contrast, Estimate


def plan_plain(plan: ComparisonPlan) -> dict[str, Any]:
    """A plan; each row's differences as sentences."""
    rows = [
        {**asdict(row), "differences": [difference.sentence for difference in row.differences]} for row in plan.rows
    ]
    return {**asdict(plan), "rows": rows}


def facts_plain(facts: ComparisonFacts, plan: ComparisonPlan, cells: Sequence[Sequence[Cell]]) -> dict[str, Any]:
    """All that is known: "rows" with their estimates and contrasts, "cells" as rows of columns, "measures" with what
    each is, "unit", "unread", and the plan's "remarks".
    """
    return {
        "unit": facts.unit,
        "unread": facts.unread,
        "remarks": list(plan.remarks),
        "measures": [asdict(measure) for measure in facts.measures],
        "rows": [_row(*pair) for pair in zip(facts.rows, plan.rows, strict=True)],
        "cells": [
            [_cell(*pair) for pair in zip(cells_of_row, facts_of_row, strict=True)]
            for cells_of_row, facts_of_row in zip(cells, facts.cells, strict=True)
        ],
    }


def _row(facts: RowFacts, plan: RowPlan) -> dict[str, Any]:
    return {
        "name": facts.name,
        "differences": [difference.sentence for difference in plan.differences],
        "refusal": plan.refusal,
        "remarks": list(plan.remarks),
        "remark": facts.remark,
        "has_no_effect": facts.has_no_effect,
        "pictures": facts.pictures,
        "steps": plan.steps,
        "estimates": {name: _estimate(value) for name, value in facts.estimates.items()},
        "contrasts": {name: _contrast(value) for name, value in facts.contrasts.items()},
        "diversity": _estimate(facts.diversity),
        "vendi": _estimate(facts.vendi),
        "seeds_per_prompt": facts.seeds_per_prompt,
        "features": facts.features,
        "missed": dict(facts.missed),
    }


def _cell(cell: Cell, facts: CellFacts | None) -> dict[str, Any]:
    picture = cell.picture
    values: dict[str, Any] = {
        "state": cell.state,
        "generation": None if picture is None else picture.id,
        "sha256": None if picture is None else picture.sha256,
        "job": cell.job or None,
        "place": cell.place if cell.job else None,
        "refusal": cell.refusal,
        "trouble": cell.trouble,
    }
    if facts is not None:
        values |= {
            "values": dict(facts.values),
            "asked": list(facts.asked),
            "missed": list(facts.missed),
            "from_reference": facts.from_reference,
            "is_same": facts.is_same,
            "unfinished": dict(facts.unfinished),
        }
    return values


def _estimate(value: Estimate | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _contrast(value: Contrast) -> dict[str, Any]:
    low, high = value.win_interval
    return {**asdict(value), "is_told": value.is_told, "win_low": low, "win_high": high}
