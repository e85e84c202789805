"""Tensors of a file of weights, .safetensors or what torch.save writes, which is read without being unpickled."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from studio.core.errors import AssetError
from studio.engine.edits.pickled import is_pickled, pickled_header

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def read_weights(path: Path, strip: str = "") -> dict[str, Tensor]:
    """Name -> tensor, floats in float32. strip: what names may begin with and is left out, such as "state_dict.".

    Of a file of torch.save the tensors of other types than floats and int64 are left out. Raises AssetError.
    """
    if not is_pickled(path):
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise AssetError(f"The file {path} cannot be read: {' '.join(str(error).split())[:200]}.") from None
        return {name.removeprefix(strip): _in_float32(tensor) for name, tensor in tensors.items()}
    header = pickled_header(path)
    tensors = {}
    with path.open("rb") as file:
        for name, info in header.tensors.items():
            dtype = _DTYPES.get(info.dtype)
            if dtype is None:
                continue
            start, end = info.place
            file.seek(header.numbers_at + start)
            data = bytearray(file.read(end - start))
            if len(data) != end - start:
                raise AssetError(f"The file {path} is cut short.", "Fetch it once more.")
            flat = torch.frombuffer(data, dtype=dtype) if data else torch.zeros(0, dtype=dtype)
            tensors[name.removeprefix(strip)] = _in_float32(flat.reshape(info.shape))
    return tensors


def _in_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
