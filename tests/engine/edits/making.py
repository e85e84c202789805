"""Edits and modules made at random from a seed, for the tests of this folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from studio.engine.edits.format import Dense, Edit, Layer, LowRank, Mask, raw_bytes
from studio.engine.edits.layout import Layout
from studio.engine.edits.manifest import EditKind
from studio.engine.edits.targets import targets

Shapes = Mapping[str, tuple[int, ...]]


class Small(nn.Module):
    """Every sort of layer an edit may change: linear on tokens and on vectors, convolutions with and without stride."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False)
        self.shortcut = nn.Conv2d(8, 8, 1)
        self.to_q = nn.Linear(8, 8, bias=False)
        self.time = nn.Linear(5, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: [B, 3, H, W]. t: [B, 5]. Gives [B, H * W / 4, 8]."""
        h = self.shortcut(torch.tanh(self.down(self.conv_in(x) + self.time(t)[:, :, None, None])))
        return self.to_q(self.norm(h.flatten(2).transpose(1, 2)))


def small(seed: int = 0, dtype: torch.dtype = torch.float32) -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Small().to(dtype).eval().requires_grad_(False)


def given(rows: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """A batch for Small in which all rows are the same: what differs after it is the edits' doing."""
    generator = torch.Generator().manual_seed(seed)
    x, t = torch.randn(1, 3, 8, 8, generator=generator), torch.randn(1, 5, generator=generator)
    return x.expand(rows, -1, -1, -1).to(dtype), t.expand(rows, -1).to(dtype)


def shapes_of(module: nn.Module, among: Iterable[str] | None = None) -> dict[str, tuple[int, ...]]:
    found = {path: tuple(layer.weight.shape) for path, layer in targets(module).items()}
    return found if among is None else {path: found[path] for path in among}


def make_edit(
    shapes: Shapes,
    seed: int = 0,
    kind: EditKind = "lora",
    *,
    component: str = "unet",
    rank: int = 2,
    size: float = 0.1,
    biased: Iterable[str] = (),
    name: str = "an edit",
) -> Edit:
    """size: standard deviation of the numbers of D, and about that of B A."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    layers: dict[str, Layer] = {}
    for path, shape in shapes.items():
        bias = normal(shape[0]) * size if path in biased else None
        if kind == "lora":
            ones = (1,) * (len(shape) - 2)
            b = normal(shape[0], rank, *ones) * size
            layers[path] = LowRank(normal(rank, *shape[1:]), b, rank**0.5, bias)
        elif kind == "dense":
            layers[path] = Dense(normal(*shape) * size, bias)
        else:
            layers[path] = Mask((torch.rand(shape, generator=generator) > 0.3).float(), bias)
    return Edit(name=name, kind=kind, layers={component: layers}, provenance={"made_by": "test", "seed": seed})


def full_hash(module: nn.Module) -> str:
    """Hash every parameter and buffer of a module bit for bit, in its own dtype: equal hashes are equal modules."""
    digest = hashlib.sha256()
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(raw_bytes(tensor))
    return digest.hexdigest()


def layout_of(components: Mapping[str, nn.Module]) -> Layout:
    """Give the layout of live modules."""
    return Layout(
        {
            name: {path: tuple(layer.weight.shape) for path, layer in targets(module).items()}
            for name, module in components.items()
        }
    )
