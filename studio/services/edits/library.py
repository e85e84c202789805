"""What a user can do with edits besides applying them: list, show, import, export, rename, remove. Plain values only.

No model is loaded for any of it: what fits is read off the headers of a model's files. torch is imported where numbers
are read, for the page, which imports this file, is painted before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError, BadInput
from studio.core.recipe import LIVE, EditRef
from studio.engine.edits.gates import gate_address
from studio.engine.edits.header import Header, read_header
from studio.engine.edits.layout import Layout, layout_at
from studio.engine.edits.manifest import MAX_NAME_CHARS, checked_name, is_ours, layers_in, read_manifest
from studio.services.sources import Sources
from studio.storage.edits import EditStore, StoredEdit, named
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error

OWN_STYLE = "palimpsest"
STYLES = ("diffusers", "kohya", "peft", OWN_STYLE)
_PLAIN_STEMS = ("adapter_model", "pytorch_lora_weights", "lora", "model")  # names that say nothing of the edit


@dataclass(frozen=True)
class EditEntry:
    """An edit of the workspace.

    id: what recipes call it.
    problem: why its file cannot be used, "" if it can.
    layers: component -> number of layers changed.
    base: component -> fingerprint of what it was made on.
    """

    id: str
    path: Path
    nbytes: int
    changed_at: datetime
    name: str = ""
    version: int = 0
    kind: str = ""
    sha256: str = ""
    layers: dict[str, int] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


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


class EditLibrary:
    """The edits of one workspace. Every method may be called from any thread."""

    def __init__(self, store: EditStore, sources: Sources) -> None:
        self._store = store
        self._sources = sources

    def list(self) -> list[EditEntry]:
        """Give all edits, by name of their files; a broken one with its problem, and without hiding the others."""
        return [_entry(stored) for stored in self._store.list()]

    def show(self, ref: str) -> EditEntry:
        """Give one edit. Raises NotFound, BadInput for a name that several have."""
        return _entry(self._store.get(ref))

    def known(self, refs: Iterable[str]) -> dict[str, EditEntry]:
        """Those of the refs that name one edit, each with the edit: its id is another where it was renamed since."""
        stored = self._store.list()
        matches = {ref: named(stored, ref) for ref in refs}
        return {ref: _entry(those[0]) for ref, those in matches.items() if len(those) == 1}

    def paths(self, refs: Iterable[EditRef]) -> dict[str, str]:
        """`EditRef.edit` -> file, for a job's payload. Raises NotFound, BadInput as `show` does.

        What a training under way has not finished has no file: the engine knows whether it is there.
        """
        return {ref.edit: str(self._store.get(ref.edit).path) for ref in refs if not ref.edit.startswith(LIVE)}

    def files_in(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Name -> file of every edit that a job's payload speaks of. Raises NotFound, BadInput as `show` does."""
        refs = edits_named(payload)
        return {ref: str(self._store.get(ref).path) for ref in refs if not ref.startswith(LIVE)}

    def check_gate(self, ref: str) -> None:
        """Raise BadInput for an edit whose strength cannot follow the prompt. Raises NotFound as `show` does."""
        if ref.startswith(LIVE):  # what is being trained has none yet
            gate_address(ref, {}, {})
        self._check_gate(self.show(ref))

    def why_no_gate(self, entry: EditEntry) -> str:
        """Why the strength of an edit cannot follow the prompt, a sentence; "" if it can."""
        try:
            self._check_gate(entry)
        except BadInput as error:
            return error.message
        return ""

    def _check_gate(self, entry: EditEntry) -> None:
        gate_address(entry.name or entry.id, entry.provenance, self._sources.engine_config().gates)

    def inspect(self, path: Path, model: str = "stencil") -> ImportCheck:
        """Compare a LoRA file, a peft folder or an edit of ours with a model, by headers alone.

        Raises NotFound, AssetError.
        """
        from studio.engine.edits.importing import inspect, lora_file

        layout, file = self._layout(model), lora_file(path)
        header = read_header(file)
        if is_ours(header):
            _, header = read_manifest(file)
            places = [(name, layer) for name, layers in layers_in(header).items() for layer in layers]
            absent = tuple(".".join(place) for place in places if layout.shape(*place) is None)
            return ImportCheck(OWN_STYLE, len(places) - len(absent), len(places), (), absent)
        fit = inspect(path, layout)
        left = (*fit.missing, *fit.unknown)
        return ImportCheck(fit.style, len(fit.matched), fit.total, fit.ranks, left)

    def import_file(
        self, path: Path, name: str | None = None, model: str = "stencil", *, partial: bool = False
    ) -> EditEntry:
        """Take a LoRA file, a peft folder or an edit of ours into the workspace, checked to the last number.

        name: None takes that of the file.
        partial: take what fits the model where not all does.
        Content that is there already is given as it is.
        Raises NotFound, AssetError, BadInput for the name, WorkspaceError.
        """
        layout = self._layout(model)
        if name is not None:
            name = _checked(name)
        from studio.engine.edits import files
        from studio.engine.edits.importing import lora_file, read_lora

        file = lora_file(path)
        header = read_header(file)
        if is_ours(header):
            _check_places(header, layout, file)
            edit = files.read_edit(file)
            wrong = layout.misfit((component, layer, delta.shape) for component, layer, delta in edit.each())
            if wrong is not None:
                raise AssetError(f"The edit {file} does not fit: {wrong}.")
            edit = edit if name is None else replace(edit, name=name)
        else:
            edit = read_lora(path, layout, name or _name_of(path), partial=partial)
        return _entry(self._store.put(edit.name, edit.sha256, files.to_bytes(edit)))

    def export(self, ref: str, style: str, out: Path, max_rank: int | None = None) -> list[Path]:
        """Write an edit where other programs read it; give the files, in the order of their names.

        style: diffusers or kohya (out: a .safetensors file), peft (out: a folder), palimpsest (our own file). Nothing
        is overwritten.
        max_rank: of the low-rank form of a dense edit.
        Raises NotFound, AssetError, BadInput for a place that is taken or an edit that the style cannot carry,
        WorkspaceError.
        """
        stored = self._store.get(ref)
        if style not in STYLES:
            raise BadInput(f"There is no export style {style[:60]!r}; there are {', '.join(STYLES)}.", field="style")
        if (style == "peft") == (out.suffix == ".safetensors"):
            place = "a folder" if style == "peft" else "a .safetensors file"
            raise BadInput(f"An export for {style} goes to {place}, not {out}.", field="out")
        if out.exists():
            raise BadInput(f"There is something at {out} already.", "Name another place.", field="out")
        from studio.engine.edits import exporting, files

        edit = files.read_edit(stored.path)
        if style == OWN_STYLE:
            return _write({out: files.to_bytes(edit)})
        rank = exporting.MAX_EXPORT_RANK if max_rank is None else max_rank
        exported = exporting.export(edit, style, rank)
        if style == "peft":
            return _write({out / name: data for name, data in exported.items()})
        (data,) = exported.values()
        return _write({out: data})

    def rename(self, ref: str, name: str) -> EditEntry:
        """Give an edit another name. Its hash stays, and so recipes that name it still find it. Raises as `show`,
        BadInput for the name, AssetError for a broken file.
        """
        stored = self._store.get(ref)
        name = _checked(name)
        from studio.engine.edits import files

        edit = replace(files.read_edit(stored.path), name=name)
        return _entry(self._store.rename(stored.id, name, edit.sha256, files.to_bytes(edit)))

    def remove(self, ref: str) -> str:
        """Delete an edit; give the id it had. Recipes that name it cannot be replayed then. Raises as `show`."""
        return self._store.remove(ref).id

    def _layout(self, model: str) -> Layout:
        return layout_at(self._sources.folder(model))


def edits_named(payload: Any) -> set[str]:
    """What a job's payload calls the edits it needs, wherever in it their refs are: {"edit": name, ...}."""
    if isinstance(payload, Mapping):
        edit_name = payload.get("edit")
        inner = set[str]().union(*map(edits_named, payload.values()))
        return inner | {edit_name} if isinstance(edit_name, str) else inner
    return set[str]().union(*map(edits_named, payload)) if isinstance(payload, list | tuple) else set()


def _check_places(header: Header, layout: Layout, file: Path) -> None:
    """Raise AssetError for an edit of ours with a layer that the model has not, before its numbers are read."""
    for component, layers in layers_in(header).items():
        absent = next((layer for layer in layers if layout.shape(component, layer) is None), None)
        if component not in layout.components:
            raise AssetError(f"The edit {file} does not fit: this model has no {component[:60]}.")
        if absent is not None:
            raise AssetError(f"The edit {file} does not fit: this model has no layer {component}.{absent[:200]}.")


def _entry(stored: StoredEdit) -> EditEntry:
    plain = EditEntry(stored.id, stored.path, stored.nbytes, stored.changed_at)
    try:
        manifest, header = read_manifest(stored.path)
    except AssetError as error:
        return replace(plain, problem=str(error))
    return replace(
        plain,
        name=manifest.name,
        version=manifest.version,
        kind=manifest.kind,
        sha256=manifest.sha256,
        layers={component: len(paths) for component, paths in layers_in(header).items()},
        base=manifest.base,
        provenance=manifest.provenance,
    )


def _checked(name: str) -> str:
    try:
        return checked_name(name)
    except ValueError as error:
        raise BadInput(f"For an edit, {error}.", field="name") from None


def _name_of(path: Path) -> str:
    stem = path.stem if path.is_file() else path.name
    if stem in _PLAIN_STEMS:
        stem = path.absolute().parent.name or stem
    printable = "".join(letter for letter in stem if letter.isprintable()).strip()
    return printable[:MAX_NAME_CHARS] or "import"


def _write(files: dict[Path, bytes]) -> list[Path]:
    for path, data in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, data, private=False)
        except OSError as error:
            raise workspace_error(error, f"The file {path}") from None
    return sorted(files)
