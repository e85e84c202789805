"""A model with an edit in its weights, as files: what any program opens that opens the model itself.

The model's own files are copied number by number, one tensor in memory at a time, and those that the edit changes are
written as W0 + s D, or W0 (1 - s (1 - M)), in float32, so that nothing of the edit is rounded away where the model is
stored in half precision. Everything an edit can hold goes out so: masks and biases too.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.finetuned import read_stored
from studio.engine.edits.format import Edit, Layer, Mask, raw_bytes
from studio.engine.edits.layout import Layout, layout_at
from studio.engine.edits.manifest import EXPORT_KEY
from studio.engine.edits.stored import Parameters, StoredParameter, stored_at, tensors_in
from studio.models.checksums import SUMS_NAME

NOTE = "palimpsest-edit.json"  # in a folder: which edit its weights have
_AT_ONCE = 16 * 1024**2  # bytes that are copied at a time
_ALIGNMENT = 8  # of the header's length, as the library writes it
_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".onnx")
_Change = tuple[StoredParameter, Callable[[Tensor], Tensor]]  # W0 -> W, in float32
_Changes = dict[Path, dict[str, list[_Change]]]  # file -> tensor -> of the parameters that it holds


def write_merged(edit: Edit, place: Path, out: Path, strength: float, note: str) -> list[Path]:
    """Write the model with the edit in it; give its files.

    place: the model, a diffusers folder or a single checkpoint.
    out: of the same sort, not there yet; it appears whole or not at all.
    note: which edit it is, JSON; kept in the files' metadata, and beside them in a folder.
    Raises BadInput for an edit that does not fit the model, AssetError, OSError: for a disk without room for all of it
    before anything is written.
    """
    _check_fit(edit, layout_at(place))
    changes = _changes(edit, stored_at(place), strength)
    out.parent.mkdir(parents=True, exist_ok=True)
    _check_room(place, out.parent, changes)
    unfinished = out.with_name(f"{out.name}.unfinished")
    try:
        if place.is_dir():
            _write_folder(place, unfinished, changes, note)
        else:
            _write_file(place, unfinished, changes.get(place, {}), note)
        unfinished.rename(out)
    except BaseException:
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)
        raise
    return [out] if out.is_file() else sorted(path for path in out.rglob("*") if path.is_file())


def _check_fit(edit: Edit, layout: Layout) -> None:
    wrong = layout.misfit((component, path, layer.shape) for component, path, layer in edit.each())
    if wrong is not None:
        raise BadInput(
            f"The edit {edit.name!r} does not fit: {wrong}.", "Name the model that it is for.", field="model"
        )


def _changes(edit: Edit, stored: Mapping[str, Parameters], strength: float) -> _Changes:
    changes: _Changes = {}

    def add(parameter: StoredParameter, change: Callable[[Tensor], Tensor]) -> None:
        changes.setdefault(parameter.file, {}).setdefault(parameter.name, []).append((parameter, change))

    for component, path, layer in edit.each():
        add(stored[component][f"{path}.weight"], _of_weight(layer, strength))
        if layer.bias is not None:
            parameter = stored[component].get(f"{path}.bias")
            if parameter is None:
                raise BadInput(f"The edit {edit.name!r} does not fit: this model's {component}.{path} has no bias.")
            add(parameter, _of_bias(layer.bias, strength))
    return changes


def _of_weight(layer: Layer, strength: float) -> Callable[[Tensor], Tensor]:
    if isinstance(layer, Mask):
        return lambda weight: weight * layer.factor(strength)
    return lambda weight: weight.add(layer.delta(), alpha=strength)


def _of_bias(bias: Tensor, strength: float) -> Callable[[Tensor], Tensor]:
    return lambda model_bias: model_bias.add(bias.float(), alpha=strength)


def _check_room(place: Path, folder: Path, changes: _Changes) -> None:
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    needed = sum(path.stat().st_size for path in files)
    needed += sum(4 * _numbers(parts[0][0]) for tensors in changes.values() for parts in tensors.values())
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _numbers(parameter: StoredParameter) -> int:
    count = 1
    for size in parameter.info.shape:
        count *= size
    return count


def _write_folder(place: Path, out: Path, changes: _Changes, note: str) -> None:
    """Copy a diffusers folder. Of a component that changes, other variants of its weights are left out: they would
    still be the base. So is a list of checksums that are no longer right.
    """
    components = {file.parent for file in changes}
    for source in sorted(path for path in place.rglob("*") if path.is_file()):
        target = out / source.relative_to(place)
        is_variant = source.parent in components and source.suffix in _WEIGHTS and source not in changes
        if source.name == SUMS_NAME or (is_variant and not _is_shard(source, changes)):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source in changes:
            _write_file(source, target, changes[source], note)
        else:
            shutil.copyfile(source, target)
    (out / NOTE).write_text(note, encoding="utf-8")


def _is_shard(source: Path, changes: _Changes) -> bool:
    """Whether a file belongs to a changed one: an unchanged shard of the same weights."""
    stem, dash, _ = source.name.partition("-0")
    return bool(dash) and any(file.parent == source.parent and file.name.startswith(f"{stem}-0") for file in changes)


def _write_file(source: Path, target: Path, changes: Mapping[str, list[_Change]], note: str) -> None:
    tensors = sorted(tensors_in(source).values(), key=lambda parameter: parameter.info.place)
    header: dict[str, Any] = {"__metadata__": {**_metadata(source), EXPORT_KEY: note}}
    at = 0
    for parameter in tensors:
        begin, end = parameter.info.place
        size = 4 * _numbers(parameter) if parameter.name in changes else end - begin
        dtype = "F32" if parameter.name in changes else parameter.info.dtype
        header[parameter.name] = {"dtype": dtype, "shape": parameter.info.shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with source.open("rb") as file, target.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for parameter in tensors:
            if parameter.name in changes:
                out.write(raw_bytes(_changed(parameter, changes[parameter.name])))
            else:
                _copy(file, out, *parameter.info.place)
        out.flush()
        os.fsync(out.fileno())


def _changed(parameter: StoredParameter, parts: list[_Change]) -> Tensor:
    """The new numbers of a whole tensor, in float32, as it is stored."""
    tensor = read_stored(parameter).float()
    for part, change in parts:
        weight = change(read_stored(part).float())
        weight = weight.T if part.transposed else weight
        if part.rows is None:
            tensor = weight
        else:
            tensor[part.rows[0] : part.rows[1]] = weight
    return tensor


def _copy(file: Any, out: Any, begin: int, end: int) -> None:
    file.seek(begin)
    while begin < end:
        data = file.read(min(_AT_ONCE, end - begin))
        if not data:
            raise OSError(errno.EIO, "The model's file was cut short meanwhile")
        out.write(data)
        begin += len(data)


def _metadata(source: Path) -> dict[str, str]:
    """The texts that the file's header carries already; its tensors were read from it before, so it is one."""
    with source.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return dict(header.get("__metadata__") or {})
