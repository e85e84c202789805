"""What a card asks of the evaluator, and which pictures it shows: plain values from a subject and a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.recipe import EditRef, Recipe
from studio.training.erase.card.answers import BASE, EDIT
from studio.training.erase.card.attack import MOST_WORDS
from studio.training.erase.card.budget import HALF, HALF_WAY, STRENGTHS, Budget
from studio.training.erase.card.inverting import ARMS
from studio.training.erase.card.probe import Probe, Probes
from studio.training.erase.card.probes import probes_of
from studio.training.erase.card.subject import Subject
from studio.training.erase.card.ways import WAYS, protocols_of
from studio.training.evaluate.cases import Case
from studio.training.evaluate.protocol import Protocol

STEPS = 12  # of a picture of the world: enough for the oracle, as the trial of the methods measured
UNPROMPTED_SEED = 819_999
SHOWN = {"forget": 3, "near": 2, "keep": 2, "open": 4}
SHOWN_ELSEWHERE = {"forget": 2, "keep": 1, "open": 2}  # where a picture takes seconds to minutes, or few are drawn


@dataclass(frozen=True)
class Sight:
    """One row of pictures to look at.

    kind: of what: a part, or "unprompted".
    prompts: column -> its prompt, which differs under the ceiling alone.
    seed: of all of them.
    """

    kind: str
    prompts: Mapping[str, str]
    seed: int


def stacks_of(edit: str, budget: Budget, in_world: bool) -> dict[str, list[EditRef]]:
    """Name -> stack, in the order they are asked for."""
    stacks = {BASE: [], EDIT: [EditRef(edit=edit)]}
    if budget.sizes(in_world)["strength"]:
        stacks |= {f"{strength:g}": [EditRef(edit=edit, strength=strength)] for strength in STRENGTHS}
        stacks[HALF_WAY] = [EditRef(edit=edit, start=HALF)]
    return stacks


def request_of(subject: Subject, edit: str, budget: Budget, protocol: Protocol) -> dict[str, Any]:
    """The evaluation of a card (studio.training.evaluate.request.Request).

    edit: as a recipe names it.
    """
    stacks = list(stacks_of(edit, budget, subject.in_world).values())[: 2 if subject.open else None]
    under = {"substitute": [0], "attack": [1], "strength": list(range(2, len(stacks)))}
    protocols = [protocol] * len(stacks)
    probes_by_part = dict(probes_of(subject, budget))
    ways = protocols_of(protocol)
    for part in WAYS:  # the base again, with a negative prompt
        if probes_by_part.get(part) and part in ways:
            under[part] = [len(stacks)]
            stacks.append([])
            protocols.append(ways[part])
        else:
            probes_by_part.pop(part, None)
    parts = [
        {
            "suite": part,
            "cases": [probe.case.plain() for probe in probes],
            "stacks": under.get(part, [0, 1]),
        }
        for part, probes in probes_by_part.items()
    ]
    return {
        "model": subject.model,
        "parts": parts,
        "stacks": [[ref.model_dump(mode="json") for ref in stack] for stack in stacks],
        "protocol": protocol.model_dump(mode="json"),
        "protocols": [of_stack.model_dump(mode="json") for of_stack in protocols],
    }


def picture_count(request: Mapping[str, Any], subject: Subject, budget: Budget) -> int:
    """How many pictures a card draws at most, those of its further rounds and of its drift too."""
    evaluated = sum(len(part["cases"]) * len(part["stacks"]) for part in request["parts"])
    if not subject.in_world:
        return evaluated
    # Times the same prompts, under edits and with embeddings made for it.
    further = 2 * budget.is_rounded + budget.is_relearned + len(ARMS) * budget.is_inverted
    rounds = budget.attack * (MOST_WORDS - 1) + further * budget.in_world["strength"]
    return evaluated + rounds + 2 * budget.drift


def sights_of(subject: Subject, budget: Budget) -> list[Sight]:
    """The rows of pictures to look at: the concept beside its ceiling, neighbours, other prompts, no prompt at all."""
    probes = probes_of(subject, budget)
    counts = SHOWN if subject.in_world and not budget.is_brief else SHOWN_ELSEWHERE
    sights = [
        Sight(part, _prompts(probes, part, place, subject.in_world), probes[part][place].case.seed)
        for part, count in counts.items()
        for place in _different(probes.get(part, ()), count)
    ]
    return sights if budget.is_brief else [*sights, Sight("unprompted", {"base": "", "edit": ""}, UNPROMPTED_SEED)]


def recipes_of(sights: Sequence[Sight], subject: Subject, edit: str, protocol: Protocol, side_px: int) -> list[Recipe]:
    """A recipe for every picture of the rows, column after column. side_px: the model's own."""
    stacks = {"base": (), "edit": (EditRef(edit=edit),), "ceiling": ()}
    return [
        protocol.recipe(Case(prompt, sight.seed), subject.model, side_px, stacks[column])
        for sight in sights
        for column, prompt in sight.prompts.items()
    ]


def _prompts(probes: Probes, part: str, place: int, with_ceiling: bool) -> dict[str, str]:
    text = probes[part][place].case.prompt
    prompts = {"base": text, "edit": text}
    if part == "forget" and with_ceiling:
        prompts["ceiling"] = probes["substitute"][place].case.prompt
    return prompts


def _different(probes: Sequence[Probe], count: int) -> list[int]:
    """Places of the first of each kind of prompt, then of the others, so many in all."""
    firsts = {probe.kind: place for place, probe in reversed(list(enumerate(probes)))}
    places = [*sorted(firsts.values()), *(place for place in range(len(probes)) if place not in firsts.values())]
    return sorted(places[:count])


def for_card(protocol: Protocol, in_world: bool) -> Protocol:
    """The protocol of a card: of the world's models with fewer steps."""
    return protocol.model_copy(update={"steps": STEPS}) if in_world else protocol
