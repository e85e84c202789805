"""What a safetensors file says of itself: read and checked without torch, before anything of it is believed.

A file is 8 bytes of header length (little-endian), the header as a JSON object, and the numbers. The header gives each
tensor's dtype, shape and place, and must cover the numbers without gap or overlap.
Source: the format's description in the README of the safetensors project.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from studio.core import bounded_json
from studio.core.errors import AssetError
from studio.core.params import shown

MAX_FILE_BYTES = 4 * 1024**3  # the largest adapters of SDXL at rank 256 are below 2 GB
# 10,000 tensors with long names take 2 MB, and the tags of a large training set as much again; with one letter outside
# of Unicode's first plane a text takes four times its bytes in memory, and its parts once more.
MAX_HEADER_BYTES = 8 * 1024**2
MAX_TENSORS = 10_000  # an adapter of every layer of SDXL has 4,000, its three networks together 2,700
_MAX_VALUES = 12 * MAX_TENSORS  # of a header, as `bounded_json` counts: one tensor has 7, and one for each dimension
MAX_NAME_CHARS = 1000
_ITEM_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
}
FLOATS = ("F32", "F16", "BF16")  # what weights of an edit may be stored in
_PICKLES = (b"\x80", b"PK\x03\x04")  # a bare pickle, and the zip that torch.save writes
_PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pkl")
_ANOTHER = "Give a .safetensors file."


@dataclass(frozen=True)
class TensorInfo:
    """One tensor as announced.

    dtype: in the format's words, e.g. "F16".
    shape: () for a single number.
    place: its first byte and the one after its last, counted from the first of the file's numbers.
    """

    dtype: str
    shape: tuple[int, ...]
    place: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Header:
    """What a file announces of itself.

    metadata: free texts of whoever wrote the file.
    tensors: by name, in the file's order.
    numbers_at: where in the file its numbers begin.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]
    numbers_at: int = 0


def read_header(path: Path) -> Header:
    """Read and check a file's header; its numbers stay unread.

    Raises AssetError, one sentence with the file's name: not there, a pickle, empty, cut short, too large, a header
    that is no header, tensors that lie outside the file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return header_of(file, size, path)
    except OSError as error:
        raise AssetError(f"The file {path} cannot be read: {error.strerror or error}.", _ANOTHER) from None


def header_of(file: IO[bytes], size: int, path: Path) -> Header:
    """Read and check the header of a file that is open at its first byte, such as a member of an archive.

    size: of the whole file in bytes, as its place announces it. path: for the sentences. Raises as `read_header` does.
    """
    length = _length(file.read(8), size, path)
    return _checked(file.read(length), size - 8 - length, path)


def _length(start: bytes, size: int, path: Path) -> int:
    """Check the first bytes; give the header's length."""
    if len(start) < 8:
        raise AssetError(f"The file {path} is too short to be a safetensors file: {size} bytes.", _ANOTHER)
    if size > MAX_FILE_BYTES:
        raise AssetError(f"The file {path} has {size} bytes, and at most {MAX_FILE_BYTES} are read.")
    length = int(struct.unpack("<Q", start)[0])
    fits = length <= min(MAX_HEADER_BYTES, size - 8)
    # A header of 128 or 640 bytes starts like a pickle too; but as a length, a pickle's start is beyond any file.
    if path.suffix.lower() in _PICKLE_SUFFIXES or (not fits and start.startswith(_PICKLES)):
        message = f"The file {path} is a pickle, which can run programs when it is read, and is never opened here."
        raise AssetError(message, "Convert it to .safetensors where you trust it.")
    if length > MAX_HEADER_BYTES:
        raise AssetError(f"The file {path} is not a safetensors file: its header would have {length} bytes.", _ANOTHER)
    if not fits:
        raise AssetError(f"The file {path} is cut short: its header alone has {length} bytes of {size}.", _AGAIN)
    return length


_AGAIN = "Copy or download it again."


def _checked(text: bytes, numbers_bytes: int, path: Path) -> Header:
    tensors = text.count(b'"data_offsets"')  # within a string its quotes would not stand so
    if tensors > MAX_TENSORS:
        raise AssetError(f"The file {path} has {tensors} tensors, and at most {MAX_TENSORS} are read.")
    try:
        values = bounded_json.loads(text, _MAX_VALUES, pairs_hook=bounded_json.without_repeats)
    except (ValueError, RecursionError) as error:  # ValueError covers bad UTF-8, and names that repeat
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")
        raise AssetError(f"The file {path} has a header that cannot be read: {reason}.", _ANOTHER) from None
    if not isinstance(values, dict):
        raise AssetError(f"The file {path} has a header that is not a JSON object.", _ANOTHER)
    entries = cast("dict[str, Any]", values)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise AssetError(f"The file {path} has metadata that is not made of texts.", _ANOTHER)
    infos: dict[str, TensorInfo] = {}
    places: list[tuple[int, int]] = []
    for name, entry in entries.items():
        info = _tensor(name, entry)
        begin, end = _place(entry)
        if info is None or len(name) > MAX_NAME_CHARS:
            raise AssetError(f"The file {path} describes the tensor {shown(name)} in a way that makes no sense.")
        if end - begin != math.prod(info.shape) * _ITEM_BYTES[info.dtype]:
            raise AssetError(f"The file {path} gives the tensor {shown(name)} room that does not fit its shape.")
        if end > numbers_bytes:
            message = (
                f"The file {path} is cut short: the tensor {shown(name)} ends {end - numbers_bytes} bytes past it."
            )
            raise AssetError(message, _AGAIN)
        infos[name] = TensorInfo(info.dtype, info.shape, (begin, end))
        places.append((begin, end))
    _check_cover(sorted(places), numbers_bytes, path)
    return Header(cast("dict[str, str]", metadata), infos, 8 + len(text))


def _check_cover(places: list[tuple[int, int]], numbers_bytes: int, path: Path) -> None:
    """Raise AssetError unless the tensors cover the numbers exactly: else two readers could see two files."""
    at = 0
    for begin, end in places:
        if begin != at:
            raise AssetError(f"The file {path} has tensors that overlap or leave a gap.", _AGAIN)
        at = end
    if at != numbers_bytes:
        raise AssetError(f"The file {path} has {numbers_bytes - at} bytes that belong to no tensor.", _AGAIN)


def _tensor(name: str, entry: Any) -> TensorInfo | None:
    """Dtype and shape, or None where they are none."""
    if not isinstance(entry, dict) or entry.get("dtype") not in _ITEM_BYTES:
        return None
    shape = entry.get("shape")
    # bool is an int to Python, and 2**62 x 4 a size that no multiplication should meet
    if not isinstance(shape, list) or len(shape) > 8 or not all(_is_size(n) for n in cast("list[Any]", shape)):
        return None
    return TensorInfo(entry["dtype"], tuple(shape))


def _place(entry: Any) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if (
        isinstance(offsets, list)
        and len(offsets) == 2
        and all(_is_size(n) for n in offsets)
        and offsets[0] <= offsets[1]
    ):
        return offsets[0], offsets[1]
    return 0, -1  # fits no shape


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48
