"""The world's CLIP: the cosine of picture and prompt. It does not see whether a picture is broken."""

from __future__ import annotations

from pathlib import Path

from studio.models.clip import Clip
from studio.training.features.extractors import WORLD_CLIP
from studio.training.scorers.agreement import ClipAgreement


def load(place: Path) -> ClipAgreement:
    """Load it; it lies where the program does. Raises AssetError."""
    return ClipAgreement("world_clip", Clip.load(WORLD_CLIP), lambda cosine: cosine)
