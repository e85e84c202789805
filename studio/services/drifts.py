"""Divergences between models under edits, in nats: asked for, gone on with, read; what is known is not drawn again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput
from studio.core.params import load
from studio.core.recipe import EditRef, Recipe
from studio.services.checks import check_recipes
from studio.services.edits.library import EditLibrary
from studio.services.family import siblings_of
from studio.services.jobs import JobService
from studio.services.runs import run_of
from studio.services.sources import EMBEDDED, Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.training.drift.request import EDIT, Request, Side, of_edit
from studio.training.erase.concept import WORLD, Concept
from studio.training.evaluate.files import read_run
from studio.training.evaluate.request import label

if TYPE_CHECKING:
    from studio.training.drift.request import Pair
    from studio.training.drift.rows import Measured
    from studio.training.evaluate.rows import ReportRow

KIND = "drift"
FOLDER = "evaluations"
OTHER_SENTENCES = 1000  # added to the seed of those that an erasure was made with


class DriftService:
    """The measurements of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, edits: EditLibrary) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._edits = edits

    def start(self, request: Mapping[str, Any]) -> str:
        """Queue a measurement in the background; give the job's id.

        request: plain values (studio.training.drift.request.Request).
        Raises BadInput, NotFound for an edit or a model that is not there, or what no engine could draw.
        """
        checked = Request.load(request)
        payload = {
            "kind": KIND,
            "request": checked.model_dump(mode="json"),
            "run": secrets.token_hex(16),
            "what": f"drift: {', '.join(dict.fromkeys(f'{pair.p} to {pair.q}' for pair in checked.pairs))}",
        }
        return self._submit(payload)

    def of_edit(
        self,
        ref: str,
        *,
        strength: float = 1.0,
        model: str = "",
        concept: str = "",
        gold: str = "",
        floor: tuple[str, str] | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """What is asked of an edit: retain and unconditional drift, and with gold models FADE; as `start` takes it.

        ref: the edit.
        model: what it is put on; "" is what it says it was made for, or Stencil.
        concept: what it erases; "" is what it says itself.
        gold: a model that never met the concept; "" is the sibling of the model that did not, where it is at hand.
        floor: two models that differ in their seed alone; None is the model and such a sibling, where it is at hand.
        settings: pictures, levels, steps, sampler, seed of a Request.
        Raises BadInput, NotFound.
        """
        from studio.training.drift.prompts import forget_prompts, retain_prompts

        erasure = self._edits.show(ref).provenance.get("erasure")
        erasure = erasure if isinstance(erasure, Mapping) else {}
        base = Side(model=model or str(erasure.get("model") or EMBEDDED))
        in_world = self._sources.is_of_world(base.model)
        concepts = _concepts(concept, erasure, in_world)
        if not concepts and (gold or floor):
            raise BadInput(
                f"{ref!r} does not say what it erases, so there are no prompts to hold it against gold models by.",
                "Name the concept.",
                field="concept",
            )
        siblings = siblings_of(base.model, _excluded(concepts), self._sources.places)
        gold, floor = gold or siblings.gold, floor or siblings.floor
        count = settings.get("pictures", Request.model_fields["pictures"].default)
        count = count if isinstance(count, int) else 0  # of a wrong type the request says so
        unseen = _number(erasure.get("seed")) + OTHER_SENTENCES
        return of_edit(
            base,
            _stack_of(ref, strength),
            retain_prompts(concepts, in_world, unseen, count) or [""],
            forget_prompts(concepts, in_world, unseen, count),
            Side(model=gold) if gold else None,
            (Side(model=floor[0]), Side(model=floor[1])) if floor else None,
            **settings,
        )

    def retry(self, job: JobRecord) -> str:
        """Queue what is left of a measurement; give the new job's id. Raises BadInput, NotFound."""
        return self._submit(job.payload, retry_of=job.id)

    def measured(self, payload: Mapping[str, Any]) -> dict[Pair, Measured]:
        """What a job has measured so far: its "request", its "run". Raises BadInput for a ledger that is damaged."""
        from studio.training.drift.files import read  # brings torch

        request = Request.load(dict(payload["request"]))
        folder = self._archive.workspace.root / FOLDER
        digests = read_run(folder, run_of(payload)).digests
        by_pair = {pair: read(folder, digest) for pair, digest in zip(request.pairs, digests, strict=False)}
        return {pair: values for pair, values in by_pair.items() if values is not None}

    def rows(self, payload: Mapping[str, Any]) -> dict[str, ReportRow]:
        """The same as rows of a report, by name (studio.training.drift.rows.rows)."""
        from studio.training.drift import rows  # brings torch

        return rows.rows(self.measured(payload), Request.load(dict(payload["request"])).pairs)

    def report(self, job: JobRecord) -> dict[str, Any]:
        """What a job has measured, as plain values: "edit" (its stack in words), "rows" and "directions", by name.

        A row is a ReportRow's; one in nats has "per_dim" too. Raises BadInput for a ledger that is damaged.
        """
        from studio.training.drift import rows  # brings torch

        request, measured = Request.load(dict(job.payload["request"])), self.measured(job.payload)
        dims = next((values.dims for values in measured.values()), 0)

        def plain(parts: Mapping[str, ReportRow]) -> dict[str, dict[str, Any]]:
            return {
                name: row.as_json() | ({"per_dim": row.value / dims} if dims and row.n and row.unit == "mean" else {})
                for name, row in parts.items()
            }

        edit = request.sides.get(EDIT)
        return {
            "edit": "" if edit is None else label(edit.edits),
            "rows": plain(self.rows(job.payload)),
            "directions": plain(rows.directions(measured)),
        }

    def _submit(self, payload: Mapping[str, Any], retry_of: str | None = None) -> str:
        request = Request.load(dict(payload["request"]))  # of a ledger, which may be somebody else's
        files = self._check(request)
        folder = self._archive.workspace.root / FOLDER
        run = read_run(folder, run_of(payload))
        # How much is known is part of the work: what made progress since it last ended a worker is another work.
        known_count = sum((folder / f"{digest}.jsonl").is_file() for digest in run.digests)
        places = {"threads": run.threads, "folder": str(folder)}
        work = {**payload, "known": known_count}
        return self._jobs.submit(work, "background", retry_of=retry_of, edits=files, places=places)

    def _check(self, request: Request) -> dict[str, str]:
        """Raise for what no engine could draw; give the file of each edit."""
        files: dict[str, str] = {}
        for side in request.sides.values():
            px = self._sources.card(side.model).default_size_px
            for prompts in request.prompts.values():
                recipe = Recipe(
                    model=side.model,
                    prompt=prompts[0],
                    syntax="plain",
                    width=px,
                    height=px,
                    steps=request.steps,
                    sampler=request.sampler,
                    edits=side.edits,
                )
                files |= check_recipes([recipe], self._sources, self._edits)
        return files


def _stack_of(name: str, strength: Any) -> tuple[EditRef, ...]:
    """One edit as a stack. Raises BadInput for a strength that is none, or under which there is nothing to measure."""
    ref = load(EditRef, {"edit": name, "strength": strength}, "edit")
    if not ref.strength:
        raise BadInput(f"At strength 0 {name!r} does nothing, so it moves nothing.", "Take another.", field="strength")
    return (ref,)


def _concepts(words: str, erasure: Mapping[str, Any], in_world: bool) -> tuple[Concept, ...]:
    """Raises BadInput for a concept that is none of the model's world."""
    if words:
        concepts = (load(Concept, {"words": words}, "concept"),)
    else:
        values = erasure.get("concepts") or ()
        concepts = tuple(load(Concept, dict(value), "erasure") for value in values)
    return tuple(concept.in_world() for concept in concepts) if in_world else concepts


def _excluded(concepts: Sequence[Concept]) -> str:
    """What a model that never met them was trained without; "" where that is not one value of the world."""
    if len(concepts) != 1 or not concepts[0].kind:
        return ""
    table = WORLD[concepts[0].kind]
    names = {concepts[0].words.casefold(), *concepts[0].synonyms}
    matches = [name for name, entry in table.items() if names & {entry.usual, *entry.synonyms, *entry.rare}]
    return f"{concepts[0].kind}:{matches[0]}" if len(matches) == 1 else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
