"""CLIPScore with a CLIP of the user's: 2.5 max(cos, 0), the prompt after "A photo depicts ".

Source: Hessel and others, arXiv:2104.08718, section 3 and its prompt; comparable with published numbers of the same
CLIP alone.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from studio.models.clip import Clip
from studio.training.features.extractors import own_clips
from studio.training.scorers.agreement import ClipAgreement
from studio.training.scorers.pick_score import FOLDER as PICK_SCORE

PREFIX, SCALE = "A photo depicts ", 2.5


def folder_of(models_dir: Path | None) -> Path | None:
    """The first CLIP of the models folder that is no other scorer's."""
    return next((path for path in own_clips(models_dir) if path.name != PICK_SCORE), None)


def missing(models_dir: Path | None) -> str:
    """See Kind."""
    if folder_of(models_dir) is not None:
        return ""
    return (
        "CLIPScore needs a CLIP: put a folder such as openai/clip-vit-base-patch32, with model.safetensors, into the "
        "models folder (--models-dir)."
    )


def on_scale(cosine: Tensor) -> Tensor:
    """From cosines to scores."""
    return SCALE * cosine.clamp_min(0)


def load(models_dir: Path | None) -> ClipAgreement:
    """Load it. Raises AssetError."""
    folder = folder_of(models_dir)
    assert folder is not None
    return ClipAgreement("clip_score", Clip.load(folder), (0.0, SCALE), on_scale, PREFIX)
