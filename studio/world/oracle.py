"""The oracle: a small network that reads a scene back from pixels, or says that there is none.

It was trained on rendered scenes (`studio.training.embedded.judge`), so its error on them is known exactly; the
confusion matrices are in docs/world/oracle.md. Every picture is read alone: the same picture gives the same reading
in any batch, up to float32 rounding.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from studio.core.errors import AssetError, BadInput
from studio.world.reading import LAYOUTS, SLOTS, Reading, SeenThing
from studio.world.render import SIZE_PX
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, PLACES, SIZES, STYLE_NAMES

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "oracle"
WEIGHTS, CONFIG, SUMS = "oracle.safetensors", "config.json", "SHA256SUMS"
RESTORE = "Restore it from the distribution."

REGIONS = ("whole", "left", "right", "top", "bottom")
REGIONS_OF_LAYOUT = {"empty": (), "one": (0,), "horizontal": (1, 2), "vertical": (3, 4)}
CLASSES: dict[str, tuple[str, ...]] = {
    "object": OBJECTS,
    "colour": COLOUR_NAMES,
    "layout": LAYOUTS,
    "style": STYLE_NAMES,
    "background": BACKGROUND_NAMES,
    "size": tuple(SIZES),
    "place": tuple(PLACES),
}
PER_REGION, PER_PICTURE = ("object", "colour"), ("layout", "style", "background", "size", "place")
FEATURES = 128
WIDTHS = (48, 96, 144)
CELLS = SIZE_PX // 16
BLOCK = 32  # pictures per forward: bounds memory, changes no reading


def _conv(inputs: int, outputs: int, stride: int, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(outputs)] if norm else []))


class _Residual(nn.Module):
    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width, 1, norm), _conv(width, width, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def _region_masks() -> Tensor:
    """[5, 64] bool: the cells of an 8 x 8 map that belong to each of REGIONS."""
    masks = torch.zeros(len(REGIONS), CELLS, CELLS, dtype=torch.bool)
    half = CELLS // 2
    masks[0], masks[1, :, :half], masks[2, :, half:], masks[3, :half], masks[4, half:] = (True,) * 5
    return masks.flatten(1)


class OracleNet(nn.Module):
    """Pictures [B, 3, 128, 128] in [0, 1] to logits by head; 1.5 M parameters.

    Object and colour are read by one shared head from five regions (the picture and its halves), so a colour belongs
    to the object of the same region; the layout says which regions count. norm: with batch normalisation, for
    training; the shipped weights have it folded into the convolutions.
    """

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        low, middle, high = WIDTHS
        self.stem = nn.Sequential(_conv(48, low, 1, norm), nn.ReLU(), _Residual(low, norm))
        self.middle = nn.Sequential(_conv(low, middle, 2, norm), nn.ReLU(), *(_Residual(middle, norm) for _ in "ab"))
        self.high = nn.Sequential(_conv(middle, high, 2, norm), nn.ReLU(), *(_Residual(high, norm) for _ in "ab"))
        self.attention = nn.Conv2d(high, 4, 1)
        self.map = nn.Conv2d(high, 8, 1)
        self.suspicion = nn.Conv2d(high, 8, 1)
        self.region = nn.Linear(2 * high, FEATURES)
        self.whole = nn.Linear(2 * high + 8 * CELLS**2, FEATURES)
        self.heads = nn.ModuleDict({name: nn.Linear(FEATURES, len(names)) for name, names in CLASSES.items()})
        self.invalid = nn.Sequential(nn.Linear((len(REGIONS) + 1) * FEATURES + 8, 64), nn.ReLU(), nn.Linear(64, 1))
        self.register_buffer("masks", _region_masks(), persistent=False)
        self.masks: Tensor

    def features(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Region features [B, 5, 128], whole-picture features [B, 128], the strongest local suspicions [B, 8]."""
        x = F.pixel_unshuffle(pictures * 2 - 1, 4).contiguous(memory_format=torch.channels_last)
        x = self.high(self.middle(self.stem(x)))
        cells = x.flatten(2)  # [B, C, 64]
        weight = self.attention(x).flatten(2).float()[:, :, None]  # [B, 4, 1, 64]
        share = weight.masked_fill(~self.masks, -1e4).softmax(-1)  # [B, 4, 5, 64]
        grouped = cells.float().unflatten(1, (4, -1))  # [B, 4, C/4, 64]
        attended = torch.einsum("bgrn,bgcn->brgc", share, grouped).flatten(2)  # [B, 5, C]
        inside = self.masks.float() / self.masks.sum(1, keepdim=True)
        mean = torch.einsum("rn,bcn->brc", inside, cells.float())
        pooled = torch.cat([attended, mean], -1)
        regions = F.relu(self.region(pooled))
        whole = F.relu(self.whole(torch.cat([pooled[:, 0], F.relu(self.map(x)).flatten(1).float()], 1)))
        return regions, whole, self.suspicion(x).flatten(2).amax(2).float()

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """object [B, 5, 12], colour [B, 5, 8] by region; the other heads [B, classes]; invalid [B]."""
        regions, whole, suspicion = self.features(pictures)
        logits = {name: self.heads[name](regions) for name in PER_REGION}
        logits |= {name: self.heads[name](whole) for name in PER_PICTURE}
        logits["invalid"] = self.invalid(torch.cat([whole, regions.flatten(1), suspicion], 1)).squeeze(1)
        return logits


def prepare(images: Any) -> Tensor:
    """Images to [N, 3, 128, 128] float32 in [0, 1].

    images: uint8 [N, H, W, 3] or float [N, 3, H, W] in [0, 1], tensor or array; other sizes than 128 px are resized
    (bilinear, antialiased). Raises BadInput for other shapes and types, and for NaN or infinity.
    """
    # An array is copied, for memory maps are read-only.
    x = torch.as_tensor(np.array(images) if isinstance(images, np.ndarray) else images)
    if x.dtype == torch.uint8 and x.ndim == 4 and x.shape[-1] == 3:
        x = x.permute(0, 3, 1, 2).float() / 255
    elif not (x.is_floating_point() and x.ndim == 4 and x.shape[1] == 3):
        raise BadInput(
            f"The oracle reads uint8 [N, H, W, 3] or float [N, 3, H, W], not {x.dtype} {list(x.shape)}.", field="images"
        )
    x = x.float()
    if not torch.isfinite(x).all():
        raise BadInput("The oracle was given pixels that are NaN or infinite.", field="images")
    if x.shape[-2:] != (SIZE_PX, SIZE_PX):
        x = F.interpolate(x, (SIZE_PX, SIZE_PX), mode="bilinear", antialias=True)
    return x.clamp(0, 1)


def version(folder: Path = FOLDER) -> str:
    """What readings depend on, in hex: equal for the same weights and threshold. Raises AssetError without them."""
    try:
        return hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()
    except OSError:
        raise AssetError(f"The oracle's list of checksums {folder / SUMS} is missing.", RESTORE) from None


def _never_empty(x: Tensor) -> Tensor:
    """x, or one blank picture where there is none: some layers refuse empty batches."""
    return x if len(x) else torch.zeros(1, 3, SIZE_PX, SIZE_PX)


def _checked(folder: Path) -> dict[str, Any]:
    """The config of a folder whose files have the checksums that SHA256SUMS lists."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").split("\n")
    except OSError:
        raise AssetError(f"The oracle's list of checksums {folder / SUMS} is missing.", RESTORE) from None
    digests = {name.strip(): digest for digest, _, name in (line.partition("  ") for line in lines if line.strip())}
    for name in (WEIGHTS, CONFIG):
        path, expected = folder / name, digests.get(name, "not listed")
        if not path.is_file():
            raise AssetError(f"The oracle's file {path} is missing; its sha256 should be {expected}.", RESTORE)
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if actual != expected:
            raise AssetError(f"The oracle's file {path} is damaged: its sha256 is {actual}, not {expected}.", RESTORE)
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))


class Oracle:
    """Reads scenes from pictures. threshold: pictures whose invalid score is above it are invalid."""

    def __init__(self, net: OracleNet, threshold: float) -> None:
        self.net = net.eval().requires_grad_(False)
        self.threshold = threshold

    @classmethod
    def load(cls, folder: Path = FOLDER, device: str = "cpu") -> Oracle:
        """Load the shipped oracle. Raises AssetError if a file is missing or damaged, or is for another world."""
        config = _checked(folder)
        if config["classes"] != {name: list(names) for name, names in CLASSES.items()}:
            raise AssetError(f"The oracle in {folder} was trained for another world: its classes differ.", RESTORE)
        net = OracleNet()
        try:
            net.load_state_dict({name: w.float() for name, w in load_file(folder / WEIGHTS).items()})
        except RuntimeError:
            sentence = f"The oracle's weights in {folder} do not fit this version of its network."
            raise AssetError(sentence, RESTORE) from None
        net = net.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return cls(net, float(config["threshold"]))

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.net.masks.device

    @torch.no_grad()
    def logits(self, images: Any) -> dict[str, Tensor]:
        """Raw answers, float32 on the CPU: object [N, 5, 12] and colour [N, 5, 8] by REGIONS, the other CLASSES
        [N, classes], invalid [N] (a logit). images: as for `prepare`."""
        x = prepare(images)
        blocks = [self.net(block.to(self.device)) for block in _never_empty(x).split(BLOCK)]
        return {name: torch.cat([b[name] for b in blocks])[: len(x)].float().cpu() for name in blocks[0]}

    @torch.no_grad()
    def features(self, images: Any) -> Tensor:
        """Pooled features [N, 256] float32 on the CPU: 128 of the objects' region heads, 128 of the whole picture."""
        x, rows = prepare(images), []
        for block in _never_empty(x).split(BLOCK):
            regions, whole, _ = self.net.features(block.to(self.device))
            rows.append(torch.cat([regions[:, 0], whole], 1).float().cpu())
        return torch.cat(rows)[: len(x)]

    def read(self, images: Any) -> list[Reading]:
        """Read every image; images: as for `prepare`. Raises BadInput for what is no batch of images."""
        return readings(self.logits(images), self.threshold)


def readings(logits: dict[str, Tensor], threshold: float) -> list[Reading]:
    """Logits of a batch (as `Oracle.logits` gives them) to readings."""
    best = {name: logits[name].softmax(-1).max(-1) for name in CLASSES}
    scores = logits["invalid"].sigmoid().tolist()
    batch_readings = []
    for i, score in enumerate(scores):
        answers = {name: CLASSES[name][int(best[name].indices[i])] for name in PER_PICTURE}
        layout = answers["layout"]
        slots = SLOTS.get(layout, (answers["place"],))
        things = tuple(
            SeenThing(
                OBJECTS[int(best["object"].indices[i, r])],
                COLOUR_NAMES[int(best["colour"].indices[i, r])],
                slot,
                float(best["object"].values[i, r]),
                float(best["colour"].values[i, r]),
            )
            for r, slot in zip(REGIONS_OF_LAYOUT[layout], slots, strict=False)
        )
        if len(things) != 1:
            answers |= {"size": "small", "place": "center"}
        sure = {name: float(best[name].values[i]) for name in PER_PICTURE}
        batch_readings.append(
            Reading(things, **answers, invalid=score > threshold, invalid_score=score, confidence=sure)
        )
    return batch_readings
