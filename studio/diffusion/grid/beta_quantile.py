"""Quantiles of the beta distribution, so that two grids do not bring scipy along."""

from __future__ import annotations

import math

_TINY = 1e-300  # keeps a vanishing denominator of the continued fraction from dividing by zero


def beta_quantile(p: float, alpha: float, beta: float) -> float:
    """Give x with I_x(alpha, beta) = p, to about 1e-15. p: 0 .. 1. alpha, beta: above 0, tried from 0.3 to 5."""
    if p in (0, 1):
        return float(p)
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _incomplete_beta(middle, alpha, beta) < p else (low, middle)
    return high


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), 0 < x < 1. Source: DLMF 8.17.22 and 8.17.4."""
    if x > (a + 1) / (a + b + 2):  # beyond it the fraction converges slowly
        return 1 - _incomplete_beta(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) - math.lgamma(a) - math.lgamma(b) + math.lgamma(a + b)
    # Lentz's method: the fraction as a running product of c*d.
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return math.exp(log_front) / a * fraction


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
