"""How right a taste is on prompts it has not seen, and how strong its ridge should be: by cross-validation.

Answers to one prompt are alike, so a prompt is held out whole. Where there are too few prompts, pictures are: all
answers that share one, directly or by others, are held out together, and that is said. The ridge a fold is predicted
with is chosen by the other folds, so that choosing it makes nobody look better.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from studio.preference.taste import fit
from studio.preference.taste.answers import Answers
from studio.preference.taste.objective import Settings, label_losses

FOLDS = 5
RIDGES = (100.0, 30.0, 10.0, 3.0)  # the strongest first: each fit begins where the one before ended
FEWEST_PROMPTS = 5
ROUGH = 1e-3  # slope left where only the order of pictures counts

Unit = Literal["prompts", "pictures"]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was predicted of every label by a model that had not seen its prompt.

    unit: what was held out.
    ridge: the best one over all folds.
    groups: [labels], which prompt (or set of pictures) each label is of.
    margin: [comparisons], r_first - r_second, without what a side is worth.
    decided: [d, 2], rows of winner and loser of every preference, of pairs and of lists.
    decided_margin: [d], above 0 where it is predicted right.
    decided_label: [d], whose it is.
    losses: [labels], how unlikely each was.
    """

    unit: Unit
    ridge: float
    groups: Tensor
    margin: Tensor
    decided: Tensor
    decided_margin: Tensor
    decided_label: Tensor
    losses: Tensor

    def tally(self, answers: Answers, annotator: str | None = None) -> dict[int, tuple[float, int]]:
        """Group -> (preferences predicted right, preferences), of labels that were chosen at random.

        Those that were chosen for being unclear say nothing of how often the model is right. Equal rewards count half.
        annotator: whose preferences; None for all.
        """
        tally: dict[int, tuple[float, int]] = {}
        for margin, label in zip(self.decided_margin.tolist(), self.decided_label.tolist(), strict=True):
            source = answers.labels[label]
            if source.chosen_by != "random" or annotator not in (None, source.annotator):
                continue
            group = int(self.groups[label])
            hits, n = tally.get(group, (0.0, 0))
            tally[group] = (hits + (1.0 if margin > 0 else 0.5 if margin == 0 else 0.0), n + 1)
        return tally


def validate(
    table: Tensor, answers: Answers, settings: Settings, ridges: Sequence[float] = RIDGES, tie: float | None = None
) -> HeldOut:
    """Predict every label without its prompt, at the ridge the other prompts would take.

    table: [N, k] standardised features. ridges: to choose among. tie: the parameter of ties, which stays; None for
    the usual one. Raises ValueError where all answers hang together, so that none can be held out.
    """
    unit, groups = held_out_units(answers)
    fold_of = folds(groups)
    count = int(fold_of.max()) + 1
    if count < 2:
        raise ValueError("all answers share pictures: none can be held out")
    fixed = replace(settings, learn_tie=False)
    losses = torch.zeros(len(ridges), len(answers.labels), dtype=torch.float64)
    pairs = answers.comparisons
    margins = torch.zeros(len(ridges), len(pairs.first), dtype=torch.float64)
    decided, decided_label = _decided(answers)
    decided_margins = torch.zeros(len(ridges), len(decided), dtype=torch.float64)
    annotator = _annotator_of_labels(answers)
    for fold in range(count):
        held = fold_of == fold
        training = answers.reweighted((~held).double())
        vector: Tensor | None = None
        for place, ridge in enumerate(ridges):
            at_ridge = replace(fixed, ridge=ridge)
            vector = fit.fit(table, training, at_ridge, start=vector, tie=tie, tolerance=ROUGH)
            parameters = fit.layout_of(table, answers).read(vector)
            losses[place, held] = label_losses(parameters, table, answers, at_ridge)[held]
            of_fold = held[pairs.label]
            difference = table[pairs.first[of_fold]] - table[pairs.second[of_fold]]
            margins[place, of_fold] = parameters.rewards(difference, pairs.annotator[of_fold])
            of_fold = held[decided_label]
            difference = table[decided[of_fold, 0]] - table[decided[of_fold, 1]]
            decided_margins[place, of_fold] = parameters.rewards(difference, annotator[decided_label[of_fold]])
    by_fold = torch.stack([losses[:, fold_of == fold].sum(1) for fold in range(count)], 1)  # [ridges, folds]
    choice = (by_fold.sum(1, keepdim=True) - by_fold).argmin(0)[fold_of]  # [labels]
    return HeldOut(
        unit,
        ridges[int(by_fold.sum(1).argmin())],
        groups,
        margins.gather(0, choice[pairs.label][None])[0],
        decided,
        decided_margins.gather(0, choice[decided_label][None])[0],
        decided_label,
        losses.gather(0, choice[None])[0],
    )


def learning_curve(
    table: Tensor, answers: Answers, settings: Settings, sizes: Sequence[int], seed: int = 0
) -> list[tuple[int, float, int]]:
    """How often held-out preferences are predicted right after so many labels: (labels, hits, preferences).

    sizes: of the random part of the labels that is learned from; those beyond what a fold leaves are passed over.
    """
    _, groups = held_out_units(answers)
    fold_of, random_labels = folds(groups), random.Random(seed)
    decided, decided_label = _decided(answers)
    annotator = _annotator_of_labels(answers)
    by_chance = torch.tensor([label.chosen_by == "random" for label in answers.labels])
    points: list[tuple[int, float, int]] = []
    for size in sizes:
        hits, n = 0.0, 0
        for fold in range(int(fold_of.max()) + 1):
            left = [i for i, other in enumerate(fold_of.tolist()) if other != fold]
            if size > len(left):
                break
            counts = torch.zeros(len(answers.labels), dtype=torch.float64)
            counts[random_labels.sample(left, size)] = 1
            vector = fit.fit(table, answers.reweighted(counts), replace(settings, learn_tie=False), tolerance=ROUGH)
            parameters = fit.layout_of(table, answers).read(vector)
            tested = (fold_of[decided_label] == fold) & by_chance[decided_label]
            difference = table[decided[tested, 0]] - table[decided[tested, 1]]
            margin = parameters.rewards(difference, annotator[decided_label[tested]])
            hits, n = hits + float((margin > 0).sum()) + float((margin == 0).sum()) / 2, n + len(margin)
        else:
            points.append((size, hits, n))
    return points


def held_out_units(answers: Answers) -> tuple[Unit, Tensor]:
    """What is held out together, and the number of it for each label, [labels]."""
    prompts = [label.prompt for label in answers.labels]
    distinct = sorted(set(prompts))
    if len(distinct) >= FEWEST_PROMPTS:
        return "prompts", torch.tensor([distinct.index(prompt) for prompt in prompts])
    root = {picture.sha256: picture.sha256 for label in answers.labels for picture in label.pictures}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for label in answers.labels:
        for picture in label.pictures[1:]:
            root[find(picture.sha256)] = find(label.pictures[0].sha256)
    roots = [find(label.pictures[0].sha256) for label in answers.labels]
    numbers = {name: number for number, name in enumerate(sorted(set(roots)))}
    return "pictures", torch.tensor([numbers[name] for name in roots])


def folds(groups: Tensor, count: int = FOLDS, seed: int = 0) -> Tensor:
    """Which fold each label is in, [labels]; a group is in one, and folds have about as many labels each."""
    sizes = torch.bincount(groups).tolist()
    order = list(range(len(sizes)))
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -sizes[group])  # stable: those of one size stay shuffled
    loads, fold_of = [0] * min(count, len(order)), [0] * len(sizes)
    for group in order:
        fold_of[group] = min(range(len(loads)), key=loads.__getitem__)
        loads[fold_of[group]] += sizes[group]
    return torch.tensor(fold_of)[groups]


def _decided(answers: Answers) -> tuple[Tensor, Tensor]:
    """Winner and loser of every preference that a label states, [d, 2], and its label, [d]."""
    rows: list[tuple[int, int]] = []
    labels: list[int] = []
    table = answers.rows
    for number, label in enumerate(answers.labels):
        for comparison in label.answer.comparisons():
            rows.append(tuple(table[label.pictures[place].sha256] for place in comparison[:2]))  # type: ignore[arg-type]
            labels.append(number)
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 2), torch.tensor(labels, dtype=torch.long)


def _annotator_of_labels(answers: Answers) -> Tensor:
    return torch.tensor([answers.annotators.index(label.annotator) for label in answers.labels], dtype=torch.long)
