"""docs/results.md and the README's table of methods, from the results on record. No figure is typed by hand."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from studio.evidence import claims as _claims  # noqa: F401  # registers them
from studio.evidence.claim import CLAIMS
from studio.guidance import GUIDANCE, Guidance
from studio.guidance.wrapper import WRAPPERS
from studio.services.reference import link
from studio.training.evaluate.measures import TOLD

Record = Mapping[str, Any]
UNTRIED = "not tried yet"

_HEAD = """# What the methods' papers claim, tried on Stencil

Written by `python launch.py reproduce --out docs/results.md`; do not edit. The numbers: [results.json](results.json).

Every claim compares arms that draw the same prompts with the same seeds, at equal network work unless it says
otherwise. Pictures are read by the world's oracle ([what it errs in](world/oracle.md)). A difference is the mean over
prompts of one arm minus the other, with the percentile bootstrap's 95 % interval over prompts (2000 resamples; the rule
of three where no prompt differs).

What a claim wants is a gain or no loss, and each has a margin, the smallest difference that would matter: two pictures
in a hundred, a fiftieth of a tone. A **gain holds** if its whole interval lies beyond zero, and **does not hold** if
all of it stays short of the margin: worse, the same, or better by less than matters. **No loss holds** if the whole
interval lies above a loss of the margin, and does not hold if all of it lies below. Everything else is
**inconclusive**: so many prompts cannot tell. All conditions of a claim have to hold. The intervals are of each
condition alone: where there is nothing to find, one in twenty still leaves zero out.

Scales, settings, margins and the number of pictures were fixed after an earlier run and some pilot pictures, all of
other prompts and seeds, and written down before any of these was drawn; only the remarks came after. Prompts are drawn
at random, of combinations that no training picture showed. Stencil is a small model of a small world: a verdict here
is about it, and says of other models only what to look at."""


def _number(measure: str, value: float, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.1f} %" if TOLD[measure][1] else f"{value:{sign}.3f}"


def _points(measure: str, value: float) -> str:
    return f"{100 * value:+.1f}" if TOLD[measure][1] else f"{value:+.3f}"


def _goal(condition: Mapping[str, Any]) -> str:
    return f"{condition['want']}, by {_points(condition['measure'], condition['margin']).lstrip('+')} to matter"


def _condition(condition: Mapping[str, Any]) -> str:
    measure = condition["measure"]
    unit = " points" if TOLD[measure][1] else ""
    figures = [_points(measure, condition[key]) for key in ("difference", "low", "high")]
    cells = (
        f"{measure}: {condition['arm']} minus {condition['against']}",
        _goal(condition),
        condition["n"],
        f"{figures[0]}{unit}",
        f"{figures[1]} to {figures[2]}",
        condition["verdict"],
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _arms(arms: Sequence[Mapping[str, Any]], renders: Mapping[str, float] | None) -> list[str]:
    measures = [name for name in TOLD if all(name in arm["means"] for arm in arms)]
    lines = ["| arm | steps, sampler | rows | " + " | ".join(measures) + " |", "|---|---|---|" + "---|" * len(measures)]
    for arm in arms:
        cells = [
            arm["label"],
            f"{arm['steps']} {arm['sampler']}",
            arm["rows"],
            *(_number(name, arm["means"][name]) for name in measures),
        ]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    if renders:
        means = [_number(name, renders[name]) if name in renders else "" for name in measures]
        lines.append("| " + " | ".join(["*the scenes themselves, rendered*", "", "", *means]) + " |")
    return lines


def section(result: Mapping[str, Any]) -> str:
    """One claim's part of the page."""
    name, verdict = result["name"], result["verdict"]
    claim = dict(CLAIMS.items()).get(name)
    remark = claim.remarks.get(verdict, "") if claim else ""
    work = (
        f"{result['prompts']} prompts, {result['pictures']} pictures per arm; {result['rows']:,} network rows in all, "
        f"{result['drawn_rows']:,} of them drawn for this claim, in {result['seconds']:.0f} s on {result['date']}."
    )
    lines = [
        f"## {name}",
        "",
        f"**{verdict.capitalize()}.** {result['sentence']} Source: {link(result['source'])}.",
        "",
    ]
    lines += [result["chosen"], ""]
    lines += ["| difference | wanted | prompts | measured | 95 % interval | |", "|---|---|---|---|---|---|"]
    lines += [*map(_condition, result["conditions"]), ""]
    lines += [*([remark, ""] if remark else []), *_arms(result["arms"], result.get("renders")), "", work]
    return "\n".join(lines)


def page(record: Record) -> str:
    """docs/results.md."""
    results, made_by = record["claims"], record["made_by"]
    tried = [results[name] for name in CLAIMS.names() if name in results]
    missing = [f"`{name}`" for name in CLAIMS.names() if name not in results]
    minutes = sum(result["seconds"] for result in tried) / 60
    about = (
        f"Drawn in {minutes:.0f} minutes ({sum(result['drawn_rows'] for result in tried):,} network rows) on "
        f"{made_by.get('device', '?')} (threads: {made_by.get('threads', '?')}), {made_by.get('dtype', '?')}; torch "
        f"{made_by.get('torch', '?')}; model {str(made_by.get('model_hash', '?'))[:16]}. How long it takes depends on "
        "what else the machine does; the rows do not."
    )
    parts = [_HEAD, about, _overview(tried)]
    if missing:
        parts.append(f"Not tried yet: {', '.join(missing)}.")
    legend = [f"- {name}: {meaning}" for name, (meaning, _) in TOLD.items()]
    parts += [*map(section, tried), *_all_arms(tried), "## The measures\n\n" + "\n".join(legend)]
    return "\n\n".join(parts) + "\n"


def _all_arms(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every arm once, by the prompts it drew: what one claim compares with may explain another."""
    parts: list[str] = []
    suites = {
        "full": "captions that say everything",
        "open": "prompts that leave most open",
        "negative": "prompts with a word that is not wanted",
    }
    for suite, prompts in suites.items():
        arms = {
            (arm["label"], arm["steps"], arm["sampler"]): arm
            for r in results
            if r["suite"] == suite
            for arm in r["arms"]
        }
        if arms:
            renders = next(r.get("renders") for r in results if r["suite"] == suite)
            parts.append(f"## All arms on {prompts}\n\n" + "\n".join(_arms(list(arms.values()), renders)))
    return parts


def _overview(results: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| claim | method | verdict |", "|---|---|---|"]
    lines += [f"| [{r['sentence']}](#{r['name']}) | `{r['method']}` | {r['verdict']} |" for r in results]
    return "\n".join(lines)


def methods_table(record: Record, page_link: str) -> str:
    """The README's table: every guidance method and wrapper with its source, and its claims' verdicts with links."""
    lines = ["| guidance method | source | its claim on Stencil |", "|---|---|---|"]
    for name, cls in GUIDANCE.items():
        lines.append(f"| `{name}` {_title(cls)} | {cls.source} | {_verdicts(name, record, page_link)} |")
    for name, cls in WRAPPERS.items():
        lines.append(f"| `{name}`, around a method | {cls.source} | {_verdicts(name, record, page_link)} |")
    return "\n".join(lines)


def _title(cls: type[Guidance]) -> str:
    """What a method is called: its label, or the first line of its file up to the colon."""
    if cls.label:
        return cls.label
    module = inspect.getmodule(cls)
    first = ((module.__doc__ if module else None) or "").partition("\n")[0]
    return first.partition(":")[0].partition(",")[0].rstrip(".")


def _verdicts(method: str, record: Record, page_link: str) -> str:
    claims = [name for name, claim in CLAIMS.items() if claim.method == method]
    verdicts = [(name, record["claims"][name]["verdict"] if name in record["claims"] else "") for name in claims]
    links = [
        f"[{'' if name in (method, claims[0]) else f'{name}: '}{verdict}]({page_link}#{name})" if verdict else UNTRIED
        for name, verdict in verdicts
    ]
    return ", ".join(dict.fromkeys(links))
