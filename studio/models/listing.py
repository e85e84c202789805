"""Which models there are, and of each whether it can be used: read from configs and headers, without torch.

A broken model is listed with what is wrong with it, and takes nothing from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studio.core.errors import AssetError, NotFound
from studio.models import hub
from studio.models.files import open_model

EMBEDDED = "embedded"
_SINGLE = ".safetensors"
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_PARTS = ("unet", "transformer", "vae", "text_encoder", "scheduler")  # folders of a diffusers pipeline
MAX_DEPTH = 4  # of folders that models are sorted into: kind, base, maker, version


@dataclass(frozen=True)
class Listed:
    """One model.

    name, place: what it is called, and where it is.
    problem: why it cannot be used, None where it can; then what follows is known.
    family: "embedded", "sd", "sdxl".
    bytes_on_disk: of its weights.
    values: how many numbers they are.
    dtype: the number format most of its denoiser is stored in.
    default_size_px: side of the pictures it was trained on.
    parts: component -> how many numbers.
    """

    name: str
    place: Path
    problem: str | None = None
    family: str | None = None
    bytes_on_disk: int = 0
    values: int = 0
    dtype: str | None = None
    default_size_px: int | None = None
    parts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Places:
    """Where models are by name. A name with a slash that the folder has not is a hub id, looked for in the hub's cache.

    by_name: name -> place, for those that were given a name, which come first.
    folder: scanned for more, None for none: each of its folders is a model, and each .safetensors file, under its own
        name; a folder that models are sorted into gives its own name to each, as in "SDXL/mine.safetensors".
    """

    by_name: Mapping[str, Path]
    folder: Path | None = None

    def names(self) -> tuple[str, ...]:
        """Names of all but the hub's, usable or not; scans the folder anew."""
        return (*self.by_name, *self._scanned())

    def find(self, name: str) -> Path:
        """Where a model is. Raises NotFound, and AssetError for one of the hub that is not on this machine."""
        if name in self.by_name:
            return self.by_name[name]
        scanned = self._scanned()
        if name in scanned:
            return scanned[name]
        if hub.is_hub_id(name):
            return hub.cached(name)
        raise NotFound(f"There is no model named {name[:60]!r}; there are {', '.join(self.names())}.")

    def early(self, name: str) -> Path | None:
        """Where the early checkpoint of a model is, a denoiser with its text encoders; None for a model without one.

        It lies beside the embedded model, which alone comes with one, under its name and "-early".
        """
        place = self.by_name.get(name)
        beside = None if place is None else place.with_name(f"{place.name}-early")
        return beside if beside is not None and (beside / "unet").is_dir() else None

    def listing(self) -> list[Listed]:
        """Look at every model, in order of name, those given by name first; never raises for what it finds."""
        listed = [look_at(name, place, EMBEDDED) for name, place in self.by_name.items()]
        return listed + [look_at(name, place) for name, place in self._scanned().items()]

    def _scanned(self) -> dict[str, Path]:
        """Whatever in the folder should be a model, by name. A folder that cannot be read has none."""
        models = {} if self.folder is None else _models_in(self.folder, MAX_DEPTH)
        return {name: place for name, place in models.items() if name not in self.by_name}


def _models_in(folder: Path, depth: int) -> dict[str, Path]:
    """Name within the folder -> place of each model in it, and in those of its folders that are none themselves.

    depth: how many folders deep to look; links are followed, and a circle of them ends there.
    """
    models: dict[str, Path] = {}
    for entry in _entries(folder):
        if entry.is_dir():
            if entry.with_name(entry.name + _SINGLE).is_file():
                continue  # the configs of the checkpoint beside it
            below = {} if depth == 0 or _is_pipeline(entry) else _models_in(entry, depth - 1)
            # What holds no model at all is told as a broken one, for so a half-copied model looks.
            models |= {f"{entry.name}/{name}": place for name, place in below.items()} or {entry.name: entry}
        elif entry.suffix.lower() in (_SINGLE, *_PICKLES):
            models[entry.name] = entry
    return models


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []


def _is_pipeline(folder: Path) -> bool:
    """Whether a folder is a model in parts, whole or not."""
    return (folder / "model_index.json").exists() or any((folder / part).is_dir() for part in _PARTS)


def look_at(name: str, place: Path, family: str | None = None) -> Listed:
    """Look at one model. family: named instead of its pipeline's. Never raises for what it finds."""
    try:
        files = open_model(place)
        weights = files.weights
    except AssetError as error:
        return Listed(name, place, str(error))
    on_disk = {path: path.stat().st_size for part in weights.values() for path in part.files}
    return Listed(
        name,
        place,
        family=family or files.card.family,
        bytes_on_disk=sum(on_disk.values()),
        values=sum(part.values for part in weights.values()),
        dtype=weights["unet"].dtype,
        default_size_px=files.card.default_size_px,
        parts={part: part_weights.values for part, part_weights in weights.items()},
    )
