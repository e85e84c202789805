"""What features can be had of pictures: those of the world's CLIP and oracle, of a CLIP of the user's, or of tones.

An extractor is known by name before it is loaded, and its features are kept under what they depend on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.core.errors import NotFound

Pictures = npt.NDArray[np.uint8]  # [N, H, W, 3]
Features = npt.NDArray[np.float32]  # [N, width]
Extract = Callable[[Pictures], Features]

WORLD_CLIP = Path(__file__).resolve().parents[3] / "assets" / "models" / "clip"
OWN_CLIP = "own_clip"
TONES_VERSION, TONES_WIDTH = "tones 1", 30
ATTRIBUTES_VERSION = "attributes 1"
_BINS = 8


@dataclass(frozen=True)
class Extractor:
    """One kind of features.

    name: in the store, and where one is chosen.
    about: one sentence for whoever chooses.
    of_world: whether it reads pictures of Stencil's world alone.
    """

    name: str
    about: str
    of_world: bool


EXTRACTORS: dict[str, Extractor] = {
    extractor.name: extractor
    for extractor in (
        Extractor("oracle", "What the world's oracle sees: its pooled features, 256 of them.", of_world=True),
        Extractor("attributes", "What the oracle reads: object, colour, style, background, and how broken.", True),
        Extractor("clip", "The world's CLIP, 128 features; it does not see what is broken.", of_world=True),
        Extractor(OWN_CLIP, "A CLIP of yours, in the models folder.", of_world=False),
        Extractor("tones", "Brightness, colours and edges: what can be had without any model.", of_world=False),
    )
}


@dataclass(frozen=True)
class Loaded:
    """An extractor that can be used. id: of what its features depend on, in hex; width: how many of a picture."""

    id: str
    width: int
    extract: Extract


def load(name: str, folder: Path | None = None) -> Loaded:
    """Load one. folder: of a CLIP of the user's. Raises NotFound for a name without one, AssetError."""
    if name == "oracle" or name == "attributes":
        return _oracle(name)
    if name == "clip":
        return _clip(WORLD_CLIP)
    if name == OWN_CLIP and folder is not None:
        return _clip(folder)
    if name == "tones":
        return Loaded(_hashed(TONES_VERSION), TONES_WIDTH, tones)
    raise NotFound(f"There are no features named {name[:60]!r}.", f"There are {', '.join(EXTRACTORS)}.")


def _oracle(name: str) -> Loaded:
    from studio.world.oracle import CLASSES, FEATURES, Oracle, version

    oracle = Oracle.load()
    if name == "oracle":
        return Loaded(_hashed(version()), 2 * FEATURES, lambda pictures: oracle.features(pictures).numpy())
    parts = ("object", "colour", "style", "background")
    width = sum(len(CLASSES[part]) for part in parts) + 1

    def attributes(pictures: Pictures) -> Features:
        """One-hot of what is read of the first thing and the picture, and the logit of being invalid."""
        rows = np.zeros((len(pictures), width), dtype=np.float32)
        for row, reading in zip(rows, oracle.read(pictures), strict=True):
            first = reading.things[0] if reading.things else None
            words = {
                "object": first.object if first else "",
                "colour": first.colour if first else "",
                "style": reading.style if first else "",
                "background": reading.background,
            }
            at = 0
            for part in parts:
                if words[part] in CLASSES[part]:
                    row[at + CLASSES[part].index(words[part])] = 1
                at += len(CLASSES[part])
        rows[:, -1] = oracle.logits(pictures)["invalid"].numpy()
        return rows

    return Loaded(_hashed(f"{ATTRIBUTES_VERSION} {version()}"), width, attributes)


def _clip(folder: Path) -> Loaded:
    import torch

    from studio.models.clip import Clip
    from studio.training.evaluate.meter import tensor

    clip = Clip.load(folder)

    def embed(pictures: Pictures) -> Features:
        with torch.no_grad():
            return clip.pictures(tensor(pictures)).cpu().numpy()

    return Loaded(clip.id, clip.width, embed)


def tones(pictures: Pictures) -> Features:
    """[N, 30]: mean and spread of saturation, brightness and grey, density of edges, histograms of three channels.

    Spread is the standard deviation over pixels; edges are where grey rises by more than a tenth between neighbours;
    a histogram has 8 bins, of which the last is what the others leave.
    """
    x = pictures.astype(np.float32) / 255
    high, low = x.max(-1), x.min(-1)
    grey = x @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    saturation = (high - low) / np.maximum(high, 1e-6)
    columns = [value for plane in (saturation, high, grey) for value in (plane.mean((1, 2)), plane.std((1, 2)))]
    columns += [(np.abs(np.diff(grey, axis=axis)) > 0.1).mean((1, 2)) for axis in (1, 2)]
    bins = np.minimum((x * _BINS).astype(np.int64), _BINS - 1)
    columns += [(bins[..., channel] == k).mean((1, 2)) for channel in range(3) for k in range(_BINS - 1)]
    columns.append((high - low).max((1, 2)))
    return np.stack(columns, 1).astype(np.float32)


def own_clips(models_dir: Path | None) -> list[Path]:
    """Folders of the models folder that hold a CLIP with its pictures' half, in order of name."""
    if models_dir is None or not models_dir.is_dir():
        return []
    needed = ("config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json")
    return [path for path in sorted(models_dir.iterdir()) if all((path / name).is_file() for name in needed)]


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def names(of_world: bool, models_dir: Path | None = None) -> Sequence[str]:
    """Extractors that suit pictures, the best one first. of_world: whether all are of Stencil's world."""
    if of_world:
        return ("oracle", "attributes", "clip", "tones")
    return (OWN_CLIP, "tones") if own_clips(models_dir) else ("tones",)
