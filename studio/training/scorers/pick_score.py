"""PickScore: the cosine of a CLIP trained on people's choices, times its learned scale; about 18 to 24.

The chance that one of several pictures of a prompt is chosen is the softmax of their scores. Scores of different
prompts are not comparable. Source: Kirstain and others, arXiv:2305.01569, equations 1 and 2.
"""

from __future__ import annotations

from pathlib import Path

from studio.models.clip import Clip
from studio.training.scorers.agreement import ClipAgreement

FOLDER = "PickScore_v1"


def missing(models_dir: Path | None) -> str:
    """See Kind."""
    if models_dir is not None and (models_dir / FOLDER / "model.safetensors").is_file():
        return ""
    return (
        f"PickScore's weights are not there: put the folder {FOLDER} of yuvalkirstain/{FOLDER}, with its "
        "model.safetensors, into the models folder (--models-dir)."
    )


def load(models_dir: Path | None) -> ClipAgreement:
    """Load it. Raises AssetError."""
    assert models_dir is not None
    clip = Clip.load(models_dir / FOLDER)
    return ClipAgreement("pick_score", clip, (10.0, 30.0), lambda cosine: clip.scale * cosine)
