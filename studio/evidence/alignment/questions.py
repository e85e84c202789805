"""What is asked of the results: goals, and questions of the field, each with the rule it is answered by.

All of it was written down before the pictures on record were drawn. A question is a condition as claims have it
(studio.evidence.verdict): its difference, paired by prompt, over trainings and prompts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from studio.evidence.alignment import arms
from studio.evidence.alignment.arms import Arm
from studio.evidence.alignment.people import CLEAN, NOISY, STYLE, Person
from studio.evidence.alignment.summary import difference
from studio.evidence.claim import Condition, Want
from studio.evidence.verdict import judge
from studio.metrics.intervals import Difference

Summaries = Mapping[tuple[str, str], Mapping[str, Any]]  # (person, arm) -> as `summary` gives it
Results = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
MARGIN = 0.03  # of a win rate: what would matter
POINTS = 0.02  # of accuracy that may be lost
LEAST_TRAININGS = 2
UNTRIED = "not tried"


@dataclass(frozen=True)
class Part:
    """One part of a goal.

    measure: of a summary.
    least, most: what it has to reach, or stay within; None for no bound.
    end: which number of it: the mean, or an end of its interval.
    """

    measure: str
    least: float | None = None
    most: float | None = None
    end: Literal["value", "low", "high"] = "value"

    def holds(self, summary: Mapping[str, Any]) -> bool:
        """Whether the number is within its bounds."""
        number = summary[self.measure][self.end]
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)

    def is_sure(self, summary: Mapping[str, Any]) -> bool:
        """Whether the whole interval is."""
        low, high = summary[self.measure]["low"], summary[self.measure]["high"]
        return (self.least is None or low >= self.least) and (self.most is None or high <= self.most)

    @property
    def text(self) -> str:
        """In words."""
        bound = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        ends = {"value": "", "low": ", lower end", "high": ", upper end"}
        return f"{self.measure}{ends[self.end]} {bound}"


@dataclass(frozen=True)
class Goal:
    """What an arm was to reach. sentence: in words; parts: all of them have to hold."""

    sentence: str
    person: Person
    arm: Arm
    parts: tuple[Part, ...]

    def verdict(self, summaries: Summaries) -> dict[str, Any]:
        """Plain values: "sentence", "verdict", and "parts" with what was measured of each."""
        summary = summaries.get((self.person.name, self.arm.label))
        if summary is None:
            return {"sentence": self.sentence, "verdict": UNTRIED, "parts": []}
        measured = [
            {"part": part.text, **{end: summary[part.measure][end] for end in ("value", "low", "high")}}
            | {"holds": part.holds(summary)}
            for part in self.parts
        ]
        reached = all(part.holds(summary) for part in self.parts)
        sure = all(part.is_sure(summary) for part in self.parts if part.end == "value")
        verdict = "missed" if not reached else "reached" if sure else "reached on average; intervals reach beyond"
        return {"sentence": self.sentence, "verdict": verdict, "parts": measured}


KEEPS = (Part("diversity", least=0.9), Part("accuracy", least=-POINTS))
GOALS = (
    Goal(
        "Diffusion-DPO wins at least .57, with the interval's lower end above .50, keeps nine tenths of the diversity "
        "and loses at most two points of accuracy.",
        STYLE,
        arms.DPO,
        (Part("win", least=0.57), Part("win", least=0.5, end="low"), *KEEPS),
    ),
    Goal(
        "MaPO, at a strength that was chosen on other prompts, wins at least .65 and keeps as much.",
        STYLE,
        arms.CHOSEN_MAPO,
        (Part("win", least=0.65), *KEEPS),
    ),
    Goal(
        "For a taste for whole pictures, anchored DPO wins at least .55 and breaks fewer than the base.",
        CLEAN,
        arms.ANCHORED,
        (Part("win", least=0.55), Part("broken", most=0.0)),
    ),
    *(
        Goal(
            f"{arm.label}: at least .65 is won with at most five pictures in a hundred more that are broken.",
            STYLE,
            arm,
            (Part("win", least=0.65), Part("broken", most=0.05)),
        )
        for arm in (
            arms.CHOSEN_MAPO,
            arms.JUDGED_MAPO,
            arms.JUDGED_DPO,
            arms.CHOSEN_ANCHORED,
            arms.NOISIEST,
            arms.HELD_MAPO,
            arms.HELD,
            arms.CHOSEN_DPO,
        )
    ),
)


@dataclass(frozen=True)
class Question:
    """A comparison of two arms of one person.

    sentence: what is claimed.
    measure: a list of results, as "part.name", or "rise", a number of each training.
    want, margin: as a claim's condition has them.
    """

    sentence: str
    person: Person
    arm: Arm
    against: Arm
    measure: str
    want: Want
    margin: float = MARGIN

    def verdict(self, results: Results) -> dict[str, Any]:
        """Plain values: "sentence", "arm", "against", "measure", "verdict", and the difference where it was tried."""
        told = {
            "sentence": self.sentence,
            "person": self.person.name,
            "arm": self.arm.label,
            "against": self.against.label,
            "measure": self.measure,
        }
        sides = [results.get((self.person.name, arm.label), ()) for arm in (self.arm, self.against)]
        figure = DIFFERENCES[self.measure](*sides)
        if figure is None:
            return told | {"verdict": UNTRIED}
        condition = Condition(self.measure, self.arm.label, self.against.label, self.want, self.margin)
        outcome = judge(condition, Difference(figure["value"], figure["low"], figure["high"]))
        if len(figure["trainings"]) < LEAST_TRAININGS:
            outcome = "inconclusive"  # what another training would come to is not in the interval
        return told | {"verdict": outcome, "difference": figure, "trainings": len(figure["trainings"])}


def _rise(results: Sequence[Mapping[str, Any]], against: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Of the winners' held-out error, in per cent of the base's; its interval is over trainings alone."""
    sides = [
        [{"seed": r["seed"], "of": {"rise": [r["rise"]]}} for r in side if r["rise"] is not None]
        for side in (results, against)
    ]
    return difference(sides[0], sides[1], "of", "rise")


DIFFERENCES: Mapping[str, Callable[..., dict[str, Any] | None]] = {
    "win": lambda arm, against: difference(arm, against, "open", "win"),
    "broken": lambda arm, against: difference(arm, against, "open", "invalid"),
    "rise": _rise,
}
QUESTIONS = (
    Question("At equal compute MaPO wins more than Diffusion-DPO.", STYLE, arms.MAPO, arms.DPO, "win", "higher"),
    Question("Diffusion-DPO wins more than plain training on winners.", STYLE, arms.DPO, arms.SFT, "win", "higher"),
    Question("Ties as information win more than ties that are dropped.", STYLE, arms.TIES, arms.DPO, "win", "higher"),
    Question(
        "Ties as information break fewer pictures than ties that are dropped.",
        STYLE,
        arms.TIES,
        arms.DPO,
        "broken",
        "lower",
    ),
    Question(
        "Where one answer in four is wrong, smoothed labels win more.", NOISY, arms.SMOOTHED, arms.DPO, "win", "higher"
    ),
    Question(
        "Pairs of near-identical pictures displace more: held-out winners become worse than with unlike pairs.",
        STYLE,
        arms.ALIKE,
        arms.UNLIKE,
        "rise",
        "higher",
        1.0,
    ),
    Question(
        "DPOP cures it: winners rise less than with DPO on the same pairs.",
        STYLE,
        arms.ALIKE_POSITIVE,
        arms.ALIKE,
        "rise",
        "lower",
        1.0,
    ),
    Question(
        "MaPO cures it: winners rise less than with DPO on the same pairs.",
        STYLE,
        arms.ALIKE_MAPO,
        arms.ALIKE,
        "rise",
        "lower",
        1.0,
    ),
    Question(
        "DPOP still wins no less than DPO on the same pairs.",
        STYLE,
        arms.ALIKE_POSITIVE,
        arms.ALIKE,
        "win",
        "no lower",
    ),
)
