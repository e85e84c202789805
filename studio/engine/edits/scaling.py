"""alpha of the layers of a foreign LoRA file: from its own tensors, from peft's config beside it, or from diffusers'
copy of that in the file's metadata. Without any of these alpha is the rank, that is, B A as it stands.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from studio.core.errors import AssetError
from studio.core.params import shown
from studio.engine.edits.manifest import COMPONENTS

CONFIG_NAME = "adapter_config.json"
DIFFUSERS_KEY = "lora_adapter_metadata"  # of a file's metadata: peft's config once more, each key with its component
_MAX_CONFIG_BYTES = 4 * 1024**2
# peft takes the keys of its patterns for regular expressions; these are plain paths, or the end of one.
_PLAIN = re.compile(r"\^?[\w.]+")


@dataclass(frozen=True)
class PeftConfig:
    """alpha: of layers no pattern names. patterns: (end of a path, or "^" and a whole path) -> alpha of that layer.

    rank_stabilised: the scale is alpha / sqrt(r), arXiv:2312.03732, in place of alpha / r.
    """

    alpha: float | None
    patterns: Mapping[str, float]
    rank_stabilised: bool

    def alpha_of(self, path: str, rank: int) -> float:
        """alpha in our sense, the r-fold of the scale, of one layer."""
        alpha = next((value for key, value in self.patterns.items() if _names(key, path)), self.alpha)
        if alpha is None:
            return float(rank)
        return alpha * math.sqrt(rank) if self.rank_stabilised else alpha


PLAIN = PeftConfig(None, {}, False)


def config_beside(file: Path) -> PeftConfig | None:
    """Read adapter_config.json from the file's folder, None if there is none. Raises AssetError if it is no such."""
    path = file.parent / CONFIG_NAME
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise AssetError(f"The file {path} is too large to be an adapter's config.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise AssetError(f"The file {path} beside the weights cannot be read as JSON.", _REMOVE) from None
    return _config(values, path)


def configs_within(metadata: Mapping[str, str], file: Path) -> dict[str, PeftConfig]:
    """Read component -> config out of what diffusers writes into a file's metadata; {} if it is not there.

    Saved from one network (`save_lora_adapter`) the config names no component: it is found under "".
    """
    text = metadata.get(DIFFUSERS_KEY)
    if text is None:
        return {}
    try:
        values = json.loads(text) if len(text) <= _MAX_CONFIG_BYTES else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise AssetError(f"The file {file} has adapter metadata that cannot be read.")
    entries = cast("dict[str, Any]", values)
    found: dict[str, PeftConfig] = {}
    for component in COMPONENTS:
        start = f"{component}."
        own = {key.removeprefix(start): value for key, value in entries.items() if key.startswith(start)}
        if own:
            found[component] = _config(own, file)
    if "lora_alpha" in entries:
        found[""] = _config(entries, file)
    return found


_REMOVE = "Mend it, or move the weights to a folder of their own."


def _config(values: Any, path: Path) -> PeftConfig:
    if not isinstance(values, dict):
        raise AssetError(f"The adapter config of {path} is not a JSON object.", _REMOVE)
    config = cast("dict[str, Any]", values)
    kind = config.get("peft_type", "LORA")
    if kind != "LORA" or config.get("use_dora"):
        what = "DoRA" if kind == "LORA" else shown(kind)
        raise AssetError(f"The adapter config of {path} says {what}; this version reads LoRA alone.")
    alpha, patterns = config.get("lora_alpha"), config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict) or not all(_is_number(v) for v in patterns.values()):
        raise AssetError(f"The adapter config of {path} has an alpha_pattern that is no such thing.", _REMOVE)
    if alpha is not None and not _is_number(alpha):
        raise AssetError(f"The adapter config of {path} has lora_alpha {shown(alpha)}, which is no number.", _REMOVE)
    for key in patterns:
        if not _PLAIN.fullmatch(key):
            raise AssetError(f"The adapter config of {path} uses the pattern {shown(key)}; only plain paths are read.")
    known = {key: float(value) for key, value in cast("dict[str, Any]", patterns).items()}
    return PeftConfig(None if alpha is None else float(alpha), known, bool(config.get("use_rslora")))


def _names(key: str, path: str) -> bool:
    if key.startswith("^"):
        return path == key[1:]
    return path == key or path.endswith(f".{key}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
