"""`reproduce --alignment`: edits trained of simulated people's labels, and what their pictures win."""

from __future__ import annotations

import argparse
from typing import Any

from studio.cli.answer import give, remark
from studio.cli.grammar import settings_of
from studio.core.errors import BadInput


def run(args: argparse.Namespace) -> int:
    """Train, compare and record, in a workspace within the workspace: what was made there is there again."""
    from studio.evidence.alignment import arms, record
    from studio.evidence.alignment.sizes import FULL, QUICK
    from studio.evidence.alignment.trial import Trials
    from studio.evidence.record import record_path
    from studio.services.studio import Studio

    trials = [
        trial
        for trial in (arms.QUICK_TRIALS if args.quick else arms.TRIALS)
        if not args.method or trial.arm.method in args.method
    ]
    if not trials:
        raise BadInput(f"No alignment here is by the objective {args.method[0][:60]!r}.", field="method")
    record_so_far = record.read(record_path(args.out)) if args.out else {"results": []}
    settings = settings_of(args)
    settings = settings.model_copy(update={"workspace": settings.workspace / "alignment"})
    results: list[dict[str, Any]] = []
    with Studio(settings, backend="inline") as studio:
        tried = Trials(studio, QUICK if args.quick else FULL, remark)
        for result in tried.tried(trials, arms.SEEDS[:1] if args.quick else arms.SEEDS):
            results.append(result)
            record_so_far = record.with_result(record_so_far, result)
            if args.out:
                record.write(record_so_far, args.out)
            remark(line(result))
    answer = {"quick": args.quick, "alignments": results}
    if args.out:
        answer |= {part: record.complete(record_so_far)[part] for part in ("goals", "questions")}
    give(args, answer, "\n".join(map(line, results)))
    return 0


def line(result: dict[str, Any]) -> str:
    """One result in a line."""
    from studio.evidence.alignment.summary import summary

    values = summary([result])
    win, broken = values["win"], values["broken"]
    return (
        f"{result['person']}, {result['arm']}, seed {result['seed']}: won {win['value']:.3f} [{win['low']:.3f}, "
        f"{win['high']:.3f}] of at most {values['ceiling']:.2f}, diversity {values['diversity']['value']:.2f}, "
        f"accuracy {100 * values['accuracy']['value']:+.1f}, broken {100 * broken['value']:+.1f} points, drift "
        f"{values['drift']['value']:.1f} nats"
    )
