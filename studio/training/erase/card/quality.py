"""How far the edit's pictures are from the base's as a whole: on the oracle's features, with the floor beside it.

Both distances are of pictures of one half of the prompts from the base's of the other half; the floor is the same of
the base alone, and so has the same bias of few pictures. Over many random halvings: the mean, and where 95 % of them
lie. Features are brought to one length, the root of their number, which is what the kernel is made for: how strongly
the oracle is excited by a picture says nothing of what is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from studio.metrics.distance import frechet, kernel_distance
from studio.training.erase.card.answers import BASE, EDIT, Answers, Pair
from studio.training.erase.card.erased import UNREAD
from studio.training.erase.card.lines import NOT_DRAWN, Line
from studio.training.evaluate.rows import ReportRow, unmeasured

HALVINGS = 100
LEAST = 24  # pictures; a half of fewer says nothing of a distribution
TOO_FEW = f"A distance between sets needs {LEAST} pictures or more of each."
DISTANCES: dict[str, tuple[str, Callable[[Tensor, Tensor], float]]] = {
    "fd": ("Frechet distance", frechet),
    "kd": ("kernel distance", kernel_distance),
}


def quality_lines(answers: Answers) -> list[Line]:
    """Of prompts that do not name the concept, from the base's pictures; of those that do, from the substitute's."""
    series = (
        ("keep", "of other prompts", answers.rows("keep", EDIT), answers.rows("keep", BASE)),
        ("forget", "of erased prompts", answers.rows("forget", EDIT), answers.rows("substitute", BASE)),
    )
    why = "" if answers.subject.in_world else UNREAD
    if answers.subject.open:
        series = (("keep", "of stated prompts", answers.rows("keep", EDIT), answers.rows("keep", BASE)),)
    return [
        _line(f"{key}_{part}", f"{name}, {group}", part, distance, rows, base, why)
        for part, group, rows, base in series
        for key, (name, distance) in DISTANCES.items()
    ]


def _line(
    key: str,
    name: str,
    part: str,
    distance: Callable[[Tensor, Tensor], float],
    rows: Sequence[Pair],
    base: Sequence[Pair],
    why: str,
) -> Line:
    beside = "the base's own" if part == "keep" else "the base's of the substitute"
    about = f"How far these pictures are as a whole from {beside}, on the oracle's features."
    x, y = _features(rows, base)
    if why or len(x) < LEAST:
        row = unmeasured("", "edit", why or (TOO_FEW if len(x) else NOT_DRAWN))
        return Line(key, "quality", name, about, part, row)
    edited, floor = _over_halvings(x, y, distance), _over_halvings(y, y, distance)
    apart = _spread("difference", edited - floor, len(x), "difference")
    sides = _spread("edit", edited, len(x)), _spread("floor", floor, len(x))
    return Line(key, "quality", name, about, part, *sides, "floor", apart)


def _features(rows: Sequence[Pair], base: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """[n, F] each, of the places that both have."""
    both = [
        (a.features, b.features)
        for (_, a), (_, b) in zip(rows, base, strict=False)
        if a is not None and b is not None and a.features is not None and b.features is not None
    ]
    if not both:
        return torch.zeros(0, 1), torch.zeros(0, 1)
    sides = (torch.from_numpy(np.stack(side)).double() for side in zip(*both, strict=True))
    x, y = (normalize(side, dim=1) * side.shape[1] ** 0.5 for side in sides)
    return x, y


def _over_halvings(x: Tensor, y: Tensor, distance: Callable[[Tensor, Tensor], float]) -> Tensor:
    """The distance of one half of x from the other half of y, [HALVINGS]; the same halvings for the same n."""
    generator = torch.Generator().manual_seed(0)
    values: list[float] = []
    for _ in range(HALVINGS):
        order = torch.randperm(len(x), generator=generator)
        first, second = order[: len(x) // 2], order[len(x) // 2 :]
        values.append(distance(x[first], y[second]))
    return torch.tensor(values, dtype=torch.float64)


def _spread(name: str, values: Tensor, n: int, unit: str = "mean") -> ReportRow:
    low, high = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return ReportRow(
        "", name, n, float(values.mean()), low, high, unit="difference" if unit == "difference" else "mean"
    )
