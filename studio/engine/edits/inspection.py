"""What a foreign file of low-rank layers holds, and how much of it a model has a place for, from its header alone.

What diffusers takes without a word is refused here: a file of which nothing fits, half a layer, another shape, rank 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from studio.core.errors import AssetError
from studio.core.params import shown
from studio.engine.edits.header import Header, TensorInfo, read_header
from studio.engine.edits.keys import Finder, Place, Role, component_of, is_embedding, split_keys, style_of
from studio.engine.edits.layout import Layout
from studio.engine.edits.pickled import is_pickled, pickled_header
from studio.engine.edits.scaling import CONFIG_NAME
from studio.engine.edits.stored import Shape

# A rank beyond the width of its layer makes the two factors larger than the weight they change. But trainers give all
# layers one rank, the 4 channels of conv_out too, and 256 is the largest of which adapters are passed around.
MAX_RANK_OF_NARROW_LAYERS = 256
_WEIGHTS = "adapter_model.safetensors"  # in a folder that peft wrote
OTHER_MODEL = "It is probably for another model."


@dataclass(frozen=True)
class Inspection:
    """What a LoRA file holds and how much of it a model has a place for, from its header alone.

    style: peft, diffusers, kohya or comfyui.
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


def foreign_header(path: Path) -> Header:
    """Read the header of a foreign file: safetensors, or of torch.save, which is not unpickled. Raises AssetError."""
    return pickled_header(path) if is_pickled(path) else read_header(path)


def holds_lora(header: Header, path: Path) -> bool:
    """Whether any tensor of a file is part of a LoRA by its name. Raises AssetError for an adapter of another kind."""
    return bool(split_keys(header.tensors, path)[0])


def inspect(path: Path, layout: Layout) -> Inspection:
    """Compare a file's header with a model.

    Raises AssetError, one sentence: a broken file, an adapter other than LoRA, a layer with half its tensors, another
    shape than the model's (with the layer's name and both shapes), rank 0.
    """
    file = lora_file(path)
    return inspected(file, foreign_header(file), layout)


def inspected(file: Path, header: Header, layout: Layout) -> Inspection:
    """Say how much of a file has a place in the model, by its header alone. Raises as `inspect`."""
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
        rank = _check_shapes(file, place, tensor_names, header.tensors, layout)
        ranks |= {rank} if rank else set()
    return Inspection(file, style_of(keys), matched, tuple(missing), tuple(unknown), tuple(sorted(ranks)))


def _check_shapes(
    file: Path, place: Place, tensor_names: Mapping[Role, str], tensors: Mapping[str, TensorInfo], layout: Layout
) -> int:
    """Check one layer by its announced shapes; give its rank, 0 for a whole difference."""
    where = ".".join(place)
    if "diff" in tensor_names:
        return _check_difference(file, place, tensor_names, tensors, layout)
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
        raise AssetError(message, OTHER_MODEL)
    # Before a number is read: what a product costs is decided by the rank, and a small file may claim any.
    rank, most = down[0], max(min(ours[0], math.prod(ours[1:])), MAX_RANK_OF_NARROW_LAYERS)
    if rank > most:
        message = f"The file {file} has rank {rank} in the layer {where} of shape {ours}, where at most {most} is read"
        raise AssetError(f"{message}: the change would be larger than the weight.", _NO_LOW_RANK)
    _check_numbers(file, where, tensor_names, tensors, ours[0])
    return rank


def _check_difference(
    file: Path, place: Place, tensor_names: Mapping[Role, str], tensors: Mapping[str, TensorInfo], layout: Layout
) -> int:
    """Check a layer that is given as a whole difference of its weight, and perhaps of its bias."""
    where, ours = ".".join(place), layout.components[place[0]][place[1]]
    if besides := set(tensor_names) - {"diff", "diff_b"}:
        name = tensor_names[min(besides)]
        raise AssetError(f"The file {file} has the layer {where} as a whole and in parts, such as {shown(name)}.")
    theirs = tensors[tensor_names["diff"]].shape
    if theirs != ours:
        message = f"The file {file} does not fit: the model's {where} has shape {ours}, and the file is for {theirs}."
        raise AssetError(message, OTHER_MODEL)
    _check_numbers(file, where, tensor_names, tensors, ours[0])
    return 0


def _check_numbers(
    file: Path, where: str, tensor_names: Mapping[Role, str], tensors: Mapping[str, TensorInfo], width: int
) -> None:
    for role, article in _ARTICLE.items():
        size = 1 if role == "alpha" else width
        if role in tensor_names and math.prod(tensors[tensor_names[role]].shape) != size:
            number = "one number" if role == "alpha" else f"{size} numbers"
            raise AssetError(f"The file {file} has {article} of the layer {where} that is not {number}.")


_ARTICLE: Mapping[Role, str] = {"alpha": "an alpha", "bias": "a bias", "diff_b": "a bias"}
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


def check_match(inspection: Inspection, layout: Layout, partial: bool) -> None:
    """Raise AssetError for a file of which nothing fits, or without `partial` not all."""
    if not inspection.total:
        raise AssetError(
            f"The file {inspection.file} holds no layer of a LoRA: {_contents(inspection.unknown)}.", _A_LORA
        )
    if not inspection.matched:
        example = shown(inspection.missing[0])
        absent = f"none of its {inspection.total} layers is there, such as {example}."
        message = f"Nothing in {inspection.file} fits this model: {absent}"
        raise AssetError(message, what_for(inspection.missing, layout))
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


def what_for(missing: Sequence[str], layout: Layout) -> str:
    """For which model a file is of which nothing fits, as far as its names tell."""
    components = {component_of(layer) for layer in missing}
    component = next((name for name in components if name is not None and name not in layout.components), None)
    return OTHER_MODEL if component is None else f"It is for a model with a {component}, and this one has none."


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
