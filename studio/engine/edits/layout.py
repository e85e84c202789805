"""Which layers a model has, and of what shape: what an edit must fit, known without loading a weight."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import AssetError
from studio.engine.edits.header import read_header
from studio.engine.edits.manifest import COMPONENTS, TEXT_ENCODERS
from studio.engine.edits.original import CLIP_PROJECTIONS, clip_path, unet_paths
from studio.models.card import read_config
from studio.models.single_file import read_card_of, tensors_of

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


def layout_at(place: Path) -> Layout:
    """Read a model's layers from headers alone. place: a diffusers folder, or a single checkpoint.

    Raises AssetError if a file is broken, or the model has no component that an edit could change.
    """
    return layout_of_folder(place) if place.is_dir() else layout_of_checkpoint(place)


def layout_of_checkpoint(checkpoint: Path) -> Layout:
    """Give the layers of a single checkpoint by the names that they have once it is loaded. Raises AssetError."""
    card = read_card_of(checkpoint)
    parts = tensors_of(checkpoint, tuple(name for name in card.layout.parts if name in COMPONENTS))
    components: dict[str, dict[str, Shape]] = {}
    for name, tensors in parts.items():
        if name in TEXT_ENCODERS:
            layers = read_config(card.folder, f"{name}/config.json").get("num_hidden_layers")
            components[name] = _clip_layers(tensors, layers if isinstance(layers, int) else None)
        else:
            weights = _weights(tensors)
            components[name] = {path: weights[layer] for layer, path in unet_paths(weights).items()}
    return Layout(components)


def _clip_layers(tensors: Mapping[str, Shape], count: int | None) -> dict[str, Shape]:
    """Layers of a CLIP text model by transformers' names, whichever of the two it was saved under.

    count: of its transformer's layers that are used; SD 2.x leaves out the last that its checkpoints hold.
    """
    layers: dict[str, Shape] = {}
    for path, shape in _weights(tensors).items():
        layers[clip_path(path.removeprefix("transformer.")) or path] = shape
    for name, shape in tensors.items():
        if name.endswith(".attn.in_proj_weight"):  # [3 D, D]
            number = name.split(".")[-3]
            side = (shape[0] // 3, shape[1])
            layers |= {f"encoder.layers.{number}.self_attn.{projection}": side for projection in CLIP_PROJECTIONS}
    if "text_projection" in tensors:  # a bare matrix, which transformers turns into a layer
        layers["text_projection"] = tensors["text_projection"][::-1]
    return {path: shape for path, shape in layers.items() if count is None or _number_of(path) < count}


def _number_of(path: str) -> int:
    """Which of a text model's layers a path is in; -1 for none of them."""
    match = re.match(r"encoder\.layers\.(\d{1,4})\.", path)
    return int(match[1]) if match else -1


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
        shapes |= _weights({name: info.shape for name, info in read_header(file).tensors.items()})
    return shapes


def _weights(tensors: Mapping[str, Shape]) -> dict[str, Shape]:
    """The layers among tensors: path -> shape of the weight."""
    shapes: dict[str, Shape] = {}
    for name, shape in tensors.items():
        path, _, part = plain_path(name).rpartition(".")
        # Of a header alone an embedding table looks like a linear layer; no edit changes one.
        if part == "weight" and len(shape) in (2, 4) and not path.endswith("embedding"):
            shapes[path] = shape
    return shapes
