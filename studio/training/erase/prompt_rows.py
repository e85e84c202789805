"""Rows of other programs' prompt files: what each teaches an edit, and the slider that all of a file's rows make.

LECO and the sliders repository write `target, positive, unconditional, neutral, action, guidance_scale`: at the
strength `multiplier`, the target's prompt is to give neutral ± guidance_scale (positive - unconditional), + to enhance
and - to erase. ai-toolkit writes `target_class, positive, negative`, which is taught at both signs of the multiplier.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown

ROW = frozenset("target positive unconditional neutral action guidance_scale multiplier weight".split())
CLASS_ROW = frozenset("target_class positive negative neutral guidance_scale multiplier weight".split())
LINES = frozenset({"neutrals", "neutral_prompt_file", "prompt_file"})  # several neutral prompts, of a class row
# What sizes, batches and crops they train at, which here are the model's own and the plan's.
UNUSED = frozenset(
    "resolution resolutions dynamic_resolution batch_size dynamic_crops bucketing shuffle use_template "
    "sampling_batch_size la_strength seed case_number".split()
)


@dataclass(frozen=True)
class Lesson:
    """What one row teaches: at the strength `reach` times `side`, what target gives is
    neutral + side gamma (positive - negative).

    gamma, reach: above 0.
    side: 1 or -1.
    weight: of its loss against the others'.
    """

    target: str
    neutral: str
    positive: str
    negative: str
    gamma: float
    reach: float
    side: int
    weight: float

    @property
    def prompts(self) -> tuple[str, str, str, str]:
        """What the two sides of a slider have in common."""
        return self.target, self.neutral, self.positive, self.negative


def lessons_of(row: Mapping[str, Any], where: str) -> list[Lesson]:
    """What a row teaches: one lesson, or of a class row one at each side. where: names it in a sentence.

    Raises BadInput for a name that no such row has, and for a value that cannot be meant.
    """
    is_class = "target_class" in row
    _check_names(row, (CLASS_ROW if is_class else ROW) | UNUSED, where)
    gamma, reach = _number(row, "guidance_scale", where), _number(row, "multiplier", where)
    weight = _number(row, "weight", where)
    if not gamma or not reach or weight <= 0:
        nothing = "guidance_scale" if not gamma else "multiplier" if not reach else "weight"
        raise BadInput(f"{where} teaches nothing with a {nothing} of {row.get(nothing)}.", "Give it another.")
    positive, negative, neutral = _ends(row, where)
    if positive == negative:
        raise BadInput(f"{where} teaches nothing: both of its ends are {positive[:60]!r}.", "Give it two prompts.")
    if (gamma < 0) != (_erases(row, where) and not is_class):
        positive, negative = negative, positive
    lesson = (_text(row, "target_class" if is_class else "target", where), neutral)
    sides = (1, -1) if is_class else (1 if reach > 0 else -1,)
    if reach < 0:  # what the negative side goes to is less of it
        positive, negative = negative, positive
    return [Lesson(*lesson, positive, negative, abs(gamma), abs(reach), side, weight) for side in sides]


def slider_of(lessons: Sequence[Lesson]) -> dict[str, Any]:
    """The slider all lessons make, as plain values of a SliderPlan: pairs, gamma, reach, both_ways.

    Raises BadInput for lessons that no single slider learns: of several scales, or with one side for some rows only.
    """
    for name, noun in (("gamma", "guidance scale"), ("reach", "multiplier"), ("weight", "weight")):
        values = sorted({getattr(lesson, name) for lesson in lessons})
        if len(values) > 1:
            raise BadInput(
                f"The rows have the {noun}s {values[0]:g} and {values[-1]:g}, and one slider has one.",
                "Give all rows the same, or make a file of each.",
                field="prompts",
            )
    sides = {side: dict.fromkeys(lesson.prompts for lesson in lessons if lesson.side == side) for side in (1, -1)}
    if sides[-1] and sides[1].keys() != sides[-1].keys():
        raise BadInput(
            "Some rows are taught at a negative multiplier alone.", "Give each its positive side.", field="prompts"
        )
    names = ("target", "neutral", "positive", "negative")
    return {
        "pairs": [dict(zip(names, prompts, strict=True)) for prompts in sides[1]],
        "gamma": lessons[0].gamma,
        "reach": lessons[0].reach,
        "both_ways": bool(sides[-1]),
    }


def _ends(row: Mapping[str, Any], where: str) -> tuple[str, str, str]:
    """What is added, what is taken away, and where from."""
    if "target_class" in row:
        positive, negative = (_text(row, name, where, "") for name in ("positive", "negative"))
        return positive, negative, _text(row, "neutral", where, "")
    negative = _text(row, "unconditional", where, "")
    neutral = _text(row, "neutral", where, negative)
    return _text(row, "positive", where, _text(row, "target", where)), negative, neutral


def _erases(row: Mapping[str, Any], where: str) -> bool:
    action = row.get("action") or "erase"
    if action == "erase_with_la":
        raise BadInput(f"{where} is for SPM, whose anchors no slider has.", "Use: erase --method spm")
    if action not in ("erase", "enhance"):
        raise BadInput(f"{where} has the action {shown(action)}.", "Write erase or enhance.")
    return action == "erase"


def _text(row: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value = row.get(name)
    if value is None:
        if default is None:
            raise BadInput(f"{where} has no {name}.", "Every row names what it is about.")
        return default
    if not isinstance(value, str):  # YAML reads yes, no and 2024-01-01 as something else
        raise BadInput(f"The {name} of {where[:1].lower()}{where[1:]} is no text.", "Put it in quotation marks.")
    return " ".join(value.split())


def _number(row: Mapping[str, Any], name: str, where: str) -> float:
    return number_of(row.get(name, 1.0), f"The {name} of {where[:1].lower()}{where[1:]}")


def number_of(value: Any, name: str) -> float:
    """A number, also where a file has it as text: to YAML 1e-4 is one. what: begins the sentence of a BadInput."""
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
    except (TypeError, ValueError):
        raise BadInput(f"{name} is {shown(value)}, which is no number.") from None
    if not -1e6 < number < 1e6:  # neither NaN nor infinity is
        raise BadInput(f"{name} is {number:g}, which is out of all proportion.")
    return number


def _check_names(row: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    for name in row:
        if name not in allowed:
            close = difflib.get_close_matches(str(name)[:100], allowed, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It may have {', '.join(sorted(allowed - UNUSED))}."
            raise BadInput(f"{where} has {str(name)[:60]!r}, which no such row has.", hint)
