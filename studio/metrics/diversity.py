"""How much pictures of one prompt vary between seeds: what a model that is pulled to a taste may lose.

    Vendi            exp(-sum l log l), l the eigenvalues of K / n: how many pictures are really different, 1 to n
    dissimilarity    mean over pairs of seeds of 1 - cosine of their features
    PVS              std(S) + std(V) + std(contrast) over pictures: how many palettes there are

K[i, j] is how alike two pictures are, 1 for a picture and itself; which kernel says so is named with the number. Of a
model's own these mean little: they are put beside the base's at the same prompts and seeds. Above the base's is no good
sign by itself, for broken pictures are diverse too.

Sources: Vendi score, arXiv:2210.02410, equation 3; PVS, arXiv:2512.24146 (DivGenBench), with the standard deviations
over the pictures at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from studio.metrics.saturation import brightness, contrast, saturation


def cosine(features: Tensor) -> Tensor:
    """How alike by the angle between features: [n, d] to [n, n] in -1..1; a picture without features is like none."""
    unit = normalize(_rows(features), dim=1)
    return (unit @ unit.T).fill_diagonal_(1.0)


def rbf(features: Tensor) -> Tensor:
    """By their distance, exp(-|x - y|² / 2d): [n, d] to [n, n] in 0..1. Of features that vary by about 1 each."""
    rows = _rows(features)
    return torch.exp(-torch.cdist(rows, rows).square() / (2 * rows.shape[1])).fill_diagonal_(1.0)


def equal(features: Tensor) -> Tensor:
    """1 where all features are equal, else 0: of classes, such as the style that is read. [n, d] to [n, n]."""
    rows = _rows(features)
    return (rows[:, None] == rows[None]).all(2).double()


KERNELS: dict[str, Callable[[Tensor], Tensor]] = {kernel.__name__: kernel for kernel in (cosine, rbf, equal)}


def vendi(similarity: Tensor) -> float:
    """The Vendi score of pictures that are as alike as this, [n, n], symmetric with a diagonal of 1: 1 to n.

    Raises ValueError for what is no such matrix.
    """
    n = len(similarity)
    if similarity.shape != (n, n) or not n:
        raise ValueError(f"how alike pictures are is [n, n], n at least 1, not {list(similarity.shape)}")
    matrix = similarity.double()
    if not torch.allclose(matrix, matrix.T) or not torch.allclose(matrix.diagonal(), matrix.new_ones(n)):
        raise ValueError("a picture is as like another as that is like it, and wholly like itself")
    shares = torch.linalg.eigvalsh(matrix / n).clamp_min(0)
    return float(torch.special.entr(shares).sum().exp())


def vendi_of(features: Tensor, kernel: str = "cosine") -> float:
    """The same of features [n, d] under a kernel by its name (KERNELS). Raises ValueError."""
    if kernel not in KERNELS:
        raise ValueError(f"there are the kernels {', '.join(KERNELS)}, and no {kernel[:40]!r}")
    return vendi(KERNELS[kernel](features))


def variety(classes: Sequence[str]) -> float:
    """The Vendi score under `equal`: exp of the entropy of what is read, 1 where all are of one class."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(classes))}
    return vendi_of(torch.tensor([[numbers[name]] for name in classes]), "equal")


def dissimilarity(features: Tensor) -> Tensor:
    """Mean over pairs of seeds of 1 - cosine, per prompt. features: [P, S, F], S at least 2. Gives [P] in 0..2."""
    unit = normalize(features.double(), dim=2)
    cosines = unit @ unit.transpose(1, 2)  # [P, S, S]
    seeds = features.shape[1]
    return 1 - (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / (seeds * (seeds - 1))


def pvs(pictures: Tensor) -> float:
    """PVS of pictures [n, 3, H, W], sRGB in 0..1: 0 where all have one palette."""
    return palette_spread(saturation(pictures), brightness(pictures), contrast(pictures))


def palette_spread(saturations: Tensor, brightnesses: Tensor, contrasts: Tensor) -> float:
    """PVS of pictures whose mean S, mean V and standard deviation of grey are known, [n] each, n at least 1."""
    return sum(float(values.double().std(correction=0)) for values in (saturations, brightnesses, contrasts))


def _rows(features: Tensor) -> Tensor:
    if features.dim() != 2 or not len(features):
        raise ValueError(f"features are [n, d], n at least 1, not {list(features.shape)}")
    return features.double()
