"""Edits as files: one safetensors file each, its manifest in the header's metadata. Bytes in, bytes out.

Whoever has a place for them writes them there (studio/storage/edits.py, durably).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.engine.edits.format import Dense, Edit, Layer, LowRank, Mask, check_finite
from studio.engine.edits.header import FLOATS, Header, TensorInfo, read_header
from studio.engine.edits.manifest import KEY, Manifest, manifest_of, tensor_name

# What a tensor may be stored in, as the format names it: weights in FLOATS, single numbers in any of these.
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
}


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


def read_tensors(path: Path, header: Header, names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Read the numbers of a file whose header was checked. names: of the tensors wanted; None for all.

    Each into memory of its own and not by mapping the file, for a mapped file that somebody shortens ends the process;
    what is not wanted stays unread. Raises AssetError if the file changed meanwhile, or holds integers where weights
    are due.
    """
    infos = {name: header.tensors[name] for name in (header.tensors if names is None else names)}
    for name, info in infos.items():
        if info.dtype not in FLOATS and info.shape not in ((), (1,)) or info.dtype not in _DTYPES:
            raise AssetError(f"The file {path} holds the tensor {name[:100]} as {info.dtype}, which weights are not.")
    try:
        with path.open("rb") as file:
            return {name: _tensor(file, header.numbers_at, info) for name, info in infos.items()}
    except (OSError, ValueError) as error:  # ValueError: fewer bytes than announced
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise AssetError(f"The file {path} cannot be read: {reason}.") from None


def _tensor(file: io.BufferedReader, numbers_at: int, info: TensorInfo) -> Tensor:
    begin, end = info.place
    data = bytearray(end - begin)
    file.seek(numbers_at + begin)
    if file.readinto(data) != len(data):
        raise ValueError("it was cut short meanwhile")
    dtype = _DTYPES[info.dtype]
    return torch.frombuffer(data, dtype=dtype).reshape(info.shape) if data else torch.empty(info.shape, dtype=dtype)


def _assemble(manifest: Manifest, tensors: Mapping[str, Tensor]) -> Edit:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition("/")
        parts.setdefault(layer, {})[part] = tensor
    layers: dict[str, dict[str, Layer]] = {}
    for name, parts_of_layer in parts.items():
        component, _, path = name.partition("/")
        layers.setdefault(component, {})[path] = _layer(manifest, name, parts_of_layer)
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
