"""`align` on the command line: what is asked of the studio, and what is refused before it."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from studio.cli import main
from studio.cli.align import METHODS, NUMBERS, _plan, add
from studio.core.errors import BadInput
from studio.training.align.objectives import OBJECTIVES
from studio.training.align.plan import read_plan


def plan(*words: str) -> dict[str, Any]:
    """What these words ask for, where dpo is recommended."""
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers())
    return _plan(parser.parse_args(["align", *words]), "dpo")


def test_every_objective_and_every_field_has_its_word() -> None:
    assert set(METHODS) == set(OBJECTIVES.names())
    asked = plan("--snapshot", "mine", *(word for name in NUMBERS for word in (f"--{name}", "0.5")))
    assert {name.replace("-", "_") for name in NUMBERS} <= asked.keys()


def test_what_is_not_said_is_the_objectives_own() -> None:
    asked = plan("--snapshot", "mine")
    assert asked == {"name": "aligned-mine", "model": "stencil", "method": "dpo", "snapshot": "mine", "params": {}}
    checked = read_plan(plan("--snapshot", "mine", "--method", "mapo", "--param", "beta=0.2", "--steps", "50"))
    assert (checked.method, checked.params, checked.steps, checked.lr) == ("mapo", {"beta": 0.2}, 50, None)


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(BadInput, match="NAME=VALUE"):
        plan("--snapshot", "mine", "--param", "beta")


def test_a_snapshot_that_is_not_there_is_named(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", "--snapshot", "mine", "--workspace", str(tmp_path)]) == 2
    assert "no snapshot 'mine'" in capsys.readouterr().err
