"""What the job of a card has measured, read from where evaluations keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.services.cards.request import stacks_of
from studio.services.evaluations import EvaluationService
from studio.services.runs import run_of
from studio.storage.jobs import JobRecord
from studio.training.erase.card.answers import Answers
from studio.training.erase.card.budget import Budget
from studio.training.erase.card.inverting import ARMS, INVERTED
from studio.training.erase.card.probe import Probe
from studio.training.erase.card.probes import probes_of
from studio.training.erase.card.subject import Subject
from studio.training.evaluate.cases import CaseKey
from studio.training.evaluate.files import read_run, results_path, run_named
from studio.training.evaluate.request import Request
from studio.training.evaluate.results import Facts
from studio.training.evaluate.store import read

if TYPE_CHECKING:
    from studio.training.evaluate.rows import ReportRow


def counted(
    job: JobRecord,
    subject: Subject,
    budget: Budget,
    evaluations: EvaluationService,
    outside: Mapping[str, ReportRow],
) -> dict[str, Any]:
    """The card of a job, as plain values (studio.training.erase.card.card). Raises BadInput for a damaged ledger.

    outside: rows that were measured in another way.
    """
    from studio.training.erase.card.card import card

    return card(_answers(job, subject, budget, evaluations), budget, outside)


def _answers(job: JobRecord, subject: Subject, budget: Budget, evaluations: EvaluationService) -> Answers:
    from studio.training.erase.card.attack import walk
    from studio.training.erase.card.relearning import RELEARNED
    from studio.training.erase.card.rounded import NAMES

    probes, folder, run = probes_of(subject, budget), evaluations.folder, run_of(job.payload)
    stacks = Request.load(dict(job.payload["request"])).stacks
    names = dict(zip(stacks, stacks_of("", budget, subject.in_world), strict=False))  # then come ways without the edit
    facts: dict[tuple[str, str], list[Facts | None]] = {}
    for evaluation in evaluations.measured(job):
        by_key = {result.case.key: result.facts for result in evaluation.results}
        facts[evaluation.suite, names[evaluation.stack]] = _by_place(probes.get(evaluation.suite, ()), by_key)
    further = [*(NAMES.values() if budget.is_rounded else ()), *((RELEARNED,) if budget.is_relearned else ())]
    for name in further:
        digests = read_run(folder, run_named(run, name)).digests
        by_case = read(results_path(folder, digests[0])) if digests else {}
        facts["strength", name] = _by_place(probes.get("strength", ()), by_case)
    for name, digest in zip(ARMS, read_run(folder, run_named(run, INVERTED)).digests, strict=False):
        facts["strength", name] = _by_place(probes.get("strength", ()), read(results_path(folder, digest)))
    attack = None
    if "attack" in probes:
        digests = read_run(folder, run).digests
        by_case = read(results_path(folder, digests[1])) if len(digests) > 1 else {}
        attack = walk(probes["attack"], by_case, subject.targets, budget.attack)[0]
    return Answers(subject, probes, facts, attack)


def _by_place(probes: Sequence[Probe], facts: Mapping[CaseKey, Facts]) -> list[Facts | None]:
    return [facts.get(probe.case.key) for probe in probes]
