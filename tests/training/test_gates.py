"""The gates, on a painter that draws exactly what it is told and readers that err as often as they are told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.diffusion.schedule import NoiseSchedule
from studio.metrics.intervals import wilson
from studio.models.bundle import Conditioning, ModelBundle
from studio.models.preview import PreviewMap
from studio.models.tokens import TokenReport
from studio.training.embedded.gates import (
    DEFAULT_SCALE,
    NOTHING,
    accuracy_tables,
    confusions,
    evaluate,
    measure,
    one_object_rows,
    oversaturation_row,
    protocol_of,
    table,
    two_object_rows,
)
from studio.training.evaluate.meter import Meter
from studio.training.evaluate.results import Facts, Result
from studio.training.evaluate.rows import ReportRow, share_row
from studio.training.evaluate.suites.held_out import cases_of, prompt_scenes, scenes_with_headroom
from studio.world.caption import canonical
from studio.world.reading import Reading, SeenThing
from studio.world.render import render_uint8
from studio.world.scene import Scene, one_object, two_objects

GREY = 0.5


class Painter(ModelBundle):
    """Draws the render of any prompt it was given a scene for, at a sixteenth of the detail.

    Latents are pixels. Its conditional prediction is 1 / scale of the way from grey to the render, so guidance at its
    default scale gives the render and more than that overshoots.
    """

    def __init__(self, scenes: list[Scene]) -> None:
        super().__init__()
        self.name = "painter"
        self.parameterisation, self.spacing = "sample", "trailing"
        self.schedule = NoiseSchedule.from_config("squaredcos_cap_v2", 1e-4, 0.02, 1000)
        self.latent_channels, self.latent_scale_px, self.default_size_px, self.context = 3, 8, 128, 32
        self.model_hash = "0" * 64
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.targets = {canonical(scene): small(render_uint8(scene)) for scene in scenes}

    overflow = "cut"

    def components(self) -> dict[str, torch.nn.Module]:
        return {}

    def tokens(self, prompt: str) -> TokenReport:
        return TokenReport(1, 30, 1, "", ())

    def encode_one(self, prompt: str) -> Conditioning:
        if not prompt:
            return Conditioning(torch.full((1, 3, 16 * 16), GREY))
        return Conditioning(GREY + (self.targets[prompt] - GREY)[None].flatten(2) / DEFAULT_SCALE)

    def predict(self, x: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        return cond.tokens.view_as(x)

    def decode(self, latents: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(latents, scale_factor=8.0).clamp(0, 1)

    def fit_preview(self) -> PreviewMap:
        return PreviewMap(torch.eye(3), torch.zeros(3))

    def versions(self) -> dict[str, str]:
        return {}


def small(picture: Any) -> Tensor:
    """A picture [128, 128, 3] uint8 as [3, 16, 16] of pixel means, rounded to what uint8 can hold."""
    x = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    return (torch.nn.functional.avg_pool2d(x, 8) * 255).round() / 255


def reading_of(scene: Scene, **changes: Any) -> Reading:
    """What a perfect reader says of a scene, with some of it changed."""
    slots = {"left of": ("left", "right"), "right of": ("right", "left"), "above": ("top", "bottom")}
    names = slots.get(scene.relation or "", ("bottom", "top")) if len(scene.things) == 2 else (scene.place,)
    things = [SeenThing(t.object, t.colour, slot) for t, slot in zip(scene.things, names, strict=True)]
    things.sort(key=lambda thing: thing.slot in ("right", "bottom"))
    layout = "one" if len(things) == 1 else "horizontal" if scene.relation in ("left of", "right of") else "vertical"
    plain = Reading(tuple(things), layout, scene.style, scene.background, scene.size, scene.place, False, 0.0)
    return replace(plain, **changes)


class Reader:
    """Knows the small pictures of some scenes and reads them without error, but for every `wrong_every`-th style."""

    def __init__(self, scenes: list[Scene], wrong_every: int = 10**9) -> None:
        self.known = {small(render_uint8(scene)).numpy().tobytes(): scene for scene in scenes}
        self.wrong_every = wrong_every

    def read(self, images: Any, /) -> list[Reading]:
        found = [reading_of(self.known[small(image).numpy().tobytes()]) for image in images]
        return [
            replace(reading, style="neon" if reading.style != "neon" else "flat")
            if i % self.wrong_every == 0
            else reading
            for i, reading in enumerate(found, start=1)
        ]


def row(rows: list[ReportRow], name: str, group: str | None = None) -> ReportRow:
    (found,) = [r for r in rows if r.name == name and group in (None, r.group)]
    return found


# -- rows -----------------------------------------------------------------------------------------------------------


def test_a_row_passes_by_its_value_and_its_side() -> None:
    assert share_row("g", "n", [True] * 9 + [False], 0.9).passed is True
    assert share_row("g", "n", [True] * 9 + [False], 0.91).passed is False
    assert share_row("g", "n", [True] + [False] * 9, 0.1, at_most=True).passed is True
    assert share_row("g", "n", [True] + [False] * 9, 0.09, at_most=True).passed is False
    assert share_row("g", "n", [True]).passed is None
    assert share_row("g", "n", [], 0.0).passed is False  # nothing measured is nothing shown


def test_a_share_has_wilsons_interval() -> None:
    found = share_row("g", "n", [True] * 57 + [False] * 3)
    assert (found.hits, found.n, found.value, (found.low, found.high)) == (57, 60, 0.95, wilson(57, 60))


def test_one_object_rows_count_each_attribute_alone() -> None:
    scene = one_object("star", "red", style="neon", background="grey")
    thing = reading_of(scene).things[0]
    readings = [
        reading_of(scene),
        reading_of(scene, style="flat"),
        reading_of(scene, background="white"),
        reading_of(scene, things=(replace(thing, object="moon"),)),
        reading_of(scene, things=(replace(thing, colour="pink"),)),
        reading_of(scene, invalid=True),
        reading_of(
            scene, things=(replace(thing, colour="blue"), SeenThing("moon", "red"))
        ),  # a star, and red: not bound
        reading_of(scene, things=()),
    ]
    rows = one_object_rows([scene] * len(readings), readings)
    hits = {r.name: r.hits for r in rows}
    assert hits["object"] == 6 and hits["colour"] == 6 and hits["style"] == 6 and hits["background"] == 7
    assert hits["all"] == 1 and hits["count"] == 6
    assert {r.name: r.gate for r in rows if r.gate} == {
        "object": 0.96,
        "style": 0.92,
        "colour": 0.94,
        "background": 0.98,
        "all": 0.85,
    }


def test_relation_and_binding_are_shares_of_pictures_with_both_objects() -> None:
    scene = two_objects(("star", "red"), ("moon", "blue"), "right of")
    right = reading_of(scene)
    moon, star = right.things
    readings = [
        right,
        replace(right, things=(star, moon)),  # exchanged: wrong relation
        replace(right, things=(replace(moon, colour="red"), replace(star, colour="blue"))),
        replace(right, things=(moon,), layout="one"),
        replace(right, things=(moon, replace(star, object="fish"))),
    ]
    rows = two_object_rows([scene] * 5, readings)
    assert (row(rows, "both present").hits, row(rows, "both present").n) == (3, 5)
    assert (row(rows, "relation").hits, row(rows, "relation").n) == (2, 3)
    assert (row(rows, "colours bound").hits, row(rows, "colours bound").n) == (2, 3)


def test_tables_and_confusions_name_what_went_wrong() -> None:
    scenes = [one_object("star", "red")] * 3 + [one_object("moon", "blue")]
    readings = [reading_of(s) for s in scenes]
    thing = readings[0].things[0]
    readings[0] = replace(readings[0], things=(replace(thing, object="heart"),))
    readings[1] = replace(readings[1], things=(replace(thing, object="heart"),), style="dotted")
    readings[3] = replace(readings[3], things=())
    tables = accuracy_tables(scenes, readings)
    assert tables["object"]["star"] == {"n": 3, "right": pytest.approx(1 / 3), "all_right": pytest.approx(1 / 3)}
    assert list(tables["object"]) == ["moon", "star"], "the worst first"
    assert tables["background"]["white"]["right"] == 1
    told = confusions(scenes, readings)
    assert told[0] == {"attribute": "object", "wanted": "star", "read": "heart", "times": 2}
    assert {"attribute": "object", "wanted": "moon", "read": NOTHING, "times": 1} in told
    assert {"attribute": "style", "wanted": "flat", "read": "dotted", "times": 1} in told


def test_oversaturation_is_a_ratio_of_means() -> None:
    calm, loud = np.full((4, 10, 10, 3), 128, np.uint8), np.full((4, 10, 10, 3), 128, np.uint8)
    calm[:, 0, :2] = 255  # 2 % of the pixels
    loud[:, 0] = 255  # 10 %
    cases = cases_of(prompt_scenes(4, 1), 0)
    quiet, shrill = ([Result(*each) for each in zip(cases, Meter()(list(one)), strict=True)] for one in (calm, loud))
    row = oversaturation_row({1.0: quiet, 4.0: quiet, 15.0: shrill}, 100)
    assert (row.value, row.low, row.high) == pytest.approx((5, 5, 5))
    assert row.passed is True and row.hits is None and row.n == 4
    assert oversaturation_row({1.0: quiet, 4.0: shrill, 15.0: quiet}, 100).passed is False
    still = [Result(each.case, Facts("", {"clipped": 0.0})) for each in quiet]
    assert oversaturation_row({4.0: still, 15.0: quiet}, 100).value == pytest.approx(0.02 * 4 * 100 / 0.5)


# -- prompts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objects", [1, 2])
def test_prompts_are_held_out_distinct_and_always_the_same(objects: int) -> None:
    scenes = prompt_scenes(60, objects)
    assert all(scene.held_out and len(scene.things) == objects for scene in scenes)
    assert len({canonical(scene) for scene in scenes}) == 60
    assert prompt_scenes(10, objects) == scenes[:10], "more prompts add to the fewer"
    assert prompt_scenes(10, objects, seed=1) != scenes[:10]


def test_prompts_are_unbiased() -> None:
    hearts = [scene for scene in prompt_scenes(500, 1) if scene.things[0].object == "heart"]
    assert sum(scene.things[0].colour == "red" for scene in hearts) / len(hearts) < 0.4  # half, where biased


def test_prompts_for_clipping_keep_from_both_ends() -> None:
    scenes = scenes_with_headroom(12)
    assert len({canonical(scene) for scene in scenes}) == 12 and all(scene.held_out for scene in scenes)
    for scene in scenes:
        brightest = render_uint8(scene).max(-1)
        assert np.mean((brightest < 18) | (brightest > 237)) < 0.02


# -- the whole ------------------------------------------------------------------------------------------------------


def test_pictures_come_in_the_order_of_their_prompts() -> None:
    scenes = prompt_scenes(20, 1)  # more than one batch of 16
    seen: list[np.ndarray] = []

    def look(pictures: np.ndarray) -> list[Reading]:
        seen.extend(pictures)
        return [reading_of(scenes[0])] * len(pictures)

    results = measure(Painter(scenes), cases_of(scenes, 0), Meter(look), protocol_of(steps=2))
    assert [result.case.scene for result in results] == scenes
    for picture, scene in zip(seen, scenes, strict=True):
        assert torch.allclose(small(picture), small(render_uint8(scene)), atol=0.004)


def test_evaluation_of_a_perfect_painter() -> None:
    ones, twos, calm = prompt_scenes(30, 1), prompt_scenes(10, 2), scenes_with_headroom(8)
    seen: list[tuple[int, int]] = []
    result = evaluate(
        Painter([*ones, *twos, *calm]),
        Reader([*ones, *twos]),
        one_n=30,
        two_n=10,
        tone_n=8,
        steps=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert not result["confusions"] and [r["group"] for r in result["rows"] if r["passed"] is False] == []
    assert result["passed"] is True
    assert seen == [(i, 64) for i in range(1, 65)]
    assert json.loads(json.dumps(result)) == result
    assert {r["name"]: (r["n"], r["value"]) for r in result["rows"] if r["gate"] and r["hits"] is not None} == {
        "object": (30, 1.0),
        "style": (30, 1.0),
        "colour": (30, 1.0),
        "background": (30, 1.0),
        "all": (30, 1.0),
        "both present": (10, 1.0),
        "relation": (10, 1.0),
        "colours bound": (10, 1.0),
        "invalid": (40, 0.0),
    }
    assert result["tone"]["15"]["clipped"] > 3 * result["tone"]["4"]["clipped"]
    assert result["tone"]["1"]["contrast"] < result["tone"]["renders"]["contrast"] < result["tone"]["15"]["contrast"]


def test_a_failed_gate_is_told() -> None:
    ones = prompt_scenes(20, 1)
    result = evaluate(Painter(ones), Reader(ones, wrong_every=5), one_n=20, two_n=0, tone_n=0, steps=2)
    by_name = {r["name"]: r for r in result["rows"] if r["group"] == "one object"}
    assert by_name["style"]["hits"] == by_name["all"]["hits"] == 16
    assert by_name["style"]["passed"] is False and by_name["object"]["passed"] is True
    assert result["passed"] is False
    text = table(result)
    assert [line for line in text.splitlines() if "one object" in line and " style " in line and "FAILED" in line]
    assert "80.0 %" in text and ">= 92.0 %" in text and "commonest confusions" in text
