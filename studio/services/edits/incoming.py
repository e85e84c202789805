"""Files that come in as edits: what they are, how much of them a model has a place for, and the edit they hold.

Told from headers first, without torch; it is imported where numbers are read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.errors import AssetError
from studio.engine.edits.header import Header
from studio.engine.edits.layout import Layout, layout_at
from studio.engine.edits.manifest import MAX_NAME_CHARS, exported_manifest, is_ours, layers_in, read_manifest

if TYPE_CHECKING:
    from studio.engine.edits.format import Edit

OWN_STYLE = "palimpsest"
_PLAIN_STEMS = ("adapter_model", "pytorch_lora_weights", "lora", "model")  # names that say nothing of the edit


@dataclass(frozen=True)
class ImportCheck:
    """How much of a foreign file a model has a place for.

    left: names of layers and tensors without one.
    """

    style: str
    matched: int
    total: int
    ranks: tuple[int, ...]
    left: tuple[str, ...]


def inspect(path: Path, place: Path) -> ImportCheck:
    """Compare a LoRA file, a peft folder, weights of a fine-tuned model or an edit of ours with a model.

    place: of the model. By headers alone. Raises AssetError.
    """
    from studio.engine.edits.finetuned import inspect_weights
    from studio.engine.edits.inspection import foreign_header, inspected, lora_file
    from studio.engine.edits.stored import stored_at

    layout, file = layout_at(place), lora_file(path)
    header = foreign_header(file)
    if is_ours(header):
        _, header = read_manifest(file)
        places = [(name, layer) for name, layers in layers_in(header).items() for layer in layers]
        absent = tuple(".".join(layer) for layer in places if layout.shape(*layer) is None)
        return ImportCheck(OWN_STYLE, len(places) - len(absent), len(places), (), absent)
    if _holds_weights(header, file):
        fit = inspect_weights(file, header, stored_at(place)).inspection()
    else:
        fit = inspected(file, header, layout)
    left = (*fit.missing, *fit.unknown)
    return ImportCheck(fit.style, len(fit.matched), fit.total, fit.ranks, left)


def read(path: Path, place: Path, name: str | None, model: str, *, partial: bool) -> Edit:
    """Read a file into an edit, checked to the last number.

    path: as of `inspect`.
    place, model: of the model that it is for, and what it is called.
    name: None takes that of the edit it was exported from, or the file's.
    partial: take what fits the model where not all does.
    Raises AssetError, BadInput for the name.
    """
    from studio.engine.edits import files
    from studio.engine.edits.finetuned import read_weights
    from studio.engine.edits.importing import read_lora
    from studio.engine.edits.inspection import foreign_header, lora_file
    from studio.engine.edits.stored import stored_at

    layout, file = layout_at(place), lora_file(path)
    header = foreign_header(file)
    if is_ours(header):
        _check_places(header, layout, file)
        edit = files.read_edit(file)
        wrong = layout.misfit((component, layer, delta.shape) for component, layer, delta in edit.each())
        if wrong is not None:
            raise AssetError(f"The edit {file} does not fit: {wrong}.")
        return edit if name is None else replace(edit, name=name)
    exported = exported_manifest(header)
    name = name or (exported.name if exported is not None else _name_of(path))
    if _holds_weights(header, file):
        return read_weights(file, header, stored_at(place), name, model, partial=partial)
    return read_lora(path, layout, name, partial=partial)


def _holds_weights(header: Header, file: Path) -> bool:
    """Whether a file is of plain weights: of no LoRA, and no embedding."""
    from studio.engine.edits.inspection import holds_lora

    is_named_so = any(name.endswith((".weight", ".bias")) for name in header.tensors)
    return is_named_so and not holds_lora(header, file)


def _check_places(header: Header, layout: Layout, file: Path) -> None:
    """Raise AssetError for an edit of ours with a layer that the model has not, before its numbers are read."""
    for component, layers in layers_in(header).items():
        absent = next((layer for layer in layers if layout.shape(component, layer) is None), None)
        if component not in layout.components:
            raise AssetError(f"The edit {file} does not fit: this model has no {component[:60]}.")
        if absent is not None:
            raise AssetError(f"The edit {file} does not fit: this model has no layer {component}.{absent[:200]}.")


def _name_of(path: Path) -> str:
    stem = path.stem if path.is_file() else path.name
    if stem in _PLAIN_STEMS:
        stem = path.absolute().parent.name or stem
    printable = "".join(letter for letter in stem if letter.isprintable()).strip()
    return printable[:MAX_NAME_CHARS] or "import"
