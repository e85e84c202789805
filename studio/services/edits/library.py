"""What a user can do with edits besides applying them: list, show, import, export, rename, remove. Plain values only.

No model is loaded for any of it: what fits is read off the headers of a model's files. torch is imported where numbers
are read, for the page, which imports this file, is painted before that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError, BadInput
from studio.core.params import load
from studio.core.recipe import LIVE, EditRef
from studio.engine.edits.gates import gate_address
from studio.engine.edits.manifest import checked_name, layers_in, read_manifest
from studio.services.edits import incoming, outgoing
from studio.services.edits.incoming import ImportCheck
from studio.services.edits.outgoing import Export
from studio.services.sources import EMBEDDED, Sources
from studio.storage.edits import EditStore, StoredEdit, named
from studio.storage.reports import ReportStore


@dataclass(frozen=True)
class EditEntry:
    """An edit of the workspace.

    id: what recipes call it.
    path, nbytes, changed_at: of its file.
    name, version: what people call it, and which of that name it is, from 1.
    kind, sha256: as its manifest has them.
    layers: component -> number of layers changed.
    base: component -> fingerprint of what it was made on.
    provenance: how it was made, plain values.
    problem: why its file cannot be used, "" if it can; all from `name` on is empty then.
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


class EditLibrary:
    """The edits of one workspace. Every method may be called from any thread."""

    def __init__(self, store: EditStore, sources: Sources, reports: ReportStore | None = None) -> None:
        """reports: what was measured of the edits, which goes out with them."""
        self._store = store
        self._sources = sources
        self._reports = reports

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

    def inspect(self, path: Path, model: str = EMBEDDED) -> ImportCheck:
        """Compare a file with a model, by headers alone (`incoming.inspect`). Raises NotFound, AssetError."""
        return incoming.inspect(path, self._sources.folder(model))

    def import_file(
        self, path: Path, name: str | None = None, model: str = EMBEDDED, *, partial: bool = False
    ) -> EditEntry:
        """Take a LoRA file, a peft folder, weights of a fine-tuned model or an edit of ours into the workspace, checked
        to the last number.

        name: None takes that of the edit it was exported from, or the file's.
        model: that it is for; weights come in as what they differ by from it.
        partial: take what fits the model where not all does.
        Content that is there already is given as it is.
        Raises NotFound, AssetError, BadInput for the name, WorkspaceError.
        """
        place = self._sources.folder(model)
        if name is not None:
            name = _checked(name)
        from studio.engine.edits import files

        edit = incoming.read(path, place, name, model, partial=partial)
        return _entry(self._store.put(edit.name, edit.sha256, files.to_bytes(edit)))

    def export(
        self,
        ref: str,
        style: str,
        out: Path,
        max_rank: int | None = None,
        energy: float | None = None,
        *,
        model: str | None = None,
        strength: float = 1.0,
    ) -> Export:
        """Write an edit where other programs read it (`outgoing.write`). Nothing is overwritten.

        model: that it is for, of comfyui and merged; None takes the one it was made of, as far as it says.
        Raises NotFound, AssetError, BadInput for a place that is taken or an edit that the style cannot carry,
        WorkspaceError.
        """
        path = self._store.get(ref).path
        manifest, _ = read_manifest(path)
        place = None
        if style in outgoing.OF_MODEL:
            place = self._sources.folder(model or outgoing.made_of(manifest.provenance))
        report = self._report(manifest.sha256)
        return outgoing.write(path, style, out, place, max_rank, energy, strength=strength, report=report)

    def merge(self, strengths: Mapping[str, float], name: str, options: Mapping[str, Any]) -> tuple[EditEntry, float]:
        """Make one edit of several (`studio.engine.edits.merging`); give it, and the share of the squared change that
        its factors hold, 1 where nothing is left out.

        strengths: edit -> how much of it goes in. options: plain values of MergeOptions.
        Content that is there already is given as it is. Raises as `show`; BadInput for the name, the options, or edits
        that do not go together; AssetError for a broken file, WorkspaceError.
        """
        stored = {ref: self._store.get(ref) for ref in strengths}
        name = _checked(name)
        from studio.engine.edits import files
        from studio.engine.edits.merging import MergeOptions, merge

        edits = [files.read_edit(one.path) for one in stored.values()]
        models = {outgoing.made_of(edit.provenance) for edit in edits}
        merged = merge(edits, list(strengths.values()), name, load(MergeOptions, options, "merge"))
        edit = merged.edit
        if len(models) == 1:
            edit = replace(edit, provenance={**edit.provenance, "model": models.pop()})
        return _entry(self._store.put(edit.name, edit.sha256, files.to_bytes(edit))), merged.energy

    def _report(self, sha256: str) -> dict[str, Any]:
        """What was measured of an edit: "model/suite" -> report; without those that cannot be read."""
        if self._reports is None:
            return {}
        reports: dict[str, Any] = {}
        for key in self._reports.of_edit(sha256):
            with contextlib.suppress(AssetError):
                reports[f"{key.model}/{key.suite}"] = self._reports.get(key)
        return reports

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


def edits_named(payload: Any) -> set[str]:
    """What a job's payload calls the edits it needs, wherever in it their refs are: {"edit": name, ...}."""
    if isinstance(payload, Mapping):
        edit_name = payload.get("edit")
        inner = set[str]().union(*map(edits_named, payload.values()))
        return inner | {edit_name} if isinstance(edit_name, str) else inner
    return set[str]().union(*map(edits_named, payload)) if isinstance(payload, list | tuple) else set()


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
