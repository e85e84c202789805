"""Names of tensors in other programs' LoRA files: what they are called, and which layer they mean.

Read without torch. A key is a layer and a role: "unet.mid_block...to_q.lora_A.weight" is the way down of a layer to_q.
A layer's name is what wraps the network, the component, and the path of the layer in it, parted by dots or by
underscores. Programs differ in each of these, so each is read in every spelling wherever it stands:

    peft, diffusers  [base_model.model.][unet.]PATH.lora_A[.NAME].weight, lora_B
    diffusers        unet.PATH.lora.down.weight, .up; text_encoder.PATH.lora_linear_layer.down.weight
    processors       unet.ATTN.processor.to_q_lora.down.weight            (diffusers before 0.20)
    kohya            lora_unet_PATH_WITH_UNDERSCORES.lora_down.weight, lora_up, lora_mid, alpha; lora_te_, lora_te1_
    LyCORIS          lycoris_unet_PATH, lycoris_te_PATH; SimpleTuner: lycoris_PATH
    OneTrainer       unet.ORIGINAL_PATH.lora_down.weight; clip_l.PATH, clip_g.PATH
    ComfyUI          [model.]diffusion_model.ORIGINAL_PATH; text_encoders.clip_l.transformer.PATH; besides the factors
                     .diff, a whole difference of a weight, and .diff_b, of a bias

ORIGINAL_PATH: as the first Stable Diffusion code has it (`original`). Sources: peft's save_and_load, diffusers'
lora_conversion_utils, sd-scripts' networks/lora.py, LyCORIS' wrapper, OneTrainer's modules/util/convert/lora, ComfyUI's
comfy/lora.py and its LoraSave node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from studio.core.errors import AssetError
from studio.engine.edits.layout import Layout, Shape
from studio.engine.edits.manifest import TEXT_ENCODERS
from studio.engine.edits.original import clip_names, sgm_names

Role = Literal["down", "up", "mid", "alpha", "bias", "diff", "diff_b"]
Place = tuple[str, str]  # (component, module path)

# peft in memory names the adapter behind lora_A; some writers leave ".weight" out.
_FACTOR = re.compile(
    r"(?P<layer>.+?)[._]lora[._](?P<side>[AB])(?:\.(?!weight$|bias$)[^.]+)?(?:\.(?P<part>weight|bias))?", re.IGNORECASE
)
_WAY = re.compile(
    r"(?P<layer>.+?)(?:[._]lora(?:_linear_layer)?[._]|\.)(?P<way>down|up|mid)(?:\.weight)?", re.IGNORECASE
)
_ALPHA = re.compile(r"(?P<layer>.+?)(?:[._]lora)?\.(?:lora_)?alpha", re.IGNORECASE)
_DIFFERENCE = re.compile(r"(?P<layer>.+)\.(?P<role>diff|diff_b)")
# What is not a LoRA at all, by a piece of its keys: part of such a file would be another edit than its author's.
_OTHERS = (
    (r"dora_scale|lora_magnitude_vector", "DoRA, which rescales the weights' columns"),
    (r"[._]hada_[wt]", "LoHa (a Hadamard product)"),
    (r"[._]lokr_[wt]", "LoKr (a Kronecker product)"),
    (r"[._]b?oft_", "OFT (a rotation)"),
    (r"[._](?:vera|ia3|hra)_", "an adapter other than LoRA"),
    (r"\.on_input$", "(IA)^3 (a factor for each channel)"),
    (r"\.[ab][12]\.weight$", "GLoRA (LoRA on weights and prompts at once)"),
    (r"\.lora_embedding_[AB]", "LoRA on embeddings"),
    (r"\.(?:w_norm|b_norm)$", "differences of norms"),
)
_ANY_OTHER = re.compile("|".join(f"({pattern})" for pattern, _ in _OTHERS), re.IGNORECASE)
# Embeddings of new words: OneTrainer puts them beside a LoRA, textual inversion into a file of their own.
_EMBEDDING = re.compile(r"bundle_emb\..+|emb_params|clip_[lgh]|string_to_param\..+", re.IGNORECASE)
# Old names of the attention layers within a processor, in the UNet and in the text encoder.
_PROCESSORS = (
    ("to_out", "to_out_0"),
    ("to_q", "q_proj"),
    ("to_k", "k_proj"),
    ("to_v", "v_proj"),
    ("to_out", "out_proj"),
)
# What may stand before or behind a component's name and says nothing, dots as underscores, in lower case.
_WRAPPERS = ("base_model_model_", "base_model_", "model_", "lora_", "lycoris_", "locon_", "dylora_")
_CLIPS = {"l": "text_encoder", "h": "text_encoder", "g": "text_encoder_2"}
_NUMBERED = dict(zip("123", TEXT_ENCODERS, strict=True))
_COMPONENTS = re.compile(
    r"(?P<unet>unet|diffusion_model)_"
    r"|(?P<transformer>transformer)_(?!text_model_|resblocks_)"  # CLIP's own module is called so too
    r"|(?:text_encoder|te)_?(?P<number>[123])?_"
    r"|(?:text_encoders_)?clip_(?P<clip>[lgh])_"
    r"|cond_stage_model_"
    r"|conditioner_embedders_(?P<embedder>[01])_"
)
_INSIDE_CLIP = ("model_", "transformer_", "text_model_")  # in the order in which programs nest it


@dataclass(frozen=True)
class TensorKey:
    """One tensor of a foreign file. layer: everything of its name before the role."""

    name: str
    layer: str
    role: Role


def split_keys(names: Iterable[str], path: object) -> tuple[list[TensorKey], list[str]]:
    """Sort a file's tensors into those that are LoRA's and those nobody knows.

    Raises AssetError for a kind of adapter that is none, by its name. path: of the file, for the sentence.
    """
    keys: list[TensorKey] = []
    unknown: list[str] = []
    for name in names:
        foreign = _ANY_OTHER.search(name)
        if foreign is not None and foreign.lastindex is not None:
            kind = _OTHERS[foreign.lastindex - 1][1]
            raise AssetError(f"The file {path} holds {kind}; this version reads LoRA alone.", _AS_LORA)
        key = _key(name)
        if key is None:
            unknown.append(name)
        else:
            keys.append(key)
    return keys, unknown


_AS_LORA = "Export it as a plain LoRA from the program that made it."


def _key(name: str) -> TensorKey | None:
    if factor := _FACTOR.fullmatch(name):
        is_down = factor["side"] in "Aa"
        if (factor["part"] or "").lower() != "bias":
            return TensorKey(name, factor["layer"], "down" if is_down else "up")
        return None if is_down else TensorKey(name, factor["layer"], "bias")
    if spelling := _WAY.fullmatch(name):
        roles: dict[str, Role] = {"down": "down", "up": "up", "mid": "mid"}
        return TensorKey(name, spelling["layer"], roles[spelling["way"].lower()])
    if difference := _DIFFERENCE.fullmatch(name):
        differences: dict[str, Role] = {"diff": "diff", "diff_b": "diff_b"}
        return TensorKey(name, difference["layer"], differences[difference["role"]])
    alpha = _ALPHA.fullmatch(name)
    return None if alpha is None else TensorKey(name, alpha["layer"], "alpha")


def is_embedding(name: str) -> bool:
    """Whether a tensor that is no part of a LoRA is by its name the embedding of a new word."""
    return _EMBEDDING.fullmatch(name) is not None


def component_of(layer: str) -> str | None:
    """Name the component that a foreign name says it is of, None where it says none."""
    return _component(_unwrapped(_flat(layer)))[0]


class Finder:
    """Finds which layer of a model a foreign name means."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._paths = {component: _by_flat_name(component, shapes) for component, shapes in layout.components.items()}

    def find(self, layer: str) -> Place | None:
        """Give component and path, or None if the model has no such layer."""
        component, name = None, _flat(layer)
        while True:
            for where in self._paths if component is None else (component,):
                path = self._path(where, name)
                if path is not None:
                    return where, path
            shorter = _unwrapped(name, 1)
            if shorter == name:
                component_prefix, shorter = _component(name)
                if component_prefix is None or component_prefix != (component or component_prefix):
                    return None
                component = component_prefix
            name = shorter

    def _path(self, component: str, name: str) -> str | None:
        paths = self._paths.get(component, {})
        return next((paths[candidate] for candidate in _candidates(component, name) if candidate in paths), None)


def style_of(keys: Iterable[TensorKey]) -> str:
    """Whose spelling a file has: kohya, comfyui, peft or diffusers."""
    names = [key.name.lower() for key in keys]
    if any(name.startswith(("diffusion_model.", "text_encoders.")) for name in names):
        return "comfyui"
    if any(name.startswith(("lora_", "lycoris_")) for name in names):
        return "kohya"
    return "peft" if any(".lora_a." in name for name in names) else "diffusers"


def kohya_name(component: str, path: str) -> str:
    """What kohya's trainer calls a layer: "lora_unet_mid_block_attentions_0_proj_in"."""
    # SD 1.x writes lora_te_, SDXL lora_te1_; CLIP's layers stood below "text_model" when these names were made
    starts = {"text_encoder": "lora_te_text_model", "text_encoder_2": "lora_te2_text_model"}
    return f"{starts.get(component, f'lora_{component}')}_{path.replace('.', '_')}"


def _flat(name: str) -> str:
    return name.replace(".", "_").lower()


def _unwrapped(name: str, times: int = 4) -> str:
    for _ in range(times):
        name = next((name.removeprefix(start) for start in _WRAPPERS if name.startswith(start)), name)
    return name


def _component(name: str) -> tuple[str | None, str]:
    """Split the component off a flat name: (component or None, the rest)."""
    match = _COMPONENTS.match(name)
    if match is None:
        return None, name
    rest = name[match.end() :]
    for component in ("unet", "transformer"):
        if match[component]:
            return component, rest
    if match["clip"]:
        return _CLIPS[match["clip"]], rest
    return _NUMBERED[match["number"] or "12"[int(match["embedder"] or 0)]], rest


def _by_flat_name(component: str, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Flat name -> path, by our names and by those of the original code. Ours win where two are one."""
    paths = {_flat(path): path for path in shapes}
    original = sgm_names(shapes) if component == "unet" else clip_names(shapes) if component in TEXT_ENCODERS else {}
    for path, name in original.items():
        paths.setdefault(_flat(name), path)
    return paths


def _candidates(component: str, name: str) -> Iterator[str]:
    """What a flat name may stand for within a component, ours first."""
    if component in TEXT_ENCODERS:
        for start in _INSIDE_CLIP:
            name = name.removeprefix(start)
    name = name.replace("_processor_", "_")
    yield name
    for old, new in _PROCESSORS:
        if name.endswith(f"_{old}"):
            yield name.removesuffix(old) + new
