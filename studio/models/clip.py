"""CLIP of any size: pictures and sentences as unit vectors whose cosine says how well they agree.

Read from a folder of transformers' `CLIPModel` with its processor's config and tokenizer, from safetensors alone.
Pictures go in as tensors and gradients come back: what scores with it may be climbed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPModel, PreTrainedTokenizerFast

from studio.core.errors import AssetError
from studio.models import checksums
from studio.models.card import read_config

CONFIG, PROCESSOR, WEIGHTS, TOKENIZER = "config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json"
BLOCK = 32  # pictures or sentences at once: bounds memory


class Clip:
    """A loaded model.

    id: of its files: equal for the same weights, in hex.
    size_px: side of the square it reads.
    width: of its vectors.
    context: tokens it reads of a sentence at most, start and end included.
    scale: what cosines are multiplied by where pictures compete for a sentence.
    """

    def __init__(self, model: CLIPModel, tokenizer: Any, processor: dict[str, Any], id: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.id = id
        config: Any = model.config
        self.size_px = int(config.vision_config.image_size)
        self.width = int(config.projection_dim)
        self.context = int(config.text_config.max_position_embeddings)
        self._end = int(config.text_config.eos_token_id)
        self.scale = float(model.logit_scale.detach().exp())
        self._tokenizer = tokenizer
        self._mean = torch.tensor(processor.get("image_mean", _USUAL_MEAN)).reshape(1, 3, 1, 1)
        self._std = torch.tensor(processor.get("image_std", _USUAL_STD)).reshape(1, 3, 1, 1)

    @classmethod
    def load(cls, folder: Path, device: str | torch.device = "cpu") -> Clip:
        """Load it in float32. Raises AssetError where a file is missing or broken."""
        for name in (CONFIG, PROCESSOR, WEIGHTS, TOKENIZER):
            if not (folder / name).is_file():
                message = f"The CLIP in {folder} has no {name}."
                raise AssetError(message, "A folder as transformers saves it is needed, with its processor.")
        checksums.verify(folder, required=False)
        try:
            model = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True, use_safetensors=True)
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / TOKENIZER))
        except Exception as error:  # OSError, ValueError, RuntimeError, SafetensorError: the library's choice
            reason = " ".join(str(error).split()).rstrip(".")[:300]
            raise AssetError(f"The CLIP in {folder} cannot be loaded: {reason}.", checksums.RESTORE) from None
        return cls(model.to(device), tokenizer, read_config(folder, PROCESSOR), id_of(folder))  # type: ignore[arg-type]

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.model.device

    def pictures(self, images: Tensor) -> Tensor:
        """Unit vectors [B, width], float32, of pictures [B, 3, H, W] in 0..1; differentiable.

        The shorter side is scaled to what it reads, bicubic and antialiased, and the middle is cut out, as its
        processor does.
        """
        x = images.float().to(self.device)
        height, width = x.shape[-2:]
        if (height, width) != (self.size_px, self.size_px):
            factor = self.size_px / min(height, width)
            sides = (max(self.size_px, round(height * factor)), max(self.size_px, round(width * factor)))
            x = F.interpolate(x, sides, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
            top, left = ((side - self.size_px) // 2 for side in sides)
            x = x[..., top : top + self.size_px, left : left + self.size_px]
        x = (x - self._mean.to(x)) / self._std.to(x)
        outputs: list[Any] = [self.model.get_image_features(pixel_values=block) for block in x.split(BLOCK)]
        return F.normalize(torch.cat([_projected(output) for output in outputs]), dim=-1)

    @torch.no_grad()
    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors [B, width], float32; words beyond the context are cut."""
        rows = [self._ids(text) for text in texts]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [self._end] * (longest - len(row)) for row in rows], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
        blocks = zip(ids.split(BLOCK), mask.split(BLOCK), strict=True)
        return torch.cat([self.sentence_vectors(*block) for block in blocks])

    def sentence_vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors [B, width], float32, of tokens [B, S]; differentiable. mask: 1 where they count."""
        output: Any = self.model.get_text_features(input_ids=ids, attention_mask=mask)
        return F.normalize(_projected(output), dim=-1)

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The tokens of a sentence, cut to the context, and which letters of it each stands for, (0, 0) for none."""
        ids = self._ids(text)
        spans = [(int(a), int(b)) for a, b in self._tokenizer(text, return_offsets_mapping=True).offset_mapping]
        return ids, [*spans[: len(ids) - 1], (0, 0)]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text).input_ids
        return ids if len(ids) <= self.context else [*ids[: self.context - 1], ids[-1]]


_USUAL_MEAN, _USUAL_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]  # OpenAI's CLIP


def id_of(folder: Path) -> str:
    """What the vectors of a folder's model depend on, in hex. Raises AssetError for a file that cannot be read."""
    try:
        lines = [checksums.known_sha256(folder / name) for name in (CONFIG, PROCESSOR, WEIGHTS, TOKENIZER)]
    except OSError:
        raise AssetError(f"The CLIP in {folder} cannot be read.", checksums.RESTORE) from None
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _projected(output: Any) -> Tensor:
    """transformers 5 gives the projected vector within an output, earlier ones gave it bare."""
    return (output if isinstance(output, Tensor) else output.pooler_output).float()
