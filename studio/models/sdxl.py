"""Stable Diffusion XL: two text encoders, a pooled encoding, and the size told to the network.

Source: arXiv:2307.01952, section 2.2 (original size, crop and target size as conditions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from studio.core.errors import AssetError
from studio.models.bundle import Conditioning
from studio.models.card import ModelCard
from studio.models.families import FAMILIES
from studio.models.latent_diffusion import LatentDiffusion
from studio.models.tokens import PromptTokenizer


@FAMILIES.register("StableDiffusionXLPipeline")
class StableDiffusionXL(LatentDiffusion):
    """Both text encoders are read before their last layer, side by side; the second's pooled output goes beside.

    The size told is the size drawn, uncropped, unless the conditioning has "time_ids" of its own. No prompt is zeros
    where the pipeline says so, as the network learnt it; `embed` of an empty prompt's ids encodes them all the same.
    """

    def __init__(
        self,
        name: str,
        card: ModelCard,
        model_hash: str,
        parts: Mapping[str, nn.Module],
        tokenizers: Sequence[PromptTokenizer],
    ) -> None:
        """Raises AssetError if the tokenizers differ in more than what they pad with."""
        super().__init__(name, card, model_hash, parts, tokenizers)
        self.tokenizer_2 = tokenizers[1]
        if not self.tokenizer.shares_words(self.tokenizer_2):
            raise AssetError(f"The two tokenizers of the model in {card.folder} have different vocabularies.")

    def embed(self, ids: Tensor) -> Conditioning:
        ids = ids.to(self.device)
        first, second = self.text_encoders
        hidden = first(ids, output_hidden_states=True).hidden_states[-2]  # [n, context, D1]
        out = second(self._padded_for_second(ids), output_hidden_states=True)
        tokens = torch.cat([hidden, out.hidden_states[-2]], dim=-1)  # [n, context, D1 + D2]
        return Conditioning(tokens.to(self.dtype), {"pooled": out.text_embeds.to(self.dtype)})  # [n, P]

    def predict(self, x: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        sizes = cond.extras.get("time_ids")
        if sizes is None:
            height, width = (side * self.latent_scale_px for side in x.shape[-2:])
            sizes = time_ids((width, height)).expand(len(x), -1)
        size_conditions = {"text_embeds": cond.extras["pooled"], "time_ids": sizes.to(self.device)}
        return self.unet(
            x.to(self.dtype), t, encoder_hidden_states=cond.tokens, added_cond_kwargs=size_conditions, return_dict=False
        )[0]

    def _padded_for_second(self, ids: Tensor) -> Tensor:
        """Put the second tokenizer's padding where the first one's is: the run at the end, but for the end token."""
        run = (ids == self.tokenizer.pad_id).int().flip(1).cumprod(dim=1).flip(1).bool()
        if self.tokenizer.pad_id == self.tokenizer.end_id:
            run[:, 1:] &= run[:, :-1].clone()
            run[:, 0] = False
        return ids.masked_fill(run, self.tokenizer_2.pad_id)


def time_ids(
    target: tuple[int, int], original: tuple[int, int] | None = None, crop: tuple[int, int] = (0, 0)
) -> Tensor:
    """Give what the network is told of sizes, [1, 6] float32: original height, width; crop top, left; target h, w.

    target, original: (width, height) in pixels; original None is the target. crop: (left, top) in pixels. Add it to a
    conditioning with `with_extras(time_ids=...)`.
    """
    width, height = original or target
    return torch.tensor([[height, width, crop[1], crop[0], target[1], target[0]]], dtype=torch.float32)
