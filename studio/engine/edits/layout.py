"""Which layers a model has, and of what shape: what an edit must fit, known without loading a weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import AssetError
from studio.engine.edits.manifest import COMPONENTS
from studio.engine.edits.stored import Shape, in_checkpoint, plain_path, tensors_in


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


def layout_at(place: Path) -> Layout:
    """Read a model's layers from headers alone. place: a diffusers folder, or a single checkpoint.

    Raises AssetError if a file is broken, or the model has no component that an edit could change.
    """
    return layout_of_folder(place) if place.is_dir() else layout_of_checkpoint(place)


def layout_of_checkpoint(checkpoint: Path) -> Layout:
    """Give the layers of a single checkpoint by the names that they have once it is loaded. Raises AssetError."""
    return Layout(
        {
            component: _weights({name: parameter.shape for name, parameter in parameters.items()})
            for component, parameters in in_checkpoint(checkpoint).items()
        }
    )


def layout_of_folder(folder: Path) -> Layout:
    """Read a diffusers folder's layers from the headers of its weight files.

    Raises AssetError if a file is broken, or the folder has no component that an edit could change.
    """
    components = {name: _shapes(folder / name) for name in COMPONENTS if (folder / name).is_dir()}
    components = {name: shapes for name, shapes in components.items() if shapes}
    if not components:
        raise AssetError(f"The model folder {folder} has no safetensors weights that an edit could change.")
    return Layout(components)


def _shapes(folder: Path) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for file in sorted(folder.glob("*.safetensors")):  # all shards; variants of a file agree on shapes
        shapes |= _weights({name: parameter.shape for name, parameter in tensors_in(file).items()})
    return shapes


def _weights(parameters: Mapping[str, Shape]) -> dict[str, Shape]:
    """The layers among parameters: path -> shape of the weight."""
    shapes: dict[str, Shape] = {}
    for name, shape in parameters.items():
        path, _, part = plain_path(name).rpartition(".")
        # Of a header alone an embedding table looks like a linear layer; no edit changes one.
        if part == "weight" and len(shape) in (2, 4) and not path.endswith("embedding"):
            shapes[path] = shape
    return shapes
