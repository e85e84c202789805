"""Names of tensors in other programs' LoRA files: what they are called, and which layer they mean.

Read without torch. A key is a layer and a role: "unet.mid_block...to_q.lora_A.weight" is the way down of a layer to_q.
Spellings read, by who writes them:

    peft        [base_model.model.][unet.]PATH.lora_A[.NAME].weight, lora_B
    diffusers   unet.PATH.lora.down.weight, .up; text_encoder.PATH.lora_linear_layer.down.weight
    processors  unet.ATTN.processor.to_q_lora.down.weight            (diffusers before 0.20)
    kohya       lora_unet_PATH_WITH_UNDERSCORES.lora_down.weight, lora_up, lora_mid, alpha; lora_te_, lora_te1_, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from studio.core.errors import AssetError
from studio.engine.edits.layout import Layout, plain_path
from studio.engine.edits.manifest import COMPONENTS
from studio.engine.edits.sgm import sgm_names

Role = Literal["down", "up", "mid", "alpha", "bias"]
Place = tuple[str, str]  # (component, module path)

_ROLES: tuple[tuple[str, Role], ...] = (
    (".lora_A.weight", "down"),
    (".lora_B.weight", "up"),
    (".lora_B.bias", "bias"),
    (".lora.down.weight", "down"),
    (".lora.up.weight", "up"),
    (".lora_linear_layer.down.weight", "down"),
    (".lora_linear_layer.up.weight", "up"),
    (".lora_down.weight", "down"),
    (".lora_up.weight", "up"),
    (".lora_mid.weight", "mid"),
    ("_lora.down.weight", "down"),
    ("_lora.up.weight", "up"),
    (".alpha", "alpha"),
)
_ADAPTER = re.compile(r"\.lora_([AB])\.[^.]+\.(weight|bias)$")  # peft in memory names the adapter here
# What is not a LoRA at all, by a piece of its keys: part of such a file would be another edit than its author's.
_OTHERS = (
    (re.compile(r"dora_scale|lora_magnitude_vector"), "DoRA, which rescales the weights' columns"),
    (re.compile(r"[._]hada_[wt]"), "LoHa (a Hadamard product)"),
    (re.compile(r"[._]lokr_[wt]"), "LoKr (a Kronecker product)"),
    (re.compile(r"[._]b?oft_"), "OFT (a rotation)"),
    (re.compile(r"[._](vera|ia3|hra)_"), "an adapter other than LoRA"),
    (re.compile(r"\.lora_embedding_[AB]"), "LoRA on embeddings"),
    (re.compile(r"\.(diff|diff_b|w_norm|b_norm)$"), "whole differences of weights"),
)
# Old names of the attention layers within a processor, in the UNet and in the text encoder.
_PROCESSORS = {
    "to_q": ("to_q", "q_proj"),
    "to_k": ("to_k", "k_proj"),
    "to_v": ("to_v", "v_proj"),
    "to_out": ("to_out.0", "out_proj"),
}
_PREFIXES = ("base_model.model.", "model.")


@dataclass(frozen=True)
class Key:
    """One tensor of a foreign file. layer: everything of its name before the role."""

    name: str
    layer: str
    role: Role


def split_keys(names: Iterable[str], path: object) -> tuple[list[Key], list[str]]:
    """Sort a file's tensors into those that are LoRA's and those nobody knows.

    Raises AssetError for a kind of adapter that is none, by its name. path: of the file, for the sentence.
    """
    known: list[Key] = []
    unknown: list[str] = []
    for name in names:
        for pattern, kind in _OTHERS:
            if pattern.search(name):
                raise AssetError(f"The file {path} holds {kind}; this version reads LoRA alone.", _AS_LORA)
        plain = _ADAPTER.sub(r".lora_\1.\2", name)
        for ending, role in _ROLES:
            if plain.endswith(ending):
                known.append(Key(name, plain[: -len(ending)], role))
                break
        else:
            unknown.append(name)
    return known, unknown


_AS_LORA = "Export it as a plain LoRA from the program that made it."


class Finder:
    """Finds which layer of a model a foreign name means."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._flat: dict[str, Place] = {name: place for place in _places(layout) for name in _flat_names(*place)}
        for path, name in sgm_names(layout.components.get("unet", {})).items():
            self._flat.setdefault(f"lora_unet_{name.replace('.', '_')}", ("unet", path))

    def find(self, layer: str) -> Place | None:
        """Give component and path, or None if the model has no such layer."""
        if layer.startswith("lora_"):
            return self._flat.get(layer)
        name = layer.replace(".processor", "")
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        component, _, rest = name.partition(".")
        places = [(component, rest)] if component in COMPONENTS else [(one, name) for one in self._layout.components]
        for where, path in places:
            for candidate in _candidates(plain_path(path)):
                if self._layout.shape(where, candidate) is not None:
                    return where, candidate
        return None


def style_of(keys: Iterable[Key]) -> str:
    """Whose spelling a file has: kohya, peft or diffusers."""
    names = [key.name for key in keys]
    if any(name.startswith("lora_") for name in names):
        return "kohya"
    return "peft" if any(".lora_A." in name for name in names) else "diffusers"


def kohya_name(component: str, path: str) -> str:
    """What kohya's trainer calls a layer: "lora_unet_mid_block_attentions_0_proj_in"."""
    return _flat_names(component, path)[0]


def _flat_names(component: str, path: str) -> list[str]:
    flat = path.replace(".", "_")
    if component == "text_encoder":
        # SD 1.x writes lora_te_, SDXL lora_te1_; CLIP's layers stood below "text_model" when these names were made
        return [f"{start}_{flat}" for start in ("lora_te_text_model", "lora_te1_text_model", "lora_te", "lora_te1")]
    if component == "text_encoder_2":
        return [f"lora_te2_text_model_{flat}", f"lora_te2_{flat}"]
    return [f"lora_{component}_{flat}"]


def _candidates(path: str) -> Iterator[str]:
    yield path
    start, _, last = path.rpartition(".")
    for new in _PROCESSORS.get(last, ()):
        yield f"{start}.{new}"


def _places(layout: Layout) -> Iterator[Place]:
    yield from ((component, path) for component, shapes in layout.components.items() for path in shapes)
