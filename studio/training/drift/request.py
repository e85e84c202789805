"""What is asked of a measurement of divergences, in plain values: which models, under which edits, by which prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load
from studio.core.recipe import LIVE, MAX_PROMPT_CHARS, EditRef

MAX_PICTURES = 4096
BASE, EDIT, GOLD, FLOOR = "base", "edit", "gold", "floor"
RETAIN, NOTHING, FORGET = "retain", "unconditional", "forget"


class Side(Params):
    """A model under edits."""

    model: str = Field(default="stencil", max_length=500, description="name of the model")
    edits: tuple[EditRef, ...] = Field(default=(), max_length=64, description="its edits; empty is the base")


class Pair(Params):
    """KL(p || q) over what p draws of some prompts."""

    p: str = Field(max_length=60, description="the side whose pictures they are")
    q: str = Field(max_length=60, description="the side that is held against it")
    prompts: str = Field(max_length=60, description="name of the set of prompts")

    @property
    def name(self) -> str:
        """As it is told."""
        return f"{self.prompts}: {self.p} to {self.q}"


class Request(Params):
    """Divergences between sides. Equal numbers of pictures have equal seeds and noise, whichever side draws them."""

    sides: dict[str, Side] = Field(min_length=1, max_length=16, description="models under edits, by name")
    prompts: dict[str, tuple[str, ...]] = Field(min_length=1, max_length=16, description="sets of prompts, by name")
    pairs: tuple[Pair, ...] = Field(min_length=1, max_length=64, description="what to measure")
    pictures: int = Field(default=64, ge=2, le=MAX_PICTURES, description="drawn for each set of prompts and side")
    levels: int = Field(default=16, ge=2, le=1000, description="noise levels of each picture")
    steps: int = Field(default=20, ge=1, le=1000, description="sampling steps of a picture")
    sampler: str = Field(default="dpmpp_2m", max_length=40, description="name in the registry of samplers")
    seed: int = Field(default=0, ge=0, lt=2**32, description="of the first picture, and of levels and noise")

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Request:
        """Check plain values. Raises BadInput naming the first field that is wrong."""
        request = load(cls, values, "drift")
        for name, prompts in request.prompts.items():
            if not prompts:
                raise BadInput(f"There is no prompt to measure {name!r} over.", "Name one.", field="prompts")
            if long := next((prompt for prompt in prompts if len(prompt) > MAX_PROMPT_CHARS), None):
                raise BadInput(f"The prompt {long[:60]!r}... is too long.", field="prompts")
        for pair in request.pairs:
            if missing := next((name for name in (pair.p, pair.q) if name not in request.sides), None):
                raise BadInput(f"There is no side named {missing[:60]!r}.", field="pairs")
            if pair.prompts not in request.prompts:
                raise BadInput(f"There are no prompts named {pair.prompts[:60]!r}.", field="pairs")
        if len(set(request.pairs)) < len(request.pairs):
            raise BadInput("A pair is asked for twice; name each once.", field="pairs")
        for ref in (ref for side in request.sides.values() for ref in side.edits):
            _check_edit(ref)
        return request

    def prompts_of(self, pair: Pair) -> list[str]:
        """The prompt of each picture: the set in turn, until there are enough."""
        prompts = self.prompts[pair.prompts]
        return [prompts[number % len(prompts)] for number in range(self.pictures)]


def _check_edit(ref: EditRef) -> None:
    if ref.edit.startswith(LIVE):
        raise BadInput(
            "An edit that is still being trained cannot be measured: it would change meanwhile.",
            "Stop its training, which keeps what it has learned, or wait for its end.",
            field="edits",
        )
    if ref.auto or (ref.start, ref.stop) != (0.0, 1.0):
        raise BadInput(
            f"How far {ref.edit[:60]!r} moves the model depends on step and prompt.",
            "Measure it with one strength in all steps.",
            field="edits",
        )


def of_edit(
    base: Side,
    edits: Sequence[EditRef],
    retain: Sequence[str],
    forget: Sequence[str] = (),
    gold: Side | None = None,
    floor: tuple[Side, Side] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """What is asked of an edit: retain and unconditional drift; with a gold model also FADE beside the base's.

    base: what the edit is of.
    retain, forget: prompts that do not name the concept, and that do.
    gold: a model that never met the concept.
    floor: two models that differ in nothing but their seed, for how far apart such are.
    settings: other fields of a Request.
    """
    sides = {BASE: base, EDIT: base.model_copy(update={"edits": (*base.edits, *edits)})}
    prompts = {RETAIN: tuple(retain), NOTHING: ("",)}
    pairs = [Pair(p=BASE, q=EDIT, prompts=RETAIN), Pair(p=BASE, q=EDIT, prompts=NOTHING)]
    if gold is not None:
        sides[GOLD], prompts[FORGET] = gold, tuple(forget)
        pairs += [Pair(p=p, q=q, prompts=FORGET) for side in (EDIT, BASE) for p, q in ((side, GOLD), (GOLD, side))]
    if floor is not None:
        names = (FLOOR, f"{FLOOR} 2")
        sides |= dict(zip(names, floor, strict=True))
        prompts[FORGET] = tuple(forget)
        pairs += [Pair(p=p, q=q, prompts=FORGET) for p, q in (names, names[::-1])]
    request = Request.load(
        {
            "sides": {name: side.model_dump(mode="json") for name, side in sides.items()},
            "prompts": prompts,
            "pairs": [pair.model_dump(mode="json") for pair in pairs],
            **settings,
        }
    )
    return request.model_dump(mode="json")
