"""Scores that are a cosine of CLIP between picture and prompt, each published one on a scale of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from studio.models.clip import Clip
from studio.training.scorers.base import check


@dataclass(frozen=True, eq=False)
class ClipAgreement:
    """A Scorer on one CLIP.

    on_scale: from cosines [B] to scores [B].
    prefix: put before each prompt.
    """

    name: str
    clip: Clip
    on_scale: Callable[[Tensor], Tensor]
    prefix: str = ""

    @property
    def id(self) -> str:
        """See Scorer."""
        return self.clip.id

    def score(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """See Scorer."""
        check(images, prompts)
        sentences = self.clip.sentences([self.prefix + prompt for prompt in prompts])
        return self.on_scale((self.clip.pictures(images) * sentences).sum(-1))
