"""The gates: does the model draw what held-out prompts ask for, in the eyes of the oracle?

Prompts are canonical captions of combinations no training set has held, drawn without the world's stereotypes, one
seed each, the same in every evaluation. A share comes with Wilson's interval and passes by its point estimate; a
picture the oracle calls invalid may still have the right background, but never counts as all right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.sampler import sample
from studio.guidance.cfg import ClassifierFreeGuidance
from studio.metrics.intervals import bootstrap, wilson
from studio.metrics.saturation import clipped, measure_all
from studio.models.bundle import ModelBundle
from studio.training.embedded.data import Pictures
from studio.world.caption import canonical
from studio.world.reading import Reading
from studio.world.render import render_uint8
from studio.world.scene import Scene, random_scene

ONE_OBJECT = {"object": 0.96, "style": 0.92, "colour": 0.94, "background": 0.98, "all": 0.85}
TWO_OBJECTS = {"both present": 0.88, "relation": 0.75, "colours bound": 0.60}
MOST_INVALID = 0.04
TONE_SCALES, LEAST_RATIO, TONE_PROMPTS = (1.0, 4.0, 15.0), 3.0, 64
HEADROOM = 20 / 255  # how far renders of the oversaturation prompts keep from either end, in all but MOST_NEAR
MOST_NEAR = 0.01
SHOWN_MEASURES = ("saturation", "brightness", "contrast", "clipped")
ROWS = 32  # of one network evaluation
NOTHING = "nothing"
DEFAULT_SCALE: float = ClassifierFreeGuidance().guidance_scale

Progress = Callable[[int, int], None]


class Reader(Protocol):
    """What the gates need of an oracle (studio.world.oracle)."""

    def read(self, images: Any, /) -> list[Reading]:
        """Read pictures, uint8 [N, H, W, 3]."""
        ...


@dataclass(frozen=True)
class Row:
    """One measured number. value: a share, or where hits is None a ratio. low, high: its 95 % interval.

    gate: what it must reach (`at_most`: stay under); None for a number without a gate, which has not failed.
    """

    group: str
    name: str
    n: int
    value: float
    low: float
    high: float
    hits: int | None = None
    gate: float | None = None
    at_most: bool = False

    @property
    def passed(self) -> bool | None:
        """Whether the gate is reached; None without one, and False where nothing could be measured."""
        if self.gate is None:
            return None
        return self.n > 0 and (self.value <= self.gate if self.at_most else self.value >= self.gate)

    def as_json(self) -> dict[str, Any]:
        """The fields and `passed`, as plain values."""
        return {**asdict(self), "passed": self.passed}


def share_row(group: str, name: str, outcomes: Sequence[bool] | npt.NDArray[Any], gate: float | None = None,
              at_most: bool = False) -> Row:  # fmt: skip
    """A share of independent outcomes, with Wilson's interval."""
    hits, n = int(np.count_nonzero(outcomes)), len(outcomes)
    low, high = wilson(hits, n)
    return Row(group, name, n, hits / n if n else 0.0, low, high, hits, gate, at_most)


def prompt_scenes(n: int, objects: int, seed: int = 0) -> list[Scene]:
    """n held-out scenes of one or two objects, unbiased, no canonical caption twice."""
    rng = np.random.default_rng((61, seed, objects))
    found: dict[str, Scene] = {}
    while len(found) < n:
        scene = random_scene(rng, two=float(objects == 2), empty=0.0, biased=False, held_out=True)
        found.setdefault(canonical(scene), scene)
    return list(found.values())


def scenes_with_headroom(n: int, seed: int = 0) -> list[Scene]:
    """One-object held-out scenes whose own render is clipped nowhere, nor nearly.

    White backgrounds, pale skies and pure colours lie at the end of the range as they are: what pictures of those clip
    says nothing of guidance.
    """
    rng = np.random.default_rng((62, seed))
    found: dict[str, Scene] = {}
    while len(found) < n:
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True)
        brightest = render_uint8(scene, 64).max(-1) / 255
        if float(np.mean((brightest <= HEADROOM) | (brightest >= 1 - HEADROOM))) <= MOST_NEAR:
            found.setdefault(canonical(scene), scene)
    return list(found.values())


def _tensor(pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def draw(bundle: ModelBundle, prompts: Sequence[str], seeds: Sequence[int], *, guidance_scale: float = DEFAULT_SCALE,
         steps: int = 20, on_picture: Callable[[], None] = lambda: None) -> Pictures:  # fmt: skip
    """A picture per prompt and its seed, [N, H, W, 3] uint8 at the model's own size; classifier-free guidance."""
    side = bundle.default_size_px
    guidance = GuidanceSpec(params={"guidance_scale": guidance_scale})
    recipes = [
        Recipe(prompt=p, seed=s, width=side, height=side, steps=steps, guidance=guidance, batching="shared")
        for p, s in zip(prompts, seeds, strict=True)
    ]
    pictures = np.zeros((len(recipes), side, side, 3), dtype=np.uint8)
    for index, picture in sample(bundle, recipes, max_rows=ROWS):
        pictures[index] = picture
        on_picture()
    return pictures


def evaluate(bundle: ModelBundle, oracle: Reader, *, one: int = 600, two: int = 300,
             guidance_scale: float = DEFAULT_SCALE, steps: int = 20, seed: int = 0, tone: int = TONE_PROMPTS,
             progress: Progress = lambda done, total: None) -> dict[str, Any]:  # fmt: skip
    """Draw and read the held-out prompts; give every gate's row, tables by attribute and the commonest confusions.

    one, two, tone: prompts with one object, with two, and for oversaturation. The result is plain values: `rows` (see
    Row), `passed` (all gates), `accuracy` (attribute -> its value -> n, right, all_right), `confusions`, `tone`
    (measures by guidance scale, and of the prompts' renders), `settings`, `model_hash`.
    """
    total = one + two + tone * len(TONE_SCALES)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    def pictures_of(scenes: Sequence[Scene], scale: float, first_seed: int) -> Pictures:
        seeds = range(first_seed, first_seed + len(scenes))
        prompts = [canonical(scene) for scene in scenes]
        return draw(bundle, prompts, seeds, guidance_scale=scale, steps=steps, on_picture=count)

    first_seed = seed * 100_000
    ones, twos = prompt_scenes(one, 1, seed), prompt_scenes(two, 2, seed)
    read_ones = oracle.read(pictures_of(ones, guidance_scale, first_seed)) if ones else []
    read_twos = oracle.read(pictures_of(twos, guidance_scale, first_seed + 50_000)) if twos else []
    rows = [*one_object_rows(ones, read_ones), *two_object_rows(twos, read_twos)]
    rows.append(share_row("all", "invalid", [r.invalid for r in (*read_ones, *read_twos)], MOST_INVALID, at_most=True))
    tones: dict[str, Any] = {}
    if tone:
        calm = scenes_with_headroom(tone, seed)
        by_scale = {scale: pictures_of(calm, scale, first_seed + 90_000) for scale in TONE_SCALES}
        rows.append(oversaturation_row(by_scale))
        tones = {f"{scale:g}": _tones(pictures) for scale, pictures in by_scale.items()}
        tones["renders"] = _tones(np.stack([render_uint8(s, bundle.default_size_px) for s in calm]))
    return {
        "model_hash": bundle.model_hash,
        "settings": {"guidance_scale": guidance_scale, "steps": steps, "seed": seed},
        "passed": all(row.passed is not False for row in rows),
        "rows": [row.as_json() for row in rows],
        "accuracy": accuracy_tables(ones, read_ones),
        "confusions": confusions(ones, read_ones),
        "tone": tones,
    }


def _all_right(scene: Scene, reading: Reading) -> bool:
    found = reading.matches(scene)
    return not reading.invalid and all(found[name] for name in ("bound", "style", "background"))


def one_object_rows(scenes: Sequence[Scene], readings: Sequence[Reading]) -> list[Row]:
    """Rows of prompts with one object. all: the object in its colour, the style and the background, and not invalid."""
    found = [reading.matches(scene) for scene, reading in zip(scenes, readings, strict=True)]
    right = [_all_right(scene, reading) for scene, reading in zip(scenes, readings, strict=True)]
    rows = [share_row("one object", name, right if name == "all" else [f[name] for f in found], gate)
            for name, gate in ONE_OBJECT.items()]  # fmt: skip
    return [*rows, *(share_row("one object", name, [f[name] for f in found]) for name in ("count", "size", "place"))]


def two_object_rows(scenes: Sequence[Scene], readings: Sequence[Reading]) -> list[Row]:
    """Rows of prompts with two objects. relation and colours bound are shares of those with both objects present."""
    found = [reading.matches(scene) for scene, reading in zip(scenes, readings, strict=True)]
    present = [f for f in found if f["object"]]
    outcomes = {
        "both present": [f["object"] for f in found],
        "relation": [f["relation"] for f in present],
        "colours bound": [f["bound"] for f in present],
        "style": [f["style"] for f in found],
        "background": [f["background"] for f in found],
    }
    return [share_row("two objects", name, hits, TWO_OBJECTS.get(name)) for name, hits in outcomes.items()]


def oversaturation_row(pictures: dict[float, Pictures]) -> Row:
    """Clipped share at the highest scale over that at the middle one, paired by prompt; bootstrap over prompts."""
    low, high = TONE_SCALES[1], TONE_SCALES[2]
    pairs = torch.stack([clipped(_tensor(pictures[scale])) for scale in (high, low)], 1)  # [n, 2]

    def ratio(means: torch.Tensor) -> torch.Tensor:
        # Half a pixel of the whole set stands in for "none clipped", so that the ratio stays a number.
        floor = 0.5 / pictures[low][..., 0].size
        return means[:, 0] / means[:, 1].clamp_min(floor)

    interval = bootstrap(pairs, ratio)
    value = float(ratio(pairs.double().mean(0, keepdim=True)))
    name = f"clipped at scale {high:g} / {low:g}"
    return Row("oversaturation", name, len(pairs), value, *interval, gate=LEAST_RATIO)


def _tones(pictures: npt.NDArray[np.uint8]) -> dict[str, float]:
    measured = measure_all(_tensor(pictures))
    return {name: float(measured[name].mean()) for name in SHOWN_MEASURES}


def _wanted_and_read(scene: Scene, reading: Reading) -> dict[str, tuple[str, str]]:
    """What a one-object prompt asked for and what was read, by attribute. The thing meant is the one of that kind."""
    wanted = scene.things[0]
    of_that_kind = [thing for thing in reading.things if thing.object == wanted.object]
    meant = next(iter((*of_that_kind, *reading.things)), None)
    return {
        "object": (wanted.object, meant.object if meant else NOTHING),
        "style": (scene.style, reading.style if meant else NOTHING),
        "colour": (wanted.colour, meant.colour if meant else NOTHING),
        "background": (scene.background, reading.background),
    }


def accuracy_tables(scenes: Sequence[Scene], readings: Sequence[Reading]) -> dict[str, dict[str, dict[str, float]]]:
    """attribute -> wanted value -> n, right (share with that attribute right), all_right; the worst first."""
    outcomes: dict[str, dict[str, list[tuple[bool, bool]]]] = {}
    for scene, reading in zip(scenes, readings, strict=True):
        whole, found = _all_right(scene, reading), reading.matches(scene)
        for attribute, (wanted, _) in _wanted_and_read(scene, reading).items():
            outcomes.setdefault(attribute, {}).setdefault(wanted, []).append((found[attribute], whole))
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for attribute, by_value in outcomes.items():
        measured = {
            value: {"n": len(each), "right": float(np.mean([right for right, _ in each])),
                    "all_right": float(np.mean([whole for _, whole in each]))}
            for value, each in by_value.items()
        }  # fmt: skip
        tables[attribute] = dict(sorted(measured.items(), key=lambda item: (item[1]["right"], item[0])))
    return tables


def confusions(scenes: Sequence[Scene], readings: Sequence[Reading], most: int = 16) -> list[dict[str, Any]]:
    """The commonest mistakes on one-object prompts: attribute, wanted, read, and how often."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for scene, reading in zip(scenes, readings, strict=True):
        for attribute, (wanted, read) in _wanted_and_read(scene, reading).items():
            if wanted != read:
                counts[attribute, wanted, read] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [{"attribute": a, "wanted": w, "read": r, "times": n} for (a, w, r), n in ranked]


def table(result: dict[str, Any]) -> str:
    """The result of `evaluate` (or of the CLIP's gate) as text for a terminal."""
    lines = [f"{'':15} {'':24} {'n':>5} {'value':>7}  {'95 % interval':17} gate"]
    for row in result["rows"]:
        is_share = row["hits"] is not None

        def shown(value: float, is_share: bool = is_share) -> str:
            return f"{100 * value:.1f} %" if is_share else f"{value:.2f}"

        sign = "<=" if row["at_most"] else ">="
        gate = "" if row["gate"] is None else f"{sign} {shown(row['gate'])}"
        verdict = {True: "passed", False: "FAILED", None: ""}[row["passed"]]
        span = f"{shown(row['low'])} .. {shown(row['high'])}"
        lines.append(
            f"{row['group']:15} {row['name']:24} {row['n']:5} {shown(row['value']):>7}  {span:17} {gate:10} {verdict}"
            .rstrip()
        )  # fmt: skip
    for attribute, by_value in result.get("accuracy", {}).items():
        worst = [f"{value} {100 * cell['right']:.0f} % of {cell['n']}" for value, cell in by_value.items()]
        lines += ["", f"{attribute}, worst first: {', '.join(worst)}"]
    if result.get("confusions"):
        told = [f"{c['wanted']} as {c['read']} ({c['times']})" for c in result["confusions"]]
        lines += ["", f"commonest confusions: {', '.join(told)}"]
    for scale, tones in result.get("tone", {}).items():
        label = scale if scale == "renders" else f"scale {scale}"
        lines.append(f"tone, {label:9} " + "  ".join(f"{name} {value:.3f}" for name, value in tones.items()))
    return "\n".join(lines)
