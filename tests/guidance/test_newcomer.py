"""One new file is a new method, in registry, menu, presets, docs and contract; nothing else is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

METHOD = '''"""Half-way guidance: c and u are joined, then pushed.

    g = u + w*(c - u)
"""

from typing import ClassVar

from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE, OneRound, State, StepCtx
from studio.guidance.prediction import Preds


@GUIDANCE.register("{name}")
class Halfway(OneRound):
    """A method of its own file. Costs 2 rows a step."""

    source: ClassVar[str] = "this test"
    label: ClassVar[str] = "{label}"
    neutral: ClassVar[dict[str, float]] = {{"push": {neutral}}}
    native_space: ClassVar = "any"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")

    push: float = param(2.0, low=0, high=4, step=0.5, help="how far it goes")

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        return preds.uncond.x0 + self.push * (preds.cond.x0 - preds.uncond.x0), state
'''
PRESET = {"method": "halfway", "params": {"push": 3.0}, "source": "this test", "note": "When half is enough."}
REPORT = """
import json, pathlib, sys
import pytest
from studio.core.recipe import GuidanceSpec
from studio.guidance import GUIDANCE, build
from studio.guidance.presets import read_presets
from studio.services.reference import pages
from studio.ui.methods import declared
presets = pathlib.Path("presets/guidance")
method = declared().guidance["halfway"]
print(json.dumps({
    "registered": "halfway" in GUIDANCE.names(),
    "label": method.label,
    "sliders": [[spec.name, spec.low, spec.high, spec.step] for spec in method.params],
    "preset": build(read_presets(presets)["half"].spec).push,
    "page": pages(presets)["methods/halfway.md"],
    "wrapped": build(GuidanceSpec.model_validate({"method": "halfway", "wrappers": [{"wrapper": "interval"}]})).nfe(),
}), flush=True)
sys.exit(pytest.main(sys.argv[1:]))  # in the same process, which has torch by now
"""
CONTRACT = "-q -p no:cacheprovider -rf --tb=no tests/guidance/test_contract.py -k".split()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is needed, with one method more, and one that breaks its promise."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("studio", "presets"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "tests" / "guidance", copy / "tests" / "guidance", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("declared.py", "tolerance.py"):  # what the contract asks of the other tests
        shutil.copy(ROOT / "tests" / name, copy / "tests")
    (copy / "pytest.ini").write_text("[pytest]\n")
    methods = copy / "studio" / "guidance"
    (methods / "halfway.py").write_text(METHOD.format(name="halfway", label="Half way", neutral=1.0))
    (methods / "unkept.py").write_text(METHOD.format(name="unkept", label="Unkept", neutral=3.0))
    (copy / "presets" / "guidance" / "half.json").write_text(json.dumps(PRESET))
    return copy


@pytest.fixture(scope="module")
def said(tree: Path) -> str:
    """A line of JSON on what is known of the method there, and what the contract's tests say of both."""
    env = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-c", REPORT, *CONTRACT, "halfway or unkept"]
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return done.stdout


def test_it_is_in_the_registry_the_menu_the_presets_and_the_docs(said: str) -> None:
    found = json.loads(said.splitlines()[0])
    page = found.pop("page")
    assert found == {
        "registered": True,
        "label": "Half way",
        "sliders": [["push", 0.0, 4.0, 0.5]],
        "preset": 3.0,
        "wrapped": 2,
    }
    for said in ("# `halfway`", "g = u + w*(c - u)", "how far it goes", "When half is enough."):
        assert said in page


def test_the_contract_holds_it_and_finds_the_one_that_breaks_it(said: str) -> None:
    failed = [line for line in said.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1, said  # the neutral settings
    assert all("neutral_settings_give_the_conditional" in line and "unkept" in line for line in failed)
    assert "halfway" not in "".join(failed) and int(said.split(" passed")[0].split()[-1]) >= 30
