"""How right a taste model is on prompts it has not seen, and whether choosing pairs saves labels.

Accuracy is that on held-out prompts' pairs whose two pictures are truly unequal, against the annotator's own utility;
its interval is a bootstrap over those prompts. A model is learned as the studio does it: ties kept, the ridge by
cross-validation over prompts. Of chosen pairs against random ones the difference of every repeat is taken, and the
interval is over repeats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.evidence.taste.annotators import TIE_WIDTH, Asked
from studio.metrics.intervals import Difference, bootstrap, paired
from studio.preference.choosing import propose
from studio.preference.label import Label
from studio.preference.taste.answers import read
from studio.preference.taste.assessment import assess
from studio.preference.taste.basis import Basis
from studio.preference.taste.model import Taste, learn
from studio.preference.taste.objective import Settings

BATCH = 10
Pairs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Side:
    """One half of a trial, to learn from or to try on. asked: its pictures; features: [N, F]; pairs: [P, 2]."""

    asked: Asked
    features: Tensor
    pairs: Pairs

    @property
    def rows(self) -> dict[str, int]:
        """Name of a picture -> its row."""
        return {name: number for number, name in enumerate(self.asked.names)}

    def unequal(self) -> Pairs:
        """Pairs in which one picture is truly better."""
        return self.pairs[np.abs(self.asked.margins(self.pairs)) >= TIE_WIDTH]


@dataclass(frozen=True)
class Accuracy:
    """labels: it was learned from; value, low, high: over all repeats; pairs: of each; repeats; sd: between repeats."""

    labels: int
    value: float
    low: float
    high: float
    pairs: int
    repeats: int
    sd: float


def accuracy(train: Side, test: Side, labels: int, repeats: int) -> Accuracy:
    """After so many answers about random pairs. repeats: each of other pairs and other noise."""
    hits: list[npt.NDArray[np.bool_]] = []
    for repeat in range(repeats):
        rng = np.random.default_rng((81, repeat))
        chosen = train.pairs[rng.choice(len(train.pairs), labels, replace=False)]
        answers = [train.asked.answer(pair, number, rng) for number, pair in enumerate(chosen)]
        hits.append(_hits(assess(train.features, read(answers, train.rows)).taste, test))
    return _over_prompts(np.stack(hits), test, labels)


def chosen_against_random(train: Side, test: Side, labels: int, repeats: int) -> tuple[float, float, Difference]:
    """Accuracy after so many labels with pairs chosen by BALD, a fifth of them random, and with random ones alone.

    Gives both means and the difference. The ridge is the usual one: too few labels could choose it.
    """
    arms = torch.zeros(2, repeats, dtype=torch.float64)
    for repeat in range(repeats):
        for arm, chooses in enumerate((True, False)):
            *_, taste = _learned_in_batches(train, labels, np.random.default_rng((82, repeat)), chooses)
            arms[arm, repeat] = float(_hits(taste, test).mean())
    return float(arms[0].mean()), float(arms[1].mean()), paired(arms[0], arms[1])


def _learned_in_batches(train: Side, labels: int, rng: np.random.Generator, chooses: bool) -> Iterator[Taste]:
    answers: list[Label] = []
    basis, rows = Basis.fit(train.features), train.rows
    table = basis(train.features)
    difference = (table[train.pairs[:, 0]] - table[train.pairs[:, 1]]).numpy()
    places = set(range(len(train.pairs)))
    taste: Taste | None = None
    while len(answers) < labels:
        if taste is not None and chooses:
            margin = taste.margin(train.features[train.pairs[:, 0]], train.features[train.pairs[:, 1]])
            mean, variance = margin.mean.numpy(), margin.variance.numpy()
            proposals = propose(sorted(places), BATCH, rng, mean, variance, difference)
        else:
            proposals = propose(sorted(places), BATCH, rng)
        for proposal in proposals:
            places.discard(proposal.pair)
            pair = train.pairs[proposal.pair].tolist()
            answers.append(train.asked.answer(pair, len(answers), rng, proposal.chosen_by))
        taste = learn(train.features, read(answers, rows), Settings(), basis)
        yield taste


def _hits(taste: Taste, test: Side) -> npt.NDArray[np.bool_]:
    """Of each truly unequal pair, whether the better picture is predicted."""
    pairs = test.unequal()
    margin = taste.margin(test.features[pairs[:, 0]], test.features[pairs[:, 1]]).mean.numpy()
    return np.asarray(np.sign(margin) == np.sign(test.asked.margins(pairs)))


def _over_prompts(hits: npt.NDArray[np.bool_], test: Side, labels: int) -> Accuracy:
    """hits: [repeats, pairs]."""
    by_prompt: dict[str, list[int]] = defaultdict(list)
    for place, (first, _) in enumerate(test.unequal()):
        by_prompt[test.asked.prompts[int(first)]].append(place)
    rows = torch.tensor(
        [[float(hits[:, places].sum()), float(hits[:, places].size)] for places in by_prompt.values()],
        dtype=torch.float64,
    )
    low, high = bootstrap(rows, lambda means: means[:, 0] / means[:, 1])
    spread = float(hits.mean(1).std(ddof=1)) if len(hits) > 1 else 0.0
    return Accuracy(labels, float(hits.mean()), low, high, hits.shape[1], len(hits), spread)


def named(prompts: Sequence[str], side: str) -> list[str]:
    """Names for pictures, as labels call them."""
    return [f"{side} {number:05}" for number in range(len(prompts))]
