"""Strength by prompt: an edit may carry a gate, which says for each prompt how much of the edit it calls for.

An edit names its gate in its provenance, {"gate": {"name": ..., "params": {...}}}, so that file, rename and export keep
it. The engine knows gates by address, as it does kinds of jobs and losses: EngineConfig(gates={"spm": "module:class"}).
Facilitated transport of SPM, arXiv:2312.16145, section 3.4, is of this shape.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from studio.core.errors import BadInput
from studio.core.params import load


class Gate(Protocol):
    """Parameters (studio.core.params) with one question."""

    def strength(self, prompt: str, bundle: Any) -> float:
        """The share of the edit's strength that this prompt has, 0 to 1.

        prompt: as the recipe writes it. bundle: the model (studio.models.bundle.ModelBundle), with its own weights.
        """
        ...


def gate_address(name: str, provenance: Mapping[str, Any], addresses: Mapping[str, str]) -> str:
    """Where the gate of an edit is. name: of the edit. addresses: name of a gate -> "module:class".

    Raises BadInput for an edit without a gate, or with one that nobody here knows.
    """
    gate: Any = provenance.get("gate")
    gate_name = gate.get("name") if isinstance(gate, dict) else None
    if not gate_name:
        raise BadInput(
            f"The edit {name[:80]!r} carries no gate, so its strength cannot follow the prompt.",
            "Take a strength without auto, or an edit that was made with a gate.",
            field="edits",
        )
    if not isinstance(gate_name, str) or gate_name not in addresses:
        raise BadInput(
            f"The gate of the edit {name[:80]!r}, {str(gate_name)[:60]!r}, is not known here.",
            "Take a strength without auto, or update Palimpsest.",
            field="edits",
        )
    return addresses[gate_name]


def build_gate(name: str, provenance: Mapping[str, Any], addresses: Mapping[str, str]) -> Gate:
    """Make the gate of an edit. Raises BadInput as `gate_address`, and for parameters that it has not."""
    module, _, attribute = gate_address(name, provenance, addresses).partition(":")
    gate: Gate = load(
        getattr(importlib.import_module(module), attribute), provenance["gate"].get("params", {}), f"gate of {name}"
    )
    return gate
