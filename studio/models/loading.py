"""Loading: one part of a model at a time, from safetensors alone, and a whole model out of its parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors.torch import load_file
from torch import nn

from studio.core.errors import AssetError
from studio.models import checksums
from studio.models.bundle import ModelBundle
from studio.models.card import read_config
from studio.models.families import Family, family_of
from studio.models.files import ModelFiles, PartFiles, dtype_of, open_model
from studio.models.tokens import PromptTokenizer

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# What a library writes about itself or about how a file came to be; it does not change what is computed.
_REMARKS = ("_name_or_path", "_diffusers_version", "transformers_version", "torch_dtype", "dtype", "architectures")


def load_part(files: PartFiles, device: str | torch.device, dtype: torch.dtype) -> nn.Module:
    """Load one network, in evaluation mode and frozen.

    dtype: of the denoiser; the autoencoder has its own under fp16.
    Raises AssetError naming the part: broken, of another shape than its config says, or with weights missing.
    """
    part_dtype = DTYPES[dtype_of(files.name, name_of(dtype))]
    try:
        module = (
            _load_from_folder(files, part_dtype)
            if files.checkpoint is None
            else _load_from_checkpoint(files, part_dtype)
        )
    except AssetError:
        raise
    except Exception as error:  # OSError, ValueError, RuntimeError, SafetensorError, KeyError: the libraries' choice
        reason = " ".join(str(error).split()).rstrip(".")[:300]
        place = files.checkpoint or files.folder
        message = f"The model's {files.name} in {place} cannot be loaded: {reason}."
        raise AssetError(message, checksums.RESTORE) from None
    return module.to(device).eval().requires_grad_(False)


def digest_of(files: PartFiles) -> str:
    """Give one sha256 for a part: over its config and the bytes of its weights.

    Two models whose files for a part are equal have one digest for it, wherever they lie. Raises AssetError.
    """
    config = read_config(files.folder, f"{files.name}/config.json")
    settings = {key: value for key, value in config.items() if key not in _REMARKS}
    # Of a checkpoint each part has a share, and a share is known by the part's name.
    share = "" if files.checkpoint is None else files.name
    lines = [json.dumps(settings, sort_keys=True), share, *map(checksums.known_sha256, files.weights.files)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def hash_of(files: ModelFiles, digests: dict[str, str]) -> str:
    """Give the model's hash: one sha256 over all files that decide what is drawn. digests: checksums at hand."""
    names = files.names()
    all_digests = {name: digests.get(name) or checksums.known_sha256(files.card.folder / name) for name in names}
    if files.card.checkpoint is not None:
        all_digests[files.card.checkpoint.name] = checksums.known_sha256(files.card.checkpoint)
    return checksums.fingerprint(files.card.folder, tuple(all_digests), all_digests)


def load_model(
    place: Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    name: str,
    family: Family | None = None,
    require_checksums: bool = False,
) -> ModelBundle:
    """Load a whole model that nobody else shares parts of; the engine's store loads part by part instead.

    place: a diffusers folder or a .safetensors checkpoint. family: None takes the one its class names.
    require_checksums: refuse a folder without SHA256SUMS. Raises AssetError.
    """
    digests = {} if place.is_file() else checksums.verify(place, required=require_checksums)
    files = open_model(place)
    model_hash = hash_of(files, digests)
    parts = {part: load_part(files.part(part), device, dtype) for part in files.card.layout.parts}
    return assemble(name, files, model_hash, parts, family)


def assemble(
    name: str, files: ModelFiles, model_hash: str, parts: dict[str, nn.Module], family: Family | None = None
) -> ModelBundle:
    """Put a model together from its loaded parts. Raises AssetError for a tokenizer that cannot be read."""
    card = files.card
    tokenizers = [PromptTokenizer(card.folder, card.context, subfolder) for subfolder in card.layout.tokenizers]
    return (family or family_of(card))(name, card, model_hash, parts, tokenizers)


def hollow(name: str, files: ModelFiles, dtype: str) -> ModelBundle:
    """A model whose denoiser has shapes and no numbers, on the meta device; of its other parts there is nothing.

    For counting what it would take. dtype: "fp32", "bf16" or "fp16". Raises AssetError.
    """
    part = files.part("unet")
    config = read_config(part.folder, "unet/config.json")
    with torch.device("meta"):  # of this thread alone, unlike the libraries' own way
        denoiser: nn.Module = _class_of(part).from_config(config)
    denoiser = denoiser.to(DTYPES[dtype]).eval().requires_grad_(False)
    parts = {part_name: nn.Module() for part_name in files.card.layout.parts}
    return assemble(name, files, "", {**parts, "unet": denoiser})


def name_of(dtype: torch.dtype) -> str:
    """Give "fp32", "bf16" or "fp16"."""
    return next(name for name, value in DTYPES.items() if value == dtype)


def _class_of(files: PartFiles) -> Any:
    return getattr(transformers if files.name.startswith("text_encoder") else diffusers, files.kind)


def _load_from_checkpoint(files: PartFiles, dtype: torch.dtype) -> nn.Module:
    """Out of a single checkpoint: its names are turned into diffusers' by the library's own converters."""
    assert files.checkpoint is not None
    tensors = load_file(files.checkpoint)  # mapped, not read: only what is converted becomes memory of its own
    options: dict[str, Any] = {
        "config": str(files.folder),
        "subfolder": files.name,
        "torch_dtype": dtype,
        "local_files_only": True,
    }
    try:
        if files.name.startswith("text_encoder"):
            return create_diffusers_clip_model_from_ldm(_class_of(files), tensors, **options)
        return _class_of(files).from_single_file(tensors, **options)
    except NotImplementedError:  # it stumbles over the weights it did not find: they are left without any memory
        message = f"The {files.name} in {files.checkpoint} lacks weights that its config asks for."
        raise AssetError(message) from None


def _load_from_folder(files: PartFiles, dtype: torch.dtype) -> nn.Module:
    # The dtype is forced: transformers 5 loads weights in the dtype they are stored in, and fp16 is slow on CPUs.
    options: dict[str, Any] = {"dtype": dtype}
    if not files.name.startswith("text_encoder"):
        # Building on the meta device would replace nn.Module.register_parameter in the whole process for a while, and
        # what another thread builds meanwhile would be lost.
        options = {"torch_dtype": dtype, "low_cpu_mem_usage": False}
    load: Callable[..., Any] = _class_of(files).from_pretrained
    module, loading_info = load(
        files.folder,
        subfolder=files.name,
        variant=files.weights.variant or None,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        **options,
    )
    missing = sorted(loading_info["missing_keys"])
    if missing:
        # Both libraries go on with whatever the memory held.
        place = files.folder
        raise AssetError(f"The model's {files.name} in {place} lacks {len(missing)} weights, {missing[0]} among them.")
    return module
