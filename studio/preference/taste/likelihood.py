"""How likely each answer about two pictures is, given how much better the first is: Bradley-Terry with ties.

Everything takes margins d = r_first - r_second in logits, any shape, and is exact in their dtype.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

TieModel = Literal["rao_kupper", "davidson", "none"]

# Both make a tie as likely as not between pictures that are equal.
USUAL_TIE: dict[TieModel, float] = {"rao_kupper": math.log(3), "davidson": 2.0, "none": 0.0}


def log_probabilities(margin: Tensor, model: TieModel, tie: Tensor | float) -> Tensor:
    """Logarithms of (first wins, tie, second wins), [..., 3]; their exponentials sum to 1.

    tie: how readily a tie is said, 0 or more: "rao_kupper" the threshold eta = log theta, "davidson" nu; "none" has no
        ties, and does not use it. At 0 a tie has probability 0, and the rest is Bradley-Terry's.
    Sources: Rao, Kupper, J. Am. Stat. Assoc. 62 (1967), equation 2.1, and Davidson, J. Am. Stat. Assoc. 65 (1970),
    equation 2.1, both in the form of arXiv:2409.17431, section 3.
    """
    if model == "davidson":
        half, log_nu = margin / 2, torch.as_tensor(tie, dtype=margin.dtype).log().expand_as(margin)
        scores = torch.stack([half, log_nu, -half], -1)
        return scores - torch.logsumexp(scores, -1, keepdim=True)
    eta = torch.as_tensor(0.0 if model == "none" else tie, dtype=margin.dtype)
    win, lose = F.logsigmoid(margin - eta), F.logsigmoid(-margin - eta)
    return torch.stack([win, win + lose + _log_expm1(2 * eta), lose], -1)


def _log_expm1(x: Tensor) -> Tensor:
    """log(e^x - 1), of large x too; -inf at 0."""
    return torch.where(x > 20, x, torch.log(torch.expm1(x.clamp_max(20))))


def outcome_loss(margin: Tensor, outcome: Tensor, model: TieModel, tie: Tensor | float) -> Tensor:
    """Negative log-likelihood of each answer, of margin's shape. outcome: 1 the first, 0 a tie, -1 the second.

    With "none" a tie has probability 0: whoever takes it leaves ties out.
    """
    return -log_probabilities(margin, model, tie).gather(-1, (1 - outcome.long())[..., None])[..., 0]


def decided_logit(margin: Tensor, model: TieModel, tie: Tensor | float) -> Tensor:
    """Log-odds of the first against the second where no tie was said."""
    logs = log_probabilities(margin, model, tie)
    return logs[..., 0] - logs[..., 2]


def choice_loss(rewards: Tensor, chosen: Tensor) -> Tensor:
    """Negative log-likelihood that the best of several is the one chosen, [n]: a stage of Plackett-Luce.

    rewards: [n, k], -inf where there is no picture; of the worst, give them negated. chosen: [n] places.
    Source: Plackett, Appl. Statist. 24 (1975), section 2.
    """
    return torch.logsumexp(rewards, -1) - rewards.gather(-1, chosen[:, None])[:, 0]


def judgement_loss(reward: Tensor, good: Tensor) -> Tensor:
    """Negative log-likelihood of thumbs, of reward's shape: logistic regression. good: 1 up, -1 down."""
    return -F.logsigmoid(good * reward)


def unreliable_loss(
    margin: Tensor, outcome: Tensor, model: TieModel, tie: Tensor | float, reliability: Tensor
) -> Tensor:
    """As `outcome_loss` for annotators who answer the other way round now and then; ties are unchanged by it.

    reliability: the probability in 0..1 that an answer is meant as it was given, of margin's shape.
    Source: Chen and others, "Pairwise ranking aggregation in a crowdsourced setting" (WSDM 2013), equation 4; with
    ties here.
    """
    as_given = -outcome_loss(margin, outcome, model, tie)
    reversed_ = -outcome_loss(margin, -outcome, model, tie)
    return -torch.logaddexp(reliability.log() + as_given, torch.log1p(-reliability) + reversed_)
