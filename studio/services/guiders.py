"""Guidance for programs that run diffusers: written as one of its guiders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from studio.core.recipe import GuidanceSpec
from studio.diffusion.parameterisation import Parameterisation
from studio.models.card import ModelCard
from studio.storage.workspace import workspace_error


def export(spec: GuidanceSpec, card: ModelCard, folder: Path) -> dict[str, Any]:
    """Write guidance for networks like a model's into a folder; give what was written of it.

    Loaded by `studio.engine.exported_guider.ExportedGuidance.from_pretrained`.
    Raises NotFound, BadInput for a method that asks for more than a guider is given, WorkspaceError.
    """
    from studio.engine.exported_guider import ExportedGuidance  # seconds of imports

    values = spec.model_dump(mode="json")
    kind = cast("Parameterisation", card.parameterisation)  # as loading the model takes it
    guider = ExportedGuidance(**values, kind=kind)
    try:
        guider.save_pretrained(folder)
    except OSError as error:
        raise workspace_error(error, f"The folder {folder}") from None
    return values
