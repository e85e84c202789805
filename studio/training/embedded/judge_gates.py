"""What the oracle is measured by: its threshold for garbage, and its gates.

The threshold balances false alarms against misses on the calibration split; the gates are measured on the test split,
whose combinations of attributes are in no training set.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from studio.training.embedded.data import Pictures
from studio.training.embedded.garbage import KINDS, UNSEEN_KINDS
from studio.training.embedded.judge_data import (
    COLUMN,
    SEEDS,
    SLOT_REGIONS,
    HeldOut,
    Labels,
    cached,
    fingerprint,
    garbage_set,
    reconstructed,
    softened,
    spoiled,
)
from studio.training.evaluate.rows import ReportRow, share_row
from studio.world.oracle import CLASSES, PER_REGION, Oracle
from studio.world.reading import LAYOUTS


def hits(oracle: Oracle, pictures: Any, truth: Labels) -> dict[str, np.ndarray]:
    """Per attribute, a truth value per picture: every object right in its slot, every colour right in its slot, ...

    style is over pictures with objects, size and place over those with one.
    """
    logits = oracle.logits(pictures)
    best = {name: logits[name].argmax(-1).numpy() for name in CLASSES}
    layout = truth[:, COLUMN["layout"]]
    right: dict[str, np.ndarray] = {"layout": best["layout"] == layout}
    counts = np.minimum(np.arange(len(LAYOUTS)), 2)
    right["count"] = counts[best["layout"]] == counts[layout]
    right["background"] = best["background"] == truth[:, COLUMN["background"]]
    for name, rows in (("style", layout >= 1), ("size", layout == 1), ("place", layout == 1)):
        right[name] = best[name][rows] == truth[rows, COLUMN[name]]
    for name in PER_REGION:
        ok = best["layout"] == layout
        for kind, region, slot in SLOT_REGIONS:
            wrong = best[name][:, region] != truth[:, COLUMN[f"{name}_{slot}"]]
            ok = ok & ~((layout == kind) & wrong)
        right[name] = ok[layout >= 1]
    return right


def confusions(oracle: Oracle, pictures: Any, truth: Labels) -> dict[str, npt.NDArray[np.int64]]:
    """Counts [true class, class read] per attribute; object and colour by slot, where the layout is read right."""
    logits = oracle.logits(pictures)
    best = {name: logits[name].argmax(-1).numpy() for name in CLASSES}
    layout = truth[:, COLUMN["layout"]]
    counts: dict[str, npt.NDArray[np.int64]] = {}
    for name, names in CLASSES.items():
        if name in PER_REGION:
            rows = [(best["layout"] == layout) & (layout == kind) for kind, _, _ in SLOT_REGIONS]
            slots = list(zip(rows, SLOT_REGIONS, strict=True))
            true = np.concatenate([truth[r, COLUMN[f"{name}_{slot}"]] for r, (_, _, slot) in slots])
            read = np.concatenate([best[name][r, region] for r, (_, region, _) in slots])
        else:
            applies = layout >= {"style": 1}.get(name, 0) if name not in ("size", "place") else layout == 1
            true, read = truth[applies, COLUMN[name]], best[name][applies]
        counts[name] = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts[name], (true, read), 1)
    return counts


def invalid_scores(oracle: Oracle, pictures: Any) -> np.ndarray:
    """Invalid logit of each picture, [N] float32."""
    return oracle.logits(pictures)["invalid"].numpy()


def degraded(pictures: Pictures, seed: int = 7) -> dict[str, Tensor]:
    """The mild degradations of the gates, each [N, 3, 128, 128] in [0, 1]: noise, shift by one pixel, slight blur."""
    x = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
    generator = torch.Generator().manual_seed(seed)
    noisy = (x + 0.02 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    corners = torch.randint(0, 3, (len(x), 2), generator=generator).tolist()
    size = x.shape[-1]
    moved = torch.stack([p[:, r : r + size, c : c + size] for p, (r, c) in zip(padded, corners, strict=True)])
    return {"noise 0.02": noisy, "shift 1 px": moved, "blur 0.7 px": softened(x, 0.7)}


def balanced_threshold(valid: Sequence[np.ndarray], junk: np.ndarray) -> float:
    """The logit at which false alarms (worst kind of valid picture, against 2 %) and misses (against 5 %) balance."""
    grid = np.linspace(-8, 8, 641)
    alarms = np.max([[(scores > t).mean() for t in grid] for scores in valid], axis=0)
    misses = np.asarray([(junk <= t).mean() for t in grid])
    cost = np.maximum(alarms / 0.02, misses / 0.05)
    return float(np.median(grid[cost <= cost.min() + 1e-9]))


def calibrate(oracle: Oracle, folder: Path, vae_folder: Path | None, n: int = 1000, per_kind: int = 60) -> float:
    """The threshold, as a probability, from the calibration split."""
    held_out = HeldOut.make(folder, "calibration", n)
    junk = garbage_set(
        folder / f"garbage_calibration_{per_kind}.npy", dict.fromkeys(KINDS, per_kind), SEEDS["calibration"]
    )
    valid = [held_out.pictures, *degraded(held_out.pictures).values()]
    if vae_folder is not None:
        vae, name = AutoencoderKL.from_pretrained(vae_folder), fingerprint(vae_folder)
        path = folder / f"reconstructed_calibration_{name}_{n}.npy"
        valid.append(cached(path, lambda: reconstructed(vae, held_out.pictures)))
    logit = balanced_threshold([invalid_scores(oracle, p) for p in valid], invalid_scores(oracle, junk))
    return float(1 / (1 + np.exp(-logit)))


def evaluate(
    oracle: Oracle, folder: Path, vae_folder: Path | None = None, n: int = 2400, per_kind: int = 100
) -> list[ReportRow]:
    """The oracle's gates on the test split.

    folder: where pictures are kept.
    vae_folder: an autoencoder whose reconstructions are read too.
    n: held-out renders.
    per_kind: pictures per kind of garbage.
    """
    test = HeldOut.make(folder, "test", n)
    limit = float(np.log(oracle.threshold / (1 - oracle.threshold)))
    goals = dict.fromkeys(("object", "style", "background", "count"), 0.99) | {"colour": 0.97}
    right = hits(oracle, test.pictures, test.labels)
    rows = [share_row("renders", name, right[name], goals.get(name)) for name in right]
    valid: dict[str, Any] = {"renders": test.pictures, **degraded(test.pictures)}
    junk = garbage_set(folder / f"garbage_test_{per_kind}.npy", dict.fromkeys(KINDS, per_kind), SEEDS["test"])
    unseen = garbage_set(
        folder / f"garbage_unseen_{per_kind}.npy", dict.fromkeys(UNSEEN_KINDS, per_kind), SEEDS["test"]
    )
    flagged = {
        kind: s > limit for kind, s in zip(KINDS, invalid_scores(oracle, junk).reshape(-1, per_kind), strict=True)
    }
    if vae_folder is not None:
        vae, name = AutoencoderKL.from_pretrained(vae_folder), fingerprint(vae_folder)
        remade = cached(folder / f"reconstructed_test_{name}_{n}.npy", lambda: reconstructed(vae, test.pictures))
        valid["reconstructions"] = remade
        right = hits(oracle, remade, test.labels)
        rows += [share_row("reconstructions", k, v, 0.95 if k in goals else None) for k, v in right.items()]
        few = test.pictures[: 4 * per_kind]
        melted = cached(folder / f"spoiled_test_{name}_{per_kind}.npy", lambda: spoiled(vae, few, SEEDS["test"]))
        flagged["spoiled latents"] = invalid_scores(oracle, melted) > limit
    rows += [share_row("false alarms", k, invalid_scores(oracle, v) > limit, 0.02, True) for k, v in valid.items()]
    rows.append(share_row("garbage flagged", "all kinds", np.concatenate(list(flagged.values())), 0.95))
    rows += [share_row("garbage flagged", kind, values) for kind, values in flagged.items()]
    for kind, scores in zip(UNSEEN_KINDS, invalid_scores(oracle, unseen).reshape(-1, per_kind), strict=True):
        rows.append(share_row("garbage never trained on", kind, scores > limit))
    return rows
