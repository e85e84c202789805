"""What is around a guidance method: what can be done to wrappers, their controls, and their value in a form."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.core.recipe import MAX_WRAPPERS, GuidanceSpec
from studio.guidance import build
from studio.ui.components import around, curve, fields
from studio.ui.methods import declarations

EVIL = "<script>alert('${1}{{2}}')</script>"
BOX: dict[str, Any] = {"wrapper": "interval", "params": {"start": 0.1, "stop": 0.7}}


def schedule(**params: Any) -> around.Wrappers:
    return around.change([], "wrap", value="schedule") if not params else [{"wrapper": "schedule", "params": params}]


def shown(html: str) -> set[str]:
    """Names of the parameters whose controls can be seen."""
    seen: set[str] = set()
    for opening, inner in re.findall(r'(<div class="param [^>]*>)(.*?)</div>', html):
        if " hidden" not in opening:
            seen |= set(re.findall(r'data-name="([a-z_]+)"', inner))
    return seen


def test_every_wrapper_goes_around_is_changed_and_goes_away() -> None:
    for name, known in declarations().wrappers.items():
        wrappers = around.change([BOX], "wrap", value=name)
        build(GuidanceSpec.model_validate({"wrappers": wrappers}))
        assert re.search(f'data-op="wrap".*value="{name}"', around.around_html([BOX], "cfg"))
        for spec in known.params:
            wrappers = around.change(wrappers, "wparam", "1", spec.name, spec.default)
        assert around.change(wrappers, "unwrap", "1") == [BOX]


def test_nothing_is_changed_in_place() -> None:
    before = [BOX, *around.change([], "wrap", value="sum")]
    kept = copy.deepcopy(before)
    around.change(before, "wparam", "0", "start", 0.5)
    around.change(before, "aparam", "1", "guidance_scale", 9.0)
    around.change(before, "added", "1", value="pag")
    around.change(before, "unwrap", "0")
    assert before == kept


@pytest.mark.parametrize(
    ("what", "at", "value", "told"),
    [
        ("burn", "0", None, "nothing to do with a modifier called 'burn'"),
        ("wrap", "", "paper", "no wrapper named 'paper'"),
        ("unwrap", "1", None, "not there any more"),
        ("wparam", "-1", 1.0, "not there any more"),
        ("wparam", "0", [1], "a number, a switch or a text"),
        ("wparam", "0", "x" * 2001, "a number, a switch or a text"),
        ("aparam", "0", 1.0, "part of the modifier is not there"),
        ("added", "0", "magic", "no guidance method named 'magic'"),
    ],
)
def test_what_cannot_be_done_is_told(what: str, at: str, value: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        around.change([BOX], what, at, "start", value)


def test_there_is_a_most() -> None:
    with pytest.raises(BadInput, match=f"up to {MAX_WRAPPERS} modifiers"):
        around.change([BOX] * MAX_WRAPPERS, "wrap", value="interval")
    assert 'class="menu-like"' in around.around_html([BOX] * MAX_WRAPPERS, "cfg")
    assert re.search(r'data-op="wrap"[^>]* disabled', around.around_html([BOX] * MAX_WRAPPERS, "cfg"))


def test_without_wrappers_there_is_one_line() -> None:
    html = around.around_html([], "cfg")
    assert "No modifiers" in html and html.count("<select") == 1 and "<fieldset" not in html
    assert not {"`", "${", "{{"} & set(re.findall(r"`|\$\{|\{\{", html))  # it is a template of Gradio's as well


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("constant", {"first"}),
        ("linear", {"first", "last"}),
        ("cosine", {"first", "last"}),
        ("beta", {"rise", "fall"}),
        ("points", {"points"}),
    ],
)
def test_of_a_schedule_only_what_the_curve_needs_is_shown(chosen: str, names: set[str]) -> None:
    html = around.around_html(schedule(curve=chosen), "cfg", row=3)
    assert shown(html) == {"parameter", "curve"} | names
    assert html.count('class="curve"') == 1 and html.index('data-name="curve"') < html.index('class="curve"')
    assert curve.curve_html("wparam", 3, "0") in html
    assert "curve" not in re.findall(r'class="(curve)"', around.around_html([BOX], "cfg"))


def options(html: str, name: str) -> list[tuple[str, str]]:
    """(label, name) of what a parameter's menu offers, what is chosen first."""
    (menu,) = re.findall(f'<select[^>]*data-name="{name}"[^>]*>(.*?)</select>', html)
    found = re.findall(r'<option value="([^"]*)"( selected)?[^>]*>([^<]*)', menu)
    return [(label, value) for value, _, label in sorted(found, key=lambda one: not one[1])]


@pytest.mark.parametrize("method", [*declarations().guidance])
def test_a_schedule_goes_around_every_method_and_may_change_each_of_its_numbers(method: str) -> None:
    wrappers = around.change([], "wrap", value="schedule", method=method)
    numbers = {spec.name: spec.label for spec in declarations().guidance[method].params if spec.kind == "float"}
    offered = options(around.around_html(wrappers, method), "parameter")
    assert {name for _, name in offered} == set(numbers)
    assert all(numbers[name] in label for label, name in offered)
    assert wrappers[0]["params"]["parameter"] == offered[0][1]
    for _, name in offered:
        wrappers = around.change(wrappers, "wparam", "0", "parameter", name)
        wrappers = around.change(wrappers, "wparam", "0", "first", 1.0)
        build(GuidanceSpec.model_validate({"method": method, "wrappers": wrappers}))


def test_a_schedule_begins_with_a_scale_where_there_is_one() -> None:
    def chosen(method: str) -> Any:
        return around.change([], "wrap", value="schedule", method=method)[0]["params"]["parameter"]

    assert [chosen(one) for one in ("pag", "frequency", "cfg_pp")] == ["guidance_scale", "low_scale", "weight"]


def test_what_a_schedule_names_of_another_method_is_shown_and_refused() -> None:
    wrappers = schedule(parameter="eta", curve="linear")
    html = around.around_html(wrappers, "cfg")
    assert options(html, "parameter")[0] == ("Not here: eta", "eta") and len(options(html, "parameter")) == 3
    assert "Not here" not in around.around_html(wrappers, "apg")
    with pytest.raises(BadInput, match="must be one of guidance_scale, rescale, not 'eta'"):
        build(GuidanceSpec.model_validate({"wrappers": wrappers}))


def test_what_is_around_a_method_added_can_be_changed() -> None:
    wrappers = around.change([BOX], "wrap", value="sum")
    wrappers = around.change(wrappers, "added", "1", value="frequency")
    for name in ("interval", "schedule"):
        wrappers = around.change(wrappers, "wrap", "1.", value=name)
    wrappers = around.change(wrappers, "wparam", "1.0", "stop", 0.4)
    assert [one["wrapper"] for one in wrappers] == ["interval", "sum"]
    box, curve = wrappers[1]["added"]["wrappers"]
    assert box["params"]["stop"] == 0.4 and curve["params"]["parameter"] == "low_scale"
    html = around.around_html(wrappers, "cfg", row=2)
    assert re.search(r'data-op="wparam" data-row="2" data-at="1.0" data-name="stop"', html)
    assert {name for _, name in options(html, "parameter")} == {"low_scale", "high_scale", "parallel"}
    build(GuidanceSpec.model_validate({"wrappers": wrappers}))
    # Another method added keeps it, as another method of the row does.
    wrappers = around.change(wrappers, "added", "1", value="pag")
    assert [one["wrapper"] for one in wrappers[1]["added"]["wrappers"]] == ["interval", "schedule"]
    assert around.change(wrappers, "unwrap", "1.0")[1]["added"]["wrappers"] == [curve]


def test_what_is_added_adds_nothing_itself() -> None:
    wrappers = around.change([], "wrap", value="sum")
    assert around.around_html(wrappers, "cfg").count('<option value="sum"') == 1
    with pytest.raises(BadInput, match="cannot add another itself"):
        around.change(wrappers, "wrap", "0.", value="sum")
    for path in ("0.0", "0.0.", "0.0.0", "1.", "x.", ".", "0..0", "٠", "9999"):
        with pytest.raises(BadInput, match="not there any more"):
            around.change(wrappers, "wparam", path, "start", 0.5)
    with pytest.raises(BadInput, match="part of the modifier is not there"):
        around.change([BOX], "wrap", "0.", value="interval")


def test_what_a_method_added_does_not_use_is_not_shown() -> None:
    wrappers = around.change(around.change([], "wrap", value="sum"), "added", "0", value="seg")
    assert "blur_sigma" in shown(around.around_html(wrappers, "cfg"))
    wrappers = around.change(wrappers, "aparam", "0", "blur", "mean")
    assert "blur_sigma" not in shown(around.around_html(wrappers, "cfg"))


def test_what_was_written_is_text_on_the_page() -> None:
    wrappers = [*schedule(curve="points", points=EVIL, parameter=EVIL), {"wrapper": EVIL, "params": {}}]
    html = around.around_html(wrappers, "cfg", problem=EVIL)
    assert "<script" not in html and html.count("&lt;script&gt;") >= 4


def test_a_wrapper_that_is_not_here_can_be_taken_away() -> None:
    html = around.around_html([{"wrapper": "of another version", "params": {}}], "cfg")
    assert "not there any more" in html and 'data-op="unwrap"' in html


def test_the_value_of_the_control_goes_both_ways() -> None:
    wrappers = [BOX, *around.change([], "wrap", value="sum")]
    assert around.read(around.to_json(wrappers)) == wrappers
    assert around.to_json([]) == "" and around.read("") == around.read(None) == []


def test_one_thing_done_in_a_form() -> None:
    answer = around.around_changed(["", "wrap", "", "", "schedule", "cfg"])
    (made,) = json.loads(answer["value"])
    assert made["wrapper"] == "schedule" and 'class="curve"' in answer["html"]
    assert around.around_drawn([answer["value"], "cfg"]) == answer
    refused = around.around_changed([answer["value"], "wrap", "", "", "paper", "cfg"])
    assert refused["value"] == answer["value"] and "no wrapper named &#x27;paper&#x27;" in refused["html"]
    assert around.around_changed([answer["value"], "unwrap", "0", "", None, "cfg"])["value"] == ""


def test_a_value_that_cannot_be_read_is_told_and_left_out() -> None:
    answer = around.around_drawn(["[1", "cfg"])
    assert answer["value"] == "" and "could not be read" in answer["html"] and "No modifiers" in answer["html"]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    plain
    | st.tuples(plain, st.sampled_from([*around.CHANGES]), plain, plain, plain, plain).map(list)
    | st.tuples(plain, plain).map(list)
)
def test_whatever_a_browser_sends_is_answered(sent: Any) -> None:
    for answer in (around.around_drawn(sent), around.around_changed(sent)):
        assert "Add a modifier" in answer["html"]
        around.read(answer["value"])


def test_each_parameter_of_each_method_has_a_control_with_its_name() -> None:
    for method in declarations().guidance.values():
        for spec, made in zip(method.params, fields.parameters(method.params, {}, "param", 1), strict=True):
            assert f'data-name="{spec.name}"' in made and 'aria-label="' in made
