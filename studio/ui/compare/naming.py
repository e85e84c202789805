"""What rows are called: their own name, or in a few words what they differ in from the row they are held against."""

from __future__ import annotations

from collections.abc import Sequence

from studio.core.recipe import Recipe
from studio.services.comparisons.comparison import MAX_NAME_CHARS, Comparison
from studio.services.comparisons.differences import NOTHING, Difference
from studio.services.comparisons.plan import ComparisonPlan, RowPlan
from studio.ui.compare.board import Board
from studio.ui.components import rule

MOST = 3  # things that a name says
MAX_CHARS = 36  # of one of them


def names(board: Board, plan: ComparisonPlan) -> list[str]:
    """Of each row, no two alike."""
    row_names: list[str] = []
    for row, row_plan in zip(board.rows, plan.rows, strict=True):
        name = row.value.name or _name(row.value.recipe, row_plan)
        alike = sum(name_before == name or name_before.startswith(f"{name} (") for name_before in row_names)
        row_names.append(f"{name} ({alike + 1})" if alike else name)
    return row_names


def called(comparison: Comparison, names: Sequence[str]) -> Comparison:
    """The comparison with its rows called so, for those who see it elsewhere."""
    row_names = [
        row.model_copy(update={"name": name[:MAX_NAME_CHARS]}) for row, name in zip(comparison.rows, names, strict=True)
    ]
    return comparison.model_copy(update={"rows": tuple(row_names)})


def sentence(difference: Difference, reference: Recipe, recipe: Recipe) -> str:
    """A difference as it is read in a list; of another method of guidance, what both are called."""
    if difference.path == "guidance":
        return f"guidance: {rule.label(reference.guidance)} → {rule.label(recipe.guidance)}"
    return difference.sentence


def _name(recipe: Recipe, plan: RowPlan) -> str:
    words = list(dict.fromkeys(_short(_words(difference, recipe)) for difference in plan.differences))
    if not words:
        return rule.label(recipe.guidance)
    ending = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + ending


def _words(difference: Difference, recipe: Recipe) -> str:
    path, value = difference.path, difference.variant
    if path == "prompt":
        return f"“{_short(value)}”" if recipe.prompt else "no prompt"
    if path.startswith("guidance"):
        return rule.label(recipe.guidance)
    if path.startswith("edits."):
        name = path.removeprefix("edits.")
        return f"without {name}" if value == NOTHING else f"{name} {value}"
    if path == "negative_prompt":
        return "no negative prompt" if value == NOTHING else f"not “{_short(value)}”"
    return value if path in ("sampler", "model") else f"{difference.name} {value}"


def _short(words: str) -> str:
    return words if len(words) <= MAX_CHARS else f"{words[: MAX_CHARS - 1].rstrip()}…"
