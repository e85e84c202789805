"""Unified Concept Editing: the keys and values of cross-attention send one text's vectors where another's go.

Source: Unified Concept Editing in Diffusion Models, arXiv:2308.14761, equation 7. Its sums over vectors are means here,
so that neither the number of edited vectors nor that of preserved ones weighs, and its two weights are one number, the
completeness. For a weight W and its change D, with e = v - c the way from an edited vector c to its target v:

    min_D   sum_k mean_i ||D c_ki - W e_ki||²  +  protect mean_j ||D p_j||²  +  ridge ||D||²

    D = W G     G = sum_k mean_i e_ki c_kiᵀ M⁻¹     M = sum_k mean_i c_ki c_kiᵀ + protect mean_j p_j p_jᵀ + ridge I
    ridge = (1 - completeness) / completeness  mean_k mean_i ||c_ki||²

over concepts k. W is not in G: one solve of the size of the text vectors serves all keys and values that read them, and
G is a sum over concepts, each with a strength of its own. All in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.erasure.defaults import COMPLETENESS, PROTECT

FULL_RANK = 1.0  # share of the energy that a truncated map keeps


@dataclass(frozen=True, eq=False)
class Pairs:
    """Text vectors to be edited, and where each is to go.

    sources: c, [n, d].
    targets: v, [n, d]. A target may be any vector: of another text, of "", or c and directions added to it.
    """

    sources: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if self.sources.ndim != 2 or self.sources.shape != self.targets.shape:
            shapes = f"{list(self.sources.shape)} and {list(self.targets.shape)}"
            raise ValueError(f"sources and targets must be [n, d] alike, not {shapes}")
        if not len(self.sources):
            raise BadInput("There is nothing to edit.", "Name a concept.")

    @property
    def ways(self) -> Tensor:
        """e = v - c, [n, d]."""
        return self.targets.double() - self.sources.double()


def solve(
    concepts: Sequence[Pairs],
    preserved: Tensor,
    protect: float = PROTECT,
    completeness: float = COMPLETENESS,
    untouched: Tensor | None = None,
) -> list[Tensor]:
    """Give the map G_k of each concept, [d, d]: solved together, so that each knows of the others; G is their sum.

    preserved: p, [m, d]; m may be 0. protect: how much they weigh, from 0.
    completeness: in (0, 1): of a lone vector without preserves, the share of its way that it is sent.
    untouched: [m, d], vectors whose strongest directions are not moved at all (`without`), at the price of all that a
        concept has in these directions.
    Raises BadInput for numbers out of range; ValueError for vectors that are not numbers.
    """
    if not concepts:
        raise BadInput("There is nothing to edit.", "Name a concept.")
    if not 0 < completeness < 1:
        raise BadInput(f"The completeness is between 0 and 1, not {completeness:g}.")
    if not protect >= 0:
        raise BadInput(f"What is preserved cannot weigh {protect:g}.")
    keys = [pairs.sources.double() for pairs in concepts]
    if not all(vectors.isfinite().all() for vectors in (*keys, *(pairs.targets for pairs in concepts), preserved)):
        raise ValueError("text vectors must be numbers")
    energy = sum(float(key.square().sum(1).mean()) for key in keys) / len(keys)
    if untouched is not None:
        keys = [without(key, untouched) for key in keys]
    gram = (1 - completeness) / completeness * energy * torch.eye(keys[0].shape[1], dtype=torch.float64)
    gram += sum(key.T @ key / len(key) for key in keys)
    if len(preserved):
        preserved = preserved.double()
        if untouched is not None:  # what they have in directions that nothing moves needs no protection
            preserved = without(preserved, untouched)
        gram += protect * preserved.T @ preserved / len(preserved)
    factor = torch.linalg.cholesky(gram)
    crossed = [pairs.ways.T @ key / len(key) for pairs, key in zip(concepts, keys, strict=True)]
    return [torch.cholesky_solve(product.T, factor).T for product in crossed]  # e cᵀ M⁻¹, for M is symmetric


def without(vectors: Tensor, preserved: Tensor, energy: float = 0.999) -> Tensor:
    """Take out of vectors [n, d] what lies in the span of preserved ones [m, d]: G of the rest does not move these.

    energy: share of the preserved vectors' energy whose directions are taken, the strongest first. All directions of
    many texts would span everything, and leave nothing to edit by.
    """
    if not 0 < energy <= 1:
        raise BadInput(f"The share of energy is in (0, 1], not {energy:g}.")
    if not len(preserved):
        return vectors.double()
    _, values, directions = torch.linalg.svd(preserved.double(), full_matrices=False)
    strongest = directions[: min(_numeric(values), _rank(values, energy))]
    return vectors.double() - vectors.double() @ strongest.T @ strongest


def low_rank(weight: Tensor, changes: Sequence[Tensor], energy: float = FULL_RANK) -> tuple[list[Tensor], Tensor]:
    """Give B_k [out, r] of each change G_k, and the A [r, in] they share, with B_k A near W G_k.

    weight: W, [out, d]. changes: G_k, [d, d].
    energy: share of ||W G_k||², and of the energy of their sum, that the least such r keeps.
    A spans the strongest right singular directions of the W G_k on top of each other; of one change B A is the nearest
    of its rank in the Frobenius norm (Eckart and Young). As A is shared, sum B_k with A is the sum of all, exactly: the
    parts of a joint solution add up to it, whatever the rank left out. r is 1 at least.
    """
    products = [weight.double() @ change for change in changes]
    _, values, vt = torch.linalg.svd(torch.cat(products), full_matrices=False)
    along = [product @ vt.T for product in products]  # [out, d]: what each has of each direction
    spectra = [part.square().sum(0).sqrt() for part in (*along, torch.stack(along).sum(0))]
    rank = min(_numeric(values), max(_rank(spectrum, energy) for spectrum in spectra))
    root = values[:rank].sqrt()
    scale = torch.where(root > 0, root, 1.0)  # no change at all has nothing to divide
    return [part[:, :rank] / scale for part in along], root[:, None] * vt[:rank]


def _rank(values: Tensor, energy: float) -> int:
    """The least number of leading values whose squares have a share of the energy, 1 at least."""
    spent = values.square().cumsum(0)
    return int((spent < energy * spent[-1]).sum()) + 1 if spent[-1] > 0 else 1


def _numeric(values: Tensor) -> int:
    """How many of some singular values, descending, are above rounding; 1 at least."""
    return max(1, int((values > values[0] * len(values) * torch.finfo(values.dtype).eps).sum()))


def completeness_of(change: Tensor, pairs: Pairs) -> float:
    """How much of the way held-out vectors go, in the space of text: 1 - mean ||G c - e||² / mean ||e||²; 1 is all."""
    ways = pairs.ways
    left = pairs.sources.double() @ change.T - ways
    return float(1 - left.square().sum() / ways.square().sum())


def leak_of(change: Tensor, pairs: Pairs, unrelated: Tensor) -> float:
    """How far vectors p that should stay, [m, d], are moved: mean ||G p||² over mean ||e||²; 0 is not at all."""
    moved = (unrelated.double() @ change.T).square().sum(1).mean()
    return float(moved / pairs.ways.square().sum(1).mean())
