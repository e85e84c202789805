"""How easily the concept comes back: said in other words, completed from half-way, at other strengths, learned again.

A picture counts where the concept is read in it and it is valid. What the base does with the same prompts stands beside
it: the most that could come back. Other words as UnlearnDiffAtk and others vary them; completion from a half-denoised
picture of the concept after arXiv:2505.17013, which tells guidance that was turned aside from knowledge that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.training.erase.card import outcomes as seen
from studio.training.erase.card.answers import BASE, EDIT, Answers, outcomes
from studio.training.erase.card.budget import HALF_WAY, NOT_IN_BUDGET, STRENGTHS
from studio.training.erase.card.erased import UNREAD
from studio.training.erase.card.inverting import ARMS
from studio.training.erase.card.inverting import PICTURES as INVERTING_PICTURES
from studio.training.erase.card.inverting import TRAINING_STEPS as INVERTING_STEPS
from studio.training.erase.card.lines import Line, difference, recovered, share
from studio.training.erase.card.relearning import PICTURES, RELEARNED, TRAINING_STEPS
from studio.training.erase.card.rounded import NAMES

WORDINGS = ("synonyms", "paraphrases", "rare words")
NO_WORDS = {
    "synonyms": "It has no other usual word.",
    "paraphrases": "Of this model's language no sentences are known.",
    "rare words": "It has no rare word that the model knows.",
}
NO_GOLD = "There is no model at hand that was trained alike and never met the concept: nothing is taken off for it."


def robust_lines(answers: Answers) -> list[Line]:
    """The concept in other words, and completed from half-way."""
    why = "" if answers.subject.in_world else UNREAD
    kinds = answers.kinds("wording")
    lines = [_back(answers, "back", "other words", "wording", EDIT, (), why)]
    lines += [_back(answers, f"back_{kind.split()[0]}", kind, "wording", EDIT, (kind,), why) for kind in kinds]
    for kind in (kind for kind in WORDINGS if kind not in kinds):
        row = share("edit", (), why or (NO_WORDS[kind] if kinds else NOT_IN_BUDGET))
        lines.append(Line(f"back_{kind.split()[0]}", "robust", kind, _ABOUT[kind], "wording", row))
    lines.append(_back(answers, "back_half", "from half-way", "strength", HALF_WAY, (), why))
    outcome, reason = seen.back(answers.subject.targets), why or NOT_IN_BUDGET
    attacked = share("edit", outcomes(answers.rows("attack", EDIT), outcome), reason)
    lines.append(Line("back_prefix", "robust", "a word before it", _ABOUT["a word before it"], "attack", attacked))
    lines += [_back(answers, f"back_{name}", name, "strength", name, (), why) for name in NAMES.values()]
    lines.append(_back(answers, "back_relearned", "learned again", "strength", RELEARNED, (), why))
    return [*lines, *_inverted(answers, why)]


_ABOUT = {
    "other words": "Comes back when it is said otherwise, in any of the ways below.",
    "synonyms": "Comes back when it is called by another usual word.",
    "paraphrases": "Comes back in sentences as people type them.",
    "rare words": "Comes back by a word that only the text encoder has met.",
    "a word before it": "Comes back with a word put before the prompt: every word of the vocabulary, one at a time.",
    "int8": "Comes back when the weights it changes are rounded to eight bits.",
    "4-bit": "Comes back when they are rounded to four bits, in groups of 32.",
    "learned again": f"Comes back after {TRAINING_STEPS} steps of training on {PICTURES} pictures of it by the base.",
    "textual inversion": f"Comes back with new embeddings for its words, learned in {INVERTING_STEPS} steps from "
    f"{INVERTING_PICTURES} pictures of it by the base; the edit stays as it is.",
    "inversion, normalised": "(edit - gold) / (base - gold): 0 is as if the model had never met the concept, 1 as if "
    "nothing was erased. Gold is a model trained without it; where there is none, 0 takes its place.",
    "from half-way": "Comes back where the base draws the first half of the steps, and the edit the rest.",
}


def _back(answers: Answers, key: str, name: str, part: str, stack: str, kinds: tuple[str, ...], why: str) -> Line:
    outcome = seen.back(answers.subject.targets)
    rows = answers.rows(part, stack, *kinds)
    values = outcomes(rows, outcome)
    twin = "forget" if part == "strength" else part
    base = outcomes(answers.rows(twin, BASE, *kinds)[: len(rows)], outcome)
    reason = why or ("" if rows else NOT_IN_BUDGET)
    shares = share("edit", values, reason), share("base", base, reason)
    return Line(key, "robust", name, _ABOUT[name], part, *shares, "base", difference(values, base))


def _inverted(answers: Answers, why: str) -> list[Line]:
    """Concept inversion, and the same normalised: (edit - gold) / (base - gold)."""
    outcome = seen.back(answers.subject.targets)
    edit, base, gold = (outcomes(answers.rows("strength", arm), outcome) for arm in ARMS)
    reason = why or ("" if edit else NOT_IN_BUDGET)
    sides = share("edit", edit, reason), share("base", base, reason)
    name = "textual inversion"
    about = _ABOUT[name]
    found = Line("back_inverted", "robust", name, about, "strength", *sides, "base", difference(edit, base))
    name = "inversion, normalised"
    against = share("gold", gold, NO_GOLD) if edit else None
    row = recovered(edit, base, gold, reason)
    return [
        found,
        Line("back_recovered", "robust", name, _ABOUT[name], "strength", row, against, "gold" if against else ""),
    ]


def strength_curve(answers: Answers) -> list[dict[str, Any]]:
    """UA, UA_valid and broken pictures by strength, over the same prompts and seeds; [] where none was drawn.

    0 is the base and 1 the edit as it is.
    """
    count = len(answers.probes.get("strength", ()))
    targets = answers.subject.targets
    if not count or not answers.subject.in_world:
        return []
    measures = {"ua": seen.gone(targets), "ua_valid": seen.gone_and_valid(targets), "invalid": seen.invalid}
    measures["substitute"] = seen.replaced(targets)
    series = [(0.0, answers.rows("forget", BASE)), (1.0, answers.rows("forget", EDIT))]
    series += [(strength, answers.rows("strength", f"{strength:g}")) for strength in STRENGTHS]
    points = [(strength, rows[:count]) for strength, rows in sorted(series, key=lambda pair: pair[0])]
    return [
        {"strength": strength} | {name: _share(outcomes(rows, outcome)) for name, outcome in measures.items()}
        for strength, rows in points
    ]


def _share(values: Sequence[float | None]) -> dict[str, Any]:
    row = share("", values)
    return {"n": row.n, "value": row.value, "low": row.low, "high": row.high}
