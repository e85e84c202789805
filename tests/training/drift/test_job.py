"""The kind "drift" on the engine: the estimator itself, equal noise for all, nothing drawn twice, weights restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput, Cancelled
from studio.core.recipe import EditRef
from studio.diffusion.parameterisation import to_eps
from studio.engine.config import EngineConfig
from studio.engine.edits.files import to_bytes
from studio.engine.resident import room_of
from studio.engine.runner import Engine
from studio.metrics.divergence import log_snr
from studio.models.bundle import ModelBundle
from studio.training.drift import files, states
from studio.training.drift.request import Pair, Request, Side, of_edit
from studio.training.drift.rows import Measured
from studio.training.evaluate.files import read_run
from tests.engine.edits.making import make_edit, shapes_of
from tests.tiny_model import build, build_once

RUN = "1" * 32
BOLD = EditRef(edit="bold")
SETTINGS = {"pictures": 3, "levels": 4, "steps": 2}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    tiny, other = build_once(tmp_path_factory), tmp_path_factory.mktemp("other") / "model"
    build(other, "epsilon")
    config = EngineConfig(
        models={"tiny": tiny, "other": other},
        device="cpu",
        previews=False,
        kinds={"drift": "studio.training.drift.job:run"},
    )
    return Engine(config)


@pytest.fixture(scope="module")
def edits(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("edits") / "bold-000000000000.safetensors"
    shapes = shapes_of(engine.bundle("tiny").components()["unet"])
    path.write_bytes(to_bytes(make_edit(dict(list(shapes.items())[:8]), size=0.3)))
    return {"bold": str(path)}


def asked(*pairs: tuple[str, str, str], **changes: Any) -> dict[str, Any]:
    sides = {"base": Side(model="tiny"), "edit": Side(model="tiny", edits=(BOLD,)), "same": Side(model="tiny")}
    return {
        "sides": {name: side.model_dump(mode="json") for name, side in sides.items()},
        "prompts": {"retain": ("a red star", "a blue square"), "nothing": ("",)},
        "pairs": [dict(zip(("p", "q", "prompts"), pair, strict=True)) for pair in pairs],
        **SETTINGS,
        **changes,
    }


class Job:
    """One measurement under way: `steps` to take, `told` so far."""

    def __init__(self, engine: Engine, folder: Path, edits: dict[str, str], request: dict[str, Any]) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.folder, self.request = folder, Request.load(request)
        job = {"kind": "drift", "id": "abc", "request": request, "edits": edits, "folder": str(folder), "run": RUN}
        self.steps = engine.steps(job, lambda kind, data: self.told.append((kind, data)), lambda: False)

    def finish(self) -> dict[Pair, Measured]:
        for _ in self.steps:
            pass
        return self.measured()

    def measured(self) -> dict[Pair, Measured]:
        digests = read_run(self.folder, RUN).digests
        known = {pair: files.read(self.folder, key) for pair, key in zip(self.request.pairs, digests, strict=True)}
        return {pair: values for pair, values in known.items() if values is not None}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for told, data in self.told if told == kind]


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each evaluation outside of drawing had."""
    rows: list[int] = []
    original = states.Resident.eps

    def eps(self: states.Resident, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        rows.append(len(x))
        return original(self, x, *rest)

    monkeypatch.setattr(states.Resident, "eps", eps)
    return rows


def by_hand(bundle: ModelBundle, x0: torch.Tensor, request: Request, prompts: list[str], stack: Any) -> list[float]:
    """The estimator written out, a state at a time."""
    t, widths = states._times(bundle, request)
    totals: list[float] = []
    for number, prompt in enumerate(prompts):
        noise = states._noise(request.seed + number, request.levels, x0.shape[1:])
        total = 0.0
        for level in range(request.levels):
            a, s = (float(part) for part in bundle.schedule.at(t[number, level].double()))
            x = a * x0[number : number + 1] + s * noise[level : level + 1]
            eps = []
            for edits in (states.EditStack(), stack):
                room_of(bundle).use(edits)
                with torch.inference_mode():
                    raw = bundle.predict(x, t[number, level : level + 1], bundle.encode([prompt]))
                eps.append(to_eps(bundle.parameterisation, raw, x, a, s).double())
            total += 0.5 * float(widths[number, level]) * float((eps[0] - eps[1]).square().sum())
        totals.append(total)
    room_of(bundle).use(states.EditStack())
    return totals


def test_it_is_the_estimator_written_out_and_the_weights_are_the_base_again(
    engine: Engine, edits: dict[str, str], tmp_path: Path
) -> None:
    job = Job(engine, tmp_path / "e", edits, asked(("base", "edit", "retain"), ("base", "same", "retain")))
    measured = job.finish()
    edited, same = measured.values()
    assert same.nats == (0.0,) * 3, "a model is no way off from itself"
    assert all(nats > 0 for nats in edited.nats) and edited.dims == 3 * 8 * 8
    assert engine.made_by()["equals_base"]

    bundle = engine.bundle("tiny")
    stack = engine.shelf.stack([BOLD], edits, 2)
    prompts = job.request.prompts_of(job.request.pairs[0])
    assert prompts == ["a red star", "a blue square", "a red star"]
    base = states.Resident("tiny", bundle, states.EditStack())
    drawing = states._draw(base, states._recipes(base, prompts, job.request))
    while True:
        try:
            next(drawing)
        except StopIteration as end:
            x0 = end.value
            break
    expected = by_hand(bundle, x0, job.request, prompts, stack)
    # rows in one evaluation or alone are equal to rounding; the gap is a difference of numbers near 1
    assert list(edited.nats) == pytest.approx(expected, rel=1e-3)
    assert [data["step"] for data in job.of("progress")][-1] == job.of("progress")[-1]["steps"]
    assert set(job.of("measure")[-1]["values"]) == {"retain: base to edit", "retain: base to same"}


def test_what_is_known_is_not_measured_again_and_a_stopped_one_goes_on(
    engine: Engine, edits: dict[str, str], tmp_path: Path, asks: list[int]
) -> None:
    pairs = (("base", "edit", "retain"), ("edit", "base", "retain"), ("base", "edit", "nothing"))
    whole = Job(engine, tmp_path / "whole", edits, asked(*pairs)).finish()
    total = len(asks)
    assert total == 6, "twelve states of each pair fit one evaluation of each side"

    broken = Job(engine, tmp_path / "broken", edits, asked(*pairs))
    while len(broken.measured() if broken.told and (tmp_path / "broken").exists() else ()) < 1:
        next(broken.steps)
    with pytest.raises(Cancelled):
        broken.steps.throw(Cancelled("The job was stopped."))
    assert engine.bundle("tiny") and room_of(engine.bundle("tiny")).equals_base()
    known = len(broken.measured())
    assert 1 <= known < 3
    asks.clear()
    assert Job(engine, tmp_path / "broken", edits, asked(*pairs)).finish() == whole
    assert len(asks) == total - 2 * known
    asks.clear()
    assert Job(engine, tmp_path / "broken", edits, asked(*pairs)).finish() == whole and not asks
    # one picture more is another measurement, a file that is damaged is measured again
    assert Job(engine, tmp_path / "broken", edits, asked(*pairs, pictures=4)).finish() != whole
    for path in (tmp_path / "broken").glob("*.jsonl"):
        path.write_bytes(b'{"nats": [1')
    asks.clear()
    assert Job(engine, tmp_path / "broken", edits, asked(*pairs)).finish() == whole and len(asks) == total


def test_pictures_over_the_same_states_are_drawn_once_for_all_that_is_held_against_them(
    engine: Engine, edits: dict[str, str], tmp_path: Path, asks: list[int]
) -> None:
    Job(engine, tmp_path, edits, asked(("base", "edit", "retain"), ("base", "same", "retain"))).finish()
    assert asks == [12, 12, 12]


def test_a_small_device_is_asked_for_fewer_rows_at_once(
    engine: Engine, edits: dict[str, str], tmp_path: Path, asks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(("base", "edit", "retain"))
    (whole,) = Job(engine, tmp_path / "whole", edits, request).finish().values()
    asks.clear()
    monkeypatch.setattr(engine.store, "most_rows", lambda *size: 5)
    (parts,) = Job(engine, tmp_path / "parts", edits, request).finish().values()
    assert asks == [5, 5, 5, 5, 2, 2]
    # rows in other company are equal to rounding; the gap is a difference of numbers near 1
    assert parts.nats == pytest.approx(whole.nats, rel=1e-3)


def test_another_job_in_between_changes_nothing(engine: Engine, edits: dict[str, str], tmp_path: Path) -> None:
    request = asked(("edit", "base", "retain"))
    alone = Job(engine, tmp_path / "alone", edits, request).finish()
    job, bundle = Job(engine, tmp_path / "beside", edits, request), engine.bundle("tiny")
    for _ in job.steps:
        room_of(bundle).use(states.EditStack())  # as whoever draws at a yield leaves it
    assert job.measured() == alone


def test_levels_are_the_schedules_own_times_spread_over_its_log_snr(engine: Engine) -> None:
    bundle = engine.bundle("tiny")
    request = Request.load(asked(("base", "same", "retain"), pictures=200, levels=8))
    t, widths = states._times(bundle, request)
    level = log_snr(*bundle.schedule.at(torch.arange(1000).double()))
    assert t.shape == (200, 8) and torch.equal(t, t.round()) and float(t.min()) >= 0 and float(t.max()) <= 999
    torch.testing.assert_close(widths.sum(1), (level[0] - level[-1]).expand(200))
    assert bool((t.diff(dim=1) <= 0).all()), "from noise to data, one in each part"


def test_models_of_another_latent_space_are_not_compared(engine: Engine) -> None:
    bundle = engine.bundle("tiny")
    tiny = states.Resident("tiny", bundle, states.EditStack())
    states.check_comparable(tiny, states.Resident("other", engine.bundle("other"), states.EditStack()))

    class Wider:
        latent_channels, latent_scale_px, schedule = 4, bundle.latent_scale_px, bundle.schedule

    wider: Any = Wider()
    with pytest.raises(BadInput, match="how far apart they are cannot be said"):
        states.check_comparable(tiny, states.Resident("wide", wider, states.EditStack()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": [{"p": "base", "q": "gone", "prompts": "retain"}]}, "no side named 'gone'"),
        ({"pairs": [{"p": "base", "q": "edit", "prompts": "gone"}]}, "no prompts named 'gone'"),
        ({"prompts": {"retain": ()}}, "no prompt to measure"),
        ({"sides": {"base": {}, "edit": {"edits": [{"edit": "live:1"}]}}}, "still being trained"),
        ({"sides": {"base": {}, "edit": {"edits": [{"edit": "x", "start": 0.5}]}}}, "depends on step and prompt"),
        ({"sides": {"base": {}, "edit": {"edits": [{"edit": "x", "auto": True}]}}}, "depends on step and prompt"),
        ({"pictures": 1}, "pictures"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Request.load(asked(("base", "edit", "retain")) | changes)


def test_of_an_edit_both_directions_are_asked_only_where_a_gold_model_is_at_hand() -> None:
    plain = Request.load(of_edit(Side(model="tiny"), [BOLD], ["a red star"]))
    assert [pair.name for pair in plain.pairs] == ["retain: base to edit", "unconditional: base to edit"]
    gold = (Side(model="first"), Side(model="second"))
    full = Request.load(of_edit(Side(model="tiny"), [BOLD], ["a red star"], ["a blue square"], gold[0], gold))
    assert [pair.name for pair in full.pairs[2:]] == [
        "forget: edit to gold",
        "forget: gold to edit",
        "forget: base to gold",
        "forget: gold to base",
        "forget: floor to floor 2",
        "forget: floor 2 to floor",
    ]
    assert full.sides["edit"].edits == (BOLD,) and full.sides["base"].edits == ()
