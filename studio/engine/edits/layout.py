"""Which layers a model has, and of what shape: what an edit must fit, known without loading a weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import AssetError
from studio.engine.edits.header import read_header
from studio.engine.edits.manifest import COMPONENTS

Shape = tuple[int, ...]
_LOOSE = "text_model."  # older transformers wrap CLIP's text model once more; an edit's paths leave that out


@dataclass(frozen=True)
class Layout:
    """components: name -> module path -> shape of its weight: [out, in], or [out, in, kh, kw]."""

    components: Mapping[str, Mapping[str, Shape]]

    def shape(self, component: str, path: str) -> Shape | None:
        """Shape of a layer's weight, or None if there is no such layer."""
        return self.components.get(component, {}).get(path)

    def misfit(self, layers: Iterable[tuple[str, str, Shape]]) -> str | None:
        """Say what is wrong with the first of these (component, path, shape) that the model has not, or None."""
        for component, path, shape in layers:
            ours = self.shape(component, path)
            if component not in self.components:
                return f"this model has no {component}"
            if ours is None:
                return f"this model has no layer {component}.{path}"
            if ours != shape:
                return f"this model's {component}.{path} has shape {ours}, and the edit is for {shape}"
        return None


def plain_path(name: str) -> str:
    """Give a module's path as edits write it."""
    return name.removeprefix(_LOOSE)


def layout_of_folder(folder: Path) -> Layout:
    """Read a diffusers folder's layers from the headers of its weight files.

    Raises AssetError if a file is broken, or the folder has no component that an edit could change.
    """
    found = {name: _shapes(folder / name) for name in COMPONENTS if (folder / name).is_dir()}
    found = {name: shapes for name, shapes in found.items() if shapes}
    if not found:
        raise AssetError(f"The model folder {folder} has no safetensors weights that an edit could change.")
    return Layout(found)


def _shapes(folder: Path) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for file in sorted(folder.glob("*.safetensors")):  # all shards; variants of a file agree on shapes
        for name, info in read_header(file).tensors.items():
            path, _, part = plain_path(name).rpartition(".")
            # Of a header alone an embedding table looks like a linear layer; no edit changes one.
            if part == "weight" and len(info.shape) in (2, 4) and not path.endswith("embedding"):
                shapes[path] = info.shape
    return shapes
