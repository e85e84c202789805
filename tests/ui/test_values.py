"""The one reader of what the page sends, without a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.core.errors import BadInput
from studio.ui import values

NESTED: Any = "x"
for _ in range(values.MAX_DEPTH + 2):
    NESTED = [NESTED]


def steps() -> gr.Slider:
    return gr.Slider(1, 100, 20, label="Steps")


def method(**more: Any) -> gr.Dropdown:
    return gr.Dropdown([("Plain", "cfg"), ("Projected", "apg")], value="cfg", label="Method", **more)


def one(component: Any, value: Any) -> Any:
    (found,) = values.read([component], [value])
    return found


@pytest.mark.parametrize(
    ("component", "value", "said"),
    [
        (steps(), None, "“Steps” is empty. Give a number from 1 to 100."),
        (steps(), 0, "“Steps” must be a number from 1 to 100, not 0."),
        (steps(), "7", "“Steps” must be a number from 1 to 100, not '7'."),
        (steps(), True, "“Steps” must be a number from 1 to 100, not True."),
        (steps(), float("nan"), "“Steps” must be a number from 1 to 100, not nan."),
        (steps(), 10**400, "“Steps” must be a number from 1 to 100, not 1000000000"),
        (gr.Number(label="Width"), [8], "“Width” must be a number, not [8]."),
        (gr.Checkbox(label="Partial"), 1, "“Partial” must be true or false, not 1."),
        (gr.Textbox(label="Prompt"), 5, "“Prompt” must be text, not 5."),
        (gr.Textbox(label="Prompt"), "\ud800", "What was sent cannot be read: '\\ud800' has half a character in it."),
        (gr.HTML(), {}, "What the page sent must be text, not {}."),
        (method(), None, "“Method” is empty. Choose one of its entries."),
        (method(), "x", "“Method” has no entry 'x'. Choose one that it lists."),
        (method(), ["cfg"], "“Method” must be one of its entries, not ['cfg']."),
        (method(multiselect=True), "cfg", "“Method” must be a list of its entries, not 'cfg'."),
        (method(multiselect=True), ["cfg", {}], "“Method” must be one of its entries, not {}."),
        (gr.File(label="A file"), "x.png", "The file must be a file that was uploaded here, not 'x.png'."),
        (gr.File(label="A file"), {"path": "/etc/passwd"}, "must be a file that was uploaded here, not 'passwd'."),
        (gr.Textbox(), NESTED, "What was sent cannot be read: values within values, more than 64 deep."),
    ],
)
def test_what_a_component_cannot_hold_is_refused_by_its_label(component: Any, value: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        one(component, value)
    assert str(caught.value).startswith(said) or said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_what_it_can_hold_comes_as_it_is_and_none_where_the_page_has_none() -> None:
    fitting = [
        (steps(), 7),
        (steps(), 7.0),
        (gr.Number(), None),
        (gr.Number(), -2.5),
        (gr.Checkbox(), None),
        (gr.Checkbox(), True),
        (gr.Textbox(), None),
        (gr.Textbox(), "a striped star"),
        (gr.HTML(), '{"cfg": {}}'),
        (method(), "apg"),
        (gr.Dropdown([], value=None), None),
        (method(multiselect=True), []),
        (method(multiselect=True), ["apg", "cfg"]),
        (gr.File(), None),
        (gr.BrowserState(), {"rows": []}),
        (gr.Timer(), 0.5),
    ]
    components, given = zip(*fitting, strict=True)
    assert values.read(components, given) == list(given)


def test_what_one_declares_counts_instead_of_the_class() -> None:
    days = values.holds(gr.HTML([]), values.texts("a list of two days"), "From and until")
    assert one(days, ["2026-01-01", ""]) == ["2026-01-01", ""] and one(days, None) is None
    with pytest.raises(BadInput, match=r"^From and until must be a list of two days, not 'soon'\.$"):
        one(days, "soon")


def test_what_the_browser_remembers_is_forgotten_where_it_is_of_another_kind() -> None:
    job = values.holds(gr.BrowserState(), values.remembered(values.TEXT))
    assert [one(job, value) for value in ("4f", None, 5, {}, "\ud800", NESTED)] == ["4f", None, None, None, None, None]


def test_entries_and_limits_are_those_that_the_page_has_by_now() -> None:
    made, now = method(), method()
    now.choices = [("Other", "other")]
    assert values.read([made], ["other"], lambda same: now) == ["other"]
    with pytest.raises(BadInput):
        values.read([made], ["cfg"], lambda same: now)


def test_as_many_values_as_there_are_inputs() -> None:
    for given in ([], [1, 2]):
        with pytest.raises(BadInput, match=f"sent {len(given)} values where 1 were due"):
            values.read([steps()], given)


def test_a_file_is_an_upload_of_a_kind_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "1").mkdir(parents=True)
    for name in ("a.PNG", "a.jpg"):
        (tmp_path / "cache" / "1" / name).touch()
    (tmp_path / "cache" / "link.png").symlink_to(tmp_path)
    field = gr.File(label="Picture", file_types=[".png"])
    path = str(tmp_path / "cache" / "1" / "a.PNG")
    told = {"path": path, "url": "http://evil.example", "size": "x", "meta": {"_type": "gradio.FileData"}}
    assert one(field, told) == {"path": path, "orig_name": "a.PNG", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(BadInput, match=r"^The file a\.jpg is not taken here\. Give one of \.png\.$"):
        one(field, {**told, "path": path.replace("PNG", "jpg")})
    for other in ("cache/1", "cache/none.png", "cache/../a", "cache/link.png", "a\0b", "x" * 5000):
        with pytest.raises(BadInput, match="must be a file that was uploaded here") as caught:
            one(field, {**told, "path": str(tmp_path / other)})
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(BadInput, match="uploaded here, not 'passwd'"):
        one(gr.Textbox(), ["x", {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}])


@pytest.mark.parametrize("data", [None, [], "id", {}, {"id": "1"}, {"id": 1.5}, {"id": True}, {"id": 10**400}])
def test_what_an_event_tells_is_read_too(data: Any) -> None:
    with pytest.raises(BadInput, match=r"^The page told .+ where a whole number was due\. Load it again\.$"):
        values.read_field(data, "id", values.WHOLE)
    assert values.read_field({"id": 3.0}, "id", values.WHOLE) == 3


def test_boxes_of_which_none_is_told_are_none_marked() -> None:
    boxes = gr.CheckboxGroup(["a", "b"], value=["a"])
    assert values.read([boxes], [None]) == [[]] and values.read([boxes], [["b"]]) == [["b"]]
