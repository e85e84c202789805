"""Whether an edit has a place in a model, told from headers alone: for the list on the page, before any job."""

from __future__ import annotations

import functools
from pathlib import Path

from studio.core.errors import StudioError
from studio.engine.edits.header import read_header
from studio.engine.edits.layout import Layout, layout_at
from studio.engine.edits.manifest import layers_in
from studio.services.edits.library import EditEntry
from studio.services.sources import Sources


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
