"""What controls say of declared parameters, and how what they hold becomes parameters again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.core.params import ParamSpec

# Values of choices that say little by themselves, in words; with the value itself where an axis of a grid asks for it.
CHOICES = {
    "raw": "network's output (raw)",
    "x0": "predicted picture (x0)",
    "eps": "predicted noise (eps)",
    "flow": "velocity (flow)",
    "cond": "with the prompt (cond)",
    "uncond": "without it (uncond)",
    "xattn_kv": "cross-attention, keys and values",
    "xattn": "cross-attention",
    "noxattn": "all but cross-attention",
    "attn": "attention",
    "ffn": "feed-forward layers",
    "conv": "convolutions",
    "linear": "linear",
    "own": "its own pictures",
    "base": "pictures of the base",
    "distil": "the base's predictions",
    "pcgrad": "steps that do not oppose them",
    "dual": "a budget of drift",
    "none": "nothing",
}


def choice(value: str) -> str:
    """What a value of a choice is called on the page."""
    return CHOICES.get(value, value)


def label(spec: ParamSpec) -> str:
    """What the control is called, with its unit."""
    return f"{spec.label} ({spec.unit})" if spec.unit else spec.label


def explanation(spec: ParamSpec) -> str:
    """The help text as a sentence; for a parameter without one its default stands there, never nothing."""
    help = spec.help or f"default {spec.default}"
    return help[0].upper() + help[1:] + ("" if help.endswith((".", "?", "!")) else ".")


def values(specs: tuple[ParamSpec, ...], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a method among what the controls hold, defaults too: a recipe must outlive a changed default.

    Controls give 3 for 3.0 and the other way round; the declared kind settles it. A value that is no number is handed
    on as it is, for the recipe to refuse with a sentence.
    """
    settled: dict[str, Any] = {}
    for spec in specs:
        value = settings.get(spec.name, spec.default)
        if spec.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if spec.kind == "int" and isinstance(value, float) and value.is_integer():
            value = int(value)
        settled[spec.name] = value
    return settled
