"""The gates: does the model draw what held-out prompts ask for, in the eyes of the oracle?

Prompts are canonical captions of combinations no training set has held, drawn without the world's stereotypes, one
seed each, the same in every evaluation. A share comes with Wilson's interval and passes by its point estimate; a
picture the oracle calls invalid may still have the right background, but never counts as all right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from studio.core.recipe import GuidanceSpec
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.metrics.intervals import bootstrap
from studio.models.bundle import ModelBundle
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_bundle
from studio.training.evaluate.evaluator import results_of
from studio.training.evaluate.meter import Meter, Reader
from studio.training.evaluate.protocol import Protocol
from studio.training.evaluate.results import Result
from studio.training.evaluate.rows import ReportRow, share_row
from studio.training.evaluate.suites.held_out import headroom, one_object, two_objects
from studio.world.reading import Reading
from studio.world.render import render_uint8
from studio.world.scene import Scene

ONE_OBJECT = {"object": 0.96, "style": 0.92, "colour": 0.94, "background": 0.98, "all": 0.85}
TWO_OBJECTS = {"both present": 0.88, "relation": 0.75, "colours bound": 0.60}
MOST_INVALID = 0.04
TONE_SCALES, LEAST_RATIO, TONE_PROMPTS = (1.0, 4.0, 15.0), 3.0, 64
SHOWN_MEASURES = ("saturation", "brightness", "contrast", "clipped")
NOTHING = "nothing"
DEFAULT_SCALE: float = ClassifierFreeGuidance().guidance_scale

Progress = Callable[[int, int], None]


def protocol_of(guidance_scale: float = DEFAULT_SCALE, steps: int = 20) -> Protocol:
    """Classifier-free guidance at a scale, in shared batches of the model's own size."""
    return Protocol(guidance=GuidanceSpec(params={"guidance_scale": guidance_scale}), steps=steps)


def measure(
    bundle: ModelBundle,
    cases: Sequence[Case],
    meter: Meter,
    protocol: Protocol,
    on_picture: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Draw cases with a loaded model and measure them."""
    recipes = [protocol.recipe(case, "stencil", bundle.default_size_px) for case in cases]
    return results_of(cases, recipes, by_bundle(bundle), meter, on_picture)


def evaluate(
    bundle: ModelBundle,
    oracle: Reader,
    *,
    one_n: int = 600,
    two_n: int = 300,
    guidance_scale: float = DEFAULT_SCALE,
    steps: int = 20,
    seed: int = 0,
    tone_n: int = TONE_PROMPTS,
    progress: Progress = lambda picture_count, total: None,
) -> dict[str, Any]:
    """Draw and read the held-out prompts; give every gate's row, tables by attribute and the commonest confusions.

    one_n: prompts with one object.
    two_n: prompts with two objects.
    tone_n: prompts for oversaturation.
    progress: told how many pictures are drawn, and how many there will be.
    The result is plain values: `rows` (see ReportRow), `passed` (all gates), `accuracy` (attribute -> its value -> n,
    right, all_right), `confusions`, `tone` (measures by guidance scale, and of the prompts' renders), `settings` and
    `model_hash`.
    """
    total = one_n + two_n + tone_n * len(TONE_SCALES)
    picture_count = 0

    def count() -> None:
        nonlocal picture_count
        picture_count += 1
        progress(picture_count, total)

    def results(cases: Sequence[Case], meter: Meter, scale: float = guidance_scale) -> list[Result]:
        return measure(bundle, cases, meter, protocol_of(scale, steps), count)

    ones = results(one_object(one_n, seed), Meter(oracle.read))
    twos = results(two_objects(two_n, seed), Meter(oracle.read))
    rows = [*one_object_rows(*_read(ones)), *two_object_rows(*_read(twos))]
    broken = [reading.invalid for reading in (*_read(ones)[1], *_read(twos)[1])]
    rows.append(share_row("all", "invalid", broken, MOST_INVALID, at_most=True))
    tones: dict[str, Any] = {}
    if tone_n:
        calm, side = headroom(tone_n, seed), bundle.default_size_px
        by_scale = {scale: results(calm, Meter(), scale) for scale in TONE_SCALES}
        rows.append(oversaturation_row(by_scale, side * side))
        renders = [render_uint8(case.scene, side) for case in calm if case.scene is not None]
        tones = {f"{scale:g}": _tones(results_at_scale) for scale, results_at_scale in by_scale.items()}
        tones["renders"] = _tones([Result(case, facts) for case, facts in zip(calm, Meter()(renders), strict=True)])
    scenes, readings = _read(ones)
    return {
        "model_hash": bundle.model_hash,
        "settings": {"guidance_scale": guidance_scale, "steps": steps, "seed": seed},
        "passed": all(row.passed is not False for row in rows),
        "rows": [row.as_json() for row in rows],
        "accuracy": accuracy_tables(scenes, readings),
        "confusions": confusions(scenes, readings),
        "tone": tones,
    }


def _read(results: Sequence[Result]) -> tuple[list[Scene], list[Reading]]:
    """The scenes of the prompts, and what was read in their pictures."""
    pairs = [(result.case.scene, result.facts.reading) for result in results]
    readable = [(scene, reading) for scene, reading in pairs if scene is not None and reading is not None]
    return [scene for scene, _ in readable], [reading for _, reading in readable]


def _all_right(scene: Scene, reading: Reading) -> bool:
    matches = reading.matches(scene)
    return not reading.invalid and all(matches[name] for name in ("bound", "style", "background"))


def one_object_rows(scenes: Sequence[Scene], readings: Sequence[Reading]) -> list[ReportRow]:
    """Rows of prompts with one object. all: the object in its colour, the style and the background, and not invalid."""
    matches = [reading.matches(scene) for scene, reading in zip(scenes, readings, strict=True)]
    right = [_all_right(scene, reading) for scene, reading in zip(scenes, readings, strict=True)]
    rows = [
        share_row("one object", name, right if name == "all" else [match[name] for match in matches], gate)
        for name, gate in ONE_OBJECT.items()
    ]
    return [
        *rows,
        *(share_row("one object", name, [match[name] for match in matches]) for name in ("count", "size", "place")),
    ]


def two_object_rows(scenes: Sequence[Scene], readings: Sequence[Reading]) -> list[ReportRow]:
    """Rows of prompts with two objects. relation and colours bound are shares of those with both objects present."""
    matches = [reading.matches(scene) for scene, reading in zip(scenes, readings, strict=True)]
    present = [match for match in matches if match["object"]]
    outcomes = {
        "both present": [match["object"] for match in matches],
        "relation": [match["relation"] for match in present],
        "colours bound": [match["bound"] for match in present],
        "style": [match["style"] for match in matches],
        "background": [match["background"] for match in matches],
    }
    return [share_row("two objects", name, hits, TWO_OBJECTS.get(name)) for name, hits in outcomes.items()]


def oversaturation_row(results: Mapping[float, Sequence[Result]], pixels: int) -> ReportRow:
    """Clipped share at the highest scale over that at the middle one, paired by prompt; bootstrap over prompts.

    results: by guidance scale.
    pixels: of a picture.
    """
    low, high = TONE_SCALES[1], TONE_SCALES[2]
    clipped = {scale: [result.facts.tones["clipped"] for result in results[scale]] for scale in (high, low)}
    pairs = torch.tensor([clipped[high], clipped[low]], dtype=torch.float32).T.contiguous()  # [n, 2]

    def ratio(means: torch.Tensor) -> torch.Tensor:
        # Half a pixel of the whole set stands in for "none clipped", so that the ratio stays a number.
        floor = 0.5 / (len(pairs) * pixels)
        return means[:, 0] / means[:, 1].clamp_min(floor)

    interval = bootstrap(pairs, ratio)
    value = float(ratio(pairs.double().mean(0, keepdim=True)))
    name = f"clipped at scale {high:g} / {low:g}"
    return ReportRow("oversaturation", name, len(pairs), value, *interval, gate=LEAST_RATIO)


def _tones(results: Sequence[Result]) -> dict[str, float]:
    return {
        name: float(torch.tensor([result.facts.tones[name] for result in results], dtype=torch.float32).mean())
        for name in SHOWN_MEASURES
    }


def _stated_and_read(scene: Scene, reading: Reading) -> dict[str, tuple[str, str]]:
    """What a one-object prompt asked for and what was read, by attribute. The thing meant is the one of that kind."""
    stated = scene.things[0]
    of_that_kind = [thing for thing in reading.things if thing.object == stated.object]
    meant = next(iter((*of_that_kind, *reading.things)), None)
    return {
        "object": (stated.object, meant.object if meant else NOTHING),
        "style": (scene.style, reading.style if meant else NOTHING),
        "colour": (stated.colour, meant.colour if meant else NOTHING),
        "background": (scene.background, reading.background),
    }


def accuracy_tables(scenes: Sequence[Scene], readings: Sequence[Reading]) -> dict[str, dict[str, dict[str, float]]]:
    """attribute -> wanted value -> n, right (share with that attribute right), all_right; the worst first."""
    outcomes: dict[str, dict[str, list[tuple[bool, bool]]]] = {}
    for scene, reading in zip(scenes, readings, strict=True):
        whole, matches = _all_right(scene, reading), reading.matches(scene)
        for attribute, (stated, _) in _stated_and_read(scene, reading).items():
            outcomes.setdefault(attribute, {}).setdefault(stated, []).append((matches[attribute], whole))
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for attribute, by_value in outcomes.items():
        measured = {
            value: {
                "n": len(hits),
                "right": float(np.mean([right for right, _ in hits])),
                "all_right": float(np.mean([whole for _, whole in hits])),
            }
            for value, hits in by_value.items()
        }
        tables[attribute] = dict(sorted(measured.items(), key=lambda item: (item[1]["right"], item[0])))
    return tables


def confusions(scenes: Sequence[Scene], readings: Sequence[Reading], most: int = 16) -> list[dict[str, Any]]:
    """The commonest mistakes on one-object prompts: attribute, wanted, read, and how often."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for scene, reading in zip(scenes, readings, strict=True):
        for attribute, (stated, read) in _stated_and_read(scene, reading).items():
            if stated != read:
                counts[attribute, stated, read] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [{"attribute": a, "wanted": w, "read": r, "times": n} for (a, w, r), n in ranked]


def table(result: dict[str, Any]) -> str:
    """The result of `evaluate` (or of the CLIP's gate) as text for a terminal."""
    lines = [f"{'':15} {'':24} {'n':>5} {'value':>7}  {'95 % interval':17} gate"]
    for row in result["rows"]:
        is_share = row["hits"] is not None

        def figure(value: float, is_share: bool = is_share) -> str:
            return f"{100 * value:.1f} %" if is_share else f"{value:.2f}"

        sign = "<=" if row["at_most"] else ">="
        gate = "" if row["gate"] is None else f"{sign} {figure(row['gate'])}"
        verdict = {True: "passed", False: "FAILED", None: ""}[row["passed"]]
        span = f"{figure(row['low'])} .. {figure(row['high'])}"
        cells = (
            f"{row['group']:15} {row['name']:24} {row['n']:5} {figure(row['value']):>7}  {span:17} {gate:10} {verdict}"
        )
        lines.append(cells.rstrip())
    for attribute, by_value in result.get("accuracy", {}).items():
        worst = [f"{value} {100 * cell['right']:.0f} % of {cell['n']}" for value, cell in by_value.items()]
        lines += ["", f"{attribute}, worst first: {', '.join(worst)}"]
    if result.get("confusions"):
        mistakes = [f"{c['wanted']} as {c['read']} ({c['times']})" for c in result["confusions"]]
        lines += ["", f"commonest confusions: {', '.join(mistakes)}"]
    for scale, tones in result.get("tone", {}).items():
        label = scale if scale == "renders" else f"scale {scale}"
        lines.append(f"tone, {label:9} " + "  ".join(f"{name} {value:.3f}" for name, value in tones.items()))
    return "\n".join(lines)
