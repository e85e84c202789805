"""The recipe: everything that makes one image, frozen. Same recipe, same machine: same bits.

Its JSON is stored in the PNG, the history, labels and presets; a preset is a partial recipe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, cast

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load, shown

VERSION = 1
MAX_JSON_BYTES = 1_000_000  # a full recipe with both prompts at their limit is below a tenth of this
MAX_PROMPT_CHARS = 10_000
_PIXELS = "{} of the image in pixels"


class GuidanceSpec(Params):
    """A guidance method by name, and its parameters; those left out take the method's defaults."""

    method: str = Field(default="cfg", max_length=100, description="name in the guidance registry")
    params: dict[str, float | int | bool | str] = Field(default_factory=dict, description="parameters of the method")

    def __hash__(self) -> int:  # pydantic's own fails on the dict
        return hash((self.method, frozenset(self.params.items())))


class EditRef(Params):
    """One edit of the stack. strength: 1 as trained, 0 off, negative reverses it."""

    edit: str = Field(max_length=200, description="name of the edit, with its version")
    strength: float = Field(default=1.0, ge=-10, le=10, description="how much of the edit is applied")


class Recipe(Params):
    """Everything that makes one image. Build it from untrusted values with `load` or `from_json`."""

    version: Literal[1] = Field(default=VERSION, description="version of this format")
    model: str = Field(default="stencil", max_length=500, description="name of the model")
    prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS, description="what to draw; empty is unconditional")
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS, description="what guidance moves away from")
    seed: int = Field(default=0, ge=0, le=2**64 - 1, description="seed of the image's own random generator")
    width: int = Field(default=128, ge=32, le=2048, multiple_of=8, description=_PIXELS.format("width"))
    height: int = Field(default=128, ge=32, le=2048, multiple_of=8, description=_PIXELS.format("height"))
    steps: int = Field(default=20, ge=1, le=1000, description="number of sampling steps")
    sampler: Literal["ddim", "dpmpp_2m"] = Field(default="dpmpp_2m", description="name in the solver registry")
    guidance: GuidanceSpec = Field(default_factory=GuidanceSpec, description="guidance method and parameters")
    edits: tuple[EditRef, ...] = Field(default=(), max_length=64, description="edit stack, applied in this order")
    batching: Literal["isolated", "shared"] = Field(
        default="isolated", description="isolated: the same bits in any company; shared: faster, equal to rounding"
    )

    def canonical_json(self) -> str:
        """Give the one JSON text of this recipe: sorted keys, no spaces, all fields; encode it as UTF-8."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def digest(self) -> str:
        """Give the sha256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Recipe:
        """Build a recipe from untrusted values; what is left out takes its default.

        Raises BadInput: one sentence naming the field, what is allowed and the value given.
        """
        version: Any = values.get("version", VERSION)
        if isinstance(version, int) and version > VERSION:
            message = f"The recipe is of version {shown(version)}, and this program reads up to {VERSION}."
            raise BadInput(message, "Update Palimpsest to read it.", field="version")
        if version is True or version != VERSION:
            raise BadInput(f"In the recipe, version must be {VERSION}, not {shown(version)}.", field="version")
        return load(cls, values, "recipe")

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """Read a recipe from JSON text, such as `canonical_json` gives.

        Raises BadInput if it is over 1 MB, not JSON, not an object, or `load` refuses what it says.
        """
        if len(text) > MAX_JSON_BYTES:
            raise BadInput(f"The recipe must be at most {MAX_JSON_BYTES} bytes of JSON, not {len(text)}.")
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:  # ValueError covers bad UTF-8 and integers too long to read
            reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")
            raise BadInput(f"The recipe is not valid JSON: {reason}.") from None
        if not isinstance(values, dict):
            raise BadInput(f"The recipe must be a JSON object, not a {type(values).__name__}.")
        return cls.load(cast("dict[str, Any]", values))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
