"""What an engine is started with: plain values, since they travel to another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class EngineConfig:
    """What an engine is started with.

    models: name -> folder, of the embedded model and its kin.
    models_dir: folder of further models, None for none.
    require_checksums: refuse an embedded model without SHA256SUMS, as the shipped one never is.
    memory_budget: bytes that resident weights may take; None is 60 % of what is free at the start.
    dtype: auto is fp32, and fp16 for the models of `models_dir` and the hub on CUDA.
    threads: None leaves torch's choice.
    preload: name of the model to load as soon as the worker is up.
    previews: whether anyone looks at unfinished pictures.
    log: file for what went wrong inside, None for stderr.
    max_rows: rows of one network evaluation in a shared batch.
    kinds: kinds of jobs besides "generate", each with the address "module:function" of what runs it
        (engine/kinds.py).
    losses: of trainings, name -> "module:class" (training/lora/losses.py).
    gates: of edits, name -> "module:class" (edits/gates.py).
    patience_s: how long a process of its own may show no progress before it is ended and started again
        (engine/watch.py).
    """

    models: dict[str, Path]
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: int | None = None
    require_checksums: bool = True
    preload: str | None = None
    previews: bool = True
    log: Path | None = None
    max_rows: int = 32
    models_dir: Path | None = None
    memory_budget: int | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    losses: dict[str, str] = field(default_factory=dict)
    gates: dict[str, str] = field(default_factory=dict)
    patience_s: float = 600.0
