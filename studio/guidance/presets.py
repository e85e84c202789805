"""Guidance presets: named, sourced settings, one JSON file each.

{"title": "APG", "method": "apg", "params": {...}, "source": "arXiv:2410.02416", "note": "when to take it"}
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from studio.core.bounded_json import read_settings
from studio.core.errors import BadInput
from studio.core.params import Params
from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.guidance.building import build


class Preset(Params):
    """Settings of a guidance method, where they come from, and when to take them."""

    title: str = Field(default="", max_length=60, description="what a menu calls it; without, its file's name")
    method: str = Field(description="name in the guidance registry")
    params: dict[str, float | int | bool | str] = Field(default_factory=dict, description="parameters of the method")
    wrappers: tuple[WrapperSpec, ...] = Field(default=(), description="what is put around it, the innermost first")
    source: str = Field(min_length=1, description="paper, code or measurement the numbers come from")
    note: str = Field(default="", description="when to take it")

    @property
    def spec(self) -> GuidanceSpec:
        """The part that goes into a recipe."""
        return GuidanceSpec(method=self.method, params=self.params, wrappers=self.wrappers)


def read_preset(path: Path) -> Preset:
    """Read one preset and check it against its method.

    Raises BadInput naming the file if it is no preset, NotFound or BadInput if the method refuses it.
    """
    try:
        preset = Preset.model_validate_json(read_settings(path)[0])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The preset {path.name} cannot be read: {place}: {first['msg']}.") from None
    except ValueError as error:  # which a ValidationError is as well
        raise BadInput(f"The preset {path.name} cannot be read: {str(error).rstrip('.')}.") from None
    build(preset.spec)
    return preset


def read_presets(folder: Path) -> dict[str, Preset]:
    """Read every `*.json` of a folder: file name without its ending -> preset, sorted."""
    return {path.stem: read_preset(path) for path in sorted(folder.glob("*.json"))}
