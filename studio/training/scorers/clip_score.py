"""CLIPScore with a CLIP of the user's: 2.5 max(cos, 0), the prompt after "A photo depicts ".

Source: Hessel and others, arXiv:2104.08718, section 3 and its prompt; comparable with published numbers of the same
CLIP alone.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from studio.models.clip import Clip
from studio.training.scorers.agreement import ClipAgreement

PREFIX, SCALE = "A photo depicts ", 2.5


def on_scale(cosine: Tensor) -> Tensor:
    """From cosines to scores."""
    return SCALE * cosine.clamp_min(0)


def load(folder: Path) -> ClipAgreement:
    """Load it. Raises AssetError."""
    return ClipAgreement("clip_score", Clip.load(folder), on_scale, PREFIX)
