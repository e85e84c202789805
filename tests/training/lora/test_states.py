"""Noisy latents a training learns at: pairs of pictures, the ends of the base's ways, strengths, anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.params import Params
from studio.diffusion.predictions import Loss, Need, Prediction
from studio.diffusion.schedule import NoiseSchedule
from studio.engine.config import EngineConfig
from studio.engine.runner import Engine
from studio.erasure.picture_slider import PictureSlider
from studio.erasure.slider import Slider
from studio.models.bundle import ModelBundle
from studio.training.lora.checkpoints import Checkpoints
from studio.training.lora.plan import PicturesPlan, Plan
from studio.training.lora.states import renoised_ends, renoised_pictures
from studio.training.lora.training import Training
from tests.tiny_model import build_once
from tests.tolerance import rounding

SCHEDULE = NoiseSchedule.from_config("scaled_linear", 0.00085, 0.012, 1000)
NAMES = ["a" * 64, "b" * 64, "c" * 64, "d" * 64]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_picture_and_its_partner_have_one_noise_and_one_time() -> None:
    plan = PicturesPlan(images=((NAMES[0], NAMES[1]),), partners={"after": ((NAMES[2], NAMES[3]),)})
    x0 = torch.randn(4, 3, 8, 8, generator=seeded(1))
    drawn = renoised_pictures(x0, plan, SCHEDULE).draw(torch.zeros(50, dtype=torch.int64), seeded(2))
    assert drawn.noise is not None
    a, s = (part.float().view(-1, 1, 1, 1) for part in SCHEDULE.at(drawn.t.double()))
    whole = float(drawn.x.abs().max())
    pairs = set[tuple[int, int]]()
    for row in range(50):
        before, after = (
            int((a[row] * x0 + s[row] * drawn.noise[row] - x[row]).abs().amax((1, 2, 3)).argmin())
            for x in (drawn.x, drawn.beside["after"])
        )
        pairs.add((before, after))
        gap, expected = drawn.beside["after"][row] - drawn.x[row], a[row] * (x0[after] - x0[before])
        torch.testing.assert_close(gap, expected, rtol=0, atol=rounding(torch.float32, 4, whole))
    assert pairs == {(0, 2), (1, 3)}


def test_the_ends_of_ways_are_data_of_their_rows() -> None:
    ends = torch.arange(6.0).view(3, 2, 1, 1, 1).expand(3, 2, 3, 8, 8)
    rows = torch.tensor([0, 1, 2] * 30)
    drawn = renoised_ends(ends, SCHEDULE).draw(rows, seeded(3))
    assert drawn.noise is not None
    a, s = (part.float().view(-1, 1, 1, 1) for part in SCHEDULE.at(drawn.t.double()))
    data = ((drawn.x - s * drawn.noise) / a).mean((1, 2, 3)).round().int()
    assert all(set(data[rows == row].tolist()) == {2 * row, 2 * row + 1} for row in range(3))


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        ({"images": [NAMES[:1]], "partners": {"after": [NAMES[1:3]]}}, "partner of its own"),
        ({"images": [NAMES[:1]], "partners": {"after": []}}, "partner of its own"),
        ({"images": [NAMES[:1]], "partners": {"after": [["there"]]}}, "named by the sha256"),
    ],
)
def test_a_picture_without_its_partner_is_refused(pictures: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        Plan.load({**PLAN, "bank": None, "pictures": pictures})


# -- in a training ----------------------------------------------------------------------------------------------------

PLAN: dict[str, Any] = {
    "name": "e",
    "model": "stencil",
    "loss": "listening",
    "prompts": [{"concept": "a red star", "other": "a blue square"}],
    "bank": {"condition": "concept", "ways": 2, "steps": 3, "renoised": True},
    "layers": "xattn_kv",
    "rank": 2,
    "alpha": 2,
    "steps": 4,
    "batch": 3,
    "lr": 0.5,
    "seed": 5,
}
AT_MORE, AT_LESS = Need("more", "student", "concept"), Need("less", "student", "concept", strength=-0.5)
ANCHOR, ANCHORED = Need("anchor", "student", "concept", anchor=1), Need("anchored", "frozen", "concept", anchor=1)
SECOND = Need("second", "frozen", "concept", anchor=2)
TRUTH = Need("truth", "truth", "concept")


class Listening(Params):
    """Asks for all there is, and keeps what it is given."""

    heard: ClassVar[list[Mapping[str, Prediction]]] = []

    @property
    def needs(self) -> Sequence[Need]:
        return AT_MORE, AT_LESS, ANCHOR, ANCHORED, SECOND, TRUTH, Need("base", "frozen", "concept")

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        self.heard.append(predictions)
        return {"gap": (predictions["more"].eps - predictions["truth"].eps).square().mean()}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(EngineConfig(models={"stencil": build_once(tmp_path_factory)}, device="cpu", previews=False))


def trained(bundle: ModelBundle, folder: Path, loss: Loss | None = None, steps: int = 3, **changes: Any) -> Training:
    """After some steps; Listening.heard has what its loss was given in each."""
    Listening.heard.clear()
    training = Training(Plan.load({**PLAN, **changes}), loss or Listening(), bundle)
    for _ in training.prepare(Checkpoints(folder), {}):
        pass
    for _ in range(steps):
        for _ in training.advance():
            pass
    return training


def test_each_need_is_answered_at_its_strength(engine: Engine, tmp_path: Path) -> None:
    with engine.lease("stencil", lambda: False, False) as bundle:
        training = trained(bundle, tmp_path)
        state = training.edit.state()
        for _ in training.advance():
            pass
        training.edit.load(state)
        answers, times = Listening.heard[-1], torch.arange(bundle.schedule.num_train_timesteps)
        levels, _ = bundle.schedule.at(times.double())
        t = (levels[None] - answers["base"].a.view(-1, 1)).abs().argmin(1)  # whole numbers, of pictures
        encoded = bundle.encode(["a red star"] * PLAN["batch"])
        for name, strength in (("more", 1.0), ("less", -0.5), ("base", 0.0)):
            with torch.no_grad(), training.edit.applied(strength):
                expected = bundle.predict(answers[name].x, t, encoded)
            allowed = rounding(torch.float32, 60, float(expected.abs().max()))
            torch.testing.assert_close(answers[name].raw.detach(), expected, rtol=0, atol=allowed)
        gaps = [(answers[name].raw - answers["base"].raw).abs().max() for name in ("more", "less")]
        assert min(gaps) > 100 * rounding(torch.float32, 60, float(answers["base"].raw.abs().max()))


def test_an_anchor_is_one_encoding_for_student_and_base_drawn_anew_in_every_step(
    engine: Engine, tmp_path: Path
) -> None:
    with engine.lease("stencil", lambda: False, False) as bundle:
        trained(bundle, tmp_path / "once")
        steps = list(Listening.heard)
        trained(bundle, tmp_path / "again")
        again = list(Listening.heard)
    first, last = steps[0], steps[-1]
    allowed = rounding(torch.float32, 60, float(first["base"].raw.abs().max()))
    torch.testing.assert_close(first["anchor"].raw, first["anchored"].raw, rtol=0, atol=allowed)  # factors are fresh
    assert (last["anchor"].raw - last["anchored"].raw).abs().max() > 10 * allowed
    for name in ("base", "second"):
        assert (first["anchored"].raw - first[name].raw).abs().max() > 10 * allowed
    assert not torch.equal(steps[0]["second"].raw, steps[1]["second"].raw)
    for one, other in zip(steps, again, strict=True):
        assert torch.equal(one["second"].raw, other["second"].raw)


def test_the_noise_on_the_ends_of_ways_is_known(engine: Engine, tmp_path: Path) -> None:
    with engine.lease("stencil", lambda: False, False) as bundle:
        trained(bundle, tmp_path, steps=4)
        data = [truth.x0 for step in Listening.heard for truth in [step["truth"]] if float(truth.a.min()) > 0.1]
        with pytest.raises(BadInput, match="learns from pictures, and this plan has none"):
            trained(bundle, tmp_path, bank={**PLAN["bank"], "renoised": False})
    ends = {tuple(round(value, 2) for value in x0.flatten()[:6].tolist()) for batch in data for x0 in batch}
    assert data and len(ends) <= PLAN["bank"]["ways"]  # however much noise, the data under it are those of the ways


def test_ways_are_walked_at_each_strength_that_is_taught(engine: Engine, tmp_path: Path) -> None:
    row = {"target": "a star", "neutral": "a star", "more": "a red star", "less": "a blue star"}
    changes: dict[str, Any] = {"bank": None, "pool": {"condition": "target", "steps": 3}, "prompts": [row], "batch": 4}
    with engine.lease("stencil", lambda: False, False) as bundle:
        training = trained(bundle, tmp_path, Slider(reach=0.5), **changes)
    assert training.batches.strengths == (0.5, -0.5)
    assert [(need.condition, need.strength) for need in training.batches.asides] == [("", 0.5), ("", -0.5)]
    assert set(training.measures) >= {"more", "less", "loss"}


def test_a_state_that_is_not_there_is_named(engine: Engine, tmp_path: Path) -> None:
    with (
        engine.lease("stencil", lambda: False, False) as bundle,
        pytest.raises(BadInput, match="asks for the state 'after', which this plan has not"),
    ):
        trained(bundle, tmp_path, PictureSlider(), prompts=[{"target": "a star", "concept": "a star"}])
