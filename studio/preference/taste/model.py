"""What was learned of a taste, and what it says of pictures: rewards, and how sure it is which is preferred."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.preference.taste import fit
from studio.preference.taste.answers import Answers
from studio.preference.taste.basis import Basis
from studio.preference.taste.likelihood import decided_logit
from studio.preference.taste.objective import Parameters, Settings

FEWEST = 20  # labels, before which nothing is claimed
FLAGGED_SE, REFUSED_LOGITS = 3.0, 4.0


class Margin(NamedTuple):
    """How much better one picture is than another, in logits: what is believed of it, [n] each."""

    mean: Tensor
    variance: Tensor


@dataclass(frozen=True)
class Side:
    """What the left side is worth to an annotator.

    value, se: in logits, with its standard error.
    answers: decided pairs of a known order that it was learned from.
    """

    annotator: str
    value: float
    se: float
    answers: int

    @property
    def refused(self) -> bool:
        """Whether the side decides so much that no taste can be learned beside it."""
        return abs(self.value) > REFUSED_LOGITS and self.answers >= FEWEST

    @property
    def flagged(self) -> bool:
        """Whether there is such a habit."""
        return self.refused or abs(self.value) > FLAGGED_SE * self.se


@dataclass(frozen=True, eq=False)
class Taste:
    """A reward model of one or several annotators.

    basis: from features to what it was learned on.
    settings: how it was learned.
    annotators: who it knows; a reward "of nobody" is the one that all have in common.
    parameters: the most likely ones.
    covariance: of the weights of each annotator, [A, k, k], and last [A + 1] of the common ones.
    sides: of each annotator, those refused among them.
    refused: annotators whose answers were not learned from.
    labels: how many it was learned from.
    temperature: by which margins are divided where probabilities are said; see calibration.py.
    """

    basis: Basis
    settings: Settings
    annotators: tuple[str, ...]
    parameters: Parameters
    covariance: Tensor
    sides: tuple[Side, ...]
    refused: tuple[str, ...]
    labels: int
    temperature: float = 1.0

    def reward(self, features: Tensor, annotator: str | None = None) -> Tensor:
        """[N] of features [N, F] as they come from an extractor; differentiable. Comparable within a prompt alone."""
        return self.basis(features) @ self._weights(annotator)

    def margin(self, first: Tensor, second: Tensor, annotator: str | None = None) -> Margin:
        """Of the first pictures against the second, features [n, F] each."""
        difference = self.basis(first) - self.basis(second)
        spread = self.covariance[self._number(annotator)]
        return Margin(difference @ self._weights(annotator), (difference @ spread * difference).sum(-1))

    def preferred(self, margin: Margin) -> Tensor:
        """Probability that the first is preferred where one is, [n], uncertainty of the weights included.

        Source: MacKay, Neural Comput. 4 (1992), "The evidence framework applied to classification", equation 10.
        """
        shrunk = margin.mean / (1 + math.pi * margin.variance / 8).sqrt() / self.temperature
        return decided_logit(shrunk, self.settings.ties, self.parameters.tie).sigmoid()

    def calibrated(self, temperature: float, tie: float) -> Taste:
        """The same with probabilities set right on held-out answers."""
        parameters = replace(self.parameters, tie=torch.tensor(tie, dtype=torch.float64))
        return replace(self, parameters=parameters, temperature=temperature)

    def _number(self, annotator: str | None) -> int:
        return self.annotators.index(annotator) if annotator in self.annotators else len(self.annotators)

    def _weights(self, annotator: str | None) -> Tensor:
        weights = self.parameters.weights
        if annotator in self.annotators and len(self.parameters.offsets) > 1:
            return weights + self.parameters.offsets[self.annotators.index(annotator)]
        return weights


def learn(features: Tensor, answers: Answers, settings: Settings, basis: Basis | None = None) -> Taste:
    """Learn a taste. features: [N, F] of an extractor, the rows that the answers name.

    basis: of the features; None fits one on all of them. Annotators whose side decides are left out, and named.
    Raises BadInput where that leaves nobody, or there is no answer at all.
    """
    if not answers.labels:
        raise BadInput("There is no answer to learn a taste from.", "Label some pairs first.")
    basis = Basis.fit(features) if basis is None else basis
    table = basis(features)
    vector = fit.fit(table, answers, settings)
    spread = fit.covariance(table, answers, settings, vector)
    sides = _sides(table, answers, vector, spread)
    refused = tuple(side.annotator for side in sides if side.refused)
    learned_from = answers
    if refused:
        counts = torch.tensor([float(label.annotator not in refused) for label in answers.labels], dtype=torch.float64)
        if not counts.any():
            raise BadInput(
                f"{', '.join(refused)} chose one side nearly always: no taste can be told from that.",
                "Ask again with the sides shuffled, or leave these answers out.",
            )
        learned_from = answers.reweighted(counts)
        vector = fit.fit(table, learned_from, settings)
        spread = fit.covariance(table, learned_from, settings, vector)
    layout = fit.layout_of(table, answers)
    return Taste(
        basis,
        settings,
        answers.annotators,
        layout.read(vector),
        _of_annotators(spread, layout.annotators, layout.features, layout.offsets),
        sides,
        refused,
        sum(label.annotator not in refused for label in answers.labels),
    )


def _sides(table: Tensor, answers: Answers, vector: Tensor, spread: Tensor) -> tuple[Side, ...]:
    layout = fit.layout_of(table, answers)
    values = layout.read(vector).side
    at = layout.features + layout.offsets
    errors = spread.diagonal()[at : at + layout.annotators].sqrt()
    pairs = answers.comparisons
    counted = (pairs.outcome != 0) & (pairs.side != 0) & (pairs.weight > 0)
    counts = torch.bincount(pairs.annotator[counted], minlength=layout.annotators)
    return tuple(
        Side(name, float(values[i]), float(errors[i]), int(counts[i])) for i, name in enumerate(answers.annotators)
    )


def _of_annotators(spread: Tensor, annotators: int, k: int, offsets: int) -> Tensor:
    """Covariance of w + u_a for each annotator, then of w: [A + 1, k, k]."""
    common = spread[:k, :k]
    if not offsets:
        return common.expand(annotators + 1, k, k)
    blocks: list[Tensor] = []
    for number in range(annotators):
        own = slice(k + number * k, k + (number + 1) * k)
        blocks.append(common + spread[:k, own] + spread[own, :k] + spread[own, own])
    return torch.stack([*blocks, common])
