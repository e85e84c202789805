"""The verb `reproduce` of the command line: the papers' claims, tried on the embedded model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from studio.cli.answer import give, remark
from studio.cli.grammar import add_settings, add_verb, settings_of
from studio.core.errors import BadInput


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "reproduce", run, "try what the papers claim of their methods on the embedded model")
    parser.add_argument("method", nargs="*", help="methods whose claims to try; without one all")
    parser.add_argument("--quick", action="store_true", help="fewer prompts; its verdicts are not recorded")
    parser.add_argument("--out", type=Path, metavar="PAGE", help="record the results: docs/results.md")
    parser.add_argument(
        "--erasures", action="store_true", help="instead: erase concepts in every way, and measure what became of each"
    )
    parser.add_argument(
        "--taste", action="store_true", help="instead: learn what simulated annotators like, and how soon it is right"
    )
    parser.add_argument(
        "--alignment", action="store_true", help="instead: train what simulated people prefer, and count what it wins"
    )
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Try the claims, recording each as it is known: what was tried before an interruption is kept."""
    from studio.evidence import record

    if args.quick and args.out:
        raise BadInput("A quick run is not recorded: leave out --quick or --out.", field="out")
    if args.erasures + args.taste + args.alignment > 1:
        raise BadInput("One trial at a time: --erasures, --taste or --alignment.")
    if args.erasures:
        return _erasures(args)
    if args.taste:
        return _taste(args)
    if args.alignment:
        from studio.cli import reproduce_alignment

        return reproduce_alignment.run(args)
    from studio.evidence.reproduce import chosen, reproduce

    claims = chosen(args.method)
    results_so_far = record.read(record.record_path(args.out)) if args.out else None

    from studio.engine.runner import Engine
    from studio.services.sources import EMBEDDED, Sources
    from studio.training.evaluate.drawing import by_engine
    from studio.world.oracle import Oracle

    sources = Sources(settings_of(args))
    card, engine = sources.card(EMBEDDED), Engine(sources.engine_config(previews=False))
    results: list[dict[str, Any]] = []
    for result in reproduce(
        claims, by_engine(engine), Oracle.load(), card, quick=args.quick, progress=_Line(sys.stderr.isatty())
    ):
        results.append(result)
        if results_so_far is not None and args.out:
            results_so_far = record.with_result(results_so_far, result, _made_by(engine.made_by()))
            record.write(results_so_far, args.out)
        sys.stderr.write(f"{_CLEAR if sys.stderr.isatty() else ''}{line(result)}\n")
    answer = {"quick": args.quick, "claims": results}
    give(args, answer, "\n".join(map(line, results)))
    return 0


def _taste(args: argparse.Namespace) -> int:
    """Draw, judge and learn; told row by row, and not recorded."""
    from studio.engine.runner import Engine
    from studio.evidence.taste.run import Trial
    from studio.services.sources import EMBEDDED, Sources
    from studio.training.evaluate.drawing import by_engine

    if args.method or args.out:
        raise BadInput("The trial of tastes has no methods, and is not recorded: leave out methods and --out.")
    sources = Sources(settings_of(args))
    engine = Engine(sources.engine_config(previews=False))
    prompts, held_out, repeats = (20, 10, 2) if args.quick else (60, 24, 6)
    remark(f"Drawing {8 * (prompts + held_out)} pictures.")
    side_px = sources.card(EMBEDDED).default_size_px
    trial = Trial(by_engine(engine), side_px, seed=2, prompts=prompts, held_out=held_out)
    answer: dict[str, Any] = {"quick": args.quick, "accuracies": [], "choices": []}
    for row in trial.accuracies(repeats=repeats):
        answer["accuracies"].append(row)
        remark(_accuracy_line(row))
    for row in trial.choices(repeats=repeats):
        answer["choices"].append(row)
        remark(_choice_line(row))
    lines = [*map(_accuracy_line, answer["accuracies"]), *map(_choice_line, answer["choices"])]
    give(args, answer, "\n".join(lines))
    return 0


def _accuracy_line(row: dict[str, Any]) -> str:
    goal = (
        "" if row["goal"] is None else f", goal {row['goal']:.2f} {'met' if row['value'] >= row['goal'] else 'missed'}"
    )
    return (
        f"{row['taste']} on {row['features']}, {row['labels']} labels: {row['value']:.3f} of {row['pairs']} pairs "
        f"[{row['low']:.3f}, {row['high']:.3f}]{goal}"
    )


def _choice_line(row: dict[str, Any]) -> str:
    difference = row["difference"]
    return (
        f"{row['taste']} on {row['features']}, {row['labels']} labels: {row['chosen']:.3f} chosen, {row['random']:.3f} "
        f"random, {difference['mean']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"
    )


def _erasures(args: argparse.Namespace) -> int:
    """Erase, card and record, in a workspace within the workspace: what was made or measured there is there again."""
    from studio.evidence.erasure import arms, record
    from studio.evidence.erasure.trial import tried
    from studio.evidence.record import record_path
    from studio.services.sources import Sources
    from studio.services.studio import Studio

    settings = settings_of(args)
    if settings.models_dir is None:
        settings = settings.model_copy(update={"models_dir": settings.model_dir.parents[1] / FAMILY_FOLDER})
    every = arms.quick_trials() if args.quick else arms.trials()
    if not args.quick and arms.FAMILY in Sources(settings).places.names():
        every += arms.gold_trials()
    trials = [trial for trial in every if not args.method or trial.arm.method in args.method]
    if not trials:
        raise BadInput(f"No way of erasing here is by the method {args.method[0][:60]!r}.", field="method")
    record_so_far = record.read(record_path(args.out)) if args.out else None
    settings = settings.model_copy(update={"workspace": settings.workspace / "erasures"})
    results: list[dict[str, Any]] = []
    with Studio(settings, backend="inline") as studio:
        for result in tried(studio, trials, remark):
            results.append(result)
            if record_so_far is not None:
                record_so_far = record.with_result(record_so_far, result)
                record.write(record_so_far, args.out)
            remark(erasure_line(result))
    give(args, {"quick": args.quick, "erasures": results}, "\n".join(map(erasure_line, results)))
    return 0


def erasure_line(result: dict[str, Any]) -> str:
    """One result in a line."""
    name = f"{result['concept']}, {result['arm']}"
    if result["why"]:
        return f"{name}: {result['why']}"
    shares = {key: figure["edit"]["value"] for key, figure in result["figures"].items() if "edit" in figure}
    return f"{name}: {', '.join(f'{key} {value:.2f}' for key, value in shares.items())}; {result['verdict']}"


def _made_by(made_by: dict[str, Any]) -> dict[str, Any]:
    """What drew the pictures, without what the engine tells of its memory."""
    return {key: value for key, value in made_by.items() if isinstance(value, str | int)}


FAMILY_FOLDER = "family"  # of the assets: models that differ in what they were shown
_CLEAR = "\r\x1b[K"


def line(result: dict[str, Any]) -> str:
    """One result in a line."""
    quick = " (quick)" if result["quick"] else ""
    differences = [
        f"{c['measure']} {c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]" for c in result["conditions"]
    ]
    return f"{result['name']}: {result['verdict']}{quick}; {'; '.join(differences)}; {result['seconds']:.0f} s"


class _Line:
    """Progress on one line of a terminal; nothing in a file or pipe."""

    def __init__(self, is_visible: bool) -> None:
        self.is_visible = is_visible

    def __call__(self, claim: str, share: float, left_s: float) -> None:
        if self.is_visible:
            minutes, seconds = divmod(round(left_s), 60)
            sys.stderr.write(f"{_CLEAR}{claim}: {100 * share:.0f} % of all, {minutes} min {seconds:02} s left")
            sys.stderr.flush()
