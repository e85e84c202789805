"""Stage `oracle`: the network of `studio.world.oracle`, trained.

Renders, reconstructions and garbage are drawn once and kept; every batch is spoiled a little (`mild`), so that what
the oracle calls garbage is what is wrong with the scene, not with the pixels. What it is measured by is in
studio.training.embedded.judge_gates.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from studio.training.embedded.data import Pictures, picture_set
from studio.training.embedded.garbage import KINDS
from studio.training.embedded.judge_data import (
    COLUMN,
    SEEDS,
    SLOT_REGIONS,
    Labels,
    cached,
    fingerprint,
    garbage_set,
    label_rows,
    mild,
    reconstructed,
    spoiled,
    wide_scene,
)
from studio.training.embedded.judge_gates import calibrate
from studio.training.embedded.stage import Stage, mixed_precision, warm_cosine
from studio.world.oracle import CLASSES, CONFIG, PER_REGION, SUMS, WEIGHTS, Oracle, OracleNet

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
    threshold = calibrate(Oracle(folded(net), 0.5), stage.folder, vae_folder)
    stage.say(step=step, threshold=threshold)
    return export(net, threshold, stage.folder / "oracle")
