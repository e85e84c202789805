"""Where a model's files keep each of its parameters: found by their headers, so that one can be read without the model.

Parameters are called as edits call them: by component, and by the path that diffusers and transformers give them, with
transformers' older "text_model." left out. Needs no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError
from studio.engine.edits.header import TensorInfo
from studio.engine.edits.manifest import COMPONENTS, TEXT_ENCODERS
from studio.engine.edits.original import CLIP_PROJECTIONS, clip_path, unet_paths
from studio.models.card import read_config
from studio.models.files import stem_of
from studio.models.single_file import prefixes_of, read_card_of
from studio.models.weights import find_weights, read_header

Shape = tuple[int, ...]
_LOOSE = "text_model."  # older transformers wrap CLIP's text model once more; an edit's paths leave that out


@dataclass(frozen=True)
class StoredParameter:
    """One parameter of a model.

    file, name, info: the tensor that holds it. info.place: counted from the file's first byte.
    shape: the parameter's own.
    rows: of the tensor, first and one past the last, where it holds several parameters one below the other.
    transposed: whether the tensor is the parameter's transpose.
    """

    file: Path
    name: str
    info: TensorInfo
    shape: Shape
    rows: tuple[int, int] | None = None
    transposed: bool = False


Parameters = Mapping[str, StoredParameter]  # by their names, "conv_in.weight"


def plain_path(name: str) -> str:
    """Give a module's path as edits write it."""
    return name.removeprefix(_LOOSE)


def stored_at(place: Path) -> dict[str, Parameters]:
    """Component -> its parameters. place: a diffusers folder, or a single checkpoint.

    Raises AssetError if a file is missing or broken, or the model has no component that an edit could change.
    """
    stored = _in_folder(place) if place.is_dir() else in_checkpoint(place)
    if not stored:
        raise AssetError(f"The model {place} has no safetensors weights that an edit could change.")
    return stored


def _in_folder(folder: Path) -> dict[str, Parameters]:
    stored: dict[str, Parameters] = {}
    for component in COMPONENTS:
        if (folder / component).is_dir():
            files = find_weights(folder / component, stem_of(component)).files
            stored[component] = {
                plain_path(parameter.name): parameter for file in files for parameter in tensors_in(file).values()
            }
    return stored


def in_checkpoint(checkpoint: Path) -> dict[str, Parameters]:
    """Component -> the parameters of a single checkpoint, by the names that they have once it is loaded.

    Raises AssetError.
    """
    card = read_card_of(checkpoint)
    tensors = tensors_in(checkpoint)
    stored: dict[str, Parameters] = {}
    for component, prefix in prefixes_of(checkpoint).items():
        if component not in COMPONENTS:
            continue
        component_tensors = {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}
        if component in TEXT_ENCODERS:
            layers = read_config(card.folder, f"{component}/config.json").get("num_hidden_layers")
            stored[component] = _of_clip(component_tensors, layers if isinstance(layers, int) else None)
        else:
            stored[component] = _of_unet(component_tensors)
    return stored


def tensors_in(file: Path) -> dict[str, StoredParameter]:
    """The tensors of a weights' file as parameters under their own names. Raises AssetError."""
    entries: dict[str, dict[str, Any]] = read_header(file)
    numbers_at = file.stat().st_size - max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    parameters: dict[str, StoredParameter] = {}
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        info = TensorInfo(entry["dtype"], shape, (numbers_at + begin, numbers_at + end))
        parameters[name] = StoredParameter(file, name, info, shape)
    return parameters


def _of_unet(tensors: Mapping[str, StoredParameter]) -> Parameters:
    paths = unet_paths({name.rpartition(".")[0] for name in tensors})
    parameters: dict[str, StoredParameter] = {}
    for name, parameter in tensors.items():
        module, _, part = name.rpartition(".")
        if module in paths:
            parameters[f"{paths[module]}.{part}"] = parameter
    return parameters


def _of_clip(tensors: Mapping[str, StoredParameter], count: int | None) -> Parameters:
    """Parameters of a CLIP text model, whichever of the two spellings it was saved in.

    count: of its transformer's layers that are used; SD 2.x leaves out the last that its checkpoints hold.
    """
    parameters: dict[str, StoredParameter] = {}
    for name, parameter in tensors.items():
        module, _, part = plain_path(name).rpartition(".")
        if part.startswith("in_proj_"):  # queries, keys and values, one below the other
            number, leaf = module.split(".")[-2], part.removeprefix("in_proj_")
            side = parameter.shape[0] // 3
            for place, projection in enumerate(CLIP_PROJECTIONS):
                projection_name = f"encoder.layers.{number}.self_attn.{projection}.{leaf}"
                rows = (place * side, (place + 1) * side)
                parameters[projection_name] = replace(parameter, shape=(side, *parameter.shape[1:]), rows=rows)
        elif name == "text_projection":  # a bare matrix, which transformers turns into a layer
            parameters["text_projection.weight"] = replace(parameter, shape=parameter.shape[::-1], transposed=True)
        else:
            path = clip_path(module.removeprefix("transformer.")) or module
            parameters[f"{path}.{part}"] = parameter
    return {name: parameter for name, parameter in parameters.items() if count is None or _number_of(name) < count}


def _number_of(name: str) -> int:
    """Which of a text model's layers a parameter is in; -1 for none of them."""
    match = re.match(r"encoder\.layers\.(\d{1,4})\.", name)
    return int(match[1]) if match else -1
