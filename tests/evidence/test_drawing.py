"""Arms as recipes: paired, each drawn once, and of the work they are said to be."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.batcher import Batcher
from studio.engine.conditions import Conditions
from studio.engine.resident import encoder_of, room_of
from studio.engine.trajectory import Trajectory
from studio.evidence import claims as _claims  # noqa: F401  # registers them
from studio.evidence import drawing
from studio.evidence.claim import CLAIMS, Arm, cfg
from studio.evidence.drawing import Gallery, protocol_of, suite
from studio.models.bundle import ModelBundle
from studio.models.card import ModelCard, read_card
from studio.models.loading import load_model
from studio.services.budget import network_rows
from studio.training.evaluate.meter import Picture
from studio.training.evaluate.suites.claims import full
from studio.world.oracle import Oracle
from tests.tiny_model import SIZE_PX, build_once

ARMS = list(dict.fromkeys(arm for _, claim in CLAIMS.items() for arm in claim.arms.values()))


class Painter:
    """Draws every recipe as one grey, from its seed, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Recipe] = []

    def __call__(self, recipes: Sequence[Recipe]) -> Iterator[tuple[int, Picture]]:
        self.asked += recipes
        for index, recipe in enumerate(recipes):
            yield index, np.full((32, 32, 3), recipe.seed % 251, np.uint8)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture(scope="module")
def card(tiny: Path) -> ModelCard:
    return read_card(tiny)


@pytest.fixture(scope="module")
def bundle(tiny: Path) -> ModelBundle:
    return load_model(tiny, "cpu", torch.float32, name="stencil", require_checksums=True)


def test_arms_draw_the_same_prompts_with_the_same_seeds(card: ModelCard) -> None:
    painter, rows = Painter(), list[int]()
    gallery = Gallery(painter, Oracle.load(), card, 4, rows.append)
    arms = [cfg(1.5, rows=8), cfg(1.0, rows=8)]
    cost = gallery.cost("full", arms)
    first, second = gallery.measured("full", arms)
    drawn = {arm: [r for r in painter.asked if r.guidance == arm.guidance] for arm in arms}
    pairs = [[(r.prompt, r.seed, r.width, r.sampler) for r in drawn[arm]] for arm in arms]
    assert pairs[0] == pairs[1] and len(set(pairs[0])) == 4
    assert [drawn[arm][0].steps for arm in arms] == [4, 8]
    assert all(r.batching == "shared" and r.width == SIZE_PX for r in painter.asked)
    assert all(torch.equal(first[name], second[name]) for name in first)  # equal pictures, equal measures
    assert sum(rows) == cost == 2 * 4 * 8


def test_an_arm_is_drawn_once_however_many_claims_ask(card: ModelCard) -> None:
    painter = Painter()
    gallery = Gallery(painter, Oracle.load(), card, 2, lambda rows: None)
    gallery.measured("full", [cfg(1.5, rows=4), cfg(1.5, rows=4)])
    assert len(painter.asked) == 2
    gallery.measured("full", [cfg(1.5, rows=4), cfg(2.0, rows=4)])
    assert len(painter.asked) == 4 and gallery.cost("full", [cfg(2.0, rows=4)]) == 0
    gallery.measured("open", [cfg(1.5, rows=4)])  # other prompts, other pictures
    assert len(painter.asked) == 8


def test_the_scenes_themselves_are_what_the_oracle_reads_right() -> None:
    gallery = Gallery(Painter(), Oracle.load(), read_card(Settings().model_dir), 24, lambda rows: None)
    renders = gallery.renders("full")
    assert renders is not None and renders is not gallery.renders("open") and gallery.renders("open") is None
    assert float(renders["accuracy"].mean()) > 0.97 and float(renders["invalid"].mean()) < 0.05
    assert renders["saturation"].shape == (24,) and gallery.renders("full") is not None


def test_how_many_steps_fit_is_asked_once_for_each_arm(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    within = drawing.within
    monkeypatch.setattr(drawing, "within", lambda recipe, card, rows: asked.append(rows) or within(recipe, card, rows))
    gallery = Gallery(Painter(), Oracle.load(), card, 4, lambda rows: None)
    arms = [cfg(1.5, rows=8), cfg(1.0, rows=6)]
    gallery.measured("full", arms)
    assert [gallery.steps("full", arm) for arm in arms] == [4, 6] and gallery.cost("full", arms) == 0
    assert asked == [8, 6]


def test_a_suite_has_about_so_many_pictures_and_all_seeds_of_each_prompt() -> None:
    for name, seeds in (("full", 1), ("open", 4)):
        cases = suite(name, 27)
        assert len(cases) == 27 // seeds * seeds and len({case.prompt for case in cases}) == 27 // seeds
        assert len(suite(name, 1)) == seeds


def test_negatives_go_where_the_arm_says(card: ModelCard) -> None:
    (case,), spec = full(1), cfg(3.0).guidance
    field, composed = (
        protocol_of(Arm(spec, negative=negative), case, card).recipe(case, "stencil", 32)
        for negative in ("field", "composed")
    )
    assert (field.prompt, field.negative_prompt) == (case.prompt, case.negative)
    assert (composed.prompt, composed.negative_prompt) == (f"{case.prompt} AND {case.negative} :-1", "")


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: f"{arm.guidance.method}-{arm.sampler}-{arm.negative}")
def test_the_network_does_the_work_that_is_told(
    arm: Arm, bundle: ModelBundle, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "predict", lambda x, t, cond: 0.9 * x)  # rows are counted, whatever comes of them
    short = Arm(arm.guidance, min(arm.rows, 12), arm.steps and 4, arm.sampler, arm.negative)
    (case,) = full(1)
    recipe = protocol_of(short, case, card).recipe(case, "stencil", card.default_size_px)
    conditions = Conditions.of(recipe, encoder_of(bundle))
    batcher = Batcher(bundle, room_of(bundle), weak=bundle)  # as good a weak model as any for counting
    with torch.inference_mode():
        list(batcher.run([Trajectory(0, recipe, bundle, conditions, weak=conditions)], lambda _: None, lambda: False))
    assert batcher.rows == network_rows(recipe, card)
