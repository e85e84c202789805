"""The models to choose from, as the page lists them: those that cannot be used too, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.services.studio import Studio


@dataclass(frozen=True)
class Listed:
    """One model. label: for menus. problem: why it cannot be used, "" if it can."""

    name: str
    label: str
    problem: str = ""


def listed(studio: Studio) -> list[Listed]:
    """Every model the studio knows, in its order."""
    return [Listed(one.name, _label(one.name), one.problem or "") for one in studio.sources.listing()]


def choices(found: list[Listed]) -> list[tuple[str, str]]:
    """(label, name) of those that can be used; if there is none, of all: the job then says what is wrong."""
    usable = [one for one in found if not one.problem] or found
    return [(one.label, one.name) for one in usable]


def _label(name: str) -> str:
    """The embedded model as it is written everywhere; others as their owner calls them."""
    return name.capitalize() if name == "stencil" else name
