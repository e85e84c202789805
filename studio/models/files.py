"""The files one model is loaded from: a diffusers folder, or a single checkpoint with its configs elsewhere.

Needs no torch: the page lists models, and the engine sums their bytes, before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from studio.core.errors import AssetError
from studio.models import single_file
from studio.models.card import LAYOUTS, ModelCard, read_card, read_config
from studio.models.weights import BYTES_OF, Weights, find_weights

_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt")


@dataclass(frozen=True)
class PartFiles:
    """What one network is loaded from.

    name: of the part, as in a layout.
    kind: name of its class.
    folder: its config is <folder>/<name>/config.json.
    weights: the files that hold them, and the shapes.
    checkpoint: the file that holds its weights among others, None where it has its own.
    """

    name: str
    kind: str
    folder: Path
    weights: Weights
    checkpoint: Path | None = None

    def bytes_in(self, dtype: str) -> int:
        """What the weights take once loaded. dtype: "fp32", "bf16" or "fp16", of the network."""
        return self.weights.values * BYTES_OF[dtype_of(self.name, dtype)]


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's parts are. card: what its configs say; its checkpoint is None for a diffusers folder."""

    card: ModelCard

    @cached_property
    def weights(self) -> dict[str, Weights]:
        """The weights of each part, in the order of the layout. Raises AssetError for the first that is wrong."""
        if self.card.checkpoint is not None:
            return single_file.split(self.card.checkpoint, tuple(self.card.layout.parts))
        return {part: find_weights(self.card.folder / part, stem_of(part)) for part in self.card.layout.parts}

    def part(self, name: str) -> PartFiles:
        """Give what one part is loaded from. Raises AssetError."""
        return PartFiles(name, self.card.layout.parts[name], self.card.folder, self.weights[name], self.card.checkpoint)

    def bytes_in(self, dtype: str) -> int:
        """What all the weights take once loaded. Raises AssetError."""
        return sum(self.part(name).bytes_in(dtype) for name in self.weights)

    def names(self) -> tuple[str, ...]:
        """The files that decide what is drawn, relative to the card's folder; the checkpoint is named apart."""
        folder, names = self.card.folder, ["scheduler/scheduler_config.json"]
        for tokenizer in self.card.layout.tokenizers:
            present = [name for name in _TOKENIZER_FILES if (folder / tokenizer / name).is_file()]
            # tokenizer.json says all; the other two are what it was made from.
            names += [f"{tokenizer}/{name}" for name in (present[:1] if "tokenizer.json" in present else present)]
        names += [f"{part}/config.json" for part in self.card.layout.parts]
        if self.card.checkpoint is None:
            files = (path for weights in self.weights.values() for path in weights.files)
            names += [path.relative_to(folder).as_posix() for path in files]
        return tuple(names)


def open_model(place: Path) -> ModelFiles:
    """Read the configs of a diffusers folder or of a single .safetensors checkpoint.

    Raises AssetError: nothing there, another kind of file or model, a config missing or broken.
    """
    if place.is_dir():
        return ModelFiles(read_card(place))
    if not place.exists():
        raise AssetError(f"The model {place} is missing.", "Restore it, or name another model.")
    if place.suffix.lower() != ".safetensors":
        message = f"The model {place} is neither a folder nor a .safetensors file."
        raise AssetError(message, "Pickles (.ckpt, .pt, .bin) can run code when read and are never loaded.")
    return ModelFiles(single_file.read_card_of(place))


def open_part(folder: Path, name: str) -> PartFiles:
    """Read what one network is loaded from where the folder holds no whole model, such as an earlier checkpoint.

    name: "unet", "text_encoder", ... Raises AssetError.
    """
    layout = next((layout for layout in LAYOUTS.values() if name in layout.parts), None)
    if layout is None:
        raise AssetError(f"A model has no part named {name!r}.")
    config = read_config(folder, f"{name}/config.json")
    # diffusers names the class of the config, transformers those it was saved with.
    kind = config.get("_class_name") or next(iter(config.get("architectures") or ()), layout.parts[name])
    if kind != layout.parts[name]:
        raise AssetError(f"The {name} in {folder} must be a {layout.parts[name]}, not {str(kind)[:60]}.")
    return PartFiles(name, kind, folder, find_weights(folder / name, stem_of(name)))


def stem_of(part: str) -> str:
    """How the two libraries name a part's weights."""
    return "model" if part.startswith("text_encoder") else "diffusion_pytorch_model"


def dtype_of(part: str, dtype: str) -> str:
    """The number format of a part where the network has `dtype`.

    The autoencoder stays in float32 under fp16, where its activations may overflow; it is a small part of the work.
    """
    return "fp32" if part == "vae" and dtype == "fp16" else dtype
