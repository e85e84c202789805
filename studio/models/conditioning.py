"""What a network is conditioned on: encoded prompts, stacked by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Encoded prompts, one per row.

    tokens: [B, L, D]; L is the encoder's context, or a multiple of it for prompts encoded in several chunks.
    extras: what else a family's network takes, each [B, ...]: for SDXL "pooled" [B, P] and, where the size the
    network is told should differ from the one it draws, "time_ids" [B, 6].
    """

    tokens: Tensor
    extras: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3:
            raise ValueError(f"tokens must be [B, L, D], not {list(self.tokens.shape)}")
        for name, extra in self.extras.items():
            if len(extra) != len(self.tokens):
                raise ValueError(f"{name} has {len(extra)} rows where tokens have {len(self.tokens)}")

    def __len__(self) -> int:
        """How many rows."""
        return len(self.tokens)

    def row(self, i: int) -> Conditioning:
        """Give one row as a batch of one; i from 0. Raises IndexError."""
        if not 0 <= i < len(self):
            raise IndexError(f"there are {len(self)} rows, not {i + 1}")
        return Conditioning(self.tokens[i : i + 1], {name: extra[i : i + 1] for name, extra in self.extras.items()})

    def with_extras(self, **extras: Tensor) -> Conditioning:
        """Give the same with these extras added or replaced; a single row is repeated for all."""
        wide = {name: extra.expand(len(self), *extra.shape[1:]) for name, extra in extras.items()}
        return Conditioning(self.tokens, {**self.extras, **wide})

    @staticmethod
    def cat(parts: Sequence[Conditioning], padding: Tensor | None = None) -> Conditioning:
        """Stack the rows of several.

        padding: the encoding of an empty chunk, [1, context, D]. Parts of fewer chunks than the longest are lengthened
        with it, which is what encoding their prompt in that many chunks would have given.
        Raises ValueError if lengths differ and there is no padding or they are no multiples of its length, and if
        some parts have an extra that others lack.
        """
        if not parts:
            raise ValueError("there is nothing to stack")
        names = set(parts[0].extras)
        if any(set(part.extras) != names for part in parts):
            raise ValueError(f"all parts must have the extras {sorted(names)}")
        longest = max(part.tokens.shape[1] for part in parts)
        tokens = torch.cat([_lengthened(part.tokens, longest, padding) for part in parts])
        return Conditioning(tokens, {name: torch.cat([part.extras[name] for part in parts]) for name in names})


def _lengthened(tokens: Tensor, length: int, padding: Tensor | None) -> Tensor:
    short = length - tokens.shape[1]
    if short == 0:
        return tokens
    if padding is None or length % padding.shape[1] or short % padding.shape[1]:
        chunk = "no empty chunk is given" if padding is None else f"a chunk has {padding.shape[1]}"
        raise ValueError(f"prompts of {tokens.shape[1]} and {length} tokens cannot be stacked: {chunk}")
    chunks = padding.to(tokens).expand(len(tokens), -1, -1).repeat(1, short // padding.shape[1], 1)
    return torch.cat([tokens, chunks], dim=1)
