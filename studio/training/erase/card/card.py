"""The card as plain values: lines with their lights, the verdict, the curve over strengths, what it was measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import studio
from studio.training.erase.card.answers import BASE, EDIT, Answers
from studio.training.erase.card.budget import FEW, Budget
from studio.training.erase.card.erased import base_miss, erased_lines
from studio.training.erase.card.kept import kept_lines
from studio.training.erase.card.lines import Line
from studio.training.erase.card.probe import PARTS, Probe
from studio.training.erase.card.quality import quality_lines
from studio.training.erase.card.robust import robust_lines, strength_curve
from studio.training.erase.card.side_effects import judge_side_effects, light_of, side_effect_lines
from studio.training.erase.card.unedited import unedited_lines
from studio.training.erase.card.verdict import judge, lit
from studio.training.evaluate.measures import TONES
from studio.training.evaluate.results import Result
from studio.training.evaluate.rows import ReportRow, difference_of, tone, unmeasured

FORMAT = 1
DRIFTS = {
    "drift_retain": ("retain drift", "KL divergence of the base from the edit on other prompts, nats per picture."),
    "drift_unconditional": ("unconditional drift", "The same without a prompt, nats per picture."),
    "fade": ("FADE", "Divergence to and from a model that never met the concept, nats per picture."),
    "fade_floor": ("FADE of two seeds", "The same between two models that differ in their seed alone."),
}
NOT_MEASURED = "Not measured for this card."


def card(answers: Answers, budget: Budget, outside: Mapping[str, ReportRow] | None = None) -> dict[str, Any]:
    """Everything that is said of an erasure.

    outside: rows measured in another way, by name (studio.training.drift.rows.rows).
    """
    if answers.subject.open:
        return _of_labels(answers, budget, outside or {})
    lines = [lit(line) for line in _lines(answers, outside or {})]
    forget = len(answers.rows("forget", EDIT))
    words = " and ".join(repr(concept.words) for concept in answers.subject.concepts[:3])
    miss = base_miss(answers) if answers.subject.in_world else None
    return {
        "format": FORMAT,
        "version": studio.__version__,
        "budget": budget.name,
        "is_preview": forget < FEW,
        "subject": answers.subject.plain(),
        "parts": {part: _part(part, probes) for part, probes in answers.probes.items()},
        "verdict": judge(lines, words, miss, answers.attack).plain(),
        "base_ua": miss,
        "lines": [line.plain() for line in lines],
        "attack": None if answers.attack is None else answers.attack.plain(),
        "strengths": strength_curve(answers),
        "tones": _tones(answers),
    }


def _of_labels(answers: Answers, budget: Budget, outside: Mapping[str, ReportRow]) -> dict[str, Any]:
    """Everything that is said of an edit that follows labels: no concept, and so no curve of it."""
    of_pictures = [*side_effect_lines(answers), *quality_lines(answers)]
    lit_lines = [replace(line, light=light, goal=goal) for line in of_pictures for light, goal in [light_of(line)]]
    drifts = [_drift(key, name, about, outside) for key, (name, about) in DRIFTS.items() if key.startswith("drift")]
    lines = [*lit_lines, *drifts]
    return {
        "format": FORMAT,
        "version": studio.__version__,
        "budget": budget.name,
        "is_preview": len(answers.rows("open", EDIT)) < FEW,
        "subject": answers.subject.plain(),
        "parts": {part: _part(part, probes) for part, probes in answers.probes.items()},
        "verdict": judge_side_effects(lit_lines).plain(),
        "base_ua": None,
        "lines": [line.plain() for line in lines],
        "attack": None,
        "strengths": [],
        "tones": _tones(answers),
    }


def _lines(answers: Answers, outside: Mapping[str, ReportRow]) -> list[Line]:
    drifts = [_drift(key, name, about, outside) for key, (name, about) in DRIFTS.items()]
    return [
        *erased_lines(answers),
        *kept_lines(answers),
        *robust_lines(answers),
        *unedited_lines(answers),
        *quality_lines(answers),
        *drifts,
    ]


def _drift(key: str, name: str, about: str, outside: Mapping[str, ReportRow]) -> Line:
    """FADE stands beside the base's, and above 1 of it is further from never having met the concept than the base."""
    row = outside.get("fade_edit" if key == "fade" else key, unmeasured("", "edit", NOT_MEASURED))
    if key != "fade" or not row.n:
        return Line(key, "drift", name, about, "", row)
    return Line(key, "drift", name, about, "", row, outside["fade_base"], "base", outside["fade"])


def _part(part: str, probes: Sequence[Probe]) -> dict[str, Any]:
    seeds = [probe.case.seed for probe in probes]
    return {"about": PARTS[part], "pictures": len(probes), "first_seed": min(seeds), "last_seed": max(seeds)}


def _tones(answers: Answers) -> list[dict[str, Any]]:
    """How tones of other prompts' pictures differ from the base's: what can be said without an oracle too."""
    results, base = (
        [Result(probe.case, facts) for probe, facts in answers.rows("keep", stack) if facts is not None]
        for stack in (EDIT, BASE)
    )
    return [difference_of("", name, results, base, tone(name)).as_json() for name in TONES]
