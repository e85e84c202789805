"""Edits and models, and how the engine is, for programs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from pydantic import Field

from studio.services.edits.peft_zip import opened
from studio.ui.api.endpoint import Upload
from studio.ui.api.values import ModelName, Plain, edit_values
from studio.ui.exports import export

if TYPE_CHECKING:
    from studio.services.studio import Studio

EditName = Annotated[str, Field(max_length=200)]
ExportStyle = Annotated[str, Field(max_length=40)]


class EditApi:
    """The endpoints, as methods of an open studio. Each raises StudioError, whose sentence the client gets."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def edits(self) -> list[Plain]:
        """List the workspace's edits; one that cannot be used has a problem."""
        return [edit_values(entry) for entry in self._studio.edits.list()]

    def import_edit(
        self,
        file: Upload,
        name: EditName | None = None,
        model: ModelName = "stencil",
        partial: bool = False,
    ) -> Plain:
        """Take an uploaded LoRA, zipped peft folder, erased weights or edit of ours in; gives the edit."""
        with opened(file, self._studio.archive.workspace.scratch) as edit_file:
            return edit_values(self._studio.edits.import_file(edit_file, name, model, partial=partial))

    def export_edit(
        self,
        edit: EditName,
        style: ExportStyle = "diffusers",
    ) -> Plain:
        """Export an edit for other programs (diffusers, kohya, comfyui, peft, palimpsest); gives where it is served."""
        id = self._studio.edits.show(edit).id
        folder = self._studio.archive.workspace.scratch()
        try:
            file = export(self._studio, id, style, folder)  # made here too: who cannot have it is told now
            return {"file": file.name, "bytes": file.stat().st_size, "url": f"/edits/{quote(id)}/{quote(style)}"}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def models(self) -> list[Plain]:
        """List the models; one that cannot be used has a problem."""
        hidden = ("place", "parts")
        models = [{**vars(model), "parts": dict(model.parts)} for model in self._studio.sources.listing()]
        return [{name: value for name, value in model.items() if name not in hidden} for model in models]

    def status(self) -> Plain:
        """Tell how the engine is: its state, what it runs, how many jobs wait, versions and device."""
        return asdict(self._studio.status())

    def methods(self) -> tuple[Callable[..., Any], ...]:
        """What is exposed, each under its own name."""
        return (
            self.edits,
            self.import_edit,
            self.export_edit,
            self.models,
            self.status,
        )
