"""How pictures of an evaluation are drawn: all that a recipe says besides model, edits, prompt and seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal

from pydantic import Field

import studio
from studio.core.errors import BadInput
from studio.core.params import Params
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.training.evaluate.cases import Case

FORMAT = 1  # of what is kept; counted up when the same protocol would give other numbers


class Protocol(Params):
    """Defaults are those of the gates: twenty steps of the default sampler, guidance at its default scale."""

    steps: int = Field(default=20, ge=1, le=1000, description="number of sampling steps")
    sampler: str = Field(default="dpmpp_2m", max_length=40, description="name in the registry of samplers")
    guidance: GuidanceSpec = Field(default_factory=GuidanceSpec, description="guidance method and parameters")
    negative: Literal["none", "field", "composed"] = Field(
        default="none",
        description="the case's negative: not used, as negative prompt, or subtracted from the prompt by AND",
    )
    side_px: int | None = Field(default=None, ge=32, le=2048, description="of the pictures; null is the model's own")
    batching: Literal["isolated", "shared"] = Field(
        default="shared", description="shared: drawn in company, faster; isolated: each kept as soon as it is drawn"
    )

    def recipe(self, case: Case, model: str, side_px: int, edits: Sequence[EditRef] = ()) -> Recipe:
        """The recipe of one picture. side_px: the model's own size. Raises BadInput for a case without a negative."""
        if self.negative != "none" and not case.negative:
            raise BadInput(f"The prompt {case.prompt[:60]!r} has no negative prompt to draw it with.", field="negative")
        side = self.side_px or side_px
        return Recipe(
            model=model,
            prompt=f"{case.prompt} AND {case.negative} :-1" if self.negative == "composed" else case.prompt,
            negative_prompt=case.negative if self.negative == "field" else "",
            seed=case.seed,
            width=side,
            height=side,
            steps=self.steps,
            sampler=self.sampler,
            guidance=self.guidance,
            edits=tuple(edits),
            batching=self.batching,
        )

    def settled(self) -> dict[str, Any]:
        """Plain values with every parameter of the guidance said, whatever its default is or becomes.

        Raises NotFound, BadInput for guidance that cannot be.
        """
        from studio.guidance import spoken  # brings torch

        return self.model_copy(update={"guidance": spoken(self.guidance)}).model_dump(mode="json")


def digest(protocol: Protocol, *, stack: str, reader: str | None, made_by: dict[str, Any], side_px: int) -> str:
    """What pictures of one protocol are kept under: equal only where pictures and readings are, to rounding.

    stack: identity of the edits in force (EditStack.id). reader: version of the oracle, None without one. made_by: of
    the model (ModelBundle.made_by), of which its hash, the device and the dtype count, and an early checkpoint's hash
    where guidance asks one. side_px: the model's own size.
    """
    origin = {name: made_by.get(name) for name in ("model_hash", "weak_hash", "device", "dtype")}
    values = {
        "format": FORMAT,
        "version": studio.__version__,
        "protocol": {**protocol.settled(), "side_px": protocol.side_px or side_px},
        "stack": stack,
        "reader": reader,
        **origin,
    }
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
