"""From answers to a taste and to what may be claimed of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from studio.preference.label import Label
from studio.preference.taste import calibration
from studio.preference.taste.answers import Answers
from studio.preference.taste.basis import Basis
from studio.preference.taste.likelihood import decided_logit
from studio.preference.taste.model import FEWEST, Taste, learn
from studio.preference.taste.objective import Settings
from studio.preference.taste.validation import RIDGES, HeldOut, validate

FEWEST_HELD_OUT = 10  # preferences


@dataclass(frozen=True)
class Calibration:
    """How far probabilities of a preference are from what came true, on held-out pairs.

    n: preferences.
    error, brier: after the temperature was set; error is the expected one (ECE).
    """

    n: int
    error: float
    brier: float


@dataclass(frozen=True, eq=False)
class Assessment:
    """A taste, and how it does on what it has not seen.

    taste: learned from all answers.
    answers: which.
    held_out: predictions of each answer without its prompt; None where `why` says why nothing is claimed.
    calibration: of those; None without them.
    why: a sentence; "" where there are held-out predictions enough.
    """

    taste: Taste
    answers: Answers
    held_out: HeldOut | None
    calibration: Calibration | None
    why: str = ""

    def tally(self, annotator: str | None = None) -> dict[int, tuple[float, int]]:
        """HeldOut.tally where something is claimed; {} else."""
        return {} if self.held_out is None or self.why else self.held_out.tally(self.answers, annotator)

    def disagreements(self, most: int = 20) -> list[tuple[Label, float]]:
        """Labels that the others make most unlikely, with their negative log-likelihood: which to look at again."""
        if self.held_out is None:
            return []
        worst = self.held_out.losses.argsort(descending=True)[:most].tolist()
        return [(self.answers.labels[place], float(self.held_out.losses[place])) for place in worst]


def assess(
    features: Tensor, answers: Answers, settings: Settings | None = None, ridges: Sequence[float] = RIDGES
) -> Assessment:
    """Learn with the ridge that does best on held-out prompts, and set probabilities right on them.

    features: [N, F] of an extractor. settings: their ridge counts where too few labels can choose one.
    Raises BadInput as `learn`.
    """
    settings, basis = settings or Settings(), Basis.fit(features)
    taste = learn(features, answers, settings, basis)
    if taste.refused:
        counts = torch.tensor([float(label.annotator not in taste.refused) for label in answers.labels])
        answers = answers.reweighted(counts.double())
    if taste.labels < FEWEST:
        why = f"Nothing is claimed before {FEWEST} answers; there are {taste.labels}."
        return Assessment(taste, answers, None, None, why)
    table, tie = basis(features), float(taste.parameters.tie)
    try:
        held_out = validate(table, answers, settings, ridges, tie)
    except ValueError:
        return Assessment(taste, answers, None, None, "All answers share pictures: none can be held out to try it on.")
    if held_out.ridge != settings.ridge:
        again = learn(features, answers, replace(settings, ridge=held_out.ridge), basis)
        taste = replace(again, sides=taste.sides, refused=taste.refused, labels=taste.labels)  # of those left out too
    taste, measured = _calibrated(taste, held_out, answers)
    claimable = sum(n for _, n in held_out.tally(answers).values())
    why = "" if claimable >= FEWEST_HELD_OUT else _too_few(claimable)
    return Assessment(taste, answers, held_out, measured, why)


def _too_few(claimable: int) -> str:
    return (
        f"How right it is can be said of preferences in pairs that were chosen at random: there are {claimable}, and "
        f"{FEWEST_HELD_OUT} are needed."
    )


def _calibrated(taste: Taste, held_out: HeldOut, answers: Answers) -> tuple[Taste, Calibration | None]:
    pairs, model = answers.comparisons, taste.settings.ties
    counted = pairs.weight > 0
    margin, outcome = held_out.margin[counted], pairs.outcome[counted]
    decided = outcome != 0
    if not bool(decided.any()):
        return taste, None
    before = float(taste.parameters.tie)
    temperature = calibration.temperature(margin, outcome, model, before)
    tie = calibration.tie_parameter(margin / temperature, outcome, model, before)
    won = (outcome[decided] > 0).double()

    set_right = decided_logit(margin[decided] / temperature, model, tie).sigmoid()
    return taste.calibrated(temperature, tie), Calibration(
        int(decided.sum()),
        calibration.expected_error(set_right, won),
        calibration.brier(set_right, won),
    )
