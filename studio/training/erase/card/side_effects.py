"""The card of an edit that erases nothing but pulls the model to a taste: what became of all that nobody asked for.

Prompts that say everything are to give the same as before; of prompts that leave style and colour open, as those of the
labels did, pictures are to stay whole, and to differ from seed to seed. Beside the base at equal seeds, all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from studio.metrics.diversity import dissimilarity
from studio.training.erase.card import outcomes as seen
from studio.training.erase.card.answers import BASE, EDIT, Answers, Pair, outcomes
from studio.training.erase.card.budget import FEW
from studio.training.erase.card.erased import UNREAD
from studio.training.erase.card.kept import between
from studio.training.erase.card.lines import Light, Line, difference, mean, share
from studio.training.erase.card.subject import OPEN_SEEDS
from studio.training.erase.card.verdict import OF_RATES, RANK, Verdict
from studio.training.evaluate.measures import ATTRIBUTES
from studio.training.evaluate.results import Facts

LIMITS = (
    "Whether its pictures are liked better, a blind test says and not this card.",
    OF_RATES,
)
ONE_SEED = "Diversity needs several seeds of a prompt."


def side_effect_lines(answers: Answers) -> list[Line]:
    """Stated attributes, broken pictures, change, diversity."""
    why = "" if answers.subject.in_world else UNREAD
    rows = {stack: answers.rows("keep", stack) for stack in (EDIT, BASE)}
    values, base = (outcomes(rows[stack], seen.mean_right(ATTRIBUTES)) for stack in (EDIT, BASE))
    about = f"Mean of {', '.join(ATTRIBUTES)}, of prompts that state them."
    sides = mean("edit", values, why), mean("base", base, why)
    stated = Line("stated", "kept", "prompt followed", about, "keep", *sides, "base", difference(values, base))
    return [
        stated,
        _broken(answers, "keep", why),
        _broken(answers, "open", why),
        _changed(answers),
        _diversity(answers),
    ]


def _broken(answers: Answers, part: str, why: str) -> Line:
    values, base = (outcomes(answers.rows(part, stack), seen.invalid) for stack in (EDIT, BASE))
    name = "broken" if part == "keep" else "broken, open prompts"
    about = "The oracle calls the picture invalid."
    rows = share("edit", values, why), share("base", base, why)
    return Line(f"{part}_invalid", "kept", name, about, part, *rows, "base", difference(values, base))


def _changed(answers: Answers) -> Line:
    """Of open prompts: what the labels were about."""
    values = between(answers, "open", lambda facts, base: float(facts.sha256 != base.sha256))
    about = "A picture of an open prompt is another than the base's at the same seed."
    return Line("changed", "kept", "changed", about, "open", share("edit", values))


def _diversity(answers: Answers) -> Line:
    """Mean over prompts of 1 - cosine between seeds, on the oracle's features."""
    sides = [_apart(answers.rows("open", stack)) for stack in (EDIT, BASE)]
    why = UNREAD if not answers.subject.in_world else ONE_SEED
    rows = mean("edit", sides[0], why), mean("base", sides[1], why)
    about = "How far the pictures of one open prompt are apart: 1 - cosine of the oracle's features, between seeds."
    return Line("diversity", "kept", "diversity", about, "open", *rows, "base", difference(*sides))


def _apart(rows: Sequence[Pair]) -> list[float | None]:
    """One number a prompt; None where a picture of it is missing."""
    prompts = [rows[at : at + OPEN_SEEDS] for at in range(0, len(rows) - OPEN_SEEDS + 1, OPEN_SEEDS)]
    return [_of_prompt([facts for _, facts in pairs]) for pairs in prompts]


def _of_prompt(pictures: Sequence[Facts | None]) -> float | None:
    features = [facts.features for facts in pictures if facts is not None and facts.features is not None]
    if len(features) < OPEN_SEEDS:
        return None
    return float(dissimilarity(torch.from_numpy(np.stack(features))[None])[0])


def light_of(line: Line) -> tuple[Light, str]:
    """What is thought of a line, and what that goes by."""
    if line.apart is None or not line.apart.n:
        return "", ""
    apart = line.apart.value
    if line.key == "stated":
        return _by(-apart, 0.02, 0.05), "at most 2 points below the base"
    if line.key.endswith("_invalid"):
        return _by(apart, 0.05, 0.15), "at most 5 points above the base"
    if line.key == "diversity" and line.beside is not None and line.beside.value > 0:
        return _by(1 - line.row.value / line.beside.value, 0.1, 0.3), "at least .9 of the base's"
    return "", ""


def judge_side_effects(lines: Sequence[Line]) -> Verdict:
    """The verdict on lines that are lit."""
    by_key = {line.key: line for line in lines}
    changed = by_key["changed"].row
    if changed.n and not changed.hits:
        reason = f"None of {changed.n} pictures of open prompts differs from the base's by a single pixel."
        return Verdict("poor", "No effect", (reason, "Raise its strength, or train it further."), LIMITS)
    lit = [line for line in lines if line.light]
    if not lit:
        sentences = (f"{changed.hits} of {changed.n} pictures of open prompts are changed.",) if changed.n else ()
        return Verdict("", "Not judged", (*sentences, by_key["stated"].row.why), LIMITS)
    worst: Light = max((line.light for line in lit), key=RANK.__getitem__)
    harmed = [line for line in lit if line.light != "good"]
    sentences = [_harm(line) for line in harmed] or ["What prompts state is drawn as before, whole and as diverse."]
    if changed.n < FEW:
        sentences.append(f"A first look: {changed.n} pictures are too few for a rate.")
    headline = {"good": "No side effects to speak of", "fair": "Some side effects", "poor": "Strong side effects"}[
        worst
    ]
    return Verdict(worst, headline, tuple(sentences), LIMITS)


def _harm(line: Line) -> str:
    beside = line.beside.value if line.beside else 0.0
    if line.key == "diversity":
        return f"Pictures of one prompt are {line.row.value / beside:.2f} as far apart as the base's."
    return f"{line.name[:1].upper()}{line.name[1:]}: {line.row.value:.0%}, base {beside:.0%}."


def _by(value: float, good: float, fair: float) -> Light:
    return "good" if value <= good + 1e-9 else "fair" if value <= fair + 1e-9 else "poor"
