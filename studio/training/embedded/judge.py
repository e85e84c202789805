"""Stage `oracle`: the network of `studio.world.oracle`, its threshold for garbage, and its gates.

Renders, reconstructions and garbage are drawn once and kept; every batch is spoiled a little (`mild`), so that what
the oracle calls garbage is what is wrong with the scene, not with the pixels. The threshold balances false alarms
against misses on the calibration split; the gates are measured on the test split, whose combinations of attributes
are in no training set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from studio.training.embedded.data import Pictures, picture_set
from studio.training.embedded.garbage import KINDS, UNSEEN_KINDS
from studio.training.embedded.judge_data import (
    COLUMN,
    SEEDS,
    HeldOut,
    Labels,
    cached,
    fingerprint,
    garbage_set,
    label_rows,
    mild,
    reconstructed,
    softened,
    spoiled,
    wide_scene,
)
from studio.training.embedded.stage import Stage, mixed_precision, warm_cosine
from studio.training.evaluate.rows import ReportRow, share_row
from studio.world.oracle import CLASSES, CONFIG, PER_REGION, SUMS, WEIGHTS, Oracle, OracleNet
from studio.world.reading import LAYOUTS

RENDERS, RECONSTRUCTIONS, SPOILED = 24_000, 4_000, 2_000
# Most of what is hardest to tell from a scene: a wrong outline, well drawn.
GARBAGE_MIX = dict.fromkeys(KINDS, 500) | {
    "morph": 5000,
    "unknown_shape": 2000,
    "half_erased": 1500,
    "blend": 1200,
    "warped": 1200,
    "overlapping": 800,
}
WEIGHT_OF = {"object": 1.0, "colour": 1.0, "layout": 0.7, "style": 0.7, "background": 0.3, "size": 0.3, "place": 0.3}
GARBAGE = -1  # layout of a picture that shows no scene
SLOT_REGIONS = ((1, 0, "a"), (2, 1, "a"), (2, 2, "b"), (3, 3, "a"), (3, 4, "b"))  # layout, region of REGIONS, slot


@dataclass(frozen=True)
class Source:
    """Pictures and their share of every batch; labels [N, heads], with layout GARBAGE where there is no scene."""

    pictures: Pictures
    labels: Labels
    share: float


def sources(
    folder: Path,
    vae_folder: Path | None,
    renders: int = RENDERS,
    reconstructions: int = RECONSTRUCTIONS,
    melted: int = SPOILED,
) -> list[Source]:
    """Everything trained on.

    vae_folder: an autoencoder whose reconstructions and spoiled latents join in.
    """
    scenes = [wide_scene(i) for i in range(renders)]
    pictures, truth = picture_set(folder / f"renders_{renders}.npy", scenes), label_rows(scenes)
    junk = garbage_set(folder / f"garbage_{sum(GARBAGE_MIX.values())}.npy", GARBAGE_MIX, SEEDS["train"])

    def no_labels(n: int) -> Labels:
        return np.full((n, truth.shape[1]), GARBAGE)

    renders_and_garbage = [Source(pictures, truth, 0.7), Source(junk, no_labels(len(junk)), 0.3)]
    if vae_folder is None:
        return renders_and_garbage
    vae, name = AutoencoderKL.from_pretrained(vae_folder), fingerprint(vae_folder)
    first, some = pictures[:reconstructions], pictures[-melted:]
    remade = cached(
        folder / f"reconstructed_{name}_{reconstructions}.npy", lambda: reconstructed(vae, first, fast=True)
    )
    mush = cached(folder / f"spoiled_{name}_{melted}.npy", lambda: spoiled(vae, some, SEEDS["train"]))
    rest = [Source(remade, truth[:reconstructions], 0.2), Source(mush, no_labels(melted), 0.06)]
    return [Source(pictures, truth, 0.48), Source(junk, no_labels(len(junk)), 0.26), *rest]


def _batch(parts: Sequence[Source], rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
    pictures, truth = [], []
    for part in parts:
        rows = np.sort(rng.integers(0, len(part.pictures), max(1, round(part.share * size))))
        pictures.append(part.pictures[rows])
        truth.append(part.labels[rows])
    order = torch.from_numpy(rng.permutation(sum(map(len, truth))))  # `mild` moves the first half only
    x = torch.from_numpy(np.concatenate(pictures))[order].permute(0, 3, 1, 2)
    return x.float() / 255, torch.from_numpy(np.concatenate(truth))[order]


def loss_of(outputs: dict[str, Tensor], truth: Tensor) -> Tensor:
    """Cross entropy of every head over the pictures it applies to, and of `invalid` over all.

    truth: [B, heads] class numbers as `labels` gives them, layout GARBAGE for garbage.
    """

    def column(name: str) -> Tensor:
        return truth[:, COLUMN[name]]

    layout = column("layout")
    total = 3 * F.binary_cross_entropy_with_logits(outputs["invalid"], (layout == GARBAGE).float())
    applies = {
        "layout": layout >= 0,
        "background": layout >= 0,
        "style": layout >= 1,
        "size": layout == 1,
        "place": layout == 1,
    }
    for name, rows in applies.items():
        if rows.any():
            total = total + WEIGHT_OF[name] * F.cross_entropy(outputs[name][rows], column(name)[rows])
    for name in PER_REGION:
        logits = torch.cat([outputs[name][layout == kind, region] for kind, region, _ in SLOT_REGIONS])
        classes = torch.cat([column(f"{name}_{slot}")[layout == kind] for kind, _, slot in SLOT_REGIONS])
        if len(classes):
            total = total + WEIGHT_OF[name] * F.cross_entropy(logits, classes)
    return total


def folded(net: OracleNet) -> OracleNet:
    """The same network in evaluation, with batch normalisation folded into the convolutions."""
    plain = OracleNet()
    weights = {name: tensor for name, tensor in net.state_dict().items() if name in plain.state_dict()}
    for name, module in net.eval().named_modules():
        if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(module[0], module[1])  # pyright: ignore[reportArgumentType]
            weights |= {f"{name}.0.weight": fused.weight, f"{name}.0.bias": fused.bias}
    plain.load_state_dict(weights)
    return plain


def export(net: OracleNet, threshold: float, folder: Path) -> Path:
    """Write the folded weights in float16, the config and the checksums; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in folded(net).state_dict().items()}, folder / WEIGHTS)
    config = {"threshold": round(threshold, 4), "classes": {name: list(names) for name, names in CLASSES.items()}}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    sums = "".join(f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in (CONFIG, WEIGHTS))
    (folder / SUMS).write_text(sums, encoding="utf-8")
    return folder


# -- measuring ------------------------------------------------------------------------------------------------------


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


def calibrate(net: OracleNet, folder: Path, vae_folder: Path | None, n: int = 1000, per_kind: int = 60) -> float:
    """The threshold, as a probability, from the calibration split."""
    oracle = Oracle(folded(net), 0.5)
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


# -- training -------------------------------------------------------------------------------------------------------


def train(
    stage: Stage,
    vae_folder: Path | None = None,
    *,
    lr: float = 3e-3,
    batch: int = 64,
    threads: int = 2,
    data: Sequence[Source] | None = None,
) -> Path:
    """Train until the stage's budget is spent; resumes from its checkpoint.

    vae_folder: the autoencoder, when it exists.
    data: what to train on, by default `sources`.
    Gives the folder with `oracle.safetensors`, `config.json` and `SHA256SUMS`.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(4)
    parts = data if data is not None else sources(stage.folder, vae_folder)
    stage.started = time.monotonic()  # drawing the pictures is not training
    net = OracleNet(norm=True).to(stage.device)
    net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    step = 0
    if (kept_state := stage.load()) is not None:
        net.load_state_dict(kept_state["net"])
        step = kept_state["step"]
    optimiser = torch.optim.AdamW(net.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.02)
    rng, generator = np.random.default_rng((61, step)), torch.Generator().manual_seed(62 + step)
    while stage.share < 1:
        for group in optimiser.param_groups:
            group["lr"] = lr * warm_cosine(stage.share, 0.04, 0.005)
        x, truth = _batch(parts, rng, batch)
        x, truth = mild(x.to(stage.device), generator), truth.to(stage.device)
        with mixed_precision(stage.device):
            outputs = net(x)
        loss = loss_of({name: logits.float() for name, logits in outputs.items()}, truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            stage.say(step=step, loss=float(loss.detach()))
        if stage.due():
            stage.save({"net": net.state_dict(), "step": step})
    stage.save({"net": net.state_dict(), "step": step})
    net = net.cpu()
    threshold = calibrate(net, stage.folder, vae_folder)
    stage.say(step=step, threshold=threshold)
    return export(net, threshold, stage.folder / "oracle")
