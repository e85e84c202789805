"""A training that is over made longer: its plan, what is kept for it, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import AssetError, BadInput
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.files import BANK, CHECKPOINT, EDIT, FINISHED, KEPT, MEASURES, lay_by
from studio.training.lora.lengthening import MAX_NAME_CHARS, finished_steps, hand_on, lengthened
from studio.training.lora.plan import Plan
from studio.training.lora.standing import Standing
from tests.training.lora.test_looks import looked_at
from tests.training.lora.test_trainer import PLAN


def plan(**changes: Any) -> Plan:
    return Plan.load({**PLAN, **changes})


def over(folder: Path, of: Plan, step: int = 6) -> Path:
    """The folder of a training that is over."""
    tensors = {"factors/a": torch.arange(3.0), "generator": torch.arange(4, dtype=torch.uint8)}
    tensors["optimiser/0/exp_avg"] = torch.ones(2, dtype=torch.float64)
    for name in (CHECKPOINT, BANK):
        Checkpoints(folder).write(Checkpoint(Standing(of.digest, "base", step, 1.5, 1), tensors), name)
    (folder / EDIT).write_bytes(b"an edit")
    (folder / MEASURES).write_text("[]")
    lay_by(folder)
    return folder


def test_the_plan_has_more_steps_that_no_look_ends_and_all_else_as_it_was() -> None:
    erasure = {"concepts": ["star"], "training": {"steps": None, "early_stopping": True, "rank": 4}}
    short = plan(looks=looked_at(), provenance={"erasure": erasure, "method": "ca"})
    longer = lengthened(short, 20)
    assert (longer.steps, longer.name) == (20, "towards blue, 20 steps")
    assert longer.looks is not None and not longer.looks.stops and short.looks is not None
    assert longer.looks.model_copy(update={"stops": True}) == short.looks
    training = {"steps": 20, "early_stopping": False, "rank": 4}
    assert longer.provenance == {
        "erasure": {"concepts": ["star"], "training": training},
        "method": "ca",
        "version": 2,
    }
    same = {"name", "steps", "looks", "provenance"}
    assert longer.model_dump(exclude=same) == short.model_dump(exclude=same)
    from_pictures = {"bank": None, "pictures": {"images": [["0" * 64]] * 2}}
    tried_on = {"rows": 1, "every": 2, "stop_rise": 0.1}
    held_out = lengthened(plan(**from_pictures, held_out=tried_on), 20).held_out
    assert held_out is not None and (held_out.rows, held_out.stop_rise) == (1, None)
    again = lengthened(longer, 30)
    assert (again.name, again.provenance["version"]) == ("towards blue, 30 steps", 3)
    assert len(lengthened(plan(name="x" * 80), 7).name) == MAX_NAME_CHARS
    with pytest.raises(BadInput, match="steps"):
        lengthened(short, 10**9)


def test_what_it_goes_on_from_belongs_to_the_longer_plan(tmp_path: Path) -> None:
    short = plan()
    longer, source = lengthened(short, 10), over(tmp_path / "short", short)
    assert not (source / EDIT).exists() and not (source / CHECKPOINT).exists() and finished_steps(source) == 6
    hand_on(source, tmp_path / "longer", short, longer)
    for name in (CHECKPOINT, BANK):
        checkpoint = Checkpoints(tmp_path / "longer").read(longer.digest, "base", name)
        assert checkpoint is not None and checkpoint.standing == Standing(longer.digest, "base", 6, 1.5, 1)
        assert torch.equal(checkpoint.tensors["factors/a"], torch.arange(3.0))
        assert checkpoint.tensors["generator"].dtype == torch.uint8
        assert checkpoint.tensors["optimiser/0/exp_avg"].dtype == torch.float64
    assert (tmp_path / "longer" / MEASURES).read_text() == "[]" and finished_steps(source) == 6
    with pytest.raises(BadInput, match="other settings"):
        hand_on(source, tmp_path / "other", plan(seed=9), longer)
    (source / FINISHED).write_bytes(b"cut short")
    with pytest.raises(AssetError, match="damaged"):
        finished_steps(source)


def test_of_many_that_are_over_the_newest_can_be_made_longer(tmp_path: Path) -> None:
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / CHECKPOINT).write_bytes(b"may be gone on with")
    for number in range(KEPT + 2):
        folder = over(tmp_path / str(number), plan())
        os.utime(folder / FINISHED, (1000 + number, 1000 + number))
    lay_by(tmp_path / str(KEPT + 1))
    left = {path.parent.name for path in tmp_path.glob(f"*/{FINISHED}")}
    assert left == {str(number) for number in range(2, KEPT + 2)} == {p.parent.name for p in tmp_path.glob(f"*/{BANK}")}
    assert (tmp_path / "stopped" / CHECKPOINT).exists() and (tmp_path / "0" / MEASURES).exists()
    with pytest.raises(BadInput, match="is gone: of those that are over"):
        finished_steps(tmp_path / "0")
