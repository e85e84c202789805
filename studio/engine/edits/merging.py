"""Several edits made one: concatenated, summed, by singular values, by TIES, DARE and DAREx.

    concatenate   the factors side by side: sum w_i D_i exactly, of rank sum r_i
    linear        the same, number by number
    svd           the same, to the rank that is asked for; what that leaves out is told
    ties          trimmed, signs elected, averaged (merge_rules.ties)
    dare          numbers left out at random, the rest made larger so that the mean stays
    darex         the same with a factor under which the strength of the change stays

All but the first take a rank too: their result then goes into factors by singular values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.params import Params, param
from studio.engine.edits import merge_rules
from studio.engine.edits.format import Dense, Edit, Layer, LowRank, Mask
from studio.engine.edits.manifest import MAX_RANK

Method = Literal["concatenate", "linear", "svd", "ties", "dare", "darex"]
METHODS: tuple[Method, ...] = get_args(Method)
MAX_EDITS = 16
DEFAULT_RANK = 8  # of svd where none is asked for


class MergeOptions(Params):
    """How edits are merged.

    method: see this file.
    density: of ties, the share of each layer's numbers that stays.
    drop: of dare and darex, the chance that a number is left out.
    q: of darex, what the others are divided by; None keeps the strength of the change, for inputs that are alike in all
    directions (merge_rules.q_norm).
    seed: of dare and darex.
    rank: of the factors the result goes into; None leaves it as it is, 8 of svd.
    """

    method: Method = "concatenate"
    density: float = param(0.2, low=0.001, high=1, help="share of each layer's numbers that stays, the largest")
    drop: float = param(0.9, low=0, high=0.999, help="chance that a number is left out")
    q: float | None = None
    seed: int = param(0, low=0, high=2**63 - 1, help="of what is left out")
    rank: int | None = None

    def check(self) -> None:
        """Raise BadInput for a rank or a q that cannot be, or that the method has no use for."""
        if self.rank is not None and not 1 <= self.rank <= MAX_RANK:
            raise BadInput(f"A rank is a whole number from 1 to {MAX_RANK}, not {self.rank}.", field="rank")
        if self.rank is not None and self.method == "concatenate":
            raise BadInput("Concatenated factors have the sum of the edits' ranks.", "Take svd.", field="rank")
        if self.q is not None and (self.method != "darex" or not 0 < self.q <= 1):
            raise BadInput("q is of darex, above 0 and up to 1.", field="q")


@dataclass(frozen=True)
class Merged:
    """What came of it.

    edit: the merged one.
    energy: share of the squared change that its factors hold; 1 where there are none to hold less.
    """

    edit: Edit
    energy: float


def merge(edits: Sequence[Edit], weights: Sequence[float], name: str, options: MergeOptions) -> Merged:
    """Make one edit of several. weights: their strengths, negative ones reverse; an edit at 0 takes no part.

    Equal edits, weights and options give equal bits, whatever their order. Biases are summed with their weights. Raises
    BadInput for fewer than two edits that take part, a mask, edits of different weights or shapes, edits that cancel
    each other out, or factors that cannot be.
    """
    options.check()
    pairs = sorted(
        ((edit, float(weight)) for edit, weight in zip(edits, weights, strict=True) if weight),
        key=lambda pair: pair[0].sha256,
    )
    _check(edits, pairs)
    layers: dict[str, dict[str, Layer]] = {}
    held = whole = 0.0
    for component, path in sorted({(component, path) for edit, _ in pairs for component, path, _ in edit.each()}):
        parts = [
            (edit, edit.layers[component][path], weight)
            for edit, weight in pairs
            if path in edit.layers.get(component, {})
        ]
        shapes = {layer.shape for _, layer, _ in parts}
        if len(shapes) > 1:
            listed = " and ".join(str(shape) for shape in sorted(shapes))
            raise BadInput(f"The edits change {component}.{path} as weights of different shapes, {listed}.")
        layer, kept_energy, energy = _layer(parts, f"{component}/{path}", options)
        held, whole = held + kept_energy, whole + energy
        layers.setdefault(component, {})[path] = layer
    every_layer = [layer for of_component in layers.values() for layer in of_component.values()]
    if not any(bool(tensor.any()) for layer in every_layer for tensor in _numbers(layer)):
        raise BadInput("Merged so, the edits cancel each other out: nothing would be left.", field="edits")
    kind = "lora" if isinstance(every_layer[0], LowRank) else "dense"
    return Merged(
        Edit(name=name, kind=kind, layers=layers, base=_base(pairs), provenance=_provenance(pairs, options)),
        held / whole if whole else 1.0,
    )


def _layer(
    parts: Sequence[tuple[Edit, Layer, float]], address: str, options: MergeOptions
) -> tuple[Layer, float, float]:
    """One layer; the energy its factors hold, and all of it."""
    bias = _bias(parts)
    if options.method == "concatenate":
        return _concatenated(parts, bias), 1.0, 1.0
    deltas = [_delta(layer) for _, layer, _ in parts]
    weights = [weight for _, _, weight in parts]
    match options.method:
        case "ties":
            total = merge_rules.ties(deltas, weights, options.density)
        case "dare" | "darex":
            q = 1 - options.drop if options.method == "dare" else options.q or merge_rules.q_norm(options.drop)
            thinned = [
                merge_rules.dropped(delta, options.drop, q, _generator(options.seed, edit, address))
                for delta, (edit, _, _) in zip(deltas, parts, strict=True)
            ]
            total = merge_rules.linear(thinned, weights)
        case _:
            total = merge_rules.linear(deltas, weights)
    rank = options.rank or (DEFAULT_RANK if options.method == "svd" else None)
    if rank is None:
        return Dense(total, bias), 1.0, 1.0
    return _factored(total, rank, bias)


def _concatenated(parts: Sequence[tuple[Edit, Layer, float]], bias: Tensor | None) -> LowRank:
    downs: list[Tensor] = []
    ups: list[Tensor] = []
    for edit, layer, weight in parts:
        if not isinstance(layer, LowRank):
            message = f"The edit {edit.name!r} has no factors to concatenate."
            raise BadInput(message, "Take linear or svd.", field="method")
        downs.append(layer.A.float())
        ups.append(layer.B.float() * (weight * layer.scale))
    rank = sum(down.shape[0] for down in downs)
    if rank > MAX_RANK:
        raise BadInput(f"Concatenated, a layer would have rank {rank}, and at most {MAX_RANK}.", "Take svd.")
    return LowRank(torch.cat(downs), torch.cat(ups, dim=1), float(rank), bias)  # alpha / r = 1: the scales are in B


def _factored(total: Tensor, rank: int, bias: Tensor | None) -> tuple[LowRank, float, float]:
    """The nearest change of a rank, by singular values (Eckart, Young 1936), and its energy and the whole."""
    u, s, vh = torch.linalg.svd(total.double().flatten(1), full_matrices=False)
    rank = min(rank, len(s))
    root = s[:rank].sqrt()  # half in either factor, so that half precision holds both
    shape = tuple(total.shape)
    a = (root[:, None] * vh[:rank]).float().reshape(rank, *shape[1:])
    b = (u[:, :rank] * root).float().reshape(shape[0], rank, *(1,) * (len(shape) - 2))
    squares = s.square()
    return LowRank(a.contiguous(), b.contiguous(), float(rank), bias), float(squares[:rank].sum()), float(squares.sum())


def _numbers(layer: Layer) -> Iterator[Tensor]:
    """What is all zeros in a layer that changes nothing: of factors one is enough."""
    yield from (tensor for part, tensor in layer.parts() if part != "A")


def _delta(layer: Layer) -> Tensor:
    assert not isinstance(layer, Mask)  # which `merge` has refused
    return layer.delta()


def _bias(parts: Sequence[tuple[Edit, Layer, float]]) -> Tensor | None:
    shares = [weight * layer.bias.float() for _, layer, weight in parts if layer.bias is not None]
    return torch.stack(shares).sum(0) if shares else None


def _generator(seed: int, edit: Edit, address: str) -> torch.Generator:
    """Of one layer of one edit: what is left out of it does not depend on its company."""
    digest = hashlib.sha256(f"{seed} {edit.sha256} {address}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _check(edits: Sequence[Edit], pairs: Sequence[tuple[Edit, float]]) -> None:
    if not 2 <= len(pairs) <= MAX_EDITS:
        message = f"2 to {MAX_EDITS} edits are merged, not {len(pairs)}"
        idle = len(edits) - len(pairs)
        raise BadInput(f"{message}{f'; {idle} are at strength 0' if idle else ''}.", field="edits")
    if len({edit.sha256 for edit, _ in pairs}) < len(pairs):
        raise BadInput("An edit is there twice; give it one strength.", field="edits")
    for edit, weight in pairs:
        if edit.kind == "mask":
            message = f"The edit {edit.name!r} is a mask: it cuts weights out, and has nothing to be added."
            raise BadInput(message, "Keep it in the stack beside the merged edit.", field="edits")
        if not -10 <= weight <= 10:
            raise BadInput(f"A strength lies in -10..10, not {weight:g}.", field="strength")
    for component in sorted({component for edit, _ in pairs for component in edit.base}):
        if len({edit.base[component] for edit, _ in pairs if component in edit.base}) > 1:
            raise BadInput(
                f"The edits were made on different weights of the {component}.",
                "Merge edits of one model.",
                field="edits",
            )


def _base(pairs: Sequence[tuple[Edit, float]]) -> dict[str, str]:
    return {component: value for edit, _ in pairs for component, value in edit.base.items()}


def _provenance(pairs: Sequence[tuple[Edit, float]], options: MergeOptions) -> dict[str, object]:
    used = {"ties": ("density",), "dare": ("drop", "seed"), "darex": ("drop", "q", "seed")}.get(options.method, ())
    settings: Mapping[str, object] = options.model_dump(mode="json", include={"method", "rank", *used})
    merged = [{"name": edit.name, "sha256": edit.sha256, "strength": weight} for edit, weight in pairs]
    return {"method": "merge", "merge": {**settings, "edits": merged}}
