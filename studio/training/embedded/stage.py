"""What every training stage shares: a time budget, checkpoints that survive a kill, and a log a person can read."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from studio.core.errors import WorkspaceError


def has_fast_bfloat16(device: str) -> bool:
    """Whether bf16 pays: on CUDA, and on CPUs with instructions for it (without them it is ten times slower)."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch has no such function
    return device != "cpu" or bool(capabilities.get("avx512_bf16", False))


def mixed_precision(device: str) -> torch.autocast:
    """bf16 where it pays (`has_fast_bfloat16`), as a context; elsewhere what is computed in it stays as it is."""
    return torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device))


@dataclass
class Stage:
    """One stage's folder, clock and log.

    work_dir: where checkpoints and `log.jsonl` go.
    minutes: wall-clock budget of this run.
    device: torch device.
    save_every_s: seconds between checkpoints.
    interrupted: whether somebody asked to stop (`stops_between_steps`).
    """

    name: str
    work_dir: Path
    minutes: float
    device: str = "cpu"
    save_every_s: float = 120.0
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        return self.work_dir / self.name

    @property
    def share(self) -> float:
        """Share of the time budget used, 0..1 and beyond."""
        return (time.monotonic() - self.started) / (self.minutes * 60)

    def progress(self, count: int, total: int | None) -> float:
        """Share of the budget used, 0..1 and beyond: `count` of `total` where it is counted, else of the time."""
        return count / total if total else self.share

    @property
    def paused(self) -> bool:
        """Whether what is counted stops here, to go on in another run: it was asked to, or the time is up."""
        return self.interrupted or self.share >= 1

    @contextmanager
    def stops_between_steps(self) -> Iterator[None]:
        """Within, Ctrl-C and SIGTERM ask for a stop after the step under way; the second one breaks off."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        handlers = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def say(self, **values: Any) -> None:
        """Write one line of progress to standard error and to the stage's log."""
        row = {"stage": self.name, "at_s": round(time.monotonic() - self.started, 1), **values}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        short = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
        print(short, file=sys.stderr, flush=True)

    def due(self) -> bool:
        """Whether a checkpoint is due; true at most every `save_every_s`."""
        if time.monotonic() - self._saved < self.save_every_s:
            return False
        self._saved = time.monotonic()
        return True

    def save(self, state: Mapping[str, Any], name: str = "checkpoint.pt") -> None:
        """Write a checkpoint whole or not at all. Raises WorkspaceError where it cannot be; the last one stays."""
        target = self.folder / name
        temporary = target.with_suffix(".tmp")
        try:
            torch.save(dict(state), temporary)
            os.replace(temporary, target)
        except (OSError, RuntimeError) as error:  # torch's own writer of files raises the latter
            temporary.unlink(missing_ok=True)
            raise WorkspaceError(
                f"The checkpoint could not be written into {self.folder}: {str(error).splitlines()[0]}.",
                "Make room; the same command goes on from the checkpoint before.",
            ) from None

    def load(self, name: str = "checkpoint.pt") -> dict[str, Any] | None:
        """The last checkpoint of this stage, or None. Tensors and plain containers only."""
        path = self.folder / name
        if not path.exists():
            return None
        return torch.load(path, map_location=self.device, weights_only=True)


class Average:
    """Exponential moving average of a module's parameters, with the usual warm-up of the decay."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.shadow = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's current parameters."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        shadow, live = list(self.shadow.values()), [p.detach() for p in module.parameters()]
        torch._foreach_mul_(shadow, decay)
        torch._foreach_add_(shadow, live, alpha=1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged parameters by name."""
        return self.shadow

    def load(self, shadow: Mapping[str, Tensor], steps: int) -> None:
        """Take up an average from a checkpoint."""
        self.shadow, self.steps = {name: tensor.clone() for name, tensor in shadow.items()}, steps

    def copy_to(self, module: nn.Module) -> None:
        """Write the average into a module of the same shape."""
        module.load_state_dict({**module.state_dict(), **self.shadow})


def warm_cosine(share: float, warm: float, floor: float) -> float:
    """Learning-rate factor for a share of the budget: linear up to `warm`, then cosine down to `floor`."""
    if share < warm:
        return max(share / warm, 0.02)
    angle = torch.pi * min(1.0, (share - warm) / (1 - warm))
    return floor + (1 - floor) * 0.5 * (1 + float(torch.cos(torch.tensor(angle))))
