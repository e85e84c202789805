"""Edits as files: one safetensors file each, its manifest in the header's metadata. Bytes in, bytes out.

Whoever has a place for them writes them there (studio/storage/edits.py, durably).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.engine.edits.format import Dense, Edit, Layer, LowRank, Mask, check_finite
from studio.engine.edits.header import FLOATS, Header, read_header
from studio.engine.edits.manifest import KEY, Manifest, manifest_of, tensor_name


def to_bytes(edit: Edit) -> bytes:
    """Give the file. The same edit gives the same bytes. Raises BadInput if it holds what is no number."""
    check_finite(edit)
    tensors = {
        tensor_name(component, path, part): own_memory(tensor)
        for component, path, layer in edit.each()
        for part, tensor in layer.parts()
    }
    # One text of metadata: several are written in an order that changes from run to run.
    return safetensors.torch.save(tensors, {KEY: edit.manifest().to_json()})


def own_memory(tensor: Tensor) -> Tensor:
    """A copy on the CPU: the library refuses tensors that share memory, as views of one training parameter do."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def read_edit(path: Path) -> Edit:
    """Read a file of ours whole and check all of it.

    Raises AssetError, one sentence with the file's name: broken in any way, holding what is no number, or not what its
    manifest says.
    """
    header = read_header(path)
    manifest = manifest_of(header, path)
    tensors = read_tensors(path, header)
    try:
        edit = _assemble(manifest, tensors)
        check_finite(edit)
    except BadInput as error:
        raise AssetError(f"The edit {path} is broken: {error}") from None
    if edit.sha256 != manifest.sha256:
        raise AssetError(f"The edit {path} is damaged: its content is {edit.sha256}, not {manifest.sha256}.")
    return edit


def read_tensors(path: Path, header: Header) -> dict[str, Tensor]:
    """Read the numbers of a file whose header was checked.

    Into memory and not by mapping the file, for a mapped file that somebody shortens ends the process. Raises
    AssetError if the file changed meanwhile, or holds integers where weights are due.
    """
    for name, info in header.tensors.items():
        if info.dtype not in FLOATS and info.shape not in ((), (1,)):
            raise AssetError(f"The file {path} holds the tensor {name[:100]} as {info.dtype}, which weights are not.")
    try:
        return safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise AssetError(f"The file {path} cannot be read: {reason}.") from None


def _assemble(manifest: Manifest, tensors: Mapping[str, Tensor]) -> Edit:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition("/")
        parts.setdefault(layer, {})[part] = tensor
    layers: dict[str, dict[str, Layer]] = {}
    for name, found in parts.items():
        component, _, path = name.partition("/")
        layers.setdefault(component, {})[path] = _layer(manifest, name, found)
    return Edit(
        name=manifest.name,
        kind=manifest.kind,
        layers=layers,
        version=manifest.version,
        base=manifest.base,
        provenance=manifest.provenance,
    )


def _layer(manifest: Manifest, name: str, parts: Mapping[str, Tensor]) -> Layer:
    needed = {"lora": {"A", "B"}, "dense": {"D"}, "mask": {"M"}}[manifest.kind]
    if set(parts) - {"bias"} != needed or (manifest.kind == "lora" and name not in manifest.alphas):
        raise BadInput(f"its layer {name[:200]} is not whole.")
    bias = parts.get("bias")
    if manifest.kind == "lora":
        return LowRank(parts["A"], parts["B"], manifest.alphas[name], bias)
    return Dense(parts["D"], bias) if manifest.kind == "dense" else Mask(parts["M"], bias)
