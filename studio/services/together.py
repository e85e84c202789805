"""Erasures in closed form that act together: how far each still carries its concept, and one solve in their place."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import BadInput, NotFound
from studio.engine.events import Event
from studio.services.edits.library import EditEntry, EditLibrary
from studio.services.erasures import ErasureService
from studio.services.jobs import JobService
from studio.training.erase.concept import Concept
from studio.training.erase.plan import INSTANT, MAX_NAME_CHARS, ErasePlan, read_plan

KIND = "interference"


@dataclass(frozen=True)
class Member:
    """An erasure in closed form. name: what the stack calls its edit."""

    name: str
    entry: EditEntry
    plan: ErasePlan

    @property
    def solved_with(self) -> Any:
        """The plan of the joint solution that it is a share of; None of one that was solved as it is."""
        return self.entry.provenance.get("solved_with")


@dataclass(frozen=True)
class Reach:
    """How far a concept's text is carried, as a function of the edits' strengths.

    member: the place of its edit among them.
    along, common: as of `studio.training.erase.interference.pulls`.
    """

    member: int
    concept: Concept
    along: tuple[float, ...]
    common: Mapping[tuple[int, int], float]

    def together(self, strengths: Sequence[float]) -> float:
        """Of where all edits at these strengths carry it, the share that lies on its way, 0 to 1; 0 where it stays.

        The squared cosine between the two. Completeness would also count it where several carry it further than it was
        to go, all towards one substitute: that harms no picture.
        """
        carried = sum(strength * along for strength, along in zip(strengths, self.along, strict=True))
        spread = sum(
            (1 if i == j else 2) * strengths[i] * strengths[j] * common for (i, j), common in self.common.items()
        )
        return max(carried, 0.0) ** 2 / spread if spread > 0 else 0.0

    def alone(self, strengths: Sequence[float]) -> float:
        """With its own edit only, at its strength."""
        return self.together([value if place == self.member else 0.0 for place, value in enumerate(strengths)])


class TogetherService:
    """What is known of stacks of an open studio. Every method may be called from any thread."""

    def __init__(self, jobs: JobService, edits: EditLibrary, erasures: ErasureService) -> None:
        self._jobs = jobs
        self._edits = edits
        self._erasures = erasures
        self._lock = threading.Lock()
        self._looks: dict[tuple[str, ...], str] = {}  # the model and the edits' hashes -> the job that looks at them

    def members(self, entries: Mapping[str, EditEntry], model: str) -> list[Member]:
        """Which of some edits are erasures in closed form of a model, in the order of their hashes.

        entries: by what the stack calls them.
        """
        members = (_member(name, entry, model) for name, entry in entries.items() if not entry.problem)
        return sorted((member for member in members if member), key=lambda member: member.entry.sha256)

    def look(self, model: str, members: Sequence[Member]) -> str:
        """Queue a look at how they act together, once for the same edits; give the job's id. Raises NotFound."""
        key = (model, *(member.entry.sha256 for member in members))
        with self._lock:
            if key not in self._looks:
                payload = {
                    "kind": KIND,
                    "model": model,
                    "stack": [{"edit": member.entry.id} for member in members],
                    "what": f"how {len(members)} erasures act together",
                }
                self._looks[key] = self._jobs.submit(payload, "ahead", edits=self._edits.files_in(payload))
            return self._looks[key]

    def reaches(self, job_id: str, members: Sequence[Member]) -> list[Reach] | None:
        """What a look has measured, concept by concept; None before it is over. Raises BadInput where it failed."""
        events = self._events(job_id)
        values = next((event.data["values"] for event in events if event.kind == "measure"), None)
        if values is None and events and events[-1].final:
            raise BadInput(events[-1].data.get("error") or "How they act together could not be measured.")
        if values is None:
            return None
        concepts = [(place, concept) for place, member in enumerate(members) for concept in member.plan.concepts]
        count = range(len(members))
        return [
            Reach(
                place,
                concept,
                tuple(values[f"{k}/{i}"] for i in count),
                {(i, j): values[f"{k}/{i}/{j}"] for i in count for j in count if i <= j},
            )
            for k, (place, concept) in enumerate(concepts)
        ]

    def solve(self, members: Sequence[Member], sliders: bool) -> str:
        """Queue one joint solve of all their concepts; give the job's id.

        sliders: an edit for each concept beside the joint one. Raises BadInput where they contradict each other.
        """
        if len(members) < 2:
            raise BadInput("One erasure has nothing to be solved together with.", "Switch a second one on.")
        return self._erasures.start(
            joint_plan(members, sliders),
            beside={"replaces": [{"edit": member.name} for member in members]},
        )

    def solved(self, job_id: str) -> tuple[str, dict[str, str]] | None:
        """(the joint edit, words -> the edit of that concept's share) of a solve that is done; None of any other."""
        events = self._events(job_id)
        if not events or events[-1].kind != "done":
            return None
        edits = [event.data for event in events if event.kind == "edit"]
        shares = {data["part"]: data["edit"] for data in edits if "part" in data}
        wholes = [data["edit"] for data in edits if "part" not in data]
        return (wholes[-1], shares) if wholes else None

    def _events(self, job_id: str) -> list[Event]:
        try:
            return list(self._jobs.events(job_id))
        except NotFound:  # of another workspace, or an earlier run
            return []


def joint_plan(members: Sequence[Member], sliders: bool) -> dict[str, Any]:
    """One plan of all concepts: what any of them keeps is kept, as strictly as the strictest asks.

    What one keeps and another erases is erased.
    """
    plans = [member.plan for member in members]
    concepts = list(dict.fromkeys(concept for plan in plans for concept in plan.concepts))
    preserves = dict.fromkeys(text for plan in plans for text in plan.preserves)
    preserves = [text for text in preserves if not any(concept.named_in(text) for concept in concepts)]
    return {
        "name": " + ".join(dict.fromkeys(plan.name for plan in plans))[:MAX_NAME_CHARS].rstrip(" +"),
        "model": plans[0].model,
        "method": INSTANT,
        "concepts": [concept.model_dump(mode="json") for concept in concepts],
        "preserves": preserves,
        "protect": max(plan.protect for plan in plans),
        "completeness": max(plan.completeness for plan in plans),
        "untouched": any(plan.untouched for plan in plans) and bool(preserves),
        "sliders": sliders,
        "seed": plans[0].seed,
    }


def _member(name: str, entry: EditEntry, model: str) -> Member | None:
    if entry.provenance.get("method") != INSTANT or not isinstance(entry.provenance.get("erasure"), dict):
        return None
    try:
        plan = read_plan(entry.provenance["erasure"])
    except BadInput:  # of another program, or an older one
        return None
    return Member(name, entry, plan) if plan.model == model else None


def refs_replaced(payload: Mapping[str, Any]) -> list[str]:
    """What a solve takes the place of, as the stack called it; [] of any other job."""
    return [str(member["edit"]) for member in payload.get("replaces") or ()]
