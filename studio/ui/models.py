"""The models to choose from, as the page lists them: those that cannot be used too, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.core.errors import StudioError

if TYPE_CHECKING:
    from studio.services.generate import Studio


@dataclass(frozen=True)
class Listed:
    """One model. label: for menus. problem: why it cannot be used, "" if it can."""

    name: str
    label: str
    problem: str = ""


def listed(studio: Studio) -> list[Listed]:
    """Every model the studio knows, in its order."""
    found: list[Listed] = []
    for name in studio.sources.folders:
        try:
            studio.model_card(name)
            problem = ""
        except StudioError as error:
            problem = str(error)
        found.append(Listed(name, name.replace("-", " ").replace("_", " ").capitalize(), problem))
    return found


def choices(found: list[Listed]) -> list[tuple[str, str]]:
    """(label, name) of those that can be used; if there is none, of all: the job then says what is wrong."""
    usable = [one for one in found if not one.problem] or found
    return [(one.label, one.name) for one in usable]
