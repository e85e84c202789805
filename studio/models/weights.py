"""Weight files of a model: which there are, and what their headers say. Needs no torch and reads no weights.

Only safetensors: such a file begins with eight bytes, little-endian, that say how long the JSON after them is, and the
JSON gives each tensor's dtype, shape and place. A pickle (.bin, .ckpt, .pt) can run code when read, so none is.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core import bounded_json
from studio.core.errors import AssetError

# The header of SDXL in one file takes 400 kB. A longer one says something else; parsed, it would take many times its
# bytes, in each look at the list of models.
MAX_HEADER_BYTES = 16_000_000
_MAX_VALUES = 400_000  # of a header, as `bounded_json` counts: 10 for each of 40,000 tensors
BYTES_OF = {"fp32": 4, "bf16": 2, "fp16": 2}
VARIANTS = ("", ".fp16")  # what a pipeline folder may hold; the plain files win
_PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")
_BYTES_OF_STORED = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_DTYPE_OF_STORED = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "F64": "fp64"}


@dataclass(frozen=True)
class Weights:
    """The weight files of one component, or a whole checkpoint.

    files: in order of name.
    variant: "" or "fp16", as diffusers' loaders take it.
    shapes: of every tensor.
    dtype: the number format most values are stored in.
    """

    files: tuple[Path, ...]
    variant: str
    shapes: dict[str, tuple[int, ...]]
    dtype: str

    @property
    def values(self) -> int:
        """How many numbers there are."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def find_weights(folder: Path, stem: str) -> Weights:
    """Find the weights of one component, e.g. stem "diffusion_pytorch_model"; whole, or in shards with their index.

    Raises AssetError: nothing there, nothing but pickles, a shard missing, a file that is no safetensors.
    """
    for variant in VARIANTS:
        whole = folder / f"{stem}{variant}.safetensors"
        if whole.is_file():
            return read_weights((whole,), variant.removeprefix("."))
        # Of sharded files the variant stands in another place: <stem>.safetensors.index.fp16.json.
        index = folder / f"{stem}.safetensors.index{variant}.json"
        if index.is_file():
            return read_weights(_shards(index), variant.removeprefix("."))
    if any(next(folder.glob(pattern), None) for pattern in _PICKLES):
        message = f"The weights in {folder} are pickles, which can run code when read and are never loaded."
        raise AssetError(message, f"Save the model as safetensors, to {stem}.safetensors.")
    raise AssetError(f"The weights {folder / (stem + '.safetensors')} are missing.", "Complete the folder.")


def read_weights(files: tuple[Path, ...], variant: str = "") -> Weights:
    """Read the headers of files that belong together. Raises AssetError naming the file that is wrong."""
    shapes: dict[str, tuple[int, ...]] = {}
    values: dict[str, int] = {}
    for path in files:
        for name, entry in read_header(path).items():
            shapes[name] = tuple(entry["shape"])
            values[entry["dtype"]] = values.get(entry["dtype"], 0) + math.prod(entry["shape"])
    most = max(values, key=lambda dtype: values[dtype], default="F32")
    return Weights(files, variant, shapes, _DTYPE_OF_STORED.get(most, most.lower()))


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Read a safetensors header: tensor name -> {"dtype", "shape", "data_offsets"}.

    Raises AssetError: cannot be read, no such file format, cut short, longer than its header says.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
                raise AssetError(f"The weights {path} are no safetensors file, or cut short.", "Copy the file again.")
            header = bounded_json.loads(file.read(length), _MAX_VALUES)
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = 8 + length + max((_end(entry) for entry in tensors.values()), default=0)
    except OSError as error:
        raise AssetError(f"The weights {path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        message = f"The weights {path} are no safetensors file: their header cannot be read."
        raise AssetError(message, "Copy the file again.") from None
    if size != end:
        word = "cut short" if size < end else "damaged"
        raise AssetError(f"The weights {path} are {word}: {size} bytes, not {end}.", "Copy the file again.")
    return tensors


def _end(entry: dict[str, Any]) -> int:
    """Where a tensor ends, counted from the end of the header. Raises ValueError if its size does not fit its shape."""
    start, end = entry["data_offsets"]
    stored = _BYTES_OF_STORED.get(entry["dtype"])
    if not all(isinstance(side, int) and side >= 0 for side in (start, end, *entry["shape"])):
        raise ValueError("a size is no whole number")
    if stored is not None and end - start != stored * math.prod(entry["shape"]):
        raise ValueError("a tensor's size does not fit its shape")
    return end


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        shards = tuple(index.parent / name for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise AssetError(f"The list of weight files {index} cannot be read.", "Copy the file again.") from None
    for shard in shards:
        if shard.parent != index.parent or shard.suffix != ".safetensors":
            raise AssetError(f"The list {index} names {shard.name}, which is no safetensors file beside it.")
        if not shard.is_file():
            raise AssetError(f"The weights {shard} are missing.", "Complete the folder.")
    return shards
