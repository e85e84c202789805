"""What became of all else: IRA, CRA, neighbours, and the texts that were to stay; beside the base at equal seeds.

IRA and CRA as UnlearnCanvas has them (arXiv:2402.11846, section 3), over prompts that do not name the concept: accuracy
in the concept's own domain (of an object: the object), and in the others. That neighbours survive ("pinpoint-ness") is
after HUB (arXiv:2410.05664); here neighbours are nearest by the text encoder and, apart, by what they look like.
"""

from __future__ import annotations

from collections.abc import Callable

from studio.training.erase.card import outcomes as seen
from studio.training.erase.card.answers import BASE, EDIT, Answers, Outcome, outcomes
from studio.training.erase.card.budget import NOT_IN_BUDGET
from studio.training.erase.card.erased import UNREAD
from studio.training.erase.card.lines import Line, difference, mean, ratio, share
from studio.training.erase.card.probe import Probe
from studio.training.evaluate.measures import ATTRIBUTES
from studio.training.evaluate.results import Facts

SUBSTITUTE = "the substitute"  # a kind of prompt of the part "near"
NO_PRESERVES = "No text was named that was to stay."


def kept_lines(answers: Answers) -> list[Line]:
    """IRA and CRA, broken pictures, neighbours, preserved texts."""
    why = "" if answers.subject.in_world else UNREAD
    concept_kinds = list(dict.fromkeys(target.kind for target in answers.subject.targets)) or ["object"]
    other_attributes = [name for name in ATTRIBUTES if name not in concept_kinds]
    lines = [
        _beside_base(
            answers,
            f"ira_{name}",
            f"IRA: {name}",
            f"In-domain retain accuracy: the {name} of other prompts is right.",
            seen.right(name),
            why,
        )
        for name in concept_kinds
    ]
    about = f"Cross-domain retain accuracy: mean of {', '.join(other_attributes)} on the same prompts."
    lines.append(_beside_base(answers, "cra", "CRA", about, seen.mean_right(other_attributes), why, is_mean=True))
    for name in other_attributes:
        about = f"The {name} of the same prompts is right."
        lines.append(_beside_base(answers, f"cra_{name}", f"CRA: {name}", about, seen.right(name), why))
    lines.append(broken_line(answers, why))
    return [*lines, *_near_lines(answers, why), *_preserve_lines(answers, why)]


def broken_line(answers: Answers, why: str) -> Line:
    """Broken pictures of prompts that do not name the concept."""
    values, base = (outcomes(answers.rows("keep", stack), seen.invalid) for stack in (EDIT, BASE))
    about = "The oracle calls pictures of other prompts invalid."
    rows = share("edit", values, why), share("base", base, why)
    return Line("keep_invalid", "kept", "broken", about, "keep", *rows, "base", difference(values, base))


def _near_lines(answers: Answers, why: str) -> list[Line]:
    kinds = answers.kinds("near")
    if not kinds:
        row = share("edit", (), why or NOT_IN_BUDGET)
        return [Line("near", "kept", "neighbours", "What is nearest to the concept is drawn right.", "near", row)]
    domains = {target.kind for target in answers.subject.targets}

    def whole(probe: Probe, facts: Facts) -> bool | None:
        if facts.reading is None or probe.case.expectation is None:
            return None
        matches = facts.reading.matches(probe.case.expectation)
        return not facts.reading.invalid and all(matches[name] for name in domains if name in matches)

    lines = [_near(answers, "near", "neighbours", whole, why, tuple(kind for kind in kinds if kind != SUBSTITUTE))]
    for kind in kinds:
        name = kind if kind == SUBSTITUTE else f"nearest {kind}"
        lines.append(_near(answers, f"near_{kind.split()[-1]}", name, whole, why, (kind,)))
    return lines


def _near(answers: Answers, key: str, name: str, outcome: Outcome, why: str, kinds: tuple[str, ...]) -> Line:
    about = "It is drawn right, in a valid picture."
    return _beside_base(answers, key, name, about, outcome, why, part="near", kinds=kinds)


def _preserve_lines(answers: Answers, why: str) -> list[Line]:
    about = "A text that was to stay gives a picture that reads as the base's at the same seed."
    if not answers.kinds("preserve"):
        reason = NOT_IN_BUDGET if answers.subject.preserves else NO_PRESERVES
        return [Line("preserved", "kept", "preserved texts", about, "preserve", share("edit", (), reason))]

    def same(facts: Facts, base: Facts) -> float | None:
        if facts.reading is None or base.reading is None:
            return None
        return float(seen.same_reading(facts.reading, base.reading))

    values = between(answers, "preserve", same)
    row = share("edit", values, why)
    return [Line("preserved", "kept", "preserved texts", about, "preserve", row)]


def between(answers: Answers, part: str, value: Callable[[Facts, Facts], float | None]) -> list[float | None]:
    """A number of each pair of pictures, of the edit and of the base, at equal seeds."""
    pairs = zip(answers.rows(part, EDIT), answers.rows(part, BASE), strict=False)
    return [None if a is None or b is None else value(a, b) for (_, a), (_, b) in pairs]


def _beside_base(
    answers: Answers,
    key: str,
    name: str,
    about: str,
    outcome: Outcome,
    why: str,
    *,
    part: str = "keep",
    kinds: tuple[str, ...] = (),
    is_mean: bool = False,
) -> Line:
    row = mean if is_mean else share
    values, base = (outcomes(answers.rows(part, stack, *kinds), outcome) for stack in (EDIT, BASE))
    rows = row("edit", values, why), row("base", base, why)
    return Line(key, "kept", name, about, part, *rows, "base", ratio(values, base))
