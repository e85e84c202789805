"""Whether an edit has a place in a model, told from headers alone: for the list on the page, before any job."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.errors import StudioError
from studio.engine.edits.header import read_header
from studio.engine.edits.layout import Layout, layout_at
from studio.engine.edits.manifest import is_ours, layers_in, read_manifest
from studio.services.edits import OWN_STYLE, EditEntry, ImportCheck
from studio.services.sources import Sources

if TYPE_CHECKING:
    from studio.services.generate import Studio


def inspect(studio: Studio, path: Path, model: str) -> ImportCheck:
    """Compare any file that can be imported with a model: as `EditLibrary.inspect`, and for edits of ours too.

    Raises NotFound, AssetError.
    """
    if path.is_dir() or not is_ours(read_header(path)):
        return studio.edits.inspect(path, model)
    _, header = read_manifest(path)
    layout = _layout(studio.sources.folder(model))
    layers = [(component, layer) for component, paths in layers_in(header).items() for layer in paths]
    left = [f"{name}.{layer}" for name, layer in layers if layer not in layout.components.get(name, {})]
    return ImportCheck(OWN_STYLE, len(layers) - len(left), len(layers), (), tuple(left))


def misfit(entry: EditEntry, sources: Sources, model: str) -> str:
    """Say which layer of an edit the model has not; "" if it has all, or if the model cannot be looked at.

    Shapes are compared when a job begins, with the weights.
    """
    try:
        layout = _layout(sources.folder(model))
        layers = layers_in(read_header(entry.path))
    except StudioError:
        return ""
    for component, paths in layers.items():
        if component not in layout.components:
            return f"{model} has no {component}"
        for path in paths:
            if path not in layout.components[component]:
                return f"{model} has no layer {component}.{path}"
    return ""


@functools.lru_cache(maxsize=8)
def _layout(folder: Path) -> Layout:
    return layout_at(folder)
