"""What a look at held-out pictures is told by: the base beside them, a taste, the oracle, and how far looks have moved.

Nothing here draws, and nothing knows of steps of a training but their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from studio.metrics.diversity import dissimilarity
from studio.metrics.look import PROFILES, Drift, alarm, drifts
from studio.training.evaluate.meter import tensor
from studio.training.features.extractors import Loaded, load
from studio.training.features.job import read_picture
from studio.training.lora.choice import Sight
from studio.training.lora.looks import oracle
from studio.training.lora.plan import Plan
from studio.training.lora.policies import JudgedPlan
from studio.training.lora.preferred import Preference, learn

Pictures = npt.NDArray[np.uint8]  # [N, H, W, 3], every seed of a prompt behind the one before
TOGETHER = 16  # pictures whose features are computed at once
_FLAT = 1e-9  # below it the base draws one picture only
_BASE, _PREFERENCE = "judged/base/", "judged/preference/"


class Jury:
    """Of one training.

    preference: what its rows prefer; None before it was learned, and where too few say it.
    is_ready: whether that was tried, and the base's pictures are known.
    """

    def __init__(self, plan: JudgedPlan, clip: Path | None) -> None:
        """clip: folder of a CLIP of the user's, where the plan judges by one."""
        self._plan, self._clip = plan, clip
        self._extractor: Loaded | None = None
        self._base: dict[str, Tensor] = {}  # "features" [N, F], "pictures" [N, H, W, 3], "broken" []
        self._moves: dict[tuple[int, float], list[Drift]] = {}  # state and strength -> how far looks have moved
        self._features_of_rows: dict[str, Tensor] = {}
        self.preference: Preference | None = None

    @property
    def is_ready(self) -> bool:
        return bool(self._base)

    @property
    def base_broken(self) -> float:
        """Share of the base's pictures that are broken; nan where nobody can say."""
        return float(self._base["broken"]) if self._base else math.nan

    @property
    def pictures(self) -> int:
        """Of a look."""
        return len(self._base["features"])

    def read(self, files: Mapping[str, str]) -> None:
        """Take in some pictures of rows. files: sha256 -> file; what cannot be read is left out."""
        by_shape: dict[tuple[int, ...], dict[str, Pictures]] = {}
        for image, path in files.items():
            picture = read_picture(Path(path))
            if picture is not None:
                by_shape.setdefault(picture.shape, {})[image] = picture
        for alike in by_shape.values():
            rows = self._features(np.stack(list(alike.values())))
            self._features_of_rows |= dict(zip(alike, rows, strict=True))

    def begin(self, plan: Plan, pictures: Pictures) -> None:
        """Learn the taste of the rows that were read, and take in the base's pictures."""
        self.preference = learn(plan, self._features_of_rows)
        self._features_of_rows = {}
        self._base = {"features": self._features(pictures), "pictures": torch.from_numpy(pictures.copy())}
        self._base["broken"] = torch.tensor(self._broken(pictures))

    def judge(self, step: int, strength: float, pictures: Pictures) -> Sight:
        """Hold a state's pictures against the base's. step, strength: which state."""
        features, base = self._features(pictures), self._base["features"]
        won = math.nan if self.preference is None else float(self.preference.won(features, base).mean())
        base_pictures = self._base["pictures"].numpy()
        gap = np.abs(pictures.astype(np.float32) - base_pictures.astype(np.float32))
        self._moves[step, strength] = drifts(tensor(pictures), tensor(base_pictures))
        diversity = self._diversity(features) / max(self._diversity(base), _FLAT)
        return Sight(step, strength, won, self._broken(pictures), diversity, float(gap.mean()))

    def moves(self, sight: Sight) -> list[Drift]:
        """How far looks have moved at a sight."""
        return self._moves.get((sight.step, sight.strength), [])

    def alarm(self, sight: Sight) -> str:
        """What somebody should look at there, a sentence; "" for nothing."""
        return alarm(self.moves(sight))

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        tensors = {f"{_BASE}{name}": value for name, value in self._base.items()}
        if self.preference is not None:
            tensors |= {f"{_PREFERENCE}{name}": value for name, value in self.preference.state().items()}
        rows = [(*place, drift.value, drift.floor) for place, moves in self._moves.items() for drift in moves]
        tensors["judged/moves"] = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(PROFILES), 4)
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from one of after the first look."""
        for rows in tensors["judged/moves"].tolist() if "judged/moves" in tensors else ():
            moves = [Drift(aspect, *row[2:]) for aspect, row in zip(PROFILES, rows, strict=True)]
            self._moves[int(rows[0][0]), rows[0][1]] = moves
        self._base = {n.removeprefix(_BASE): tensor for n, tensor in tensors.items() if n.startswith(_BASE)}
        if f"{_PREFERENCE}direction" in tensors:
            self.preference = Preference.load(tensors[f"{_PREFERENCE}direction"], tensors[f"{_PREFERENCE}numbers"])

    def _diversity(self, features: Tensor) -> float:
        """How far a prompt's pictures are apart on the mean; nan of one seed. features: [N, F], seeds together."""
        seeds = self._plan.seeds
        return math.nan if seeds < 2 else float(dissimilarity(features.unflatten(0, (-1, seeds))).mean())

    def _features(self, pictures: Pictures) -> Tensor:
        if self._extractor is None:
            self._extractor = load(self._plan.features, self._clip)
        return torch.from_numpy(self._extractor.extract(pictures).copy()).float()

    def _broken(self, pictures: Pictures) -> float:
        if not self._plan.in_world:
            return math.nan
        return float(np.mean([reading.invalid for reading in oracle().read(pictures)]))
