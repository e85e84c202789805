"""A tuning as plain values, for programs and for what is said of it."""

from __future__ import annotations

from typing import Any

from studio.preference.tuning.standing import Share
from studio.services.tunings.reading import whole
from studio.services.tunings.sliders import value_of
from studio.services.tunings.tuning import Tuning


def plain(tuning: Tuning) -> dict[str, Any]:
    """As plain values."""
    standing, campaign = tuning.reading.standing, tuning.campaign
    return {
        "campaign": campaign.name,
        "number": campaign.id,
        "state": state(tuning),
        "form": tuning.plan.form,
        "votes": len(tuning.reading.votes),
        "questions": tuning.reading.questions,
        "most": tuning.plan.most,
        "waiting": len(tuning.reading.pending),
        "missing": tuning.missing,
        "trouble": tuning.trouble,
        "sliders": sliders(tuning),
        "without_effect": [tuning.plan.sliders[place].path for place in tuning.reading.idle],
        "against_start": None if standing is None or not standing.votes else _share(standing.against_start),
        "gain": None if standing is None or not standing.votes else _share(standing.gain),
        "guidance": None if tuning.best is None else tuning.best.guidance.model_dump(mode="json"),
        "stack": None if tuning.best is None else [ref.model_dump(mode="json") for ref in tuning.best.edits],
        "verdict": tuning.verdict,
    }


def state(tuning: Tuning) -> str:
    """archived, paused, idle (nothing changes the pictures), enough, asked (all its questions), drawing or asking."""
    standing, campaign = tuning.reading.standing, tuning.campaign
    if campaign.archived or campaign.paused:
        return "archived" if campaign.archived else "paused"
    if standing is None:
        return "idle"
    if tuning.is_over and not tuning.reading.pending:
        return "enough" if standing.is_enough else "asked"
    return (
        "drawing" if tuning.missing and tuning.missing >= len(tuning.reading.pending) * tuning.plan.size else "asking"
    )


def sliders(tuning: Tuning) -> list[dict[str, Any]]:
    """Each slider: its range, where it starts, where it stands, and between which values the best lies with 95 %."""
    standing, reading = tuning.reading.standing, tuning.reading
    rows: list[dict[str, Any]] = []
    for place, slider in enumerate(tuning.plan.sliders):
        row: dict[str, Any] = {"path": slider.path, "label": slider.label, "low": slider.low, "high": slider.high}
        row |= {"step": slider.step, "start": value_of(tuning.plan.recipe, slider), "has_effect": place in reading.live}
        row |= {"best": None, "best_low": None, "best_high": None}
        if standing is not None and standing.votes and place in reading.live:
            at = reading.live.index(place)
            point = whole(tuning.plan, reading.live, standing.best)
            low, high = standing.spread[at]
            row |= {"best": slider.value(point[place]), "best_low": slider.value(low), "best_high": slider.value(high)}
        rows.append(row)
    return rows


def text(tuning: Tuning) -> str:
    """What is known, in lines."""
    lines = [f"{tuning.campaign.name}: {len(tuning.reading.votes)} votes. {tuning.verdict}"]
    for row in sliders(tuning):
        if not row["has_effect"]:
            lines.append(
                f"  {row['label']}: without effect, its pictures are equal from {row['low']:g} to {row['high']:g}"
            )
        elif row["best"] is None:
            lines.append(f"  {row['label']}: from {row['low']:g} to {row['high']:g}, starts at {row['start']:g}")
        else:
            estimate = f"{row['best']:g} ({row['best_low']:g} to {row['best_high']:g})"
            lines.append(f"  {row['label']}: {estimate}, started at {row['start']:g}")
    standing = tuning.reading.standing
    if standing is not None and standing.votes:
        against = standing.against_start
        lines.append(
            f"  against the start: {against.expected:.0%} of the votes ({against.low:.0%} to {against.high:.0%})"
        )
    return "\n".join([*lines, *([f"  {tuning.trouble}"] if tuning.trouble else [])])


def _share(share: Share) -> dict[str, float]:
    return {"expected": share.expected, "low": share.low, "high": share.high}
