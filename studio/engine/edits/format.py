"""The edit: a named change of weights, as a value.

layers: component -> module path -> LowRank | Dense | Mask. Paths are those of diffusers and transformers modules, with
transformers' older "text_model." left out. With s for the strength and W0 for the pristine weight:

    LowRank   W = W0 + s (alpha / r) B A       A [r, in], B [out, r]; convolution: A [r, in, k, k], B [out, r, 1, 1]
    Dense     W = W0 + s D                     D as W0
    Mask      W = W0 (1 - s (1 - M))           M as W0, in 0..1; s in 0..1
    bias      b = b0 + s d                     optional, on each of them

Source of LowRank: LoRA, arXiv:2106.09685, section 4.1; its convolution as in peft's lora.Conv2d.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.manifest import COMPONENTS, MAX_RANK, EditKind, Manifest, checked_name

MAX_SCALE = 1000.0  # of |alpha / r|; what trainers write is 128 at most
MAX_LAYERS = 20_000
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class LowRank:
    """A change of one weight as a product, (alpha / r) B A.

    A: [r, in] or [r, in, k, k].
    B: [out, r] or [out, r, 1, 1].
    bias: [out] or None.
    Raises BadInput if they do not fit together, r is 0 or above 4096, or |alpha / r| is not a number in (0, 1000].
    """

    A: Tensor
    B: Tensor
    alpha: float
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        a, b = tuple(self.A.shape), tuple(self.B.shape)
        if len(a) != len(b) or len(a) not in (2, 4) or (len(b) == 4 and b[2:] != (1, 1)):
            raise BadInput(f"A low-rank layer cannot have A of shape {a} and B of shape {b}.")
        if a[0] != b[1]:
            raise BadInput(f"A low-rank layer has one rank, not {a[0]} in A and {b[1]} in B.")
        if not 1 <= a[0] <= MAX_RANK or 0 in a or 0 in b:
            raise BadInput(f"A low-rank layer needs a rank from 1 to {MAX_RANK}, not shapes {a} and {b}.")
        if not 0 < abs(self.scale) <= MAX_SCALE:  # NaN and infinity are in no range either
            raise BadInput(f"A low-rank layer needs alpha / rank up to {MAX_SCALE:g} and not 0, not {self.scale:g}.")
        _check_parts(self.parts(), b[0])

    @property
    def rank(self) -> int:
        return self.A.shape[0]

    @property
    def scale(self) -> float:
        """alpha / r."""
        return self.alpha / self.A.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight it changes."""
        return (self.B.shape[0], *self.A.shape[1:])

    def parts(self) -> Iterator[tuple[str, Tensor]]:
        """Its tensors by name."""
        yield from _some(("A", self.A), ("B", self.B), ("bias", self.bias))

    def delta(self, device: torch.device | str = "cpu") -> Tensor:
        """(alpha / r) B A in the weight's shape, float32."""
        a, b = (t.to(device, torch.float32).flatten(1) for t in (self.A, self.B))
        return ((b @ a) * self.scale).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Dense:
    """A change of one weight, number by number.

    D: added to the weight, of its shape.
    bias: [out] or None.
    """

    D: Tensor
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        _check_parts(self.parts(), self.D.shape[0] if self.D.ndim else 0)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.D.shape)

    def parts(self) -> Iterator[tuple[str, Tensor]]:
        """Its tensors by name."""
        yield from _some(("D", self.D), ("bias", self.bias))

    def delta(self, device: torch.device | str = "cpu") -> Tensor:
        """D, float32."""
        return self.D.to(device, torch.float32)


@dataclass(frozen=True, eq=False)
class Mask:
    """Which numbers of one weight stay.

    M: multiplied onto the pristine weight, of its shape, 1 keeps and 0 removes.
    bias: [out] or None.
    """

    M: Tensor
    bias: Tensor | None = None

    def __post_init__(self) -> None:
        _check_parts(self.parts(), self.M.shape[0] if self.M.ndim else 0)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.M.shape)

    def parts(self) -> Iterator[tuple[str, Tensor]]:
        """Its tensors by name."""
        yield from _some(("M", self.M), ("bias", self.bias))

    def factor(self, strength: float, device: torch.device | str = "cpu") -> Tensor:
        """1 - s (1 - M), float32."""
        return 1 - strength * (1 - self.M.to(device, torch.float32))


Layer = LowRank | Dense | Mask
_CLASSES: dict[EditKind, type[Layer]] = {"lora": LowRank, "dense": Dense, "mask": Mask}


@dataclass(frozen=True, eq=False)
class Edit:
    """A named, versioned change of weights. Two edits are the same where `sha256` is.

    base: component -> fingerprint of the weights it was made on; a component left out is of unknown origin.
    provenance: how it was made, plain JSON. Raises BadInput for what cannot be: no layers, a component nobody has, a
    layer of another kind than the edit's, a name of no or too many characters.
    """

    name: str
    kind: EditKind
    layers: Mapping[str, Mapping[str, Layer]]
    version: int = 1
    base: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            checked_name(self.name)
        except ValueError as error:
            raise BadInput(f"For an edit, {error}.", field="name") from None
        count = sum(len(layers) for layers in self.layers.values())
        if not 1 <= count <= MAX_LAYERS:
            raise BadInput(f"An edit changes 1 to {MAX_LAYERS} layers, not {count}.")
        for component, path, layer in self.each():
            if component not in COMPONENTS:
                raise BadInput(f"An edit changes {', '.join(COMPONENTS)}; there is no {component[:60]!r}.")
            if not isinstance(layer, _CLASSES[self.kind]):
                message = (
                    f"An edit of kind {self.kind} cannot hold the {type(layer).__name__} layer {component}.{path}."
                )
                raise BadInput(message)

    def each(self) -> Iterator[tuple[str, str, Layer]]:
        """Give (component, path, layer) in the order of their names."""
        for component in sorted(self.layers):
            for path in sorted(self.layers[component]):
                yield component, path, self.layers[component][path]

    @cached_property
    def sha256(self) -> str:
        """Hash of what the edit does to weights, in hex: kind, paths, tensors. Not of its name, version, origin."""
        digest = hashlib.sha256(f"edit {self.kind}\n".encode())
        for component, path, layer in self.each():
            alpha = repr(float(layer.alpha)) if isinstance(layer, LowRank) else ""
            digest.update(f"{component}/{path} {alpha}\n".encode())
            for part, tensor in layer.parts():
                digest.update(f"{part} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
                digest.update(raw_bytes(tensor))
        return digest.hexdigest()

    @property
    def has_biases(self) -> bool:
        """Whether it changes biases too."""
        return any(layer.bias is not None for _, _, layer in self.each())

    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(t.nbytes for _, _, layer in self.each() for _, t in layer.parts())

    def manifest(self) -> Manifest:
        """Give what goes beside the tensors."""
        alphas = {f"{c}/{p}": float(layer.alpha) for c, p, layer in self.each() if isinstance(layer, LowRank)}
        return Manifest(
            name=self.name,
            version=self.version,
            kind=self.kind,
            base=dict(self.base),
            provenance=dict(self.provenance),
            sha256=self.sha256,
            alphas=alphas,
        )


def check_finite(edit: Edit) -> None:
    """Raise BadInput naming the first layer that holds a NaN or infinity, or a mask outside 0..1."""
    for component, path, layer in edit.each():
        for part, tensor in layer.parts():
            if not bool(torch.isfinite(tensor).all()):
                raise BadInput(f"The edit's layer {component}.{path} holds values in {part} that are not numbers.")
        if isinstance(layer, Mask) and not bool(((layer.M >= 0) & (layer.M <= 1)).all()):
            raise BadInput(f"The mask of the edit's layer {component}.{path} must lie between 0 and 1.")


def raw_bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor as they lie in memory, rows first, whatever its dtype and device."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _some(*parts: tuple[str, Tensor | None]) -> Iterator[tuple[str, Tensor]]:
    yield from ((name, tensor) for name, tensor in parts if tensor is not None)


def _check_parts(parts: Iterator[tuple[str, Tensor]], out: int) -> None:
    for name, tensor in parts:
        if tensor.dtype not in DTYPES:
            raise BadInput(f"An edit's numbers are float32, float16 or bfloat16, not {tensor.dtype} as in {name}.")
        if name == "bias" and tuple(tensor.shape) != (out,):
            raise BadInput(f"The change of a bias must have shape {(out,)}, not {tuple(tensor.shape)}.")
        if name in ("D", "M") and (tensor.ndim not in (2, 4) or math.prod(tensor.shape) == 0):
            raise BadInput(
                f"An edit changes linear and 2-d convolution weights, not one of shape {tuple(tensor.shape)}."
            )
