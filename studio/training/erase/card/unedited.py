"""No edit at all: how far a negative prompt gets by itself, so that one sees whether an edit is needed.

The base draws prompts that name the concept, at the seeds of the edit's own pictures, with the concept's words as the
negative prompt (studio.training.erase.card.ways).
"""

from __future__ import annotations

from studio.training.erase.card import outcomes as seen
from studio.training.erase.card.answers import BASE, EDIT, Answers, outcomes
from studio.training.erase.card.budget import NOT_IN_BUDGET
from studio.training.erase.card.erased import UNREAD
from studio.training.erase.card.lines import Line, difference, share
from studio.training.erase.card.ways import WAYS


def unedited_lines(answers: Answers) -> list[Line]:
    """UA_valid of each way, beside the edit's own at the same prompts and seeds, and how many pictures it breaks."""
    why, targets = "" if answers.subject.in_world else UNREAD, answers.subject.targets
    lines: list[Line] = []
    for key, arm in WAYS.items():
        rows = answers.rows(key, BASE)
        edited = answers.rows("forget", EDIT)[: len(rows)]
        reason = why or ("" if rows else NOT_IN_BUDGET)
        figures = (
            ("ua_valid", "gone", "Not read, and not broken.", seen.gone_and_valid(targets)),
            ("invalid", "broken", "The oracle calls the picture invalid.", seen.invalid),
        )
        for measure, measure_name, of_measure, outcome in figures:
            values, beside = outcomes(rows, outcome), outcomes(edited, outcome)
            shares = share("edit", values, reason), share("the edit", beside, reason)
            name, about = f"{arm.name}, {measure_name}", f"{arm.about} {of_measure}"
            lines.append(
                Line(f"{key}_{measure}", "unedited", name, about, key, *shares, "the edit", difference(values, beside))
            )
    return lines
