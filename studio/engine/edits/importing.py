"""LoRA files of other programs, read into edits. The model itself is never touched: a layout of it is enough.

First the header (`inspection`): what of the file fits, before a number is read. Then the numbers, every one of them
checked: values that are no numbers and absurd scales are refused. A file that was exported here says which edit it is,
and is that edit again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import AssetError, BadInput
from studio.engine.edits.files import read_tensors
from studio.engine.edits.format import Dense, Edit, LowRank, Mask, check_finite
from studio.engine.edits.header import Header
from studio.engine.edits.inspection import Inspection, check_match, foreign_header, inspected, lora_file
from studio.engine.edits.keys import Finder, Place, Role
from studio.engine.edits.layout import Layout
from studio.engine.edits.manifest import EXPORT_KEY, exported_manifest
from studio.engine.edits.scaling import PLAIN, config_beside, configs_within, layerwise_alphas
from studio.engine.edits.stored import Shape

MAX_DELTA_RMS = 10.0  # of one layer at strength 1; weights of trained networks lie around 0.05


def read_lora(path: Path, layout: Layout, name: str, *, partial: bool = False) -> Edit:
    """Read a LoRA file or peft folder into an edit for a model with this layout.

    partial: take what fits and leave the rest; without it a file that fits in part is refused. Raises AssetError as
    `inspect` does; if nothing fits, or not all; for a scale that is stated of another rank; for numbers that are none,
    and scales beyond reason.
    """
    file = lora_file(path)
    header = foreign_header(file)
    inspection = inspected(file, header, layout)
    check_match(inspection, layout, partial)
    tensors = read_tensors(file, header, [name for names in inspection.matched.values() for name in names.values()])
    alphas = _stated_alphas(inspection, header, Finder(layout))
    layers: dict[str, dict[str, LowRank | Dense]] = {}
    with refusing(file):
        for (component, module_path), names in inspection.matched.items():
            parts: dict[Role, Tensor] = {role: tensors.pop(tensor) for role, tensor in names.items()}
            shape = layout.components[component][module_path]
            alpha = alphas.get((component, module_path))
            try:
                layers.setdefault(component, {})[module_path] = _layer(parts, shape, alpha)
            except BadInput as error:
                raise BadInput(f"{component}.{module_path}: {error}") from None
        edit = _edit(name, layers, _provenance(inspection, header))
        check_finite(edit)
        check_size(edit)
    return as_exported(edit, header)


@contextmanager
def refusing(file: Path) -> Iterator[None]:
    """Within it, what is wrong with an edit is wrong with the file it is read from; its name is the user's.

    Raises AssetError in place of BadInput.
    """
    try:
        yield
    except BadInput as error:
        if error.field == "name":
            raise
        raise AssetError(f"The file {file} cannot be taken: {error}") from None


def as_exported(edit: Edit, header: Header) -> Edit:
    """Give an edit its base and origin back where its file was exported here; all of it where its content is the same.

    An export that folds alphas, or leaves something out, comes back as an edit of its own, made on the same base.
    """
    manifest = exported_manifest(header)
    if manifest is None:
        return edit
    base = {component: made_on for component, made_on in manifest.base.items() if component in edit.layers}
    if manifest.sha256 == edit.sha256:
        return replace(edit, version=manifest.version, base=base, provenance=manifest.provenance)
    origin = {"exported_edit": manifest.sha256, "origin": manifest.provenance}
    gate = {"gate": manifest.provenance["gate"]} if "gate" in manifest.provenance else {}
    return replace(edit, base=base, provenance={**edit.provenance, **origin, **gate})


def _stated_alphas(inspection: Inspection, header: Header, finder: Finder) -> dict[Place, float]:
    """alpha of those layers whose tensors do not say it, from wherever the file or its folder does.

    Raises AssetError where it is stated for a rank that none of those layers has, as of another file.
    """
    file = inspection.file
    silent = {
        place: header.tensors[names["down"]].shape[0]
        for place, names in inspection.matched.items()
        if "alpha" not in names and "down" in names
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


def _edit(name: str, layers: Mapping[str, Mapping[str, LowRank | Dense]], provenance: Mapping[str, Any]) -> Edit:
    """An edit is of one kind: beside a whole difference, products are written out."""
    if not any(isinstance(layer, Dense) for own_layers in layers.values() for layer in own_layers.values()):
        return Edit(name=name, kind="lora", layers=layers, provenance=provenance)
    dense = {
        component: {
            path: layer if isinstance(layer, Dense) else Dense(layer.delta(), layer.bias)
            for path, layer in own_layers.items()
        }
        for component, own_layers in layers.items()
    }
    return Edit(name=name, kind="dense", layers=dense, provenance=provenance)


def _layer(parts: Mapping[Role, Tensor], shape: Shape, alpha: float | None) -> LowRank | Dense:
    """Change of one layer, in our shapes. alpha: where no tensor says it. Raises BadInput for a scale that is none."""
    if "diff" in parts:
        return Dense(parts["diff"], _flat_bias(parts, "diff_b"))
    down, up = parts["down"], parts["up"]
    if "mid" in parts:
        # W' = up . mid . down: mid and down make one convolution, in float32 for it is a product
        down = torch.einsum("rskl,si->rikl", parts["mid"].float(), down.flatten(1).float())
    rank = down.shape[0]
    a = down.reshape(rank, *shape[1:])
    b = up.reshape(shape[0], rank, *(1,) * (len(shape) - 2))
    file_alpha = float(parts["alpha"]) if "alpha" in parts else alpha
    bias = _flat_bias(parts, "diff_b")
    layer = LowRank(a.contiguous(), b.contiguous(), float(rank) if file_alpha is None else file_alpha, bias)
    # peft's bias belongs to B: (alpha / r) (B A x + d)
    if "bias" not in parts:
        return layer
    return LowRank(layer.A, layer.B, layer.alpha, parts["bias"].reshape(-1).float() * layer.scale)


def _flat_bias(parts: Mapping[Role, Tensor], role: Role) -> Tensor | None:
    return parts[role].reshape(-1) if role in parts else None


def check_size(edit: Edit) -> None:
    """Raise BadInput for a layer whose change dwarfs any weight, as a wrong scale makes it."""
    for component, path, layer in edit.each():
        assert not isinstance(layer, Mask)
        size = _norm(layer) if isinstance(layer, LowRank) else float(layer.D.double().norm())
        rms = size / math.sqrt(math.prod(layer.shape))
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
    metadata = {key[:100]: value[:1000] for key, value in list(header.metadata.items())[:100] if key not in _OURS}
    return {
        "made_by": "import",
        "file": inspection.file.name,
        "style": inspection.style,
        "layers": len(inspection.matched),
        "layers_in_file": inspection.total,
        "metadata": metadata,
    }


_OURS = ("format", EXPORT_KEY)
