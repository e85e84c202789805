"""A training on top of an edit: what learns sees the network with the edit, and whoever else draws sees the base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from studio.core.errors import BadInput, NonFinite
from studio.engine.runner import Engine
from studio.training.lora.files import BANK
from studio.training.lora.plan import Plan
from tests.engine.edits.making import full_hash
from tests.tiny_model import build_once
from tests.training.lora.test_trainer import PLAN, Job, drawn, engine_of, hooks, network
from tests.training.lora.toy_losses import Breaks


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture
def engine(model: Path) -> Engine:
    return engine_of(model)


@pytest.fixture
def edits(engine: Engine, tmp_path: Path) -> dict[str, str]:
    """A trained edit, by its name."""
    path = Job(engine, tmp_path / "first", steps=3, lr=0.5).finish().of("edit")[0]["path"]
    return {"first": path}


def on_top(engine: Engine, folder: Path, edits: dict[str, str], strength: float = 1.0, **changes: Any) -> Job:
    return Job(engine, folder, edits=edits, beneath=[{"edit": "first", "strength": strength}], **changes)


def test_it_learns_on_top_of_the_edit_and_leaves_the_network_the_base(
    engine: Engine, edits: dict[str, str], tmp_path: Path
) -> None:
    weights, picture = full_hash(network(engine)), drawn(engine)
    job = on_top(engine, tmp_path / "top", edits)
    for turn, _ in enumerate(job.steps):
        assert full_hash(network(engine)) == weights and hooks(network(engine)) == 0
        if turn % 6 == 0:
            assert drawn(engine) == picture
    assert full_hash(network(engine)) == weights
    learned = job.of("edit")[0]["sha256"]
    plain = Job(engine, tmp_path / "plain").finish().of("edit")[0]["sha256"]
    off = on_top(engine, tmp_path / "off", edits, strength=0.0).finish().of("edit")[0]["sha256"]
    assert learned != plain == off
    top, base = (load_file(tmp_path / name / BANK) for name in ("top", "plain"))
    assert all(torch.equal(top[name], base[name]) for name in base), "the states are the base's own"


def test_where_numbers_end_the_network_is_the_base_too(engine: Engine, edits: dict[str, str], tmp_path: Path) -> None:
    weights = full_hash(network(engine))
    Breaks.steps.clear()
    with pytest.raises(NonFinite):
        on_top(engine, tmp_path / "broken", edits, loss="breaks", loss_params={"at": 2}).finish()
    assert full_hash(network(engine)) == weights and hooks(network(engine)) == 0


def test_an_edit_that_acts_in_some_steps_only_is_refused(engine: Engine, edits: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="acts in every step"):
        Job(engine, tmp_path / "part", edits=edits, beneath=[{"edit": "first", "start": 0.5}]).finish()
    assert "beneath" not in Plan.load(PLAN).plain()
