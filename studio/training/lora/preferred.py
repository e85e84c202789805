"""What the rows of a training prefer, as a taste model: which of two pictures of a prompt would be liked better.

It is learned from the rows that the training learns from, never from those that are held out, on features of their
pictures (studio.preference.taste). What is kept of it is linear in the features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.alignment.columns import LOSER, OTHER, PROMPT, place
from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.preference.label import Label, Picture
from studio.preference.taste.answers import read
from studio.preference.taste.assessment import assess
from studio.preference.taste.likelihood import log_probabilities
from studio.preference.taste.model import FEWEST
from studio.training.lora.plan import Plan


@dataclass(frozen=True, eq=False)
class Preference:
    """A taste.

    direction: [F] float64, what a feature is worth, in logits.
    tie: how readily a tie is said (Rao-Kupper's threshold).
    right, tried: of held-out rows that have a winner, how many it is right about, and how many there are.
    """

    direction: Tensor
    tie: float
    right: int
    tried: int

    def won(self, pictures: Tensor, beside: Tensor) -> Tensor:
        """Share that is expected to be preferred to what stands beside it, ties half, [N] of features [N, F] each."""
        margin = (pictures.double() - beside.double()) @ self.direction
        win, tie, _ = log_probabilities(margin, "rao_kupper", self.tie).exp().unbind(-1)
        return win + tie / 2

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        numbers = torch.tensor([self.tie, self.right, self.tried], dtype=torch.float64)
        return {"direction": self.direction.clone(), "numbers": numbers}

    @classmethod
    def load(cls, direction: Tensor, numbers: Tensor) -> Preference:
        """The reverse of `state`."""
        tie, right, tried = numbers.tolist()
        return cls(direction.clone(), tie, round(right), round(tried))


def labels_of(plan: Plan, rows: Sequence[int]) -> list[Label]:
    """Rows of a plan from pictures as labels again. rows: their numbers."""
    assert plan.pictures is not None, "no other plan has preferences"
    images, partners = plan.pictures.images, plan.pictures.partners
    labels: list[Label] = []
    for row in rows:
        prompts, weight = plan.prompts[row], _number(plan, "weight", row, 1.0)
        winner = images[row][0]
        if OTHER in prompts:  # a liked picture, and a disliked one that has nothing to do with it
            judged = (
                (winner, prompts[PROMPT], True, weight),
                (partners[LOSER][row][0], prompts[OTHER], False, _number(plan, "other_weight", row, 1.0)),
            )
            labels += [_label(row, text, (image,), Answer.thumb(good), w) for image, text, good, w in judged]
            continue
        places = (place(number) for number in range(1, len(partners) + 1))
        others = [partners[name][row][0] for name in (LOSER, *places) if name in partners]
        if len(others) > 1:
            answer = Answer("ranking", tuple(range(1, len(others) + 2)))
        else:
            answer = Answer.pair("tie" if _number(plan, "tie", row, 0.0) else "first")
        labels.append(_label(row, prompts[PROMPT], (winner, *others), answer, weight))
    return labels


def learn(plan: Plan, features: Mapping[str, Tensor]) -> Preference | None:
    """Learn the taste; None where there are too few rows for one. features: sha256 of a picture -> [F]."""
    labels = labels_of(plan, range(plan.learned_rows))
    if min(len(labels), len(features)) < FEWEST:
        return None
    numbers = {image: number for number, image in enumerate(features)}
    table = torch.stack(list(features.values())).double()
    try:
        taste = assess(table, read(labels, numbers)).taste
    except (BadInput, ValueError):  # of labels that say nothing, or pictures that are all alike
        return None
    worth = taste.basis.directions @ taste.parameters.weights / taste.basis.scale  # a flat feature's scale is infinite
    right, tried = _right(labels_of(plan, range(plan.learned_rows, len(plan.prompts))), features, worth)
    return Preference(worth / taste.temperature, float(taste.parameters.tie), right, tried)


def _right(labels: Sequence[Label], features: Mapping[str, Tensor], worth: Tensor) -> tuple[int, int]:
    """Of pairs with a winner, how many the worth of pictures is right about."""
    pairs = [
        [picture.sha256 for picture in label.pictures]
        for label in labels
        if len(label.pictures) == 2 and label.answer.comparisons()
    ]
    sides = [[features[image] for image in pair] for pair in pairs if all(image in features for image in pair)]
    return sum(float((first - second).double() @ worth) > 0 for first, second in sides), len(sides)


def _label(number: int, prompt: str, images: Sequence[str], answer: Answer, weight: float) -> Label:
    pictures = tuple(Picture(image) for image in images)
    return Label(
        f"{number} {images[0]}", number, "training", "rows", prompt, pictures, answer, confidence=min(1.0, weight)
    )


def _number(plan: Plan, name: str, row: int, default: float) -> float:
    values = plan.numbers.get(name)
    return default if values is None else values[row]
