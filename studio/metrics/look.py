"""Whether the look of pictures has moved away from the base's: the alarm for a reward that is played, not pleased.

A model that is trained on a score finds what the score likes beside what people do: stronger colours, finer grain. Both
are seen in plain numbers before anybody complains:

    colour drift     half the sum of |p - q| over bins of RGB, of mean histograms: the share of pixels in other colours
    texture drift    the same over octaves: of the shares that each scale has in the variance of grey
    shift            mean of a tone minus the base's, in standard deviations of the base's pictures

0 is no drift and 1 the most. Chance alone gives some, which is measured on the base's own pictures (`floor`). The alarm
says where to look, and not that something is wrong: who asked for neon gets its colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.metrics.intervals import Difference, paired
from studio.metrics.saturation import grey

BINS = 8  # of each channel: 512 colours
ALARM = 0.2  # a fifth of what pictures are made of has moved: our own starting value
SPLITS, QUANTILE = 200, 0.95
Profile = Callable[[Tensor], Tensor]


def colour_shares(pictures: Tensor) -> Tensor:
    """Share of each picture's pixels in each colour: [n, 3, H, W] in 0..1 to [n, BINS³] float64, rows sum to 1."""
    grey(pictures)  # refuses what is no batch of pictures
    channels = (pictures.double() * BINS).long().clamp(0, BINS - 1).flatten(2)  # [n, 3, HW]
    colours = (channels[:, 0] * BINS + channels[:, 1]) * BINS + channels[:, 2]
    counts = torch.zeros(len(pictures), BINS**3, dtype=torch.float64)
    return counts.scatter_add_(1, colours.cpu(), torch.ones_like(colours, dtype=torch.float64).cpu()) / colours.shape[1]


def octave_shares(pictures: Tensor) -> Tensor:
    """Share of each octave in the variance of each picture's grey, the finest first: [n, octaves], float64.

    Means of 2 x 2 pixels, of those again, and so on, as long as both sides are even (Haar); the last is what is left.
    The variance is the sum of what is lost at each, so that rows sum to 1; of a picture of one grey they are 0.
    """
    level = grey(pictures).double()
    variances = [level.flatten(1).var(1, correction=0)]
    while not level.shape[1] % 2 and not level.shape[2] % 2:
        level = torch.nn.functional.avg_pool2d(level[:, None], 2)[:, 0]
        variances.append(level.flatten(1).var(1, correction=0))
    remaining = torch.stack([*variances, torch.zeros_like(variances[0])], 1)
    lost = remaining[:, :-1] - remaining[:, 1:]
    return torch.where(remaining[:, :1] > 0, lost / remaining[:, :1].clamp_min(1e-300), torch.zeros_like(lost))


PROFILES: dict[str, Profile] = {"colour": colour_shares, "texture": octave_shares}
WHAT = {"colour": "pixels' colours", "texture": "scales of their texture"}


def moved(shares: Tensor, base: Tensor) -> float:
    """Total variation between the mean rows of two sets of shares, [n, k] and [m, k]: 0..1."""
    return float((shares.mean(0) - base.mean(0)).abs().sum() / 2)


def floor(base: Tensor, seed: int = 0) -> float:
    """What two halves of the base's own pictures, [m, k] shares, are apart by chance, in 95 of 100 random halvings.

    Each has half the pictures: whole sets are apart by less. Raises ValueError for fewer than two pictures.
    """
    if len(base) < 2:
        raise ValueError("one picture has no halves")
    generator, half = torch.Generator().manual_seed(seed), len(base) // 2
    orders = [torch.randperm(len(base), generator=generator) for _ in range(SPLITS)]
    apart = torch.tensor([moved(base[order[:half]], base[order[half:]]) for order in orders], dtype=torch.float64)
    return float(apart.quantile(QUANTILE))


@dataclass(frozen=True)
class Drift:
    """How far one aspect has moved.

    aspect: of PROFILES.
    value: 0..1.
    floor: what chance gives.
    """

    aspect: str
    value: float
    floor: float

    @property
    def is_alarming(self) -> bool:
        """Whether somebody should look at the pictures: beyond chance, and by a fifth."""
        return self.value > max(self.floor, ALARM)


def drifts(pictures: Tensor, base: Tensor) -> list[Drift]:
    """Of colour and of texture. pictures, base: [n, 3, H, W] and [m, 3, H, W], of the same prompts, in 0..1."""
    aspects: list[Drift] = []
    for aspect, profile in PROFILES.items():
        base_shares = profile(base)
        aspects.append(Drift(aspect, moved(profile(pictures), base_shares), floor(base_shares)))
    return aspects


def shift(values: Tensor, base: Tensor) -> Difference:
    """How far a tone has moved, in standard deviations of the base, with the interval over pairs.

    values, base: [n], each picture beside the base's of the same prompt and seed. Raises ValueError for lists of other
    lengths, or a base that does not vary.
    """
    spread = float(base.double().std(correction=0))
    if not spread > 0:
        raise ValueError("nothing is a multiple of no spread")
    return Difference(*(part / spread for part in paired(values, base)))


def alarm(moves: Sequence[Drift]) -> str:
    """What somebody should look at, a sentence; "" where nothing is alarming."""
    parts = [
        f"{drift.value:.0%} of the {WHAT[drift.aspect]} ({drift.floor:.0%} by chance)"
        for drift in moves
        if drift.is_alarming
    ]
    return f"Look at the pictures: {' and '.join(parts)} are others than the base's." if parts else ""
