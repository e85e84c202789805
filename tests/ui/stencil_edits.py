"""Small edits of the embedded model, as files: made for the page's tests, not by anything a user would run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.core.settings import Settings
from studio.engine.edits import files
from studio.engine.edits.format import Edit
from studio.engine.edits.layout import layout_of_folder
from tests.engine.edits.making import make_edit


def small_edit(
    name: str = "an edit",
    *,
    component: str = "unet",
    fits: bool = True,
    size: float = 0.1,
    provenance: Mapping[str, Any] | None = None,
) -> Edit:
    """An edit of two of Stencil's layers. provenance: beside how such edits are made."""
    layers = layout_of_folder(Settings().model_dir).components[component]
    shapes = dict(list(layers.items())[2:4])
    if not fits:
        shapes = {f"somewhere.{layer}": shape for layer, shape in shapes.items()}
    edit = make_edit(shapes, name=name, component=component, size=size)
    return replace(edit, provenance={**edit.provenance, **(provenance or {})})


def edit_file(path: Path, name: str = "an edit", **how: Any) -> Path:
    """Write such an edit, in our own format. how: as of `small_edit`."""
    path.write_bytes(files.to_bytes(small_edit(name, **how)))
    return path
