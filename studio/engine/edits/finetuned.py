"""Weights of a fine-tuned model, whole or in part, as a dense edit: what they differ by from the model at hand.

So the authors' programs of two erasure methods save their results, without a word on which model they began with:

    ESD  (rohitgandikota/erasing)                     weights and biases of the layers it trained, by diffusers' names,
                                                      bfloat16 safetensors; formerly {"unet.PATH": {"weight": ...}} by
                                                      torch.save; formerly whole checkpoints by CompVis' names
    UCE  (rohitgandikota/unified-concept-editing)     weights of all attn2.to_k and to_v, safetensors; formerly whole
                                                      UNets by torch.save

Every tensor is compared with the model's own of that name, in the coarser of the two number formats: what rounding
alone tells apart is no change. A layer that is equal is left out. Neither model is loaded; one layer is in memory at a
time, besides what comes of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import AssetError
from studio.core.params import shown
from studio.engine.edits.files import read_tensors
from studio.engine.edits.format import Dense, Edit, check_finite
from studio.engine.edits.header import FLOATS, Header, TensorInfo
from studio.engine.edits.importing import as_exported, check_size, refusing
from studio.engine.edits.inspection import OTHER_MODEL, Inspection, what_for
from studio.engine.edits.keys import Finder
from studio.engine.edits.layout import Layout
from studio.engine.edits.stored import Parameters, Shape, StoredParameter, tensors_in

STYLE = "weights"
MAX_DENSE_BYTES = 2 * 1024**3  # of the change, in float32: twice the UNet's part that ESD trains in SDXL
# Of two models that were trained apart, corresponding weights have nothing in common; of one and its fine-tune nearly
# all. Counted over all compared weights together, the change may be as large as they are and this is still .71.
_LEAST_ALIKE = 0.3
_PRECISION = ("BF16", "F16", "F32", "F64")  # the coarser before the finer
_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "F64": torch.float64}
# Of whole checkpoints, what no edit changes: autoencoder, running means of the weights, tables of the schedule.
_BESIDES = ("first_stage_model.", "vae.", "model_ema.", "scheduler.", "safety_checker.")
_TABLES = ("betas", "alphas_", "sqrt_", "log_one_minus", "posterior_", "logvar", "lvlb_weights", "position_ids")


@dataclass(frozen=True)
class Weights:
    """What of a file's tensors a model has a place for.

    matched: component -> module path -> "weight" or "bias" -> tensor's name.
    others: names of tensors that no edit can change, with the model's own of the same name: norms, embeddings.
    missing: names of those that the model has not.
    """

    file: Path
    matched: Mapping[str, Mapping[str, Mapping[str, str]]]
    others: Mapping[str, StoredParameter]
    missing: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many layers there are."""
        return sum(len(layers) for layers in self.matched.values())

    def inspection(self) -> Inspection:
        """The same as of a LoRA: places without roles, and what is left."""
        places = {(component, path): {} for component, layers in self.matched.items() for path in layers}
        return Inspection(self.file, STYLE, places, (), self.missing, ())


def inspect_weights(file: Path, header: Header, stored: Mapping[str, Parameters]) -> Weights:
    """Compare a file's header with a model's parameters (`stored_at`).

    Raises AssetError, one sentence: nothing fits, a shape that is another model's, numbers of another kind.
    """
    finder = Finder(_modules(stored))
    matched: dict[str, dict[str, dict[str, str]]] = {}
    fixed_tensors: dict[str, StoredParameter] = {}
    missing: list[str] = []
    unnamed = _by_name_in_file(stored)
    for name, info in header.tensors.items():
        module, _, part = name.rpartition(".")
        place = finder.find(module) if part in ("weight", "bias") and not name.startswith(_BESIDES) else None
        parameter = stored[place[0]].get(f"{place[1]}.{part}") if place else None
        if place is None or parameter is None:
            if name in unnamed and unnamed[name].shape == info.shape:
                fixed_tensors[name] = unnamed[name]
            elif not name.startswith(_BESIDES) and not any(table in name for table in _TABLES):
                missing.append(name)
            continue
        component, path = place
        _check_shape(file, f"{component}.{path}.{part}", info, parameter)
        if len(stored[component][f"{path}.weight"].shape) in (2, 4) and not path.endswith("embedding"):
            parts = matched.setdefault(component, {}).setdefault(path, {})
            if part in parts:
                raise AssetError(f"The file {file} has {component}.{path}.{part} twice, once more as {shown(name)}.")
            parts[part] = name
        else:
            fixed_tensors[name] = parameter
    weights = Weights(file, matched, fixed_tensors, tuple(missing))
    _check(weights, header, stored)
    return weights


def read_weights(
    file: Path, header: Header, stored: Mapping[str, Parameters], name: str, model: str, *, partial: bool = False
) -> Edit:
    """Read what a file of weights differs by from a model.

    model: what it is called, for the sentences and the edit's origin.
    partial: take what an edit can hold and leave the rest of the change. Raises AssetError as `inspect_weights` does;
    where nothing differs, or everything; where what differs is no part of an edit, or more than is kept; for numbers
    that are none.
    """
    weights = inspect_weights(file, header, stored)
    if weights.missing and not partial:
        message = (
            f"{model} has no place for {_counted(weights.missing)} of {file}, such as {shown(weights.missing[0])}."
        )
        raise AssetError(message, "Ask for a partial import to take what fits.")
    alike = _Alike()
    layers: dict[str, dict[str, Dense]] = {}
    for component, paths in weights.matched.items():
        for path, names in paths.items():
            layer = _layer(file, header, names, stored[component], path, alike)
            if layer is not None:
                layers.setdefault(component, {})[path] = layer
    if not alike.cosine >= _LEAST_ALIKE:  # NaN is refused with the numbers
        message = f"The weights in {file} have nothing in common with those of {model}: they are of another model."
        raise AssetError(
            message, "Name the model that they were made of, or put a whole model into the models' folder."
        )
    changed = [tensor for tensor, parameter in weights.others.items() if _differs(file, header, tensor, parameter)]
    if not layers and not changed:
        equal = f"all {weights.count} layers in {file} equal those of {model}"
        raise AssetError(
            f"This file changes nothing: {equal}.", "It may be the model itself, or a training of no steps."
        )
    if changed and not (partial and layers):
        message = f"{_counted(changed)} of {file} differ and are no part of an edit, such as {shown(changed[0])}"
        hint = "Ask for a partial import to leave them out, or put the whole model into the models' folder."
        raise AssetError(f"{message}: norms, embeddings and the like.", hint)
    with refusing(file):
        edit = Edit(name, "dense", layers, provenance=_provenance(weights, model, alike, changed))
        check_finite(edit)
        check_size(edit)
    return as_exported(edit, header)


def _by_name_in_file(stored: Mapping[str, Parameters]) -> dict[str, StoredParameter]:
    """The tensors of a model that is a single checkpoint as they are called there: a file may have one of these whose
    layers have other names, such as the three projections in one matrix of OpenCLIP's text encoder.
    """
    files = {parameter.file for parameters in stored.values() for parameter in parameters.values()}
    return tensors_in(files.pop()) if len(stored) > 1 and len(files) == 1 else {}


def _modules(stored: Mapping[str, Parameters]) -> Layout:
    """Every module with a weight, norms and embeddings too, as a layout to find names in."""
    return Layout(
        {
            component: {
                name.removesuffix(".weight"): parameter.shape
                for name, parameter in parameters.items()
                if name.endswith(".weight")
            }
            for component, parameters in stored.items()
        }
    )


def _check_shape(file: Path, where: str, info: TensorInfo, parameter: StoredParameter) -> None:
    if _plain(info.shape) != _plain(parameter.shape):
        message = (
            f"The file {file} does not fit: the model's {where} has shape {parameter.shape}, "
            f"and the file's {info.shape}."
        )
        raise AssetError(message, OTHER_MODEL)


def _plain(shape: Shape) -> Shape:
    """A linear layer may be written as a 1 x 1 convolution and the other way round."""
    return shape[:2] if shape[2:] == (1, 1) else shape


def _check(weights: Weights, header: Header, stored: Mapping[str, Parameters]) -> None:
    file = weights.file
    if not weights.count:
        if not weights.missing:
            raise AssetError(f"The file {file} holds no weights that an edit could change.")
        message = (
            f"Nothing in {file} fits this model: none of its tensors is there, such as {shown(weights.missing[0])}."
        )
        raise AssetError(message, what_for(weights.missing, Layout({component: {} for component in stored})))
    names = [name for layers in weights.matched.values() for parts in layers.values() for name in parts.values()]
    odd = next((name for name in names if header.tensors[name].dtype not in FLOATS), None)
    if odd is not None:
        dtype = header.tensors[odd].dtype
        raise AssetError(f"The file {file} holds {shown(odd)} as {dtype}; weights are read as F32, F16 or BF16.")


class _Alike:
    """How much two models have in common: the cosine of all compared weights, taken as one vector."""

    def __init__(self) -> None:
        self._product = self._theirs = self._ours = 0.0
        self.changed_bytes = 0

    def add(self, theirs: Tensor, ours: Tensor) -> None:
        a, b = theirs.double().flatten(), ours.double().flatten()
        self._product += float(a @ b)
        self._theirs += float(a @ a)
        self._ours += float(b @ b)

    @property
    def cosine(self) -> float:
        size = math.sqrt(self._theirs * self._ours)
        return self._product / size if size else 0.0


def _layer(
    file: Path, header: Header, names: Mapping[str, str], parameters: Parameters, path: str, alike: _Alike
) -> Dense | None:
    """What one layer differs by; None where it is equal."""
    differences: dict[str, Tensor | None] = {}
    for part, name in names.items():
        parameter = parameters[f"{path}.{part}"]
        theirs, ours = _pair(file, header, name, parameter)
        if part == "weight":
            alike.add(theirs, ours)
        differences[part] = _difference(theirs, ours, header.tensors[name].dtype, parameter.info.dtype)
    weight, bias = differences.get("weight"), differences.get("bias")
    if weight is None and bias is None:
        return None
    if weight is None:
        weight = torch.zeros(parameters[f"{path}.weight"].shape)
    alike.changed_bytes += weight.nbytes
    if alike.changed_bytes > MAX_DENSE_BYTES:
        message = f"What {file} changes takes more than {MAX_DENSE_BYTES / 1e9:.1f} GB as an edit"
        raise AssetError(f"{message}, and no more is kept.", "Put it into the models' folder as a model of its own.")
    return Dense(weight, bias)


def _pair(file: Path, header: Header, name: str, parameter: StoredParameter) -> tuple[Tensor, Tensor]:
    """A file's tensor and the model's own, as they are stored, in the model's shape."""
    theirs = read_tensors(file, header, [name])[name].reshape(parameter.shape)
    if not bool(torch.isfinite(theirs).all()):
        raise AssetError(f"The file {file} holds values in {shown(name)} that are not numbers.")
    return theirs, read_stored(parameter)


def read_stored(parameter: StoredParameter) -> Tensor:
    """Read a model's parameter from its file. Raises AssetError."""
    name = parameter.name
    tensor = read_tensors(parameter.file, Header({}, {name: parameter.info}), [name])[name]
    tensor = tensor if parameter.rows is None else tensor[parameter.rows[0] : parameter.rows[1]]
    return tensor.T.contiguous() if parameter.transposed else tensor


def _difference(theirs: Tensor, ours: Tensor, their_dtype: str, our_dtype: str) -> Tensor | None:
    """theirs - ours in float32; None where the coarser of the two formats makes them one.

    Of a file in a coarser format than the model's, the model's own values are rounded to it first: their rounding is in
    the file's values too, and is not the edit.
    """
    coarser = min(their_dtype, our_dtype, key=_PRECISION.index)
    rounded = ours.to(_DTYPES[coarser])
    if torch.equal(theirs.to(_DTYPES[coarser]), rounded):
        return None
    return theirs.float() - (rounded if coarser == their_dtype else ours).float()


def _differs(file: Path, header: Header, name: str, parameter: StoredParameter) -> bool:
    info = header.tensors[name]
    if info.dtype not in _PRECISION or parameter.info.dtype not in _PRECISION:
        return False
    return _difference(*_pair(file, header, name, parameter), info.dtype, parameter.info.dtype) is not None


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} tensor{'' if len(names) == 1 else 's'}"


def _provenance(weights: Weights, model: str, alike: _Alike, changed: Sequence[str]) -> dict[str, Any]:
    return {
        "made_by": "import",
        "file": weights.file.name,
        "style": STYLE,
        "model": model,
        "layers_in_file": weights.count,
        "cosine": round(alike.cosine, 6),
        "left_out": [*changed, *weights.missing][:100],
    }
