"""Model families by the pipeline class that model_index.json names. Importing this file brings torch, not diffusers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from torch import nn

from studio.core.registry import Registry
from studio.models.card import ModelCard
from studio.models.tokens import PromptTokenizer

if TYPE_CHECKING:
    from studio.models.latent_diffusion import LatentDiffusion


class Family(Protocol):
    """Puts loaded parts together. See LatentDiffusion for the arguments."""

    def __call__(
        self,
        name: str,
        card: ModelCard,
        model_hash: str,
        parts: Mapping[str, nn.Module],
        tokenizers: Sequence[PromptTokenizer],
    ) -> LatentDiffusion: ...


FAMILIES: Registry[Family] = Registry("model family")
_MODULES = ("sd", "sdxl")


def family_of(card: ModelCard) -> Family:
    """Give the family of a card's pipeline; brings diffusers and transformers. Raises NotFound."""
    for module in _MODULES:
        importlib.import_module(f"studio.models.{module}")
    return FAMILIES.get(card.pipeline)
