"""What came of an alignment: what its pictures say, what going further would cost, and how seeds differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.ui.label.align.alignments import Alignment
from studio.ui.markup import alert, tag, text

COLUMNS = {
    "won": "Preferred to the base",
    "broken": "Broken pictures",
    "diversity": "Diversity, of the base's",
    "change": "Differs by, of 255",
}
NO_EFFECT = "No effect"  # how the sentence begins that says so


def outcome_html(provenance: Mapping[str, Any]) -> str:
    """Why it ended, what was kept, and the other end of the trade-off, where there is one."""
    steps, labels = provenance.get("steps"), provenance.get("labels")
    ended = str(provenance.get("ended") or "")
    sentence = ended or (f"Trained for {steps} steps." if steps else "")
    parts = [tag("p", text(f"{sentence} It learned from {labels} label{'s' * (labels != 1)}." if labels else sentence))]
    outcome = str(provenance.get("outcome") or "")
    if outcome.startswith(NO_EFFECT):
        return "".join(parts) + alert(outcome)
    warning = provenance.get("alarm")
    alarm = alert(warning, kind="note") if isinstance(warning, str) and warning else ""
    return "".join(parts) + alarm + _points(provenance)


def _points(provenance: Mapping[str, Any]) -> str:
    """Both ends of the trade-off as a table, beside the base."""
    best, furthest = provenance.get("chosen"), provenance.get("furthest")
    if not isinstance(best, dict) or not isinstance(furthest, dict):
        return ""
    rows = [(f"Kept: {state(best)}", best)]
    rows += [(f"Furthest: {state(furthest)}", furthest)] if furthest != best else []
    base: dict[str, Any] = {"won": 0.5, "diversity": 1.0, "change": 0.0}
    if isinstance(broken := provenance.get("base_broken"), float):
        base["broken"] = broken
    rows.append(("The base", base))
    columns = [name for name in COLUMNS if any(name in point for _, point in rows[:-1])]
    head = tag("tr", tag("td", "") + "".join(tag("th", COLUMNS[name], scope="col") for name in columns))
    body = "".join(
        tag("tr", tag("th", text(label), scope="row") + "".join(tag("td", _figure(name, point)) for name in columns))
        for label, point in rows
    )
    about = tag("p", text(_measured(provenance)), class_="hint")
    table = tag("table", tag("thead", head) + tag("tbody", body))
    points = tag("div", table, class_="align-points", tabindex="0", role="group", aria_label="What was kept")
    return points + _advice(best, furthest) + about


def _advice(best: Mapping[str, Any], furthest: Mapping[str, Any]) -> str:
    if furthest == best or furthest["step"] != best["step"]:
        return ""
    strength = furthest["strength"] / best["strength"]
    return tag("p", text(f"The furthest is this edit at a strength of {strength:.2g} on the stack."), class_="hint")


def _measured(provenance: Mapping[str, Any]) -> str:
    """What the figures are of."""
    words = f"Over {provenance.get('looked_at')} pictures of held-out prompts."
    taste = provenance.get("taste")
    if isinstance(taste, dict) and taste.get("tried"):
        words += (
            f" The taste model behind “preferred” is right about {taste['right']} of {taste['tried']} held-out pairs."
        )
    return words


def state(point: Mapping[str, Any]) -> str:
    """Which state of the training a point is."""
    strength = point.get("strength", 1.0)
    return f"step {point.get('step')}" + ("" if strength == 1 else f", strength {strength:g}")


def _figure(name: str, point: Mapping[str, Any]) -> str:
    value = point.get(name)
    if not isinstance(value, int | float):
        return ""
    if name in ("won", "broken"):
        return f"{value:.0%}"
    return f"{value:.2f}" if name == "diversity" else f"{value:.1f}"


def seeds_html(rows: Sequence[Alignment]) -> str:
    """How trainings differ that differ in their seed alone: a table, and the spread in a sentence; "" of one."""
    groups: dict[str, list[Alignment]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return "".join(_group(group) for group in groups.values() if len(group) > 1)


def _group(rows: Sequence[Alignment]) -> str:
    rows = sorted(rows, key=lambda row: int(row.plan.get("seed", 0)))
    head = tag(
        "tr", tag("th", "Seed", scope="col") + "".join(tag("th", name, scope="col") for name in COLUMNS.values())
    )
    points = [_point(row) for row in rows]
    body = "".join(
        tag(
            "tr",
            tag("th", str(row.plan.get("seed", 0)), scope="row")
            + (
                "".join(tag("td", _figure(name, point)) for name in COLUMNS)
                if point
                else tag("td", _waits(row), colspan=4)
            ),
        )
        for row, point in zip(rows, points, strict=True)
    )
    wins = [point["won"] for point in points if "won" in point]
    title = tag("h3", text(f"{len(rows)} seeds of {rows[0].plan.get('snapshot', '')}"))
    table = tag("table", tag("thead", head) + tag("tbody", body))
    inner = title + tag("p", text(spread(wins, len(rows)))) + tag("div", table, class_="align-points", tabindex="0")
    return tag("section", inner, class_="align-seeds", aria_label="Seeds beside each other")


def spread(wins: Sequence[float], seeds: int) -> str:
    """What seeds say together. wins: shares preferred to the base, of those that are done."""
    if len(wins) < 2:
        return f"{len(wins)} of {seeds} are done. One says little: seeds differ on the same labels."
    low, high = min(wins), max(wins)
    left = "" if len(wins) == seeds else f" of the {len(wins)} that are done"
    return f"Preferred in {low:.0%} to {high:.0%}{left}, {sum(wins) / len(wins):.0%} on the mean."


def _point(row: Alignment) -> Mapping[str, Any]:
    chosen = row.entry.provenance.get("chosen") if row.entry else None
    return chosen if isinstance(chosen, dict) else {}


def _waits(row: Alignment) -> str:
    if row.entry is not None:
        return "No pictures were judged."
    return "Not done yet." if row.is_running else "Ended early."
