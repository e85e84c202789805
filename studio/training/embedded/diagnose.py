"""The swap-one-word diagnostic: does the denoiser use each word, long before pictures show it?

On held-out scenes, the v-prediction loss with the true caption is compared with the loss when one word is swapped
(another object, colour, style or background). The difference, inside the object for object, colour and style, is the
number to watch: it is zero while a word is ignored and grows when the word is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from studio.training.embedded.autoencoder import encode, to_tensor
from studio.training.embedded.data import render_all, scene_at
from studio.training.embedded.text import Codec
from studio.world.caption import canonical, swapped
from studio.world.render import mask
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES

WORDS = {"object": OBJECTS, "colour": COLOUR_NAMES, "style": STYLE_NAMES, "background": BACKGROUND_NAMES}
TIMES = (300, 600, 850)


@dataclass
class SwapProbe:
    """Held-out scenes with their latents, masks, true and swapped captions, ready to be scored."""

    latents: Tensor
    masks: Tensor
    ids: dict[str, Tensor]

    @classmethod
    @torch.no_grad()
    def make(cls, vae: AutoencoderKL, codec: Codec, n: int = 64) -> SwapProbe:
        """n one-object held-out scenes."""
        rng = np.random.default_rng(51)
        scenes = [scene_at(i, seed=52, two=0.0, empty=0.0, held_out=True) for i in range(n)]
        latents = encode(vae, to_tensor(render_all(scenes, 1), "cpu"))
        masks = torch.from_numpy(
            np.stack([mask(s.things[0], 64).reshape(16, 4, 16, 4).mean((1, 3)) > 0.3 for s in scenes])
        ).float()
        ids = {"true": torch.from_numpy(codec([canonical(s) for s in scenes]))}
        for word, names in WORDS.items():
            current = [getattr(s.things[0], word) if word in ("object", "colour") else getattr(s, word) for s in scenes]
            replacements = [str(rng.choice([name for name in names if name != c])) for c in current]
            texts = [canonical(swapped(s, word, o)) for s, o in zip(scenes, replacements, strict=True)]
            ids[word] = torch.from_numpy(codec(texts))
        return cls(latents, masks, ids)

    @torch.no_grad()
    def score(self, unet: UNet2DConditionModel, text: CLIPTextModel, a: Tensor, s: Tensor) -> dict[str, float]:
        """Loss with a swapped word minus loss with the true one, by word and noise level (`object@850`)."""
        noise = torch.randn(self.latents.shape, generator=torch.Generator().manual_seed(53))
        out: dict[str, float] = {}
        for t in TIMES:
            x, target = a[t] * self.latents + s[t] * noise, a[t] * noise - s[t] * self.latents
            losses: dict[str, float] = {}
            for word, ids in self.ids.items():
                v = unet(x, torch.full((len(x),), t), text(input_ids=ids).last_hidden_state).sample
                error = (v - target).pow(2).mean(1)
                losses[word] = (
                    float(error.mean())
                    if word == "background"
                    else float((error * self.masks).sum() / self.masks.sum())
                )
                if word == "true":
                    losses["true_whole"] = float(error.mean())
            for word in WORDS:
                base = losses["true_whole"] if word == "background" else losses["true"]
                out[f"{word}@{t}"] = losses[word] - base
        return out
