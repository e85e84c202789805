"""The controls of methods as one: their HTML, and the way between their JSON and parameters."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.ui.components import choice
from studio.ui.components.choice import PARTS
from studio.ui.methods import Method, declared

ALL = {"method": declared().guidance, "sampler": declared().samplers}
EVERY = [(key, name) for key, methods in ALL.items() for name in methods]


def laid_out(key: str, methods: dict[str, Method]) -> dict[str, str]:
    """The HTML of each part, the first of the methods chosen."""
    return {part: choice.part_html(key, methods, next(iter(methods)), part) for part in PARTS}


@pytest.mark.parametrize("key", ALL)
def test_every_parameter_has_a_labelled_explained_control_in_one_part(key: str) -> None:
    parts = laid_out(key, ALL[key])
    whole = "".join(parts.values())
    for name, method in ALL[key].items():
        for spec in method.params:
            found = re.findall(rf'<(?:input|select)[^>]* data-at="{name}" data-name="{spec.name}"[^>]*>', whole)
            assert 1 <= len({re.sub("slider|range|, ", "", one) for one in found}) <= 2, (name, spec.name)
            assert all("aria-label=" in one for one in found), (name, spec.name)
    assert whole.count('class="hint"') == sum(len(method.params) for method in ALL[key].values())


@pytest.mark.parametrize(("key", "name"), EVERY)
def test_what_a_parameter_depends_on_is_in_its_part(key: str, name: str) -> None:
    for place in PARTS.values():
        here = {spec.name for spec in ALL[key][name].params[place]}
        assert {other for spec in ALL[key][name].params[place] for other, _ in spec.when} <= here


@pytest.mark.parametrize("key", ALL)
def test_only_the_chosen_ones_controls_are_shown(key: str) -> None:
    parts = laid_out(key, ALL[key])
    first = next(iter(ALL[key]))
    for html in parts.values():
        groups = re.findall(r'<div class="method-controls" data-method="([^"]+)"( hidden)?>', html)
        assert [name for name, hidden in groups if not hidden] == [name for name, _ in groups if name == first]


def test_what_is_declared_means_itself_in_a_template() -> None:
    evil = declared().guidance["apg"].params[0]
    evil = type(evil)(**{**vars(evil), "help": "${alert(1)} {{value}} <b>"})
    parts = laid_out("method", {"evil": Method("evil", (evil,))})
    assert "{" not in parts["first"] and "<b>" not in parts["first"]


@pytest.mark.parametrize(("key", "name"), EVERY)
def test_values_and_parameters_are_each_others_reverse(key: str, name: str) -> None:
    defaults = {spec.name: spec.default for spec in ALL[key][name].params}
    values = choice.values_of_choice(key, name, {}, ALL[key])
    assert choice.chosen(values, key, key, ALL[key]) == (name, defaults)
    assert choice.chosen({key: name}, key, key, ALL[key]) == (name, defaults)
    assert {*values} == {key, *(f"{key}.{part}" for part in PARTS)}


def test_what_another_method_was_set_to_is_kept_and_does_not_count() -> None:
    held = {"cfg": {"guidance_scale": 4}, "apg": {"guidance_scale": 9}, "gone": {"x": 1}}
    values = {"method": "cfg", "method.first": json.dumps(held), "method.rest": '{"apg": {"eta": 1}}'}
    name, params = choice.chosen(values, "method", "guidance method", ALL["method"])
    assert (name, params["guidance_scale"]) == ("cfg", 4.0) and "eta" not in params


@pytest.mark.parametrize("said", ["{", "[]", "1", '{"cfg": 3}', 7, "[" * 100_000])
def test_what_the_controls_never_say_is_refused_in_one_sentence(said: Any) -> None:
    with pytest.raises(BadInput, match="must be JSON objects") as caught:
        choice.chosen({"method": "cfg", "method.first": said}, "method", "guidance method", ALL["method"])
    assert len(str(caught.value)) < 250


def test_an_unknown_one_is_named() -> None:
    with pytest.raises(NotFound, match="no sampler named 'none'; there are ddim"):
        choice.chosen({"sampler": "none"}, "sampler", "sampler", ALL["sampler"])
