"""What is asked of an evaluation, as plain values: which suites, under which edits, drawn how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load
from studio.core.recipe import LIVE, EditRef
from studio.training.evaluate.cases import Case, Suite
from studio.training.evaluate.protocol import Protocol

MAX_PICTURES = 20_000  # of one evaluation
MAX_STACKS = 64


class Part(Params):
    """One suite of an evaluation."""

    suite: str = Field(max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$", description="its name")
    pictures: int | None = Field(default=None, ge=1, description="how many to draw; null is all of the suite")
    cases: tuple[dict[str, Any], ...] = Field(
        default=(), description="the cases themselves (Case.plain), of a suite that has no file"
    )
    stacks: tuple[int, ...] = Field(
        default=(), max_length=MAX_STACKS, description="places of the stacks it is drawn under; none is all of them"
    )

    def drawn(self, suites: Mapping[str, Suite]) -> tuple[Case, ...]:
        """The cases to draw. suites: those with a file. Raises BadInput."""
        if not self.cases:
            return suites[self.suite].cases(self.pictures)
        cases = tuple(Case.load(values) for values in self.cases)[: self.pictures]
        if len({case.key for case in cases}) < len(cases):
            raise BadInput(f"The suite {self.suite} draws a prompt twice with one seed.", field="cases")
        return cases

    def is_under(self, stack: int) -> bool:
        """Whether it is drawn under the stack at this place of its request."""
        return not self.stacks or stack in self.stacks


class Request(Params):
    """Every suite is drawn under every stack of edits, or under those that it names."""

    model: str = Field(default="stencil", max_length=500, description="name of the model")
    parts: tuple[Part, ...] = Field(min_length=1, max_length=64, description="the suites")
    stacks: tuple[tuple[EditRef, ...], ...] = Field(
        default=((),), min_length=1, max_length=MAX_STACKS, description="stacks of edits; an empty one is the base"
    )
    protocol: Protocol = Field(default_factory=Protocol, description="how pictures are drawn")
    protocols: tuple[Protocol, ...] = Field(
        default=(), max_length=MAX_STACKS, description="how those of each stack are; none is the one for all"
    )

    def protocol_of(self, stack: int) -> Protocol:
        """How pictures under the stack at this place are drawn."""
        return self.protocols[stack] if self.protocols else self.protocol

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Request:
        """Check plain values. Raises BadInput naming the first field that is wrong."""
        request = load(cls, values, "evaluation")
        names = [part.suite for part in request.parts]
        if len(set(names)) < len(names):
            raise BadInput("A suite is asked for twice; name each once.", field="parts")
        if request.protocols and len(request.protocols) != len(request.stacks):
            message = (
                f"There are {len(request.protocols)} protocols for {len(request.stacks)} stacks; give one for each."
            )
            raise BadInput(message, field="protocols")
        series = [(stack, request.protocol_of(place).model_dump_json()) for place, stack in enumerate(request.stacks)]
        if len(set(series)) < len(series):
            raise BadInput("A stack of edits is asked for twice; name each once.", field="stacks")
        if any(not 0 <= place < len(request.stacks) for part in request.parts for place in part.stacks):
            raise BadInput(f"A suite names a stack that is not among the {len(request.stacks)}.", field="parts")
        if any(ref.edit.startswith(LIVE) for stack in request.stacks for ref in stack):
            raise BadInput(
                "An edit that is still being trained cannot be evaluated: it would change meanwhile.",
                "Stop its training, which keeps what it has learned, or wait for its end.",
                field="stacks",
            )
        return request


def label(stack: tuple[EditRef, ...]) -> str:
    """A stack in a few words."""
    phrases = [ref.edit if ref.strength == 1 else f"{ref.edit} at {ref.strength:g}" for ref in stack]
    return " + ".join(phrases) or "base"
