"""docs/erasures.md, from the results on record. No figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

from studio.evidence.erasure.arms import ARMS, INSTANT, STENCIL

Result = Mapping[str, Any]
Seeds = Sequence[Result]  # of one concept and one way
HEAD = """# Erasures, tried on Stencil

Written by `python launch.py reproduce --erasures --out docs/erasures.md`; do not edit. The numbers: [{json}]({json}).

Every concept is erased in every way, and every edit gets its report card ([guide](guide/erasing.md#the-report-card))
on the same prompts and seeds, in the manner of UnlearnCanvas (arXiv:2402.11846). **UA**: the concept is not read
where the prompt names it. **UA valid**: and the picture is not broken; beside its ceiling, the base drawing the
substitute's prompt at the same seeds. **IRA**, **CRA**: on prompts that do not name the concept, its own attribute
and the others are right, as a share of the base's. **Neighbours**: what is nearest to the concept is drawn right.
**FD / floor**: the Frechet distance of other prompts' pictures from the base's, on the oracle's features, over the
base's own from itself under as many other prompts: a distance alone falls with the number of pictures. **Comes
back**: the concept is read where it is said otherwise. **CPU s**: the processor's seconds of making the edit.
Brackets are 95 % intervals, of one training seed: what lies within each other's intervals is not told apart. Where
several seeds were trained, it is their mean, and the lowest and highest. Concept Ablation and All but One have the
same target where the prediction without a prompt stays as it is. Stencil is a small model of a small world: a figure
here is about it, and says of other models only what to look at."""
GOLD_HEAD = """The same from the base of a family of small models, one of which was trained alike and never met the
concept, and one from other first weights ([assets](../assets/README.md)). **FADE** (arXiv:2510.12981): the divergence
to and from the one that never met the concept, on prompts that name it, in nats a picture. **Base's**: that of the base
without an edit. **Multiple**: the first over the second; above 1 the edit is further from never having met the concept
than the base was. **Floor**: the same between two members that differ in their seed alone: nearer than that nothing is
to be had. **Recovered**: of what textual inversion brings back from the base, less from the one that never met it,
the share that it brings back through the edit."""
GOLD = {
    "FADE": ("fade", "edit"),
    "base's": ("fade", "beside"),
    "multiple": ("fade", "apart"),
    "floor": ("fade_floor", "edit"),
    "recovered": ("back_recovered", "edit"),
}
FD = "FD / floor"
NEAR = 0.05  # below its ceiling an erasure is as good as one can be
COLUMNS = (
    "UA",
    "UA valid",
    "ceiling",
    "substitute",
    "broken",
    "IRA / base",
    "CRA / base",
    "neighbours",
    FD,
    "comes back",
    "CPU s",
    "KB",
)


def page(results: Sequence[Result], json_name: str) -> str:
    """The whole page. results: in any order; grouped by concept, in the order of the arms."""
    order = {arm.label: place for place, arm in enumerate(ARMS)}
    of_stencil = [result for result in results if model_of(result) == STENCIL]
    of_all = [result for result in of_stencil if result["arm"] != INSTANT.label]
    concepts = dict.fromkeys((result["concept"], result["kind"]) for result in of_all)
    parts = [HEAD.format(json=json_name), "## All concepts", _means(of_all)]
    for concept, kind in concepts:
        rows = [result for result in of_all if result["concept"] == concept]
        rows.sort(key=lambda result: (order.get(result["arm"], len(order)), result["seed"]))
        substitute = next((row["substitute"] for row in rows if row["substitute"]), "nothing")
        parts += [f"## {concept} ({kind}), to {substitute}", _table(list(map(_row, _by_arm(rows))), "how")]
        parts += [f"{result['arm']}: {result['why']}" for result in rows if result["why"]]
        parts += _unedited(rows)
    parts += _instant([result for result in of_stencil if result["arm"] == INSTANT.label])
    parts += _gold([result for result in results if model_of(result) != STENCIL], order)
    return "\n\n".join(parts) + "\n"


def model_of(result: Result) -> str:
    """What was erased from; earlier results, all of Stencil, do not say so."""
    return str(result.get("model", STENCIL))


def _by_arm(results: Sequence[Result]) -> list[Seeds]:
    arms = dict.fromkeys(result["arm"] for result in results)
    return [[result for result in results if result["arm"] == arm] for arm in arms]


def _instant(results: Sequence[Result]) -> list[str]:
    """The closed form on many concepts: a row for each, and how the whole of them compare with their ceilings."""
    if not results:
        return []
    columns = ("UA", "UA valid", "ceiling", "IRA / base", "CRA / base")
    rows = [
        [f"{result['concept']} to {result['substitute']}", *(_cell([result], column) for column in columns)]
        for result in results
    ]
    valid = [_value(result, "UA valid") for result in results]
    ceilings = [_value(result, "ceiling") for result in results]
    pairs = [(a, b) for a, b in zip(valid, ceilings, strict=True) if a is not None and b is not None]
    near = sum(a >= b - NEAR - 1e-9 for a, b in pairs)
    summary = (
        f"UA valid: median {median(a for a, _ in pairs):.2f}, lowest {min(a for a, _ in pairs):.2f}; {near} of "
        f"{len(pairs)} are no more than {100 * NEAR:.0f} points below their ceiling."
    )
    return [f"## {INSTANT.label}", summary, _table(rows, "concept", columns)]


def _gold(results: Sequence[Result], order: Mapping[str, int]) -> list[str]:
    """Of the family's base: how far it is from a member that never met the concept, without and with each edit."""
    if not results:
        return []
    columns = ("UA", "UA valid", "ceiling", "IRA / base", *GOLD)
    parts = ["## Beside a model that never met the concept", GOLD_HEAD]
    for concept in dict.fromkeys(result["concept"] for result in results):
        rows = [result for result in results if result["concept"] == concept]
        rows.sort(key=lambda result: order.get(result["arm"], len(order)))
        substitute = next((row["substitute"] for row in rows if row["substitute"]), "nothing")
        names = [f"{row['arm']}: {row['why']}" for row in rows if row["why"]]
        cells = [[row["arm"], *(_cell([row], column) for column in columns)] for row in rows if not row["why"]]
        parts += [f"{concept}, to {substitute}:", _table(cells, "how", columns), *names]
    return parts


def _unedited(rows: Sequence[Result]) -> list[str]:
    """What a negative prompt does without an edit: of the base, so that every card of a concept has the same."""
    ways = next((row["unedited"] for row in rows if row["unedited"]), {})
    if not ways:
        return []
    figures = ", ".join(
        f"{name} {row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}], n = {row['n']}" for name, row in ways.items()
    )
    return [f"Without an edit, the concept's words as a negative prompt, UA valid: {figures}."]


def _means(results: Sequence[Result]) -> str:
    """Means over concepts, of ways that every concept was erased in, best kept UA valid first."""
    concepts = {result["concept"] for result in results}
    rows = []
    for of_arm in _by_arm(results):
        names = dict.fromkeys(result["concept"] for result in of_arm if not result["why"])
        if not names:
            continue
        seeds = [[result for result in of_arm if result["concept"] == name] for name in names]
        cells = [_text(column, fmean(means)) if (means := _means_of(seeds, column)) else "" for column in COLUMNS]
        rows.append([f"{of_arm[0]['arm']} ({len(names)} of {len(concepts)})", *cells])
    return _table(rows, "how (concepts)")


def _means_of(concepts: Sequence[Seeds], column: str) -> list[float]:
    """The mean over the seeds of each concept that has the figure."""
    return [fmean(values) for seeds in concepts if (values := _values(seeds, column))]


def _values(seeds: Seeds, column: str) -> list[float]:
    return [value for result in seeds if (value := _value(result, column)) is not None]


def _row(seeds: Seeds) -> list[str]:
    name = seeds[0]["arm"]
    if seeds[0]["why"]:
        return [name, *("" for _ in COLUMNS)]
    label = name if len(seeds) == 1 else f"{name} ({len(seeds)} seeds)"
    return [label, *(_cell(seeds, column) for column in COLUMNS)]


PLACES = {
    "UA": ("ua", "edit"),
    "UA valid": ("ua_valid", "edit"),
    "ceiling": ("ua_valid", "beside"),
    "substitute": ("substitute", "edit"),
    "broken": ("invalid", "edit"),
    "IRA / base": ("ira", "apart"),
    "CRA / base": ("cra", "apart"),
    "neighbours": ("near", "edit"),
    FD: ("fd_keep", "edit"),
    "comes back": ("back", "edit"),
    **GOLD,
}


def _figure(result: Result, column: str) -> Mapping[str, Any] | None:
    key, row = PLACES[column]
    figure = result["figures"].get(key, {}).get(row)
    return _over_floor(result, figure) if column == FD and figure is not None else figure


def _over_floor(result: Result, distance: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A distance and the ends of its interval as multiples of the floor's value; None without a floor."""
    floor = result["figures"]["fd_keep"].get("beside")
    if floor is None or not floor["value"]:
        return None
    return {**distance, **{name: distance[name] / floor["value"] for name in ("value", "low", "high")}}


def _value(result: Result, column: str) -> float | None:
    if column == "CPU s":
        return result["seconds"]
    if column == "KB":
        return result["bytes"] / 1000
    figure = _figure(result, column)
    return None if figure is None else figure["value"]


def _cell(seeds: Seeds, column: str) -> str:
    values = _values(seeds, column)
    if not values:
        return ""
    if column not in PLACES or column == "ceiling":
        return _text(column, fmean(values))
    low, high = min(values), max(values)
    if len(values) == 1 and (figure := _figure(seeds[0], column)) is not None:
        low, high = figure["low"], figure["high"]
    return f"{_text(column, fmean(values))} [{low:.2f}, {high:.2f}]"


def _text(column: str, value: float) -> str:
    return f"{value:.1f}" if column == "CPU s" else f"{value:.0f}" if column == "KB" else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]], first: str, columns: Sequence[str] = COLUMNS) -> str:
    head = [first, *columns]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
