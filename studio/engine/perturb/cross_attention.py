"""Guidance in cross-attention row by row: hooks that let chosen rows attend to a second condition as well.

Cross-attention of a block is W_out softmax(QK'/sqrt(d)) V with K, V of the prompt. For the chosen rows the same Q meets
K, V of what they move away from, and the input of W_out becomes what studio.guidance.attention makes of the two. The
other rows, the query stream and the pooled encodings stay as they are.

As with perturbations the hooks sit on the projections, so edits of them count in both attentions, if they were applied
before, and the processor of the prompt's own attention stays whichever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.core.errors import BadInput
from studio.guidance.attention import AttentionGuidance
from studio.models.conditioning import Conditioning


@dataclass(frozen=True, eq=False)
class AttentionRow:
    """Guidance in attention as one row has it.

    guidance: how Z+ and Z- make one.
    away: (weight, conditioning of one row) of each part of what is moved away from; Z- is their weighted sum.
    """

    guidance: AttentionGuidance
    away: tuple[tuple[float, Conditioning], ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for rows that are guided alike. Of the conditionings by identity, as rows themselves are told apart."""
        return (self.guidance, tuple((weight, id(cond)) for weight, cond in self.away))


class CrossAttentionGuider:
    """Guides the cross-attention of one network. Keeps the layers it looked up, and nothing on the network."""

    def __init__(self, network: nn.Module, name: str) -> None:
        """name: of the model, for messages."""
        self._network = network
        self._name = name

    @contextmanager
    def applied(self, rows: Sequence[AttentionRow | None]) -> Iterator[None]:
        """Within it, row i of every batch is guided as rows[i] says, if that is not None.

        Leaves no hook behind, whatever happens. Raises BadInput for a network that attends to no prompt; a batch of
        another number of rows raises RuntimeError.
        """
        passes, groups = _passes(rows), _groups(rows)
        hooks: list[Any] = []
        try:
            for attention in self._layers if groups else ():
                hooks += _install(attention, passes, groups, len(rows))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @cached_property
    def _layers(self) -> list[Any]:
        layers = [
            module.attn2 for module in self._network.modules() if isinstance(getattr(module, "attn2", None), nn.Module)
        ]
        if not layers:
            raise BadInput(
                f"The model {self._name} has no cross-attention, in which the guidance method would act.",
                "Take another method, such as cfg.",
                field="guidance",
            )
        return layers


@dataclass(frozen=True, eq=False)
class _Pass:
    """One more attention: rows [n] of the batch, with these weights [n, 1, 1], attend to tokens [B, L, D].

    Of all B rows, for edits of the projections are told row by row; what other rows have there is not looked at.
    """

    rows: Tensor
    weights: Tensor
    tokens: Tensor


def _passes(rows: Sequence[AttentionRow | None]) -> list[_Pass]:
    """The attentions that all rows together need: one per part and length of what is said."""
    members: dict[tuple[int, int], dict[int, tuple[float, Tensor]]] = {}
    for i, row in enumerate(rows):
        for place, (weight, cond) in enumerate(row.away if row is not None else ()):
            members.setdefault((place, cond.tokens.shape[1]), {})[i] = weight, cond.tokens
    passes: list[_Pass] = []
    for parts in members.values():
        filler = next(iter(parts.values()))[1]
        tokens = torch.cat([parts[i][1] if i in parts else filler for i in range(len(rows))])
        weights = torch.tensor([weight for weight, _ in parts.values()], device=tokens.device)[:, None, None]
        passes.append(_Pass(torch.tensor([*parts], device=tokens.device), weights, tokens))
    return passes


_Groups = list[tuple[AttentionGuidance, Tensor]]  # how, and which rows of the batch, [n]


def _groups(rows: Sequence[AttentionRow | None]) -> _Groups:
    """Rows that are guided alike, whatever they move away from."""
    places: dict[AttentionGuidance, list[int]] = {}
    device = torch.device("cpu")
    for i, row in enumerate(rows):
        if row is not None:
            places.setdefault(row.guidance, []).append(i)
            device = row.away[0][1].tokens.device
    return [(guidance, torch.tensor(members, device=device)) for guidance, members in places.items()]


def _install(attention: Any, passes: list[_Pass], groups: _Groups, batch: int) -> list[Any]:
    queries: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        if len(out) != batch:
            raise RuntimeError(f"guided attention sees {len(out)} rows, and {batch} were announced")
        queries[:] = [out]

    def guide(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        positive = inputs[0]  # [B, T, heads * d]: what attention made of the prompt, heads side by side
        negative = _attended(attention, queries.pop(), passes)
        out = positive.clone()
        for guidance, rows in groups:
            out.index_copy_(0, rows, guidance.guided(positive[rows], negative[rows]))
        return (out, *inputs[1:])

    return [attention.to_q.register_forward_hook(keep), attention.to_out[0].register_forward_pre_hook(guide)]


def _attended(attention: Any, query: Tensor, passes: list[_Pass]) -> Tensor:
    """Z- of each guided row, in float32 or better; zeros in the other rows. query: [B, T, heads * d]."""
    total = torch.zeros_like(query, dtype=torch.promote_types(query.dtype, torch.float32))
    for attending in passes:
        key, value = attention.to_k(attending.tokens), attention.to_v(attending.tokens)
        q, k, v = (_heads(attention, part.index_select(0, attending.rows)) for part in (query, key, value))
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # [n, T, heads * d]
        total.index_add_(0, attending.rows, attending.weights * attended.to(total.dtype))
    return total


def _heads(attention: Any, projected: Tensor) -> Tensor:
    """[n, T, heads * d] -> [n, heads, T, d]."""
    return projected.unflatten(2, (attention.heads, -1)).transpose(1, 2)
