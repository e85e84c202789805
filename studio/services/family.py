"""Models that were trained alike: which of those at hand never met a concept, and which differ in their seed alone.

Each member of a family says in its folder how it was made (studio.training.embedded.member).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.core.errors import StudioError
from studio.models.listing import Places
from studio.training.embedded.member import ABOUT


@dataclass(frozen=True)
class Siblings:
    """Of a base model, by name.

    gold: the one that differs in having never met the concept; "" where it is not at hand.
    floor: the model and one that differs in its seed; None where there is none.
    """

    gold: str = ""
    floor: tuple[str, str] | None = None


def siblings_of(model: str, without: str, places: Places) -> Siblings:
    """Those at hand. without: what the gold model never met, such as "object:star"; "" for nothing one can name."""
    facts = _about(model, places)
    if facts is None or facts["without"]:
        return Siblings()
    other_members = {
        name: about for name in places.names() if name != model and (about := _about(name, places)) is not None
    }
    golds = [name for name, about in other_members.items() if without and about == {**facts, "without": without}]
    seeds = [name for name, about in other_members.items() if about == {**facts, "seed": about["seed"]}]
    floor = next((name for name in seeds if other_members[name]["seed"] != facts["seed"]), None)
    return Siblings(golds[0] if golds else "", None if floor is None else (model, floor))


def _about(model: str, places: Places) -> Mapping[str, Any] | None:
    """How a member was made; None of a model that is none."""
    try:
        values = json.loads((places.find(model) / ABOUT).read_bytes())
    except (StudioError, OSError, ValueError):
        return None
    return values if isinstance(values, dict) and {"without", "seed", "samples"} <= values.keys() else None
