"""What is minimised: how unlikely the answers are under a reward, and how far the reward is from knowing nothing.

A reward is r_a(x) = (w + u_a) . f(x). A pair whose first picture stood on the left has the margin r_first - r_second +
beta_a: what the left side is worth to an annotator is learned beside the taste, and not taken for it. Thumbs compare
r_a + b_a with nothing. Sources of the terms: likelihood.py; of ridges on offsets around common weights: Evgeniou,
Pontil, "Regularized multi-task learning" (KDD 2004), section 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.preference.taste.answers import Answers
from studio.preference.taste.likelihood import (
    USUAL_TIE,
    TieModel,
    choice_loss,
    judgement_loss,
    outcome_loss,
    unreliable_loss,
)

OFFSET_RIDGE = 10.0  # times that of the common weights
SIDE_RIDGE, BIAS_RIDGE = 0.01, 0.1
TIE_PRIOR_SD = 1.0  # of the logarithm of the tie parameter, around that of the usual one
RELIABILITY_PRIOR = (8.0, 2.0)  # Beta's parameters; reliability lies in 1/2..1
_LEAST_TIE, _MOST_TIE = 1e-3, 20.0


@dataclass(frozen=True)
class Settings:
    """How to learn.

    ties: how they are taken.
    learn_tie: whether their parameter is learned; else it is the usual one.
    ridge: on the common weights; features have a variance of 1.
    side: whether what the left side is worth is learned.
    reliability: whether annotators may answer the other way round now and then (Crowd-BT).
    """

    ties: TieModel = "rao_kupper"
    learn_tie: bool = True
    ridge: float = 10.0
    side: bool = True
    reliability: bool = False


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in one vector: those in which the problem is convex, then those learned last.

    annotators, features: how many. Of one annotator there are no offsets: the common weights are theirs.
    """

    annotators: int
    features: int

    @property
    def offsets(self) -> int:
        return self.annotators * self.features if self.annotators > 1 else 0

    @property
    def convex(self) -> int:
        """How many parameters the convex problem has: weights, offsets, side and bias of each annotator."""
        return self.features + self.offsets + 2 * self.annotators

    @property
    def size(self) -> int:
        """All of them: also the logarithm of the tie parameter, and the logit of each annotator's reliability."""
        return self.convex + 1 + self.annotators

    def start(self, settings: Settings, tie: float | None = None) -> Tensor:
        """Knowing nothing: [size], float64. tie: the parameter, None for the usual one."""
        vector = torch.zeros(self.size, dtype=torch.float64)
        vector[self.convex] = math.log(max(tie or USUAL_TIE[settings.ties], _LEAST_TIE))
        high, low = (share - 1 for share in RELIABILITY_PRIOR)
        vector[self.convex + 1 :] = _logit(2 * high / (high + low) - 1)
        return vector

    def read(self, vector: Tensor) -> Parameters:
        """The parameters in a vector [size]."""
        sizes = (self.features, self.offsets, self.annotators, self.annotators, 1, self.annotators)
        weights, offsets, side, bias, tie, reliability = vector.split(sizes)
        return Parameters(
            weights,
            offsets.reshape(self.annotators, self.features) if self.offsets else weights.new_zeros(1, self.features),
            side,
            bias,
            tie[0].exp().clamp(_LEAST_TIE, _MOST_TIE),
            (1 + reliability.sigmoid()) / 2,
        )


@dataclass(frozen=True, eq=False)
class Parameters:
    """What is learned.

    weights: [k], common to all.
    offsets: [A, k], of each annotator; one row of zeros where there is one annotator.
    side: [A], what the left side is worth, in logits.
    bias: [A], from which reward on a picture gets a thumb up is -bias.
    tie: the parameter of ties (likelihood.py).
    reliability: [A], in 1/2..1.
    """

    weights: Tensor
    offsets: Tensor
    side: Tensor
    bias: Tensor
    tie: Tensor
    reliability: Tensor

    def rewards(self, features: Tensor, annotator: Tensor) -> Tensor:
        """[n] of features [n, k], each as its annotator [n] sees it."""
        common = features @ self.weights
        return common if len(self.offsets) == 1 else common + (features * self.offsets[annotator]).sum(-1)


def margins(parameters: Parameters, features: Tensor, answers: Answers, *, side: bool) -> Tensor:
    """Of each comparison, [n]: how much better the first picture is, with or without what its side adds."""
    pairs = answers.comparisons
    difference = features[pairs.first] - features[pairs.second]
    margin = parameters.rewards(difference, pairs.annotator)
    return margin + pairs.side * parameters.side[pairs.annotator] if side else margin


def objective(vector: Tensor, layout: Layout, features: Tensor, answers: Answers, settings: Settings) -> Tensor:
    """Negative log posterior up to a constant, []. features: [N, k]. Ties are left out where settings take none."""
    parameters = layout.read(vector)
    losses = [loss.sum() for _, loss in terms(parameters, features, answers, settings)]
    return sum(losses, _ridges(vector, layout, parameters, settings))


def label_losses(parameters: Parameters, features: Tensor, answers: Answers, settings: Settings) -> Tensor:
    """How unlikely each label is, [labels]: the weighted negative log-likelihood of all it says."""
    losses = features.new_zeros(len(answers.labels))
    for label, loss in terms(parameters, features, answers, settings):
        losses = losses.index_add(0, label, loss)
    return losses


def terms(
    parameters: Parameters, features: Tensor, answers: Answers, settings: Settings
) -> Iterator[tuple[Tensor, Tensor]]:
    """Numbers of labels and weighted losses, [n] each: of comparisons, choices and judgements, where there are any."""
    pairs, choices, thumbs = answers.comparisons, answers.choices, answers.judgements
    if len(pairs.first):
        margin = margins(parameters, features, answers, side=settings.side)
        weight, outcome = pairs.weight, pairs.outcome
        if settings.ties == "none":
            weight, outcome = weight * (outcome != 0), torch.where(outcome == 0, 1, outcome)
        if settings.reliability:
            reliability = parameters.reliability[pairs.annotator]
            losses = unreliable_loss(margin, outcome, settings.ties, parameters.tie, reliability)
        else:
            losses = outcome_loss(margin, outcome, settings.ties, parameters.tie)
        yield pairs.label, weight * losses
    if len(choices.chosen):
        rows = features[choices.rows.clamp_min(0)]  # [n, k, features]
        annotator = choices.annotator[:, None].expand(choices.rows.shape)
        rewards = parameters.rewards(rows.flatten(0, 1), annotator.flatten()).reshape(choices.rows.shape)
        rewards = (choices.sign[:, None] * rewards).masked_fill(choices.rows < 0, -math.inf)
        yield choices.label, choices.weight * choice_loss(rewards, choices.chosen)
    if len(thumbs.row):
        reward = parameters.rewards(features[thumbs.row], thumbs.annotator) + parameters.bias[thumbs.annotator]
        yield thumbs.label, thumbs.weight * judgement_loss(reward, thumbs.good)


def _ridges(vector: Tensor, layout: Layout, parameters: Parameters, settings: Settings) -> Tensor:
    squares = settings.ridge * (parameters.weights.square().sum() + OFFSET_RIDGE * parameters.offsets.square().sum())
    squares = squares + SIDE_RIDGE * parameters.side.square().sum() + BIAS_RIDGE * parameters.bias.square().sum()
    usual = math.log(max(USUAL_TIE[settings.ties], _LEAST_TIE))
    squares = squares + ((vector[layout.convex] - usual) / TIE_PRIOR_SD).square()
    if not settings.reliability:
        return squares / 2
    high, low = (share - 1 for share in RELIABILITY_PRIOR)
    reliability = parameters.reliability.clamp_max(1 - 1e-9)
    return squares / 2 - (high * reliability.log() + low * torch.log1p(-reliability)).sum()


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
