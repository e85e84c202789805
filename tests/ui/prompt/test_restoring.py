"""A recipe put back into the form: whatever the form cannot hold is left out, and said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest

from studio.core.recipe import EditRef, Recipe
from studio.ui.components.form import Form
from studio.ui.edit_stack import StackSession
from studio.ui.prompt.restoring import restored
from studio.ui.stack_panel import StackPanel


@pytest.fixture
def form() -> Form:
    form = Form()
    form.add("model", gr.Dropdown(["stencil"], value="stencil"))
    form.add("sampler", gr.Dropdown(["ddim"], value="ddim"))
    for name in ("width", "height", "steps"):
        form.add(name, gr.Number(128))
    return form


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sentences: list[str] = []
    monkeypatch.setattr(gr, "Warning", sentences.append)
    return sentences


PANEL = cast("StackPanel", SimpleNamespace(answer=lambda session, model: {"stack_model": model}))


def put_back(form: Form, recipe: Recipe | None, session: StackSession | None = None) -> dict[str, Any]:
    answer = restored(form, PANEL, recipe, session or StackSession())
    return {name: value["value"] if isinstance(value, dict) else value for name, value in answer.items()}


def test_a_picture_of_another_model_leaves_the_size_to_the_model_that_draws_and_says_so(
    form: Form, said: list[str]
) -> None:
    foreign = Recipe(model="<b>large</b>", width=512, height=768, steps=9, sampler="ddim")
    answer = put_back(form, foreign)
    assert answer["steps"] == 9 and answer["sampler"] == "ddim" and not {"model", "width", "height"} & set(answer)
    assert len(said) == 1 and "&lt;b&gt;large" in said[0] and "size" in said[0] and "512 × 768" in said[0]


def test_a_picture_of_the_same_model_keeps_its_size_and_nothing_is_said(form: Form, said: list[str]) -> None:
    answer = put_back(form, Recipe(width=64, height=96, steps=9, sampler="ddim"))
    assert (answer["width"], answer["height"], answer["model"]) == (64, 96, "stencil") and said == []
    assert put_back(form, None) == {}


def test_what_a_menu_does_not_have_is_named_and_the_stack_is_that_of_the_picture(form: Form, said: list[str]) -> None:
    session = StackSession()
    edits = (EditRef(edit="blue-1", strength=0.5),)
    answer = put_back(form, Recipe(sampler="of_tomorrow", width=64, edits=edits), session)
    assert (
        "sampler" not in answer and answer["width"] == 64 and "sampler 'of_tomorrow'" in said[0].replace("&#x27;", "'")
    )
    assert session.value.refs == list(edits) or tuple(session.value.refs) == edits
    assert answer["stack_model"] == "stencil"
