"""The shares that the model draws, as bars: before, now and after, each with its pictures, beside what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from studio.training.balance.outcome import BROKEN, FARTHEST, OF_BASE
from studio.ui.erase.balance.run import Measured
from studio.ui.markup import alert, tag, text

# Of the bars of a job under way: a look is due when it has measured something that they do not show.
SCRIPT = """
let newestStep = -1, lookedFor = {};
window.addEventListener('palimpsest-watch', ({detail}) => {
  const bars = element.querySelector('[data-measured]'), facts = bars && detail.jobs[bars.dataset.of];
  if (!facts) return;
  if (lookedFor.job !== bars.dataset.of) { newestStep = -1; lookedFor = {job: bars.dataset.of}; }
  for (const measure of facts.measures) newestStep = Math.max(newestStep, measure.step);
  const isStale = newestStep > Number(bars.dataset.measured);
  if (!isStale || (lookedFor.step === newestStep && Date.now() - lookedFor.at < 2000)) return;
  lookedFor = {job: bars.dataset.of, step: newestStep, at: Date.now()};
  trigger('look');
});
"""
ELSE = "anything else"  # than the attributes, and not broken


class _Line(NamedTuple):
    """One bar of each group. name: "before", "now", "after". shares: name of the group -> share of all pictures."""

    name: str
    shares: Mapping[str, float]
    pictures: int


def bars_html(measured: Measured | None, job: str) -> str:
    """All of them, with a sentence on what they are of. job: under way, maybe before its first look; "" for none."""
    if measured is None:
        return tag("div", "", data_measured="-1", data_of=job) if job else ""
    lines, targets = _lines(measured), dict(_targets(measured))
    groups = "".join(_group(name, target, lines) for name, target in targets.items())
    about = tag("p", text(_about(measured)), class_="hint")
    step = {"data_measured": str(len(measured.looks) - 1), "data_of": job} if job else {}
    return tag("div", about + tag("ul", groups, class_="balance-shares"), class_="balance-bars", **step)


def doing(measured: Measured | None) -> str:
    """What a balance under way is at, in words."""
    if measured is None:
        return "Round 1: draws the base's pictures, and reads them"
    plan, looks = measured.plan, measured.looks
    if len(looks) < plan.rounds and looks[-1][FARTHEST] > plan.tolerance:
        return f"Round {len(looks) + 1} of {plan.rounds} at most: draws pictures, and reads them"
    return f"The check: draws {2 * plan.checked} other pictures, which tell what it came to"


def verdict_html(measured: Measured | None) -> str:
    """What it came to, loudly where that is not what was wanted; "" before the check."""
    if measured is None or measured.outcome is None:
        return ""
    level, sentence = measured.outcome.level, measured.outcome.sentence
    hint = ""
    if level in ("nearer", "missed"):
        hint = tag("p", text(_advice(measured)), class_="hint")
    return alert(sentence, "note" if level == "met" else "error") + hint


def _advice(measured: Measured) -> str:
    few = "" if len(measured.plan.attributes) < 3 else "Fewer attributes come nearer: of four, some may stay away. "
    return few + "More rounds, or more pictures of a round (How it is steered), may help."


def _lines(measured: Measured) -> list[_Line]:
    plan, looks, check = measured.plan, measured.looks, measured.check
    if check is not None:
        of_edit = {name: share for name, share in check.items() if not name.endswith(OF_BASE)}
        of_base = {name: check.get(name + OF_BASE, 0.0) for name in of_edit}
        return [_Line("before", _with_rest(of_base), plan.checked), _Line("after", _with_rest(of_edit), plan.checked)]
    lines = [_Line("before", _with_rest(looks[0]), plan.pictures)] if looks else []
    return lines + ([_Line("now", _with_rest(looks[-1]), plan.pictures)] if len(looks) > 1 else [])


def _with_rest(shares: Mapping[str, float]) -> dict[str, float]:
    of_pictures = {name: share for name, share in shares.items() if name != FARTHEST}
    return {**of_pictures, ELSE: max(0.0, 1 - sum(of_pictures.values()))}


def _targets(measured: Measured) -> list[tuple[str, float | None]]:
    attributes = [attribute.words for attribute in measured.plan.attributes]
    return [*zip(attributes, measured.plan.targets, strict=True), (ELSE, 0.0), (BROKEN, None)]


def _group(name: str, target: float | None, lines: list[_Line]) -> str:
    title = {ELSE: "Anything else", BROKEN: "Broken pictures"}.get(name, name)
    aim = "" if target is None else tag("span", f"wanted: {target:.0%}", class_="aim-share")
    head = tag("p", tag("b", text(title)) + aim, class_="share-head")
    bars = "".join(_bar(line, line.shares.get(name, 0.0), target) for line in lines)
    return tag("li", head + bars, class_="rest" if name in (ELSE, BROKEN) else None)


def _bar(line: _Line, share: float, target: float | None) -> str:
    hits = round(share * line.pictures)
    low, high = _interval(hits, line.pictures)
    marks = tag("span", "", class_="filled", style=f"width:{100 * share:.1f}%")
    marks += tag("span", "", class_="sure", style=f"left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%")
    if target is not None:
        marks += tag("span", "", class_="goal", style=f"left:{100 * target:.1f}%")
    track = tag("span", marks, class_="track", aria_hidden="true")
    amount = tag("b", f"{share:.0%}") + text(f" · {hits} of {line.pictures}")
    title = f"95 % interval: {low:.0%} to {high:.0%}"
    inner = tag("span", line.name, class_="label") + track + tag("span", amount, class_="amount")
    return tag("p", inner, class_=f"share-bar {line.name}", title=title)


def _interval(hits: int, n: int) -> tuple[float, float]:
    from studio.metrics.intervals import wilson  # with torch, which a page is built and opened without

    return wilson(hits, n)


def _about(measured: Measured) -> str:
    plan, looks = measured.plan, measured.looks
    marks = "The mark is what is wanted, the thin line the 95 % interval."
    if measured.check is not None:
        return (
            f"Shares of all pictures, as they are read: {plan.checked} without the edit and {plan.checked} with it, of "
            f"prompts and seeds that no round had. {marks}"
        )
    nearest = min(range(len(looks)), key=lambda place: looks[place].get(FARTHEST, 1.0)) if looks else 0
    near = f"Nearest so far is round {nearest + 1}. " if len(looks) > 1 else ""
    return f"Shares of all {plan.pictures} pictures of a round, as they are read. {near}{marks}"
