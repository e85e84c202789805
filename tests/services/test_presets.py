from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.services.presets import GuidancePresets

ROOT = Path(__file__).resolve().parents[2]
SPEC = GuidanceSpec(
    method="cfg",
    params={"guidance_scale": 4.0},
    wrappers=(WrapperSpec(wrapper="sum", added=GuidanceSpec(method="apg")), WrapperSpec(wrapper="rescale")),
)


@pytest.fixture
def presets(tmp_path: Path) -> GuidancePresets:
    return GuidancePresets(tmp_path)


def test_those_that_ship_are_listed_and_every_one_can_be_taken(presets: GuidancePresets) -> None:
    listed = presets.listing()
    assert {"cfg", "apg", "none"} <= {entry.name for entry in listed}
    for entry in listed:
        assert not entry.is_own and not entry.problem and presets.load(entry.name).note == entry.note


SLOWLY = """
import sys, threading, time
from pathlib import Path
from studio.services.presets import GuidancePresets

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "studio.guidance.projection":
            halfway.set()
            time.sleep(0.5)

halfway = threading.Event()
sys.meta_path.insert(0, Slow())
threading.Thread(target=lambda: __import__("studio.guidance")).start()
halfway.wait(60)
print(GuidancePresets(Path(".")).load("orthogonal-only").spec.method)
"""


def test_a_preset_waits_for_the_methods_that_another_thread_is_importing(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", SLOWLY],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (made.stdout, made.returncode) == ("projection\n", 0), made.stderr


def test_what_is_saved_comes_back_and_is_listed_as_ones_own(presets: GuidancePresets) -> None:
    presets.save("soft colours", SPEC, "for skies")
    found = presets.load("soft colours")
    assert (found.spec, found.note, found.warning) == (SPEC, "for skies", "")
    assert [entry.name for entry in presets.listing() if entry.is_own] == ["soft colours"]


def test_a_torn_preset_is_replaced_by_the_last_good_one(presets: GuidancePresets) -> None:
    presets.save("mine", SPEC)
    presets.save("mine", GuidanceSpec(method="apg", params={}))
    (presets.own_folder / "mine.json").write_text('{"method": "ap')
    found = presets.load("mine")
    assert found.spec == SPEC and "mine.json" in found.warning
    (entry,) = [entry for entry in presets.listing() if entry.is_own]
    assert "cannot be read" in entry.problem
    presets.save("mine", GuidanceSpec(method="apg", params={}))  # what is torn is not kept as the last good one
    (presets.own_folder / "mine.json").write_text("{")
    assert presets.load("mine").spec == SPEC


def test_a_torn_preset_without_a_version_before_is_told_by_name(presets: GuidancePresets) -> None:
    presets.own_folder.mkdir(parents=True)
    (presets.own_folder / "mine.json").write_text("{")
    with pytest.raises(BadInput, match=r"mine\.json"):
        presets.load("mine")


@pytest.mark.parametrize(
    "name", ["", " ", "../x", "a/b", ".", "..", "CON", "nul.txt", "x" * 61, "a.", " a", "a\0b", "ä", "cfg", "CFG"]
)
def test_other_names_are_refused(presets: GuidancePresets, name: str) -> None:
    with pytest.raises(BadInput, match="name|already"):
        presets.save(name, SPEC)
    assert not presets.own_folder.exists()


def test_names_that_differ_by_case_alone_are_one(presets: GuidancePresets) -> None:
    presets.save("Mine", SPEC)
    with pytest.raises(BadInput, match="'Mine' already"):
        presets.save("mine", SPEC)


@pytest.mark.parametrize("spec", [GuidanceSpec(method="cgf"), GuidanceSpec(params={"guidance_scale": 1e9})])
def test_settings_that_no_method_takes_are_not_saved(presets: GuidancePresets, spec: GuidanceSpec) -> None:
    with pytest.raises(BadInput):
        presets.save("mine", spec)
    assert not presets.own_folder.exists()


@pytest.mark.parametrize("name", ["", "nothing", "../../../presets/guidance/cfg", "/etc/passwd"])
def test_there_are_no_others(presets: GuidancePresets, name: str) -> None:
    for call in (presets.load, presets.remove):
        with pytest.raises(NotFound):
            call(name)


def test_ones_own_can_be_removed_and_those_that_ship_cannot(presets: GuidancePresets) -> None:
    presets.save("mine", SPEC)
    presets.remove("mine")
    assert not [entry for entry in presets.listing() if entry.is_own]
    with pytest.raises(NotFound):
        presets.remove("cfg")
