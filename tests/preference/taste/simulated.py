"""Annotators whose taste is a known direction in a space of features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from studio.preference.label import Label
from studio.preference.taste.answers import Answers, read
from tests.preference.labels import pair_label

Choose = Callable[[float, np.random.Generator], str]


def bradley_terry(margin: float, rng: np.random.Generator) -> str:
    """An answer without ties."""
    return "first" if rng.random() < 1 / (1 + np.exp(-margin)) else "second"


def with_ties(width: float) -> Choose:
    """Answers where what is felt, with logistic noise, is within `width` of nothing: then a tie."""

    def choose(margin: float, rng: np.random.Generator) -> str:
        felt = margin + rng.logistic()
        return "tie" if abs(felt) < width else "first" if felt > 0 else "second"

    return choose


class World:
    """Pictures with features [N, 8] of unit variance, `per_prompt` of each prompt, and somebody's direction in them."""

    def __init__(self, seed: int, prompts: int = 40, per_prompt: int = 20, scale: float = 1.0, size: int = 8) -> None:
        self.rng = np.random.default_rng(seed)
        self.features = torch.from_numpy(self.rng.standard_normal((prompts * per_prompt, size)))
        direction = self.rng.standard_normal(size)
        self.direction = torch.from_numpy(scale * direction / np.linalg.norm(direction))
        self.prompts = [f"prompt {number // per_prompt}" for number in range(prompts * per_prompt)]
        self.per_prompt = per_prompt
        self.rows = {f"{number:05}": number for number in range(len(self.prompts))}

    def labels(
        self,
        number: int,
        choose: Choose = bradley_terry,
        *,
        annotator: str = "ada",
        left_bonus: float = 0.0,
        direction: Tensor | None = None,
        chosen_by: str = "random",
    ) -> list[Label]:
        """So many answers about random pairs of a prompt, on random sides."""
        utility = (self.features @ (self.direction if direction is None else direction)).tolist()
        labels: list[Label] = []
        for _ in range(number):
            prompt = int(self.rng.integers(len(self.prompts) // self.per_prompt))
            i, j = prompt * self.per_prompt + self.rng.choice(self.per_prompt, 2, replace=False)
            order = (0, 1) if self.rng.random() < 0.5 else (1, 0)
            margin = utility[i] - utility[j] + (left_bonus if order == (0, 1) else -left_bonus)
            outcome = choose(margin, self.rng)
            names = f"{i:05}", f"{j:05}"
            label = pair_label(
                *names, outcome, annotator=annotator, prompt=self.prompts[i], order=order, chosen_by=chosen_by
            )
            labels.append(label)
        return labels

    def answers(self, labels: list[Label]) -> Answers:
        """Of labels, on the rows of the features."""
        return read(labels, self.rows)


def cosine(a: Tensor, b: Tensor) -> float:
    """Of two directions."""
    return float(a @ b / (a.norm() * b.norm()))


def reward_direction(taste: object) -> Tensor:
    """The direction of a Taste in the features it was learned on, [F]."""
    from studio.preference.taste.model import Taste

    assert isinstance(taste, Taste)
    return taste.basis.directions @ taste.parameters.weights / taste.basis.scale
