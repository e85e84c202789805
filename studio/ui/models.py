"""The models to choose from, as the page lists them: those that cannot be used too, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.services.studio import Studio


@dataclass(frozen=True)
class Listed:
    """A model of the list.

    name: as recipes have it.
    label: for menus.
    problem: why it cannot be used, "" if it can.
    """

    name: str
    label: str
    problem: str = ""


def listed(studio: Studio) -> list[Listed]:
    """Every model the studio knows, in its order."""
    return [Listed(model.name, _label(model.name), model.problem or "") for model in studio.sources.listing()]


def choices(models: list[Listed]) -> list[tuple[str, str]]:
    """(label, name) of those that can be used; if there is none, of all: the job then says what is wrong."""
    usable = [model for model in models if not model.problem] or models
    return [(model.label, model.name) for model in usable]


def _label(name: str) -> str:
    """The embedded model as it is written everywhere; others as their owner calls them."""
    return name.capitalize() if name == "stencil" else name
