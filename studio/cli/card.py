"""`evaluate EDIT`: the report card of an erasure, printed, and written as a page or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from studio.cli.answer import give, remark
from studio.cli.evaluate_rows import row_text
from studio.cli.files import write_file
from studio.cli.following import finish
from studio.cli.grammar import settings_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.studio import Studio

USUAL = "standard"
OF_SUITES = ("edits", "pictures", "quick", "steps", "guidance_scale")
LIGHTS = {"good": "+", "fair": "~", "poor": "!", "": " "}


def edit_named(args: argparse.Namespace, suites: Sequence[str]) -> str:
    """The id of the edit that the words name; "" where they name suites.

    Raises BadInput for a word that is both, and for an edit beside other words; NotFound for a word that is neither.
    """
    from studio.core.errors import NotFound
    from studio.services.direct import edits_of
    from studio.services.sources import Sources

    settings = settings_of(args)
    library = edits_of(settings, Sources(settings))
    edits_by_name = {} if library is None else library.known(args.suite)
    if both := next((word for word in args.suite if word in edits_by_name and word in suites), ""):
        raise BadInput(
            f"{both!r} is a suite and an edit.",
            f"Name the edit by its id, {edits_by_name[both].id}, or give it another name to measure the suite.",
            field="suite",
        )
    edits = [word for word in args.suite if word not in suites]
    if not edits:
        return ""
    if len(args.suite) > 1:
        raise BadInput("A report card is of one edit alone.", "Compare edits with a suite and --edits.", field="suite")
    if library is not None and edits[0] in edits_by_name:
        return edits_by_name[edits[0]].id
    if library is not None:
        try:
            return library.show(edits[0]).id  # which says where several have the name
        except NotFound:
            pass
    raise NotFound(
        f"There is no suite and no edit named {edits[0][:60]!r}.", f"Suites: {', '.join(suites)}.", field="suite"
    )


def run(args: argparse.Namespace, edit: str, follow: Callable[[Event], object]) -> int:
    """Draw and count what is not known, and give the card."""
    from studio.services.studio import Studio
    from studio.training.erase.card.budget import budget_named

    if flag := next((name for name in OF_SUITES if getattr(args, name)), ""):
        raise BadInput(f"--{flag.replace('_', '-')} is for suites: a report card has its own.", field=flag)
    budget = budget_named(args.budget or USUAL).name
    _check_out(args)
    with Studio(settings_of(args), backend="inline") as studio:
        card = studio.cards.card(edit, budget) or _drawn(studio, edit, budget, follow)
        page = studio.cards.page(edit, budget) if args.out is not None else ""
    if args.out is not None:
        content = json.dumps(card, indent=1) if args.out.suffix == ".json" else page
        write_file(args.out, content.encode())
    give(args, card, text_of(card))
    return 0


def _check_out(args: argparse.Namespace) -> None:
    if args.out is not None and (args.out.suffix not in (".html", ".json") or args.out.is_dir()):
        raise BadInput(f"A report card is written as .html or .json, not as {args.out}.", field="out")


def _drawn(studio: Studio, edit: str, budget: str, follow: Callable[[Event], object]) -> dict[str, Any]:
    outlook = studio.cards.outlook(edit, budget)
    time = f", about {outlook['seconds']:.0f} s" if outlook["seconds"] else ""
    remark(f"At most {outlook['pictures']:,} pictures{time}; what is known is not drawn again.")
    finish(studio, studio.cards.start(edit, budget), follow)
    card = studio.cards.card(edit, budget)
    assert card is not None, "a card whose job is done is kept"
    return card


def text_of(card: dict[str, Any]) -> str:
    """The card for a terminal: the verdict first."""
    verdict = card["verdict"]
    concepts = ", ".join(f"{c['words']} -> {c['substitute'] or 'nothing'}" for c in card["subject"]["concepts"])
    head = [f"{card['edit']['name']} ({concepts}), {card['budget']} budget", f"{verdict['headline'].upper()}"]
    lines = [*head, *verdict["sentences"], *verdict["limits"]]
    for section in dict.fromkeys(line["section"] for line in card["lines"]):
        lines += ["", section]
        in_section = [line for line in card["lines"] if line["section"] == section]
        lines += [_line(line) for line in in_section if line["edit"]["n"]]
        lines += _unmeasured(in_section)
    for point in card["strengths"]:
        shares = ", ".join(f"{name} {100 * point[name]['value']:.0f} %" for name in point if name != "strength")
        lines.append(f"  at {point['strength']:g}: {shares}")
    return "\n".join(lines)


def _unmeasured(lines: list[dict[str, Any]]) -> list[str]:
    """What was not measured, in a line for each reason."""
    from studio.services.cards.table import why_not

    names: dict[str, list[str]] = {}
    for line in lines:
        if not line["edit"]["n"]:
            names.setdefault(why_not(line), []).append(line["name"])
    return [f"  {', '.join(listed)}: {why}" for why, listed in names.items()]


def _line(line: dict[str, Any]) -> str:
    text = f"{LIGHTS[line['light']]}{row_text({**line['edit'], 'name': line['name']})[1:]}"
    beside = line["beside"]
    if beside is None or not beside["n"] or not line["edit"]["n"]:
        return text
    value = f"{100 * beside['value']:.1f} %" if beside["hits"] is not None else f"{beside['value']:.3f}"
    return f"{text}, {line['beside_is']} {value}"
