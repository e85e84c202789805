"""Parts out of a single checkpoint: its names are turned into diffusers' by the library's own converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors.torch import load_file
from torch import nn

from studio.core.errors import AssetError


def load_from_checkpoint(checkpoint: Path, configs: Path, part: str, kind: Any, dtype: torch.dtype) -> nn.Module:
    """Load one network of a checkpoint. configs: a pipeline folder, of which only the part's config is read.

    kind: the network's class. Raises AssetError if weights are missing, and whatever the library does.
    """
    tensors = load_file(checkpoint)  # mapped, not read: only what is converted becomes memory of its own
    options: dict[str, Any] = {
        "config": str(configs),
        "subfolder": part,
        "torch_dtype": dtype,
        "local_files_only": True,
    }
    try:
        if part.startswith("text_encoder"):
            return create_diffusers_clip_model_from_ldm(kind, tensors, **options)
        return kind.from_single_file(tensors, **options)
    except NotImplementedError:  # it stumbles over the weights it did not find: they are left without any memory
        raise AssetError(f"The {part} in {checkpoint} lacks weights that its config asks for.") from None
