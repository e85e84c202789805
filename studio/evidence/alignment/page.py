"""docs/alignment.md, from the results on record. No figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.evidence.alignment.arms import SEEDS, TRIALS
from studio.evidence.alignment.people import PEOPLE
from studio.evidence.alignment.questions import UNTRIED
from studio.evidence.alignment.sizes import FULL

HEAD = """# Alignment, tried on Stencil

Written by `python launch.py reproduce --alignment --out docs/alignment.md`; do not edit. The numbers:
[{json}]({json}).

Simulated people of known taste answer {answers} questions about pairs of pictures of {prompts} prompts that leave
style and colour unsaid; edits are trained of their answers, and the pictures of {test} other prompts, {seeds} seeds
each, are compared with the base's at the same seeds, by what the pictures are truly worth to them. A training has a
seed of its own: of the questions, the noise of the answers, what is held out, and of itself.

**won**: share of the pictures that are worth more than the base's, ties half. **ceiling**: what would be won if every
picture were as good as the base's best: a taste that the base meets already has little to win. **diversity**: 1 -
cosine of the oracle's features between seeds of a prompt, as a share of the base's; above 1 is no good sign by
itself, for broken pictures are diverse too. **accuracy**: of captions that say everything, in points beyond the
base's. **broken**: open prompts' pictures that the oracle calls invalid, in points beyond the base's. **drift**: how
far the edit moves the model, KL(base || edit), in nats a picture. **rise**: of the error on preferred pictures that
were held out, in per cent.

Every arm spends at most what a hundred steps of Diffusion-DPO with four pairs do, in rows of the network (a row that
learns counts three), and ends before where the held-out error rose by 5 %, as everywhere in the studio. Brackets are
95 % intervals over trainings and prompts at once; of three trainings they are somewhat too narrow. Arms, prompts,
rules and goals were fixed before the pictures on record were drawn, after earlier trials with other labels and seeds
([design note](design/0031-alignment.md)). Stencil is a small model of a small world, and so are the tastes: a figure
here is about them, and says of other models only what to look at."""


def page(record: Mapping[str, Any], json_name: str, picture_name: str) -> str:
    """The whole page. record: as `studio.evidence.alignment.record.complete` gives it."""
    sizes = {"answers": FULL.answers, "prompts": FULL.prompts, "test": FULL.test, "seeds": FULL.seeds}
    parts = [HEAD.format(json=json_name, **sizes), "## Goals", _goals(record["goals"])]
    parts += ["## Questions", _questions(record["questions"]), "## Arms"]
    for person in PEOPLE:
        rows = [row for row in record["summaries"] if row["person"] == person.name]
        if rows:
            parts += [f"### {person.name}: {person.about}", _arms(rows), _base(rows[0])]
    parts += ["## Diversity, by measure", DIVERSITY, _diversity(record["summaries"])]
    parts += ["## What is won against what it costs", TRADE.format(picture=picture_name), _curves(record["results"])]
    parts += ["## Every training", _trainings(record["results"])]
    parts += _untried(record["summaries"])
    return "\n\n".join(parts) + "\n"


DIVERSITY = """As shares of the base's, over the seeds of one prompt: the Vendi score with the cosine kernel on the
oracle's features, the spread of palettes (PVS) and of layouts (SDI, of the boxes that the oracle's words stand for).
Styles: how many there are among all pictures, as if all were as frequent, and in brackets of the base; a taste for a
style is meant to lower it."""
TRADE = """![Share won against broken pictures]({picture})

Every point is a strength of an edit, the mean over trainings, on prompts that nothing else is measured on. The
strength that an arm is then compared at is chosen from these, by a rule: of those with nine tenths of the diversity
and at most five points more broken, the one that wins most; where there is none, the one with the fewest broken. In
the green corner at least .65 is won at no more than five points."""


def _goals(goals: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            goal["sentence"],
            "; ".join(f"{part['part']}: {_interval(part)}" for part in goal["parts"]),
            f"**{goal['verdict']}**",
        ]
        for goal in goals
    ]
    return _table(["goal", "measured", ""], rows)


def _questions(questions: Sequence[Mapping[str, Any]]) -> str:
    rows: list[list[str]] = []
    for question in questions:
        verdict = question["verdict"]
        figure = question.get("difference")
        unit = " %" if question["measure"] == "rise" else ""
        measured = "" if figure is None else f"{question['measure']} {_interval(figure, signed=True)}{unit}"
        trainings = "" if figure is None else str(question["trainings"])
        sides = f"{question['arm']} minus {question['against']}"
        rows.append([question["sentence"], sides, measured, trainings, f"**{verdict}**"])
    return _table(["claimed", "difference", "measured", "trainings", ""], rows)


def _arms(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ["objective", "trainings", "won", "by training", "diversity", "accuracy", "broken", "drift", "rise"]
    head += ["strength", "steps", "CPU s"]
    cells = [
        [
            row["arm"],
            str(len(row["win"]["trainings"])),
            _interval(row["win"]),
            ", ".join(f"{value:.2f}" for value in row["win"]["trainings"]),
            _interval(row["diversity"]),
            _interval(row["accuracy"], signed=True, hundred=True),
            _interval(row["broken"], signed=True, hundred=True),
            f"{row['drift']['value']:.1f}",
            "" if row["rise"] is None else f"{row['rise']:+.1f}",
            f"{row['strength']:.2g}",
            f"{row['steps']:.0f}",
            "" if row["seconds"] is None else f"{row['seconds']:.0f}",
        ]
        for row in rows
    ]
    return _table(head, cells)


def _base(row: Mapping[str, Any]) -> str:
    return (
        f"Ceiling {row['ceiling']:.2f}. Of the base {100 * row['broken_base']:.0f} in a hundred are broken, and "
        f"{100 * row['accuracy_base']:.1f} % of what captions state is right."
    )


def _diversity(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [
            row["person"],
            row["arm"],
            *(_interval(row[name]) for name in ("vendi", "pvs", "sdi")),
            f"{row['styles']:.1f} ({row['styles_base']:.1f})",
            ", ".join(f"{value:+.2f}" for value in row["tones"].values()),
        ]
        for row in rows
    ]
    tones = ", ".join(rows[0]["tones"]) if rows else ""
    return _table(["person", "objective", "Vendi", "PVS", "SDI", "styles", f"shift of {tones} (base's sd)"], cells)


def _curves(results: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [
            result["arm"],
            str(result["seed"]),
            f"{point['strength']:g}",
            f"{point['win']:.2f}",
            f"{100 * point['broken']:+.0f}",
            f"{point['diversity']:.2f}",
            "chosen" if point["strength"] == result["strength"] else "",
        ]
        for result in results
        for point in result["curve"]
    ]
    return _table(["objective", "training", "strength", "won", "broken", "diversity", ""], cells)


def _trainings(results: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [
            result["person"],
            result["arm"],
            str(result["seed"]),
            f"{result['decided']} and {result['ties']} ties of {result['labels']}",
            f"{result['steps']} of {result['of']}",
            f"{result['open']['won']} to {result['open']['lost']} of {result['open']['pictures']}",
            "" if result["accuracy"] is None else f"{result['accuracy']:.2f}",
            "" if result["rise"] is None else f"{result['rise']:+.1f}",
        ]
        for result in results
    ]
    head = ["person", "objective", "seed", "decided labels", "steps", "won to lost", "implicit accuracy", "rise"]
    return _table(head, cells)


def _untried(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which arms were not tried, or not with every seed."""
    counts = {(row["person"], row["arm"]): len(row["win"]["trainings"]) for row in rows}
    missing: list[str] = []
    for trial in TRIALS:
        count = counts.get((trial.person.name, trial.arm.label), 0)
        if count < len(SEEDS):
            trainings = UNTRIED if not count else f"{count} of {len(SEEDS)} trainings"
            missing.append(f"{trial.person.name}, {trial.arm.label} ({trainings})")
    return [f"Not tried so far, or not with every seed: {'; '.join(missing)}."] if missing else []


def _interval(figure: Mapping[str, Any], signed: bool = False, hundred: bool = False) -> str:
    scale, form = (100, "+.1f" if signed else ".1f") if hundred else (1, "+.2f" if signed else ".2f")
    value, low, high = (f"{scale * figure[name]:{form}}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
