"""What became of the concept: UA and its companions, beside the base drawing the substitute at the same seeds.

UA as UnlearnCanvas has it (arXiv:2402.11846, section 3): the share of pictures whose prompt names the concept and in
which it is not recognised. A broken picture has lost its concept too, so UA_valid, which is never larger, is what
counts; and no edit towards a substitute can be better than the base's own pictures of it, its ceiling. That the other
attributes of such a prompt survive ("selective alignment") is after HUB (arXiv:2410.05664).
"""

from __future__ import annotations

from studio.training.erase.card import outcomes as seen
from studio.training.erase.card.answers import BASE, EDIT, Answers, Outcome, outcomes
from studio.training.erase.card.lines import Line, difference, share
from studio.training.evaluate.measures import ATTRIBUTES

UNREAD = "There is no oracle for this model: what its pictures show cannot be read."
NO_SUBSTITUTE = "Nothing was named that takes the concept's place and that the oracle knows."
LEFT_OPEN = "The prompts do not state it, or nothing is left that could have it."


def erased_lines(answers: Answers) -> list[Line]:
    """Whether anything changed, how much of the concept is gone, what came in its place, what else of it survived."""
    targets, why = answers.subject.targets, "" if answers.subject.in_world else UNREAD
    concept_kinds = {target.kind for target in targets}
    lines = [
        changed_line(answers),
        _beside_ceiling(
            answers,
            "ua",
            "UA",
            "Unlearning accuracy: the concept is not read, whatever else is.",
            seen.gone(targets),
            why,
        ),
        _beside_ceiling(
            answers,
            "ua_valid",
            "UA, valid",
            "It is not read, and the picture is not broken.",
            seen.gone_and_valid(targets),
            why,
        ),
        _beside_ceiling(
            answers,
            "substitute",
            "substitute",
            "What takes its place is read, in a valid picture.",
            seen.replaced(targets),
            why or NO_SUBSTITUTE,
        ),
        _beside_ceiling(answers, "invalid", "broken", "The oracle calls the picture invalid.", seen.invalid, why),
    ]
    for name in (attribute for attribute in ATTRIBUTES if attribute not in concept_kinds):
        about = f"The {name} that the prompt states is right all the same."
        outcome = seen.right_of_aim(name)
        lines.append(_beside_ceiling(answers, f"alignment_{name}", f"{name} kept", about, outcome, why or LEFT_OPEN))
    return lines


def changed_line(answers: Answers) -> Line:
    """What share of pictures that name the concept differ from the base's by a single pixel or more."""
    pairs = zip(answers.rows("forget", EDIT), answers.rows("forget", BASE), strict=False)
    values = [None if a is None or b is None else float(a.sha256 != b.sha256) for (_, a), (_, b) in pairs]
    about = "The picture differs from the base's at the same seed, by one pixel or more."
    return Line("changed", "erased", "changed", about, "forget", share("edit", values))


def _beside_ceiling(answers: Answers, key: str, name: str, about: str, outcome: Outcome, why: str) -> Line:
    values = outcomes(answers.rows("forget", EDIT), outcome)
    ceiling = outcomes(answers.rows("substitute", BASE), outcome)
    return Line(
        key,
        "erased",
        name,
        about,
        "forget",
        share("edit", values, why),
        share("ceiling", ceiling, why),
        "ceiling",
        difference(values, ceiling),
    )


def base_miss(answers: Answers) -> float | None:
    """The share of its own pictures in which the base misses the concept: what UA is without an edit."""
    values = outcomes(answers.rows("forget", BASE), seen.gone(answers.subject.targets))
    outcomes_read = [value for value in values if value is not None]
    return sum(outcomes_read) / len(outcomes_read) if outcomes_read else None
