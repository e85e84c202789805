"""How far several annotators agree beyond what chance would give: 1 is always, 0 is as chance has it, below is less.

Where nobody's answers vary, nothing can be said: the value is nan, and the reason goes with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Level = Literal["nominal", "ordinal", "interval"]
Floats = npt.NDArray[np.float64]

NO_VARIATION = "There is not enough variation: all answers are the same."
NO_OVERLAP = "Nothing was answered by two annotators."


@dataclass(frozen=True)
class Agreement:
    """One coefficient.

    value: at most 1; nan where it is not defined.
    n: how many items it is of, each answered at least twice.
    why: where it is not defined, the reason in a sentence; "" else.
    """

    value: float
    n: int
    why: str = ""


def cohen(table: npt.ArrayLike) -> Agreement:
    """Cohen's kappa of two annotators, 1 - observed / expected disagreement.

    table: [k, k] counts, a row for each answer of the first, a column for each of the second.
    Raises ValueError for what is no such table. Source: Cohen, Educ. Psychol. Meas. 20 (1960), p. 40.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"a table of two annotators is [k, k] counts, not {counts.shape}")
    n = counts.sum()
    if n == 0:
        return Agreement(math.nan, 0, NO_OVERLAP)
    cost = 1 - np.eye(len(counts))
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    return _against_chance(float((cost * counts).sum()), float((cost * expected).sum()), int(n))


def fleiss(counts: npt.ArrayLike) -> Agreement:
    """Fleiss' kappa of equally many answers to every item, whoever gave them.

    counts: [items, k], how often each of k answers was given to each item; the rows have one sum, 2 or more.
    Raises ValueError for others. Source: Fleiss, Psychol. Bull. 76 (1971), equations 3 to 7.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(f"answers are counted as [items, k], not {table.shape}")
    if not len(table):
        return Agreement(math.nan, 0, NO_OVERLAP)
    raters = table[0].sum()
    if raters < 2 or (table.sum(1) != raters).any():
        raise ValueError("every item must have the same number of answers, two or more; see krippendorff for others")
    agreeing = ((table**2).sum(1) - raters) / (raters * (raters - 1))  # P_i, the share of pairs of answers that agree
    by_chance = ((table.sum(0) / table.sum()) ** 2).sum()
    return _against_chance(float(1 - agreeing.mean()), float(1 - by_chance), len(table))


def krippendorff(answers: Sequence[Sequence[float]] | Floats, level: Level = "nominal") -> Agreement:
    """Krippendorff's alpha of any number of annotators, each of whom may have left items out.

    answers: [annotators, items], codes of the answers, nan where there is none.
    level: what a difference between two codes means: "nominal" another answer, "ordinal" how many answers lie between
        them, "interval" their distance.
    Raises ValueError for other shapes. Source: Krippendorff, "Computing Krippendorff's alpha-reliability" (2011),
    sections D and E: the coincidence matrix, and the difference functions.
    """
    data = np.asarray(answers, dtype=np.float64)
    if data.ndim != 2:
        raise ValueError(f"answers are [annotators, items], not {data.shape}")
    data = data[:, (~np.isnan(data)).sum(0) > 1]  # what one annotator answered alone pairs with nothing
    if not data.size:
        return Agreement(math.nan, 0, NO_OVERLAP)
    codes = np.unique(data[~np.isnan(data)])
    counts = (data[:, :, None] == codes).sum(0).astype(np.float64)  # [items, codes]
    shares = counts / (counts.sum(1, keepdims=True) - 1)
    coincidences = counts.T @ shares - np.diag(shares.sum(0))
    totals = coincidences.sum(0)
    cost = _difference(codes, totals, level)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    return _against_chance(float((cost * coincidences).sum()), float((cost * expected).sum()), data.shape[1])


def _difference(codes: Floats, totals: Floats, level: Level) -> Floats:
    """Squared difference of every two codes, [k, k]. totals: [k], how often each was given."""
    if level == "nominal":
        return 1 - np.eye(len(codes))
    if level == "interval":
        return np.subtract.outer(codes, codes) ** 2
    below = np.cumsum(totals) - totals / 2  # ranks of the middles: their difference is the ordinal one
    return np.subtract.outer(below, below) ** 2


def _against_chance(observed: float, expected: float, n: int) -> Agreement:
    if expected <= 0:
        return Agreement(math.nan, n, NO_VARIATION)
    return Agreement(1 - observed / expected, n)
