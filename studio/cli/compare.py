"""The verb `compare`: recipes drawn side by side, measured, and written as one file to share; reports drawn again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import give, remark
from studio.cli.files import write_file
from studio.cli.following import finish
from studio.cli.grammar import add_settings, add_verb, number, settings_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.core.settings import Settings
    from studio.services.comparisons.comparison import Comparison
    from studio.services.comparisons.plan import ComparisonPlan
    from studio.services.studio import Studio

REPORT, ENDINGS = ".html", (".html", ".json", ".pdf", ".png")


def add(verbs: Any) -> None:
    """Add the verb to argparse's subparsers."""
    parser = add_verb(verbs, "compare", run, "draw recipes side by side on equal seeds or prompts, and measure them")
    parser.add_argument(
        "comparison",
        nargs="?",
        help="a JSON file of rows and columns, a report, or the name of a saved comparison; without one, list those",
    )
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="write it here: .html (one file with everything in it), .png or .pdf (a contact sheet), .json (the "
        "numbers); may be repeated",
    )
    parser.add_argument("--plan", action="store_true", help="say what drawing would take, and draw nothing")
    parser.add_argument("--save", metavar="NAME", help="keep the comparison in the workspace under this name")
    parser.add_argument(
        "--blind-test", metavar="ROW", help="have a row, by its number from 1, compared blind with the reference"
    )
    parser.add_argument("--pairs", metavar="N", help="of the blind test, at most (60); it ends where they tell")
    parser.add_argument("--replay", type=Path, metavar="REPORT", help="draw a report's pictures again and compare them")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Draw what is missing, read it, and say what came of it; 1 where a replay differs."""
    from studio.services.studio import Studio

    for out in args.out:
        if out.suffix.lower() not in ENDINGS or out.is_dir():
            raise BadInput(f"A comparison is written as {', '.join(ENDINGS)}, not as {out}.", field="out")
    if args.replay is not None:
        if args.comparison is not None or args.out or args.plan or args.save or args.blind_test:
            raise BadInput("--replay takes a report alone.", field="replay")
        with Studio(_settings_for(args), backend="inline") as studio:
            return _replay(args, studio)
    with Studio(settings_of(args), backend="inline") as studio:
        if args.comparison is None:
            return _list(args, studio)
        return _compare(args, studio)


def _list(args: argparse.Namespace, studio: Studio) -> int:
    saved = [
        {"name": entry.name, "rows": entry.rows, "columns": entry.columns, "problem": entry.problem}
        for entry in studio.comparisons.list()
    ]
    lines = [entry["problem"] or f"{entry['name']}: {entry['rows']} by {entry['columns']}" for entry in saved]
    give(args, {"comparisons": saved}, "\n".join(map(str, lines)) or "No comparison is saved.")
    return 0


def _compare(args: argparse.Namespace, studio: Studio) -> int:
    comparison = _read(args.comparison, studio)
    if args.save is not None:
        comparison = comparison.model_copy(update={"name": args.save})
        studio.comparisons.save(comparison)
    plan = studio.comparisons.plan(comparison)
    if args.plan:
        from studio.services.comparisons.plain import plan_plain

        give(args, {"plan": plan_plain(plan)}, _plan_text(plan))
        return 0
    if args.blind_test is not None:
        return _blind_test(args, comparison, studio)
    remark(_plan_text(plan))
    for job in studio.comparisons.draw(comparison, "interactive"):
        finish(studio, job)
    if job := studio.comparisons.read(comparison, "interactive"):
        finish(studio, job)
    facts = studio.shares.facts(comparison)
    answer = {"comparison": comparison.model_dump(mode="json"), **facts}
    for out in args.out:
        write_file(out, _file(out, comparison, answer, studio))
    give(args, answer, _text(facts))
    return 0


def _blind_test(args: argparse.Namespace, comparison: Comparison, studio: Studio) -> int:
    """Make the test and draw its pictures; it is answered on the Label tab."""
    from studio.services.comparisons.blind import PAIRS, plain

    numbers = [number(text) for text in (args.blind_test, args.pairs or str(PAIRS))]
    for name, value, text in zip(("blind-test", "pairs"), numbers, (args.blind_test, args.pairs), strict=True):
        if type(value) is not int:
            raise BadInput(f"--{name} is a whole number, not {text[:40]!r}.", field=name)
    test = studio.comparisons.blind_test(comparison, numbers[0] - 1, numbers[1])
    for job in studio.jobs.unfinished():
        finish(studio, job.id)
    values = plain(studio.comparisons.tests.get(test.campaign.id))
    give(args, values, f"{values['campaign']}: answer it on the Label tab.")
    return 0


def _read(source: str, studio: Studio) -> Comparison:
    """The comparison of a file, a report, or the one that was saved under this name. Raises BadInput, NotFound."""
    from studio.services.comparisons.comparison import MAX_JSON_BYTES, Comparison

    path = Path(source)
    if path.suffix.lower() == REPORT:
        restored = studio.shares.restore(path)
        for sentence in restored.remarks:
            remark(sentence)
        return restored.comparison
    if not path.suffix and not path.is_file():
        return studio.comparisons.load(source)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise BadInput(f"The file {path} is larger than {MAX_JSON_BYTES // 1_000_000} MB.")
        return Comparison.from_json(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}.", field="comparison") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"The file {path} cannot be read: {reason}.", field="comparison") from None


def _file(out: Path, comparison: Comparison, answer: Mapping[str, Any], studio: Studio) -> bytes:
    match out.suffix.lower():
        case ".html":
            return studio.shares.html(comparison)
        case ".png":
            return studio.shares.png(comparison)
        case ".pdf":
            return studio.shares.pdf(comparison)
        case _:
            return json.dumps(answer, indent=1).encode()


def _settings_for(args: argparse.Namespace) -> Settings:
    """With as many threads as the report's pictures were drawn with, unless the settings say how many."""
    from studio.services.comparisons.share.file import read_file
    from studio.services.comparisons.share.restoring import usual_threads

    settings, threads = settings_of(args), usual_threads(read_file(args.replay))
    return settings if settings.threads or threads is None else settings.model_copy(update={"threads": threads})


def _replay(args: argparse.Namespace, studio: Studio) -> int:
    result = studio.shares.replay(args.replay)
    cells = [
        {
            "row": cell.row,
            "column": cell.column,
            "identical": cell.identical,
            "different_pixels": cell.different_pixels,
            "max_difference": cell.max_difference,
            "causes": list(cell.causes),
            "problem": cell.problem,
        }
        for cell in result.cells
    ]
    give(args, {"identical": result.identical, "pictures": len(cells), "cells": cells}, result.sentence())
    return 0 if result.identical else 1


def _plan_text(plan: ComparisonPlan) -> str:
    time = f", about {plan.seconds:.0f} s" if plan.seconds else ""
    lines = [f"{plan.missing} pictures to draw ({plan.nfe:,} network evaluations{time}), {plan.finished} are there."]
    for row in plan.rows:
        refused = f": {row.refusal}" if row.refusal else ""
        lines += [f"{row.name}{refused}", *(f"  {sentence}" for sentence in row.remarks)]
    return "\n".join([*lines, *plan.remarks])


def _text(facts: Mapping[str, Any]) -> str:
    """Row by row: its numbers, and what differs from the reference."""
    labels = {measure["name"]: measure["label"] for measure in facts["measures"]}
    lines: list[str] = []
    for row in facts["rows"]:
        ending = f": {row['refusal']}" if row["refusal"] else ""
        lines += ["", f"{row['name']} ({row['pictures']} pictures){ending}"]
        lines += [f"  {row['remark']}"] if row["remark"] else []
        measures = labels.items() if row["pictures"] else ()
        lines += [f"  {label:<16} {_estimate(row['estimates'].get(name))}" for name, label in measures]
        lines += [f"  {'Diversity':<16} {_estimate(row['diversity'])}"] if row["diversity"] else []
        if missed := [f"{word} ({count})" for word, count in row["missed"].items()][:8]:
            lines.append(f"  {'Missed':<16} {', '.join(missed)}")
        lines += [f"  {labels[name]:<16} {_contrast(value)}" for name, value in row["contrasts"].items()]
    return "\n".join([*lines[1:], "", *facts["remarks"], f"n counts {facts['unit']}."])


def _estimate(value: Mapping[str, Any] | None) -> str:
    return "-" if value is None else f"{_number(value['mean'])}{_interval(value)}, n = {value['n']}"


def _contrast(value: Mapping[str, Any]) -> str:
    needed = value["more"]
    ending = "told apart" if value["is_told"] else f"not told apart{f', {needed} more may tell' if needed else ''}"
    difference = f"{_number(value['mean'], '+')}{_interval(value)}, n = {value['n']}"
    return f"{difference} from the reference: {ending} (p {value['adjusted_p']:.2g})"


def _interval(value: Mapping[str, Any]) -> str:
    return "" if value["low"] is None else f" ({_number(value['low'])} to {_number(value['high'])})"


def _number(value: float, sign: str = "") -> str:
    return f"{round(value, 4):{sign}.3g}"
