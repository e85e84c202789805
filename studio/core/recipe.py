"""The recipe: everything that makes one image, frozen. Same recipe, same machine: same bits.

Its JSON is stored in the PNG, the history, labels and presets; a preset is a partial recipe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NoReturn, cast

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from studio.core.bounded_json import without_repeats
from studio.core.errors import BadInput
from studio.core.params import Params, load, shown

VERSION = 1
MAX_JSON_BYTES = 1_000_000  # a full recipe with both prompts at their limit is below a tenth of this
MAX_PROMPT_CHARS = 10_000
MAX_NEGATIVES = 16
MAX_WRAPPERS = 8
_CAME_LATER = ("syntax", "more_negatives", "variation_seed", "variation_strength", "sampler_params", "spacing")
_PIXELS = "{} of the image in pixels"


class WrapperSpec(Params):
    """Something put around a guidance method, such as an interval, by name; `added` is what a sum adds."""

    wrapper: str = Field(max_length=100, description="name in the registry of guidance wrappers")
    params: dict[str, float | int | bool | str] = Field(default_factory=dict, description="parameters of the wrapper")
    added: GuidanceSpec | None = Field(default=None, description="for a sum: the method whose effect is added")

    def __hash__(self) -> int:  # pydantic's own fails on the dict
        return hash((self.wrapper, frozenset(self.params.items()), self.added))

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(write(self), "added", None)


class GuidanceSpec(Params):
    """A guidance method by name, and its parameters; those left out take the method's defaults."""

    method: str = Field(default="cfg", max_length=100, description="name in the guidance registry")
    params: dict[str, float | int | bool | str] = Field(default_factory=dict, description="parameters of the method")
    wrappers: tuple[WrapperSpec, ...] = Field(
        default=(), max_length=MAX_WRAPPERS, description="what is put around the method, the innermost first"
    )

    def __hash__(self) -> int:  # pydantic's own fails on the dict
        return hash((self.method, frozenset(self.params.items()), self.wrappers))

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Without wrappers the JSON is what it was before there were any: digests stay, older programs read it.
        return _without(_without(write(self), "wrappers", ()), "wrappers", [])


LIVE = "live:"  # what an edit is called that a training under way has not finished: this, and the job's id


class EditRef(Params):
    """One edit of the stack. strength: 1 as trained, 0 off, negative reverses it.

    It acts in the steps i of N with start*N <= i < stop*N, the bounds rounded down as those of negative prompts.
    """

    edit: str = Field(max_length=200, description="name of the edit, with its version")
    strength: float = Field(default=1.0, ge=-10, le=10, description="how much of the edit is applied")
    start: float = Field(default=0.0, ge=0, le=1, description="share of the steps done when it begins to act")
    stop: float = Field(default=1.0, ge=0, le=1, description="share of the steps done when it ceases to act")
    auto: bool = Field(default=False, description="strength times what the edit's own gate makes of the prompt, 0 to 1")

    def steps(self, count: int) -> range:
        """The steps of `count` it acts in; empty where its window is too short for any."""
        return range(int(self.start * count), int(self.stop * count))

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # One that acts in all steps, by its strength alone, is written as it was before there was more: digests stay.
        return _without(_without(_without(write(self), "start", 0.0), "stop", 1.0), "auto", False)


class Negative(Params):
    """A further negative prompt. weight: its share among the negatives; the first, plain one counts 1.

    It acts in the steps i of N with start*N <= i < stop*N, the bounds rounded down, and costs nothing in the others.
    """

    prompt: str = Field(max_length=MAX_PROMPT_CHARS, description="what guidance moves away from")
    weight: float = Field(default=1.0, ge=0, le=10, description="share among the negative prompts")
    start: float = Field(default=0.0, ge=0, le=1, description="share of the steps done when it begins to act")
    stop: float = Field(default=1.0, ge=0, le=1, description="share of the steps done when it ceases to act")

    @model_serializer(mode="wrap")
    def _only_what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # One that acts in all steps is written as it was before there were windows: digests stay.
        return _without(_without(write(self), "start", 0.0), "stop", 1.0)


class Recipe(Params):
    """Everything that makes one image. Build it from untrusted values with `load` or `from_json`."""

    version: Literal[1] = Field(default=VERSION, description="version of this format")
    model: str = Field(default="stencil", max_length=500, description="name of the model")
    prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS, description="what to draw; empty is unconditional")
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS, description="what guidance moves away from")
    more_negatives: tuple[Negative, ...] = Field(
        default=(), max_length=MAX_NEGATIVES, description="further negative prompts, with weights"
    )
    syntax: Literal["a1111", "compel", "plain"] = Field(
        default="a1111", description="how weights and schedules are written in the prompts; plain: not at all"
    )
    seed: int = Field(default=0, ge=0, le=2**64 - 1, description="seed of the image's own random generator")
    variation_seed: int | None = Field(
        default=None, ge=0, le=2**64 - 1, description="seed of a second noise to go towards; null is none"
    )
    variation_strength: float = Field(
        default=0.0, ge=0, le=1, description="how far towards the second noise; 0 stays, 1 is that seed's picture"
    )
    width: int = Field(default=128, ge=32, le=2048, multiple_of=8, description=_PIXELS.format("width"))
    height: int = Field(default=128, ge=32, le=2048, multiple_of=8, description=_PIXELS.format("height"))
    steps: int = Field(default=20, ge=1, le=1000, description="number of sampling steps")
    sampler: str = Field(default="dpmpp_2m", max_length=40, description="name in the registry of samplers")
    sampler_params: dict[str, float | int | bool | str] = Field(
        default_factory=dict, description="parameters of the sampler; those left out take its defaults"
    )
    spacing: str = Field(
        default="auto", max_length=40, description="name of the grid of noise levels; auto is the model's own"
    )
    guidance: GuidanceSpec = Field(default_factory=GuidanceSpec, description="guidance method and parameters")
    edits: tuple[EditRef, ...] = Field(default=(), max_length=64, description="edit stack, applied in this order")
    batching: Literal["isolated", "shared"] = Field(
        default="isolated", description="isolated: the same bits in any company; shared: faster, equal to rounding"
    )

    def __hash__(self) -> int:  # pydantic's own fails on the dicts
        return hash(self.canonical_json())

    def canonical_json(self) -> str:
        """Give the one JSON text of this recipe: sorted keys, no spaces, all fields; encode it as UTF-8."""
        return _canonical(self.model_dump(mode="json"))

    def digest(self) -> str:
        """Give the sha256 of the canonical JSON, in hex.

        Fields that came later count only where they say something, so recipes from before keep their digest.
        """
        fields = type(self).model_fields
        unsaid = {
            name for name in _CAME_LATER if getattr(self, name) == fields[name].get_default(call_default_factory=True)
        }
        return hashlib.sha256(_canonical(self.model_dump(mode="json", exclude=unsaid)).encode()).hexdigest()

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

        Raises BadInput if it is over 1 MB, not JSON, not an object, has a name twice, or `load` refuses what it says.
        """
        if len(text) > MAX_JSON_BYTES:
            raise BadInput(f"The recipe must be at most {MAX_JSON_BYTES} bytes of JSON, not {len(text)}.")
        try:
            values = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=without_repeats)
        except (ValueError, RecursionError) as error:  # ValueError covers bad UTF-8 and integers too long to read
            reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")
            raise BadInput(f"The recipe is not valid JSON: {reason}.") from None
        if not isinstance(values, dict):
            raise BadInput(f"The recipe must be a JSON object, not a {type(values).__name__}.")
        return cls.load(cast("dict[str, Any]", values))


def _without(values: dict[str, Any], name: str, nothing: Any) -> dict[str, Any]:
    """The same values without `name` where it holds nothing."""
    return {key: value for key, value in values.items() if key != name or value != nothing}


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
