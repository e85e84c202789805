from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.services.presets import GuidancePresets
from studio.ui.prompt import presets
from tests.ui.test_form import FILLED


@pytest.fixture
def own(tmp_path: Path) -> GuidancePresets:
    return GuidancePresets(tmp_path)


def test_the_menu_begins_with_the_forms_own_settings(own: GuidancePresets) -> None:
    assert presets.entries(own)[0] == (presets.AS_SET, "")
    assert ("APG: high scale without burnt colours", "apg") in presets.entries(own)
    assert all(": " in label for label, name in presets.entries(own) if name)  # by title, with what it does


def test_taking_a_preset_sets_its_method_and_all_parameters(own: GuidancePresets) -> None:
    values, said = presets.take(own, "apg")
    assert values["method"] == "apg" and json.loads(values["method.first"]) == {"apg": {"guidance_scale": 5.0}}
    assert json.loads(values["method.rest"])["apg"].keys() == {"eta", "momentum", "norm_threshold_rms", "space"}
    assert "arXiv:2410.02416" in said
    assert presets.take(own, "") == ({}, "")


def test_saving_keeps_what_the_form_holds(own: GuidancePresets) -> None:
    values = FILLED | {"method.first": '{"apg": {"guidance_scale": 9}, "cfg": {"guidance_scale": 6}}'}
    assert presets.save(own, " soft ", values) == "soft"
    assert json.loads(presets.take(own, "soft")[0]["method.first"]) == {"cfg": {"guidance_scale": 6.0}}
    assert ("soft (yours)", "soft") in presets.entries(own)
    assert presets.is_own(own, "soft") and not presets.is_own(own, "apg") and not presets.is_own(own, "")


def test_what_is_around_the_method_goes_both_ways(own: GuidancePresets) -> None:
    values, _ = presets.take(own, "cfg-interval")
    assert "interval_sigma" in values["wrappers"] and presets.take(own, "cfg")[0]["wrappers"] == ""
    presets.save(own, "boxed", FILLED | {"wrappers": values["wrappers"]})
    (wrapper,) = own.load("boxed").spec.wrappers
    assert wrapper.params == {"sigma_min": 0.28, "sigma_max": 5.4}


def test_a_bad_name_and_bad_settings_are_refused(own: GuidancePresets) -> None:
    for name, values in (("../x", FILLED), ("", FILLED), ("mine", FILLED | {"method.rest": '{"cfg": {"rescale": 7}}'})):
        with pytest.raises(BadInput):
            presets.save(own, name, values)


def test_a_broken_preset_is_told(own: GuidancePresets) -> None:
    own.own_folder.mkdir(parents=True)
    (own.own_folder / "<b>.json").write_text("[]")
    assert "&lt;b&gt; cannot be used: it names no method" in presets.notes(own)
