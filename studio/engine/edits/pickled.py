"""What a file of torch.save says of its tensors, read without unpickling: nothing in it is ever run.

Such a file is a zip: a pickle "data.pkl", whose dicts name the tensors, and for each storage one stored member that
holds its numbers as they are in memory. The pickle is read as a list of operations, and of these only what dicts of
tensors are made with counts: anything else becomes a value that nobody looks at. Where the tensors lie is then known as
it is of a safetensors file, and their numbers are read from there. Sources: the operations as Python's pickletools
documents them; the format as torch.serialization writes it since torch 1.6.
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError
from studio.core.params import shown
from studio.engine.edits.bounded_zip import opened_zip
from studio.engine.edits.header import MAX_FILE_BYTES, MAX_NAME_CHARS, MAX_TENSORS, Header, TensorInfo

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
MAX_PICKLE_BYTES = 4 * 1024**2  # a whole checkpoint of 1,300 tensors takes 300 kB
_MAX_OPERATIONS = 600_000  # one tensor takes about 40
_MAX_DIRECTORY_BYTES = 4 * 1024**2  # a member for each storage, and 100 bytes for each member
_MAX_DEPTH = 4  # of dicts in dicts: {"state_dict": {module: {"weight": tensor}}}
_LOCAL = struct.Struct("<4s22xHH")  # of a member's own header: mark, length of its name, of what follows the name
_ITEM = {  # class of a storage -> dtype as safetensors calls it, bytes of one number
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
_RE_EXPORT = "Save it as .safetensors."


def is_pickled(path: Path) -> bool:
    """Whether a file is one of torch.save, by its first bytes and its name: a zip file has the same."""
    try:
        with path.open("rb") as file:
            return path.suffix.lower() in SUFFIXES and file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def pickled_header(path: Path) -> Header:
    """Find the tensors of a file; its numbers stay unread. Names of dicts within dicts are joined by dots.

    Places are counted from the file's first byte. What is no tensor is left out. Raises AssetError, one sentence: no
    file of torch.save, damaged, beyond a limit, or with a tensor that is not stored row by row.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AssetError(f"The file {path} has {path.stat().st_size} bytes, and at most {MAX_FILE_BYTES} are read.")
        with opened_zip(path, _MAX_DIRECTORY_BYTES, lambda: _beyond(path, "too many members")) as archive:
            members = {member.filename.partition("/")[2]: member for member in archive.infolist()}
            return Header({}, dict(_placed(path, _tensors_of(path, _pickle(path, archive, members)), members)))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
        raise AssetError(f"The file {path} is no file of torch.save, or damaged: {reason}.", _RE_EXPORT) from None


def _beyond(path: Path, excess: str) -> AssetError:
    return AssetError(f"The file {path} has {excess} for a file of weights.", _RE_EXPORT)


def _pickle(path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> bytes:
    member = members.get("data.pkl")
    if member is None:
        raise AssetError(f"The file {path} is no file of torch.save: it has no data.pkl.", _RE_EXPORT)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > MAX_PICKLE_BYTES:
        raise _beyond(path, "too long a list of contents")
    if "byteorder" in members and members["byteorder"].file_size < 20:
        if archive.read(members["byteorder"]) != b"little":
            raise AssetError(f"The file {path} was written on a machine of another byte order.", _RE_EXPORT)
    return archive.read(member)


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    kind: str  # name of its class
    numbers: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether its numbers lie one after the other, rows first, within its storage."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return 0 <= self.offset <= self.storage.numbers - math.prod(self.shape)


def _tensors_of(path: Path, pickle: bytes) -> dict[str, _Tensor]:
    tensors: dict[str, _Tensor] = {}
    for number, (name, tensor) in enumerate(_named(_Machine(path).run(pickle))):
        if number >= MAX_TENSORS:
            raise _beyond(path, f"more than {MAX_TENSORS} tensors or other values, too many")
        if isinstance(tensor, _Tensor):
            tensors[name] = tensor
    return tensors


def _named(values: Any, start: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if not isinstance(values, dict) or depth > _MAX_DEPTH:
        return
    for key, value in values.items():
        name = f"{start}{key}"
        if isinstance(key, str) and len(name) <= MAX_NAME_CHARS:
            # Trainers save what they need to go on beside it; the weights are under this name.
            inner = "" if depth == 0 and key == "state_dict" else f"{name}."
            yield name, value
            yield from _named(value, inner, depth + 1)


def _placed(
    path: Path, tensors: Mapping[str, _Tensor], members: Mapping[str, zipfile.ZipInfo]
) -> Iterator[tuple[str, TensorInfo]]:
    size = path.stat().st_size
    begins: dict[str, int] = {}
    with path.open("rb") as file:
        for name, tensor in tensors.items():
            key, member = tensor.storage.key, members.get(f"data/{tensor.storage.key}")
            if tensor.storage.kind not in _ITEM:
                continue
            if not tensor.is_plain:
                raise AssetError(f"The file {path} does not hold the tensor {shown(name)} row by row.", _RE_EXPORT)
            dtype, item = _ITEM[tensor.storage.kind]
            if member is None or member.compress_type != zipfile.ZIP_STORED:
                raise AssetError(f"The file {path} lacks the numbers of the tensor {shown(name)}.", _RE_EXPORT)
            if key not in begins:
                file.seek(member.header_offset)
                mark, name_length, more_length = _LOCAL.unpack(file.read(_LOCAL.size))
                if mark != b"PK\x03\x04":
                    raise ValueError("a member is not where the list says")
                begins[key] = member.header_offset + _LOCAL.size + name_length + more_length
            begin = begins[key] + tensor.offset * item
            end = begin + math.prod(tensor.shape) * item
            if end > min(size, begins[key] + member.file_size):
                raise AssetError(f"The file {path} is cut short: the tensor {shown(name)} ends past it.", _RE_EXPORT)
            yield name, TensorInfo(dtype, tensor.shape, (begin, end))


class _Machine:
    """Goes through the operations of a pickle with a stack, as an unpickler does, and makes nothing but plain values.

    Marks are kept beside the stack: (place, ...). What an operation needs and does not find is an IndexError or
    KeyError, which is a damaged file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[Any, Any] = {}

    def run(self, pickle: bytes) -> Any:
        """Give what the pickle holds. Raises AssetError, ValueError."""
        try:
            for count, (operation, value, _) in enumerate(pickletools.genops(pickle)):
                if count >= _MAX_OPERATIONS:
                    raise _beyond(self._path, "too many operations")
                if operation.name == "STOP":
                    return self._stack.pop()
                self._do(operation.name, value)
        except (IndexError, KeyError, TypeError, RecursionError):
            raise ValueError("its list of contents makes no sense") from None
        raise ValueError("its list of contents has no end")

    def _do(self, name: str, value: Any) -> None:
        stack = self._stack
        if name in ("PROTO", "FRAME"):
            return
        if name in _PLAIN:
            stack.append(value)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[value] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[value])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(tuple(self._since_mark() if name == "TUPLE" else self._last(int(name[-1]))))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._last(2) if name == "SETITEM" else self._since_mark()
            if isinstance(stack[-1], dict):
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):  # lists of what is no weight: their places alone count
            _ = self._last(1) if name == "APPEND" else self._since_mark()
        elif name == "GLOBAL":
            stack.append(_Global(value.replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            stack.append(_Global(".".join(map(str, self._last(2)))))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = self._last(2)
            stack.append(_made(function, arguments))
        elif name == "BUILD":  # the state of an object, such as the versions of a state dict's modules
            self._last(1)
        else:
            raise ValueError(f"its list of contents has the operation {name}")

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        at = self._marks.pop()
        values = self._stack[at:]
        del self._stack[at:]
        return values


_PLAIN = (
    *("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINBYTES", "SHORT_BINBYTES", "BINSTRING", "SHORT_BINSTRING"),
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: Mapping[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_TUPLE": tuple}


def _storage(identity: Any) -> Any:
    """("storage", class, key, device, numbers) -> a storage; None for anything else."""
    match identity:
        case ("storage", _Global(name), str(key), str(), int(numbers)):
            return _Storage(key, name.rpartition(".")[2], numbers)
        case _:
            return None


def _made(function: Any, arguments: Any) -> Any:
    """What a call would give: a tensor, a dict, or a value that nobody looks at. Nothing is called."""
    match function, arguments:
        case _Global("torch._utils._rebuild_tensor_v2"), (_Storage() as storage, int(offset), shape, stride, *_):
            if all(isinstance(sizes, tuple) and all(_is_size(size) for size in sizes) for sizes in (shape, stride)):
                if len(shape) == len(stride) <= 8:
                    return _Tensor(storage, offset, shape, stride)
        case _Global("torch._utils._rebuild_parameter"), (_Tensor() as tensor, *_):
            return tensor
        case _Global("collections.OrderedDict"), _:
            return {}
        case _:
            pass
    return None


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48
