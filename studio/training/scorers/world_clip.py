"""The world's CLIP: the cosine of picture and prompt. It does not see whether a picture is broken."""

from __future__ import annotations

from pathlib import Path

from studio.models.clip import Clip
from studio.training.features.extractors import WORLD_CLIP
from studio.training.scorers.agreement import ClipAgreement


def missing(models_dir: Path | None) -> str:
    """It is always there."""
    return ""


def load(models_dir: Path | None) -> ClipAgreement:
    """Load it. Raises AssetError."""
    return ClipAgreement("world_clip", Clip.load(WORLD_CLIP), (-1.0, 1.0), lambda cosine: cosine)
