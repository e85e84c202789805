"""Evaluations: suites drawn under stacks of edits and read, started, gone on with, and reported."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import EditRef
from studio.services.checks import MAX_IMAGES, check_recipes
from studio.services.edits.library import EditLibrary
from studio.services.jobs import JobService
from studio.services.runs import run_of
from studio.services.sources import EMBEDDED, Sources
from studio.storage.archive import Archive
from studio.storage.jobs import JobRecord
from studio.training.evaluate.cases import Case
from studio.training.evaluate.files import read_run, results_path
from studio.training.evaluate.protocol import Protocol
from studio.training.evaluate.request import MAX_PICTURES, Part, Request, label
from studio.training.evaluate.results import Result
from studio.training.evaluate.store import count, read
from studio.training.evaluate.suites import SUITES

KIND = "evaluate"
TIDIED = "What this evaluation measured was let go of to make room; run it again to have it drawn and measured anew."
UNREAD = "There is no oracle for this model: what its pictures show cannot be read."


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One suite under one stack of edits.

    suite: its name.
    stack: the edits; empty for the base.
    results: those there are so far.
    pictures: how many there will be.
    why_unread: a sentence where what the pictures show cannot be read, or is not there any more; "" else.
    """

    suite: str
    stack: tuple[EditRef, ...]
    results: tuple[Result, ...]
    pictures: int
    why_unread: str = ""

    @property
    def label(self) -> str:
        """Its stack in a few words."""
        return label(self.stack)


class EvaluationService:
    """The evaluations of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, edits: EditLibrary) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._edits = edits

    def usual_protocol(self, model: str = EMBEDDED) -> Protocol:
        """How a model's pictures are drawn where nobody says how. Raises NotFound, AssetError.

        Those of Stencil and its kin in company; of others each alone, and kept as soon as it is drawn, for it may take
        minutes.
        """
        if self._sources.is_of_world(model):
            return Protocol()
        return Protocol(sampler=self._sources.card(model).sampler, batching="isolated")

    def start(self, request: Mapping[str, Any], kind: str = KIND, what: str = "", **payload_extras: Any) -> str:
        """Queue an evaluation in the background; give the job's id.

        request: plain values (studio.training.evaluate.request.Request).
        kind: of the job, one that evaluates and does more.
        payload_extras: what else it is told, and the ledger with it.
        what: how the queue calls it, in place of its suites and stacks.
        Raises BadInput, NotFound for a suite, an edit or a model that is not there, or what no engine could draw.
        """
        checked = Request.load(request)
        names = ", ".join(part.suite for part in checked.parts)
        payload = {
            "kind": kind,
            "request": checked.model_dump(mode="json"),
            "run": secrets.token_hex(16),
            "what": what or f"{names} with {', '.join(label(stack) for stack in checked.stacks)}",
        }
        return self._submit({**payload_extras, **payload})

    def retry(self, job: JobRecord) -> str:
        """Queue what is left of an evaluation; give the new job's id. Raises BadInput, NotFound."""
        return self._submit(job.payload, retry_of=job.id)

    def measured(self, job: JobRecord) -> list[Evaluation]:
        """What an evaluation has measured so far, by stack and suite. Raises BadInput for a ledger that is damaged."""
        request = Request.load(dict(job.payload["request"]))
        digests = read_run(self.folder, run_of(job.payload)).digests
        measured: list[Evaluation] = []
        for i, stack in enumerate(request.stacks):
            facts = read(results_path(self.folder, digests[i])) if i < len(digests) else {}
            for part in (part for part in request.parts if part.is_under(i)):
                cases = _cases(part)
                results = tuple(Result(case, facts[case.key]) for case in cases if case.key in facts)
                why = _why_unread(results, is_done=job.status == "done")
                measured.append(Evaluation(part.suite, stack, results, len(cases), why))
        return measured

    @property
    def folder(self) -> Path:
        """Where the results of all evaluations are."""
        return self._archive.workspace.root / "evaluations"

    def _submit(self, payload: Mapping[str, Any], retry_of: str | None = None) -> str:
        """How much is known is part of the work: what made progress since it last ended a worker is another work."""
        request = Request.load(dict(payload["request"]))  # of a ledger, which may be somebody else's
        cases = {part.suite: _cases(part) for part in request.parts}
        edits = self._check(request, cases)
        run = read_run(self.folder, run_of(payload))
        result_count = sum(count(results_path(self.folder, digest)) for digest in run.digests)
        places = {
            "threads": run.threads,
            "cases": {name: [case.plain() for case in suite_cases] for name, suite_cases in cases.items()},
            "folder": str(self.folder),
            "oracle": self._sources.is_of_world(request.model),
        }
        work = {**payload, "known": result_count}
        return self._jobs.submit(work, "background", retry_of=retry_of, edits=edits, places=places)

    def _check(self, request: Request, cases: Mapping[str, Sequence[Case]]) -> dict[str, str]:
        """Raise for what no engine could draw; give the file of each edit."""
        pictures = sum(len(cases[part.suite]) * (len(part.stacks) or len(request.stacks)) for part in request.parts)
        if pictures > MAX_PICTURES:
            message = f"An evaluation draws at most {MAX_PICTURES:,} pictures, not {pictures:,}."
            raise BadInput(message, "Take fewer pictures of each suite, or fewer stacks.", field="pictures")
        side = self._sources.card(request.model).default_size_px
        files: dict[str, str] = {}
        for place, stack in enumerate(request.stacks):
            for part in (part for part in request.parts if part.is_under(place)):
                suite_cases = cases[part.suite]
                cases_to_check = suite_cases if part.cases else suite_cases[:1]  # those of a file are known to be sound
                recipes = [
                    request.protocol_of(place).recipe(case, request.model, side, stack) for case in cases_to_check
                ]
                for at in range(0, len(recipes), MAX_IMAGES):
                    files |= check_recipes(recipes[at : at + MAX_IMAGES], self._sources, self._edits)
        return files


def report(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Their rows as plain values: "suite", "edits", "pictures" so far, "of" how many, "rows", and for all but the first
    stack of each suite "against", what differs from that, paired by prompt and seed.
    """
    from studio.training.evaluate import rows  # brings torch

    first: dict[str, Evaluation] = {}
    parts: list[dict[str, Any]] = []
    for evaluation in evaluations:
        base = first.setdefault(evaluation.suite, evaluation)
        parts.append(
            {
                "suite": evaluation.suite,
                "edits": [ref.model_dump(mode="json") for ref in evaluation.stack],
                "label": evaluation.label,
                "pictures": len(evaluation.results),
                "of": evaluation.pictures,
                "rows": [
                    row.as_json() for row in rows.report(evaluation.label, evaluation.results, evaluation.why_unread)
                ],
            }
        )
        if base is not evaluation:
            differences = rows.against(evaluation.label, evaluation.results, base.results, evaluation.why_unread)
            parts[-1]["against"] = {"label": base.label, "rows": [row.as_json() for row in differences]}
    return parts


def _why_unread(results: Sequence[Result], is_done: bool) -> str:
    """By what there is, and not by the model, which may have gone since."""
    if not results:
        return TIDIED if is_done else ""
    return UNREAD if all(result.facts.reading is None for result in results) else ""


def _cases(part: Part) -> tuple[Case, ...]:
    """Raises NotFound for a suite without a file or cases, BadInput."""
    if not part.cases:
        SUITES.get(part.suite)
    return part.drawn(dict(SUITES.items()))
