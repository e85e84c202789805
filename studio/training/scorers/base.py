"""What a scorer is, and which there are.

A scorer gives one number for each picture and prompt, higher for better. It is known by name before it is loaded; the
published ones need weights that the user has put into the models folder, and a sentence says which where they are not.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from studio.core.errors import NotFound
from studio.training.scorers import places
from studio.training.scorers.places import Place


class Scorer(Protocol):
    """Loaded, and ready to score.

    name: in the registry.
    id: of what its scores depend on, in hex: scores of other ids are never compared.
    """

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...

    def score(self, images: Tensor, prompts: Sequence[str], /) -> Tensor:
        """[B], float32; gradients come back to the pictures.

        images: [B, 3, H, W] in 0..1. prompts: one for each. Raises ValueError for other numbers.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """One scorer that can be loaded.

    name: of it.
    about: one sentence for whoever chooses.
    source: paper.
    place: where its weights are, of a models folder.
    of_world: whether it reads pictures of Stencil's world alone.
    """

    name: str
    about: str
    source: str
    place: Callable[[Path | None], Place]
    of_world: bool = False

    def missing(self, models_dir: Path | None) -> str:
        """Why it cannot be loaded, in a sentence; "" where it can. Loads nothing."""
        place = self.place(models_dir)
        return place.lacking if place.path is None else ""

    def load(self, models_dir: Path | None) -> Scorer:
        """Raises NotFound with that sentence, AssetError for broken files."""
        place = self.place(models_dir)
        if place.path is None:
            raise NotFound(place.lacking)
        return importlib.import_module(f"studio.training.scorers.{self.name}").load(place.path)


def kind(name: str) -> Kind:
    """Raises NotFound."""
    for scorer in KINDS:
        if scorer.name == name:
            return scorer
    raise NotFound(
        f"There is no scorer named {name[:60]!r}.", f"There are {', '.join(scorer.name for scorer in KINDS)}."
    )


def check(images: Tensor, prompts: Sequence[str]) -> None:
    """Raise ValueError unless there is a prompt for each of the pictures [B, 3, H, W]."""
    if images.dim() != 4 or images.shape[1] != 3 or len(images) != len(prompts):
        raise ValueError(f"pictures are [B, 3, H, W] with a prompt each, not {tuple(images.shape)}, {len(prompts)}")


KINDS = (
    Kind("world_clip", "How well picture and prompt agree, by the world's CLIP.", "", places.shipped, of_world=True),
    Kind("whole", "How surely the oracle takes a picture for one of the world.", "", places.shipped, of_world=True),
    Kind("clip_score", "How well they agree by a CLIP of yours.", "arXiv:2104.08718", places.clip_score),
    Kind("pick_score", "What people prefer of pictures of one prompt.", "arXiv:2305.01569", places.pick_score),
    Kind("hps_v2", "The same, learned from more models, with several judges.", "arXiv:2306.09341", places.hps_v2),
    Kind("image_reward", "The same, learned from experts' rankings.", "arXiv:2304.05977", places.image_reward),
)
