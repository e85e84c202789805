"""Low-rank factors that learn: float32 parameters on layers of a resident network, in force inside a step only.

The network itself stays as it is: its weights are frozen and shared with whoever draws pictures. Within `applied` a
hook on each chosen layer adds the product of its factors,

    y = W0 x + b + s (alpha / r) B (A x)

and outside of it nothing is there. LoRA, arXiv:2106.09685, section 4.1; convolutions as in peft's lora.Conv2d. peft is
for files and for parity tests: what it injects stays in the network between steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.core.errors import BadInput
from studio.engine.edits.format import Edit, LowRank
from studio.engine.edits.manifest import MAX_RANK
from studio.engine.edits.targets import Target, targets


@dataclass(frozen=True)
class Factors:
    """Of one layer.

    A: [r, in] or [r, in, k, k].
    B: [out, r] or [out, r, 1, 1].
    Both float32 and learning.
    """

    A: nn.Parameter
    B: nn.Parameter


class TrainableEdit:
    """An edit while it learns. Used on the engine's thread only.

    Fresh factors change nothing: A is drawn as in peft (uniform, of bound 1 / sqrt(fan in)), B is zero.
    """

    def __init__(self, layers: Mapping[tuple[str, str], Target], rank: int, alpha: float, seed: int) -> None:
        """layers: (component, path) -> layer of the resident network. rank: at most; a layer with fewer numbers on one
        side has theirs. alpha: the update is scaled by alpha / rank, whatever rank a layer has.

        Raises BadInput for a rank outside 1 to 4096, an alpha that is no positive number, no layer at all.
        """
        if not 1 <= rank <= MAX_RANK:
            raise BadInput(f"The rank of an edit is from 1 to {MAX_RANK}, not {rank}.", field="rank")
        if not (math.isfinite(alpha) and alpha > 0):
            raise BadInput(f"The alpha of an edit is a positive number, not {alpha!r}.", field="alpha")
        if not layers:
            raise BadInput("This model has no layer of that choice.", field="layers")
        self.rank, self.alpha = rank, float(alpha)
        self._layers = dict(sorted(layers.items()))
        self._is_applied = False
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same factors on every device
        with torch.inference_mode(False):
            self.factors = {
                place: _fresh(layer, min(rank, *_sides(layer)), generator) for place, layer in self._layers.items()
            }

    @classmethod
    def on(
        cls,
        components: Mapping[str, nn.Module],
        choose: Callable[[str, str], bool],
        *,
        rank: int = 8,
        alpha: float = 8.0,
        seed: int = 0,
    ) -> TrainableEdit:
        """On those layers of the components for which choose(component, path) is true. Raises as the constructor."""
        chosen = {
            (name, path): layer
            for name, module in components.items()
            for path, layer in targets(module).items()
            if choose(name, path)
        }
        return cls(chosen, rank, alpha, seed)

    @property
    def scale(self) -> float:
        """alpha / r."""
        return self.alpha / self.rank

    def parameters(self) -> list[nn.Parameter]:
        """What an optimiser moves, in the order of the layers' names."""
        return [parameter for factors in self.factors.values() for parameter in (factors.A, factors.B)]

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """component/path/A or B -> parameter."""
        factors_by_name = {f"{component}/{path}": factors for (component, path), factors in self.factors.items()}
        return {
            f"{name}/{part}": parameter
            for name, factors in factors_by_name.items()
            for part, parameter in (("A", factors.A), ("B", factors.B))
        }

    def nbytes(self) -> int:
        """Bytes of the factors; an optimiser such as Adam keeps twice as much again, and gradients once."""
        return sum(parameter.nbytes for parameter in self.parameters())

    @contextmanager
    def applied(self, strength: float = 1.0, rows: Sequence[float] | None = None) -> Iterator[None]:
        """Within it, the layers add the factors' product; afterwards no hook is left, whatever happens.

        rows: how much of the strength each row of every batch has; None is 1 for all of them. Rows of the student at
        several strengths, and those of a frozen teacher, which have 0, then share one forward; nothing is added to a
        teacher's, and no gradient reaches it.
        """
        if self._is_applied:
            raise RuntimeError("the factors are applied already")
        self._is_applied = True
        with ExitStack() as hooks:
            hooks.callback(self._end)
            shares = None if rows is None else torch.tensor([float(share) for share in rows])
            for place, layer in self._layers.items():
                hook = _hook(self.factors[place], self.scale * strength, shares, place)
                hooks.callback(layer.register_forward_hook(hook).remove)
            yield

    def _end(self) -> None:
        self._is_applied = False

    def edit(
        self,
        name: str,
        *,
        base: Mapping[str, str] | None = None,
        provenance: Mapping[str, Any] | None = None,
        values: Mapping[str, Tensor] | None = None,
    ) -> Edit:
        """A copy of the present state as an edit like any other.

        base: component -> fingerprint of the weights it learns on. values: in place of the parameters' own, by their
        names, such as averages over the run.
        """
        tensors = values or {
            parameter_name: value.detach() for parameter_name, value in self.parameters_by_name().items()
        }
        layers: dict[str, dict[str, LowRank]] = {}
        for (component, path), factors in self.factors.items():
            # An edit's alpha counts by the layer's own rank, which may be below the run's.
            a, b = (tensors[f"{component}/{path}/{part}"].detach().to("cpu", torch.float32).clone() for part in "AB")
            layers.setdefault(component, {})[path] = LowRank(a, b, self.scale * factors.A.shape[0])
        return Edit(name, "lora", layers, base=dict(base or {}), provenance=dict(provenance or {}))

    def state(self) -> dict[str, Tensor]:
        """Copies of the factors by name, on the CPU, for a checkpoint."""
        return {name: value.detach().cpu().clone() for name, value in self.parameters_by_name().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take up the factors of `state`. Raises BadInput, and changes nothing, where they are not of these layers."""
        parameters = self.parameters_by_name()
        misfit = _first_misfit(parameters, state)
        if misfit is not None:
            raise BadInput(f"The checkpoint is of another edit: {misfit}.")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(state[name])


def _sides(layer: Target) -> tuple[int, int]:
    """Numbers that go into one output of a layer, and number of outputs."""
    return layer.weight[0].numel(), layer.weight.shape[0]


def _fresh(layer: Target, rank: int, generator: torch.Generator) -> Factors:
    inputs, outputs = layer.weight.shape[1:], layer.weight.shape[0]
    bound = 1 / math.sqrt(math.prod(inputs))
    a = (torch.rand(rank, *inputs, generator=generator) * 2 - 1) * bound
    b = torch.zeros(outputs, rank, *(1,) * (len(inputs) - 1))
    return Factors(*(nn.Parameter(part.to(layer.weight.device)) for part in (a, b)))


def _hook(factors: Factors, scale: float, shares: Tensor | None, place: tuple[str, str]) -> Any:
    """shares: [rows], how much of the scale each has; None is 1 for all."""
    chosen = torch.empty(0) if shares is None else shares.nonzero().flatten()
    are_all_whole = shares is None or bool((shares == 1).all())

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        x = inputs[0]
        if shares is not None and len(x) != len(shares):
            raise RuntimeError(f"{'.'.join(place)} sees {len(x)} rows, and the student's are told of {len(shares)}")
        if shares is None or are_all_whole:
            return out + _product(factors, layer, x) * scale
        if not len(chosen):
            return out
        index = chosen.to(x.device)
        weights = shares.to(x)[index].view(-1, *(1,) * (out.ndim - 1))
        return out.index_add(0, index, _product(factors, layer, x[index]) * scale * weights)

    return add


def _product(factors: Factors, layer: nn.Module, x: Tensor) -> Tensor:
    """B (A x) in the number format of x; gradients reach the float32 factors."""
    a, b = factors.A.to(x.dtype), factors.B.to(x.dtype)
    if isinstance(layer, nn.Conv2d):
        inner = F.conv2d(x, a, stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
        return F.conv2d(inner, b)
    return F.linear(F.linear(x, a), b)


def _first_misfit(parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    for name in sorted({*parameters, *state}):
        if name not in state:
            return f"it has nothing for {name}"
        if name not in parameters:
            return f"nothing here is called {name[:120]}"
        if state[name].shape != parameters[name].shape:
            return f"{name} has the shape {tuple(state[name].shape)}, not {tuple(parameters[name].shape)}"
    return None
