"""PickScore: the cosine of a CLIP trained on people's choices, times its learned scale; about 18 to 24.

The chance that one of several pictures of a prompt is chosen is the softmax of their scores. Scores of different
prompts are not comparable. Source: Kirstain and others, arXiv:2305.01569, equations 1 and 2.
"""

from __future__ import annotations

from pathlib import Path

from studio.models.clip import Clip
from studio.training.scorers.agreement import ClipAgreement


def load(folder: Path) -> ClipAgreement:
    """Load it. Raises AssetError."""
    clip = Clip.load(folder)
    return ClipAgreement("pick_score", clip, lambda cosine: clip.scale * cosine)
