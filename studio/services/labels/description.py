"""What was collected, as plain text: to go with labels that are given away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from studio.preference.label import Label

QUESTIONS = {"overall": "which is preferred", "prompt": "which follows the prompt", "look": "which looks better"}
OUTCOMES = {
    "first": "one of two is better",
    "second": "one of two is better",
    "tie": "equal",
    "both_good": "both good",
    "both_bad": "both bad",
    "skip": "skipped",
}
MODES = {"best": "best of several", "best_worst": "best and worst of several", "ranking": "an order of several"}


def description(title: str, labels: Iterable[Label]) -> str:
    """Lines of text about labels that stand. title: what they are of, begins it."""
    kinds, questions, people, purposes = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    prompts, pictures, brought = set[str](), set[str](), set[str]()
    times: list[str] = []
    count = revealed = flagged = commented = 0
    for label in labels:
        count += 1
        kinds[_kind(label)] += 1
        questions[QUESTIONS[label.question]] += 1
        people[label.annotator] += 1
        purposes[label.purpose] += 1
        prompts.add(label.prompt)
        pictures |= {picture.sha256 for picture in label.pictures}
        brought |= {picture.sha256 for picture in label.pictures if picture.foreign}
        revealed += not label.is_blind
        flagged += label.flagged
        commented += bool(label.comment)
        if label.answered_at is not None:
            times.append(label.answered_at.strftime("%Y-%m-%d"))
    if not count:
        return f"{title}: no answer yet."
    lines = [
        f"{title}: {_count(count, 'answer')} by {len(people)} {'person' if len(people) == 1 else 'people'}, about "
        f"{_count(len(pictures), 'picture')} of {_count(len(prompts), 'prompt')}.",
        "Answers: " + ", ".join(f"{kind} {n:,}" for kind, n in kinds.most_common()) + ".",
        "Asked: " + ", ".join(f"{question} {n:,}" for question, n in questions.most_common()) + ".",
    ]
    if times:
        lines.append(f"Given between {min(times)} and {max(times)}.")
    if brought:
        lines.append(f"{len(brought) / len(pictures):.0%} of the pictures were brought along, and not drawn here.")
    apart = [f"{purposes[name]:,} {words}" for name, words in _PURPOSES.items() if purposes[name]]
    apart += [f"{revealed:,} with the making of pictures in sight"] if revealed else []
    if apart:
        lines.append(f"Among them {', '.join(apart)}: nothing is learned from these.")
    marks = [f"{flagged:,} flagged"] if flagged else []
    marks += [f"{commented:,} with a comment"] if commented else []
    if marks:
        lines.append(f"{', '.join(marks).capitalize()}.")
    return "\n".join(lines)


_PURPOSES = {"check": "attention checks", "repeat": "repeats", "eval": "answers of blind tests"}


def _kind(label: Label) -> str:
    answer = label.answer
    if answer.skipped:
        return "skipped"
    if answer.mode == "pair":
        return OUTCOMES[answer.outcome]
    if answer.mode == "thumb":
        return "good" if answer.good else "bad"
    return MODES[answer.mode]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
