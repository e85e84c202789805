"""The weights as they were: a copy of every tensor that an edit has touched, and of no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from studio.engine.edits.targets import Target

WeightKey = tuple[str, str]  # (module path, "weight" or "bias")


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Whatever mode the caller is in, tensors made within are ordinary ones, and writes are not recorded.

    The sampler runs in inference mode, where new tensors would be of a kind that training can never use again.
    """
    with torch.inference_mode(False), torch.no_grad():
        yield


class Pristine:
    """W0 of touched tensors, made when first touched. Memory: theirs once more, none before the first edit."""

    def __init__(self, layers: Mapping[str, Target]) -> None:
        self._layers = layers
        self._kept: dict[WeightKey, Tensor] = {}
        self._home: dict[WeightKey, Tensor] = {}  # the memory a parameter lives in when no pointer is swapped

    def keep(self, keys: Iterable[WeightKey]) -> None:
        """Copy those not yet copied. Only while these parameters hold the base."""
        for key in keys:
            if key not in self._kept:
                parameter = self.parameter(key)
                self._home[key] = parameter.data
                self._kept[key] = parameter.detach().clone()

    def parameter(self, key: WeightKey) -> nn.Parameter:
        """The live parameter. A layer without bias has none of that name, which `WeightRoom.check` has refused."""
        parameter = self._layers[key[0]]._parameters[key[1]]
        assert parameter is not None
        return parameter

    def __getitem__(self, key: WeightKey) -> Tensor:
        """W0. Not to be written to."""
        return self._kept[key]

    @property
    def homes(self) -> Mapping[WeightKey, Tensor]:
        """The parameters' own memory, of touched tensors."""
        return self._home

    def point(self, keys: Iterable[WeightKey], tensors: Mapping[WeightKey, Tensor] | None = None) -> None:
        """Let parameters live in other memory; without `tensors`, in their own again."""
        for key in keys:
            self.parameter(key).data = self._home[key] if tensors is None else tensors[key]

    def touched(self) -> tuple[WeightKey, ...]:
        return tuple(self._kept)

    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._kept.values())

    def equals(self) -> bool:
        """Whether every touched parameter holds W0, byte for byte: -0 is not 0 here, and a NaN equals itself."""
        return all(_same_bytes(self.parameter(key), original) for key, original in self._kept.items())

    def moved(self, elsewhere: Mapping[WeightKey, Tensor]) -> bool:
        """Whether somebody gave a parameter other memory: another device, dtype or layout.

        elsewhere: parameters whose pointers are swapped, and to what.
        """
        live = [self._layers[path]._parameters[which] for path, which in self._home]  # before every change: to be quick
        return [parameter.data_ptr() for parameter in live if parameter is not None] != [
            elsewhere.get(key, home).data_ptr() for key, home in self._home.items()
        ]

    def start_anew(self) -> None:
        """After a move: put the base into the parameters where they are now, and forget the old copies."""
        for key, original in self._kept.items():
            self.parameter(key).data.copy_(original)
        self._kept.clear()
        self._home.clear()


def _same_bytes(left: Tensor, right: Tensor) -> bool:
    words = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[left.element_size()]
    return left.dtype == right.dtype and torch.equal(left.detach().view(words), right.view(words))
