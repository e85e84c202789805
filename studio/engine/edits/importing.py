"""LoRA files of other programs, read into edits. The model itself is never touched: a layout of it is enough.

First the header (`inspect`): what of the file fits, before a number is read. Then the numbers (`read_lora`), every one
of them checked. What diffusers takes without a word is refused here: a file of which nothing fits, values that are not
numbers, rank 0, absurd scales.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.core.params import shown
from studio.engine.edits.files import read_tensors
from studio.engine.edits.format import Edit, Layer, LowRank, check_finite
from studio.engine.edits.header import Header, TensorInfo, read_header
from studio.engine.edits.keys import Finder, Place, Role, component_of, is_embedding, split_keys, style_of
from studio.engine.edits.layout import Layout, Shape
from studio.engine.edits.scaling import (
    CONFIG_NAME,
    PLAIN,
    config_beside,
    configs_within,
    layerwise_alphas,
)

MAX_DELTA_RMS = 10.0  # of one layer at strength 1; weights of trained networks lie around 0.05
# A rank beyond the width of its layer makes the two factors larger than the weight they change. But trainers give all
# layers one rank, the 4 channels of conv_out too, and 256 is the largest of which adapters are passed around.
MAX_RANK_OF_NARROW_LAYERS = 256
_WEIGHTS = "adapter_model.safetensors"  # in a folder that peft wrote
_OTHER_MODEL = "It is probably for another model."


@dataclass(frozen=True)
class Inspection:
    """What a LoRA file holds and how much of it a model has a place for, from its header alone.

    style: peft, diffusers or kohya.
    matched: place -> role -> tensor's name.
    missing: layers of the file that the model has not.
    unknown: tensors that are no part of a LoRA.
    ranks: every rank there is, growing.
    """

    file: Path
    style: str
    matched: Mapping[Place, Mapping[Role, str]]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    ranks: tuple[int, ...]
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", len(self.matched) + len(self.missing))

    @property
    def complete(self) -> bool:
        """Whether the model has a place for everything in the file."""
        return not self.missing and not self.unknown


def lora_file(path: Path) -> Path:
    """Give the weights' file: the path itself, or of a folder that peft wrote the file in it. Raises AssetError."""
    if not path.is_dir():
        return path
    if not (path / _WEIGHTS).is_file():
        raise AssetError(f"The folder {path} has no {_WEIGHTS}.", f"Give a LoRA file, or a folder with {CONFIG_NAME}.")
    return path / _WEIGHTS


def inspect(path: Path, layout: Layout) -> Inspection:
    """Compare a file's header with a model.

    Raises AssetError, one sentence: a broken file, an adapter other than LoRA, a layer with half its tensors, another
    shape than the model's (with the layer's name and both shapes), rank 0.
    """
    file = lora_file(path)
    return _inspected(file, read_header(file), layout)


def read_lora(path: Path, layout: Layout, name: str, *, partial: bool = False) -> Edit:
    """Read a LoRA file or peft folder into an edit for a model with this layout.

    partial: take what fits and leave the rest; without it a file that fits in part is refused. Raises AssetError as
    `inspect` does; if nothing fits, or not all; for a scale that is stated of another rank; for numbers that are none,
    and scales beyond reason.
    """
    file = lora_file(path)
    header = read_header(file)
    inspection = _inspected(file, header, layout)
    _check_match(inspection, layout, partial)
    tensors = read_tensors(file, header, [name for names in inspection.matched.values() for name in names.values()])
    alphas = _stated_alphas(inspection, header, Finder(layout))
    layers: dict[str, dict[str, Layer]] = {}
    try:
        for (component, module_path), names in inspection.matched.items():
            parts: dict[Role, Tensor] = {role: tensors.pop(tensor) for role, tensor in names.items()}
            shape = layout.components[component][module_path]
            alpha = alphas.get((component, module_path))
            try:
                layers.setdefault(component, {})[module_path] = _layer(parts, shape, alpha)
            except BadInput as error:
                raise BadInput(f"{component}.{module_path}: {error}") from None
        edit = Edit(name=name, kind="lora", layers=layers, provenance=_provenance(inspection, header))
        check_finite(edit)
        _check_size(edit)
    except BadInput as error:
        if error.field == "name":
            raise
        raise AssetError(f"The file {file} cannot be taken: {error}") from None
    return edit


def _stated_alphas(inspection: Inspection, header: Header, finder: Finder) -> dict[Place, float]:
    """alpha of those layers whose tensors do not say it, from wherever the file or its folder does.

    Raises AssetError where it is stated for a rank that none of those layers has, as of another file.
    """
    file = inspection.file
    silent = {
        place: header.tensors[names["down"]].shape[0]
        for place, names in inspection.matched.items()
        if "alpha" not in names
    }
    if not silent:
        return {}
    within, beside = configs_within(header.metadata, file, kohya=inspection.style == "kohya"), config_beside(file)
    layerwise = {finder.find(layer): alpha for layer, alpha in layerwise_alphas(header.metadata, file).items()}
    alphas: dict[Place, float] = {}
    for (component, path), rank in silent.items():
        config = within.get(component) or within.get("") or beside or PLAIN
        if (component, path) in layerwise:
            alphas[component, path] = layerwise[component, path]
            continue
        if config.alpha is not None and config.rank not in (None, *silent.values()):
            message = f"The file {file} comes with alpha {config.alpha:g} for rank {config.rank}, and has rank {rank}"
            raise AssetError(f"{message}: the scale that its author meant is not known.", _WITH_ALPHA)
        alphas[component, path] = config.alpha_of(path, rank)
    return alphas


_WITH_ALPHA = "Export it with an alpha beside each layer."


def _inspected(file: Path, header: Header, layout: Layout) -> Inspection:
    keys, unknown = split_keys(header.tensors, file)
    finder = Finder(layout)
    matched: dict[Place, dict[Role, str]] = {}
    names: dict[Place, str] = {}
    missing: dict[str, None] = {}
    for key in keys:
        place = finder.find(key.layer)
        if place is None:
            missing[key.layer] = None
            continue
        roles = matched.setdefault(place, {})
        if names.setdefault(place, key.layer) != key.layer or key.role in roles:
            raise AssetError(f"The file {file} has the layer {'.'.join(place)} twice, once more as {key.name}.")
        roles[key.role] = key.name
    ranks: set[int] = set()
    for place, tensor_names in matched.items():
        ranks.add(_check_shapes(file, place, tensor_names, header.tensors, layout))
    return Inspection(file, style_of(keys), matched, tuple(missing), tuple(unknown), tuple(sorted(ranks)))


def _check_shapes(
    file: Path, place: Place, tensor_names: Mapping[Role, str], tensors: Mapping[str, TensorInfo], layout: Layout
) -> int:
    """Check one layer by its announced shapes; give its rank."""
    where = ".".join(place)
    if not {"down", "up"} <= set(tensor_names):
        raise AssetError(
            f"The file {file} has only half of the layer {where}: {', '.join(sorted(tensor_names.values()))}."
        )
    down, up = tensors[tensor_names["down"]].shape, tensors[tensor_names["up"]].shape
    mid = tensors[tensor_names["mid"]].shape if "mid" in tensor_names else None
    if 0 in (*down, *up):
        raise AssetError(f"The file {file} has the layer {where} of rank 0, which changes nothing.")
    ours = layout.components[place[0]][place[1]]
    theirs = _change_shape(down, up, mid, ours)
    if theirs != ours:
        description = "one that makes no sense" if theirs is None else str(theirs)
        message = (
            f"The file {file} does not fit: the model's {where} has shape {ours}, and the file is for {description}."
        )
        raise AssetError(message, _OTHER_MODEL)
    # Before a number is read: what a product costs is decided by the rank, and a small file may claim any.
    rank, most = down[0], max(min(ours[0], math.prod(ours[1:])), MAX_RANK_OF_NARROW_LAYERS)
    if rank > most:
        message = f"The file {file} has rank {rank} in the layer {where} of shape {ours}, where at most {most} is read"
        raise AssetError(f"{message}: the change would be larger than the weight.", _NO_LOW_RANK)
    for role in ("alpha", "bias"):
        size = 1 if role == "alpha" else ours[0]
        if role in tensor_names and math.prod(tensors[tensor_names[role]].shape) != size:
            number = "one number" if role == "alpha" else f"{size} numbers"
            raise AssetError(f"The file {file} has {_ARTICLE[role]} of the layer {where} that is not {number}.")
    return rank


_ARTICLE = {"alpha": "an alpha", "bias": "a bias"}
_NO_LOW_RANK = "Reduce its rank with the program that made it."


def _change_shape(down: Shape, up: Shape, mid: Shape | None, ours: Shape) -> Shape | None:
    """Shape of the weight that these factors change, None if they make no product.

    A linear layer may be written as a 1 x 1 convolution and the other way round: older models have the one where newer
    ones have the other, and the numbers are the same.
    """
    if not all(len(shape) in (2, 4) for shape in (down, up)) or up[2:] not in ((), (1, 1)):
        return None
    if mid is not None:  # a convolution taken apart once more: down and up are 1 x 1, mid is r x r x k x k
        # r x r as LyCORIS makes it; of r x s the smaller would be the rank, and the product larger than it need be
        if len(mid) != 4 or down[2:] not in ((), (1, 1)) or mid[:2] != (down[0], down[0]) or up[1] != down[0]:
            return None
        inner: Shape = (down[1], *mid[2:])
    elif up[1] != down[0]:
        return None
    else:
        inner = tuple(down[1:])
    whole = (up[0], *inner)
    if len(ours) == 2 and whole[2:] == (1, 1):
        return whole[:2]
    return (*whole, 1, 1) if len(ours) == 4 and len(whole) == 2 else whole


def _check_match(inspection: Inspection, layout: Layout, partial: bool) -> None:
    if not inspection.total:
        raise AssetError(
            f"The file {inspection.file} holds no layer of a LoRA: {_contents(inspection.unknown)}.", _A_LORA
        )
    if not inspection.matched:
        example = shown(inspection.missing[0])
        absent = f"none of its {inspection.total} layers is there, such as {example}."
        message = f"Nothing in {inspection.file} fits this model: {absent}"
        raise AssetError(message, _what_for(inspection.missing, layout))
    if not partial and not inspection.complete:
        raise AssetError(_leftovers(inspection), "Ask for a partial import to take what fits.")


_A_LORA = "Give the file of a LoRA."


def _contents(names: Sequence[str]) -> str:
    """What a file without any layer of a LoRA holds."""
    if not names:
        return "it is empty"
    if any(is_embedding(name) for name in names):
        return f"it is an embedding (textual inversion), such as {shown(names[0])}"
    if any(name.startswith(("model.diffusion_model.", "first_stage_model.")) for name in names):
        return "it is a whole model, which belongs in the folder of models"
    return f"its {_counted(len(names), 'tensor')} are of another kind, such as {shown(names[0])}"


def _what_for(missing: Sequence[str], layout: Layout) -> str:
    """For which model a file is of which nothing fits, as far as its names tell."""
    components = {component_of(layer) for layer in missing}
    component = next((name for name in components if name is not None and name not in layout.components), None)
    return _OTHER_MODEL if component is None else f"It is for a model with a {component}, and this one has none."


def _leftovers(inspection: Inspection) -> str:
    """Say what of a file would be left out: layers, and tensors that are no layer's, each by its own number."""
    missing, unknown = inspection.missing, inspection.unknown
    if missing:
        left = f"{_counted(len(missing), 'layer')} {_is(missing)} left over, such as {shown(missing[0])}"
        fitting = f"Only {len(inspection.matched)} of the {inspection.total} layers in {inspection.file}"
        summary = f"{fitting} fit this model; {left}"
    elif inspection.total > 1:
        summary = f"All {inspection.total} layers in {inspection.file} would fit this model"
    else:
        summary = f"The one layer in {inspection.file} would fit this model"
    if not unknown:
        return f"{summary}."
    embeddings = [name for name in unknown if is_embedding(name)]
    nameless = [name for name in unknown if not is_embedding(name)]
    besides = [
        f"{_counted(len(names), kind)}, such as {shown(names[0])},"
        for names, kind in ((embeddings, "embedding"), (nameless, "other tensor"))
        if names
    ]
    return f"{summary}; besides there {_is(unknown)} {' and '.join(besides)} not part of a LoRA."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is(things: Sequence[str]) -> str:
    return "is" if len(things) == 1 else "are"


def _layer(parts: Mapping[Role, Tensor], shape: Shape, alpha: float | None) -> LowRank:
    """Factors of one layer, in our shapes. alpha: where no tensor says it. Raises BadInput for a scale that is none."""
    down, up = parts["down"], parts["up"]
    if "mid" in parts:
        # W' = up . mid . down: mid and down make one convolution, in float32 for it is a product
        down = torch.einsum("rskl,si->rikl", parts["mid"].float(), down.flatten(1).float())
    rank = down.shape[0]
    a = down.reshape(rank, *shape[1:])
    b = up.reshape(shape[0], rank, *(1,) * (len(shape) - 2))
    file_alpha = float(parts["alpha"]) if "alpha" in parts else alpha
    layer = LowRank(a.contiguous(), b.contiguous(), float(rank) if file_alpha is None else file_alpha)
    # peft's bias belongs to B: (alpha / r) (B A x + d)
    if "bias" not in parts:
        return layer
    return LowRank(layer.A, layer.B, layer.alpha, parts["bias"].reshape(-1).float() * layer.scale)


def _check_size(edit: Edit) -> None:
    """Refuse a layer whose change dwarfs any weight, as a wrong scale makes it."""
    for component, path, layer in edit.each():
        assert isinstance(layer, LowRank)
        rms = _norm(layer) / math.sqrt(math.prod(layer.shape))
        if not rms <= MAX_DELTA_RMS:
            raise BadInput(f"it would change the weights of {component}.{path} by {rms:.3g} on average.")


def _norm(layer: LowRank) -> float:
    """Frobenius norm of a layer's change, by the smaller of two sums; in float64, for float16 may hold 65504."""
    a, b = layer.A.flatten(1).double(), layer.B.flatten(1).double()
    if layer.rank <= min(len(b), a.shape[1]):
        # |B A|^2 = sum of (B^T B) * (A A^T): r x r numbers
        squared = float(((b.T @ b) * (a @ a.T)).sum())
        return math.sqrt(max(squared, 0.0)) * abs(layer.scale) if squared == squared else math.nan
    return float((b @ a).norm()) * abs(layer.scale)


def _provenance(inspection: Inspection, header: Header) -> dict[str, Any]:
    """Where it came from, with what its author wrote into the file, cut to a sane length."""
    metadata = {key[:100]: value[:1000] for key, value in list(header.metadata.items())[:100] if key != "format"}
    return {
        "made_by": "import",
        "file": inspection.file.name,
        "style": inspection.style,
        "layers": len(inspection.matched),
        "layers_in_file": inspection.total,
        "metadata": metadata,
    }
