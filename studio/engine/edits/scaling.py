"""alpha of the layers of a foreign LoRA file, wherever its author stated it. The nearest statement counts:

    1. its own tensors ("X.alpha"): see `keys`
    2. peft's config as JSON in the file's metadata (diffusers' lora_adapter_metadata, and its kin)
    3. plain keys in the file's metadata ("unet.lora_alpha", "network_alpha", "ss_network_alpha", ...)
    4. peft's adapter_config.json beside it

Without any of these alpha is the rank, that is, B A as it stands. What is stated of another file is not taken: kohya's
ss_* keys outlive a conversion that has put the scale into the factors, and a config may lie in a folder of downloads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from studio.core import bounded_json
from studio.core.errors import AssetError
from studio.core.params import shown
from studio.engine.edits.manifest import COMPONENTS

CONFIG_NAME = "adapter_config.json"
DIFFUSERS_KEY = "lora_adapter_metadata"  # of a file's metadata: peft's config once more, each key with its component
_JSON_KEYS = (DIFFUSERS_KEY, "adapter_config", "peft_config", "lora_config")  # the others hold a config as it is
# Plain keys of metadata, the later program's before the earlier's. SimpleTuner and diffusers' scripts write peft's own,
# with the component before them; kohya's trainer its own behind "ss_".
_ALPHAS = ("lora_alpha", "network_alpha")
_BARE_ALPHA = "alpha"  # says alpha of what only where a rank stands beside it
_RANKS = ("r", "lora_rank", "network_dim", "rank")
_KOHYA = "ss_"
_LAYERWISE = "network_alphas"  # JSON: layer -> alpha, as diffusers hands them about
_YES = ("true", "1", "yes")
_SAYS_NOTHING = ("", "none", "null", "dynamic")  # kohya's resizing writes Dynamic where each layer has its own
_OWN_NAME = "adapter_model.safetensors"  # what peft calls the weights beside its config
_MAX_CONFIG_BYTES = 4 * 1024**2
_MAX_VALUES = 100_000  # of a config: a pattern and a target for each of 20,000 layers
# peft takes the keys of its patterns for regular expressions; these are plain paths, or the end of one.
_PLAIN = re.compile(r"\^?[\w.]+")


@dataclass(frozen=True)
class PeftConfig:
    """What the file beside a LoRA says of its scale.

    alpha: of layers no pattern names.
    patterns: (end of a path, or "^" and a whole path) -> alpha of that layer.
    rank_stabilised: the scale is alpha / sqrt(r), arXiv:2312.03732, in place of alpha / r.
    rank: that alpha was stated for, where only a file with layers of that rank can be meant.
    """

    alpha: float | None
    patterns: Mapping[str, float]
    rank_stabilised: bool
    rank: int | None = None

    def alpha_of(self, path: str, rank: int) -> float:
        """alpha in our sense, the r-fold of the scale, of one layer."""
        alpha = next((value for key, value in self.patterns.items() if _names(key, path)), self.alpha)
        if alpha is None:
            return float(rank)
        return alpha * math.sqrt(rank) if self.rank_stabilised else alpha


PLAIN = PeftConfig(None, {}, False)


def config_beside(file: Path) -> PeftConfig | None:
    """Read adapter_config.json from the file's folder; None if there is none, or it may be of another file: it belongs
    to the one that peft names, or to the only one there is. Raises AssetError if it is no such.
    """
    path = file.parent / CONFIG_NAME
    if not path.is_file() or (file.name != _OWN_NAME and len(list(file.parent.glob("*.safetensors"))) > 1):
        return None
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise AssetError(f"The file {path} is too large to be an adapter's config.")
        values = bounded_json.loads(path.read_bytes(), _MAX_VALUES)
    except (OSError, ValueError, RecursionError):
        raise AssetError(f"The file {path} beside the weights cannot be read as JSON.", _REMOVE) from None
    return _config(values, path)


def configs_within(metadata: Mapping[str, str], file: Path, *, kohya: bool) -> dict[str, PeftConfig]:
    """Read component -> config out of a file's metadata; {} if it states no scale. What names no component, because
    one network alone was saved, is found under "".

    kohya: whether the file's keys are in kohya's spelling, so that what his trainer wrote is of this file. Raises
    AssetError for a config that cannot be read, or is not of a LoRA, and for an alpha that is no number.
    """
    configs = _plain_configs(metadata, file, kohya)
    for key in reversed(_JSON_KEYS):
        entries = _json_object(metadata.get(key), file, key == DIFFUSERS_KEY)
        configs |= _by_component(entries, file)
    return configs


def layerwise_alphas(metadata: Mapping[str, str], file: Path) -> dict[str, float]:
    """Read the alphas that a file's metadata states layer by layer: foreign name of the layer -> alpha.

    Raises AssetError for one that is no number.
    """
    alphas: dict[str, float] = {}
    for name, alpha in _json_object(metadata.get(_LAYERWISE), file, strict=True).items():
        if not _is_number(alpha):
            raise AssetError(f"The file {file} states the alpha {shown(alpha)} of {shown(name)}, which is no number.")
        alphas[name.removesuffix(".alpha")] = float(alpha)
    return alphas


def _by_component(entries: Mapping[str, Any], file: Path) -> dict[str, PeftConfig]:
    """Part a config, each of whose keys may have its component before it."""
    configs: dict[str, PeftConfig] = {}
    for component in COMPONENTS:
        start = f"{component}."
        component_entries = {key.removeprefix(start): value for key, value in entries.items() if key.startswith(start)}
        if component_entries:
            configs[component] = _config(component_entries, file)
    if "lora_alpha" in entries:
        configs[""] = _config(entries, file)
    return {name: config for name, config in configs.items() if config.alpha is not None or config.patterns}


def _json_object(text: str | None, file: Path, strict: bool) -> dict[str, Any]:
    """Parse a JSON object out of metadata; {} where there is none. strict: raise AssetError for what is not one."""
    if text is None:
        return {}
    try:
        values = bounded_json.loads(text, _MAX_VALUES) if len(text) <= _MAX_CONFIG_BYTES else None
    except (ValueError, RecursionError):
        values = None
    if isinstance(values, dict):
        return cast("dict[str, Any]", values)
    if strict:
        raise AssetError(f"The file {file} has adapter metadata that cannot be read.")
    return {}


def _plain_configs(metadata: Mapping[str, str], file: Path, kohya: bool) -> dict[str, PeftConfig]:
    """What plain keys state, with or without a component before them."""
    configs: dict[str, PeftConfig] = {}
    for component in ("", *COMPONENTS):
        start = f"{component}." if component else ""
        component_texts = {key.removeprefix(start): text for key, text in metadata.items() if key.startswith(start)}
        alpha, rank = _stated(component_texts, _ALPHAS), _stated(component_texts, _RANKS)
        if alpha is None and rank is not None:
            alpha = _stated(component_texts, (_BARE_ALPHA,))
        if alpha is None and kohya:
            alpha, rank = (
                _stated(component_texts, (f"{_KOHYA}network_alpha",)),
                _stated(component_texts, (f"{_KOHYA}network_dim",)),
            )
        if alpha is not None:
            configs[component] = _config(_as_config(component_texts, alpha, rank), file)
    return configs


def _as_config(texts: Mapping[str, str], alpha: str, rank: str | None) -> dict[str, Any]:
    """Plain texts as the config that peft would have written."""
    switches = {key: texts.get(key, "").strip().lower() in _YES for key in ("use_rslora", "use_dora")}
    numbers = {key: _number(text) for key, text in (("lora_alpha", alpha), ("r", rank)) if text is not None}
    return {**numbers, **switches, "peft_type": texts.get("peft_type", "LORA").strip().upper()}


def _stated(texts: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    """The first of these texts that says something."""
    return next((texts[key] for key in keys if texts.get(key, "").strip().lower() not in _SAYS_NOTHING), None)


def _number(text: str) -> float | str:
    """The number that a text is, or the text: what is none is told by its own words."""
    try:
        return float(text)
    except ValueError:
        return text


_REMOVE = "Mend it, or move the weights to a folder of their own."


def _config(values: Any, path: Path) -> PeftConfig:
    if not isinstance(values, dict):
        raise AssetError(f"The adapter config of {path} is not a JSON object.", _REMOVE)
    config = cast("dict[str, Any]", values)
    kind = config.get("peft_type", "LORA")
    if kind != "LORA" or config.get("use_dora"):
        kind_name = "DoRA" if kind == "LORA" else shown(kind)
        raise AssetError(f"The adapter config of {path} says {kind_name}; this version reads LoRA alone.")
    alpha, patterns = config.get("lora_alpha"), config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict) or not all(_is_number(v) for v in patterns.values()):
        raise AssetError(f"The adapter config of {path} has an alpha_pattern that is no such thing.", _REMOVE)
    if alpha is not None and not _is_number(alpha):
        raise AssetError(f"The adapter config of {path} has lora_alpha {shown(alpha)}, which is no number.", _REMOVE)
    for key in patterns:
        if not _PLAIN.fullmatch(key):
            raise AssetError(f"The adapter config of {path} uses the pattern {shown(key)}; only plain paths are read.")
    alphas = {key: float(value) for key, value in cast("dict[str, Any]", patterns).items()}
    # With a pattern of ranks no layer need have the one rank.
    rank = config.get("r") if not config.get("rank_pattern") else None
    return PeftConfig(
        alpha=None if alpha is None else float(alpha),
        patterns=alphas,
        rank_stabilised=bool(config.get("use_rslora")),
        rank=int(rank) if rank is not None and _is_number(rank) else None,
    )


def _names(key: str, path: str) -> bool:
    if key.startswith("^"):
        return path == key[1:]
    return path == key or path.endswith(f".{key}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
