"""Guidance in the form: presets to choose from and to save, the method, and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.ui.components import around, choice, menu, method_menu
from studio.ui.components.form import GUIDANCE, Form, Values
from studio.ui.errors import told
from studio.ui.markup import alert, tag, text
from studio.ui.methods import declarations
from studio.ui.prompt.bench import QUICK

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.ui.tabs.base import Page

AS_SET = "As set below"


# -- handlers -------------------------------------------------------------------------------------------------------


def entries(presets: GuidancePresets) -> list[tuple[str, str]]:
    """(label, name) for the menu; "" is the form's own settings."""
    found = [(f"{entry.name} (yours)" if entry.own else entry.name, entry.name) for entry in presets.listing()]
    return [(AS_SET, ""), *found]


def notes(presets: GuidancePresets) -> str:
    """What is wrong with presets that cannot be used, if any is."""
    broken = [entry for entry in presets.listing() if entry.problem]
    return "".join(alert(f"The preset {entry.name} cannot be used: {entry.problem}.") for entry in broken)


def is_own(presets: GuidancePresets, name: str) -> bool:
    """Whether a preset is one the user saved."""
    return any(entry.own and entry.name == name for entry in presets.listing())


def take(presets: GuidancePresets, name: str) -> tuple[Values, str]:
    """Values of the form for a preset, and what to say of it. Raises NotFound, BadInput."""
    if not name:
        return {}, ""
    found = presets.load(name)
    values = choice.values_of_choice("method", found.spec.method, found.spec.params, declarations().guidance)
    values["wrappers"] = around.said([each.model_dump(mode="json") for each in found.spec.wrappers])
    said = tag("p", f"{text(found.note)} {tag('cite', text(found.source))}", class_="preset-note")
    return values, alert(found.warning) + said


def save(presets: GuidancePresets, name: str, values: Values) -> str:
    """Keep the form's guidance under a name. Raises BadInput, NotFound, WorkspaceError."""
    method, params = choice.chosen(values, "method", GUIDANCE, declarations().guidance)
    given = {"method": method, "params": params, "wrappers": around.read(values.get("wrappers"))}
    spec = load(GuidanceSpec, given, "guidance")
    return presets.save((name or "").strip(), spec).name


# -- layout ---------------------------------------------------------------------------------------------------------


def build(form: Form, presets: GuidancePresets, page: Page) -> None:
    """Lay out presets, method and parameters, and wire them among themselves."""
    preset = gr.Dropdown(entries(presets), value="", label="Guidance", elem_id="preset",
                         info="How the picture is pulled to the prompt: a named setting, or your own.")  # fmt: skip
    said = gr.HTML(notes(presets), apply_default_css=False, elem_id="preset-said")
    methods = choice.Choice(form, "method", GUIDANCE, declarations().guidance, "cfg")
    methods.controls("first")  # what one reaches for; the rest would bury it
    with gr.Accordion("Guidance method", open=False, elem_id="guidance-method"):
        methods.menu("Method", "Every method has controls of its own.")
        methods.controls("rest")
        wrappers = form.add("wrappers", around.control(methods.default))
        with gr.Row(elem_classes="save-row"):
            name = gr.Textbox(label="Save as a preset", info="Name of your own setting.", max_lines=1, max_length=60,
                              elem_id="preset-name")  # fmt: skip
            keep = gr.Button("Save", elem_id="preset-save", min_width=70, scale=0)
        drop = gr.Button("Remove this preset", visible=False, size="sm", elem_id="preset-remove")
    # What was saved since the page was laid out is in the menu of a page that is opened again, and what was saved on
    # another tab in that of this one when it is come back to.
    gr.on([page.demo.load, page.tabs.select], lambda: gr.Dropdown(entries(presets)), None, preset, **QUICK)
    _wire(form, presets, preset, said, name, keep, [form.controls["method"], *methods.parameters, wrappers])
    _wire_removing(presets, preset, said, drop)
    _wire_model(page, form.controls["method"])


def _wire(
    form: Form, presets: GuidancePresets, preset: gr.Dropdown, said: gr.HTML, name: gr.Textbox, keep: gr.Button,
    own: list[Any],
) -> None:  # fmt: skip
    names = [field for field, component in form.controls.items() if any(component is one for one in own)]

    @told
    def on_preset(chosen: str) -> list[Any]:
        values, note = take(presets, chosen)
        return [note, *(gr.update(value=values[field]) if field in values else gr.skip() for field in names)]

    @told
    def on_save(wanted: str, *given: Any) -> list[Any]:
        saved = save(presets, wanted, dict(zip(names, given, strict=True)))
        return [gr.Dropdown(entries(presets), value=saved), "", alert(f"Saved as {saved}.", kind="note")]

    controls = [form.controls[field] for field in names]
    menu.chosen(preset)(on_preset, preset, [said, *controls], **QUICK)
    keep.click(on_save, [name, *controls], [preset, name, said], **QUICK)
    # Moved by hand, the settings are no preset's any more. In the browser alone.
    moved: dict[str, Any] = {"inputs": None, "outputs": [preset, said], "js": "() => ['', '']", **QUICK}
    gr.on([one.input for one in controls if not isinstance(one, gr.Dropdown)], None, **moved)  # type: ignore[attr-defined]
    for one in controls:
        if isinstance(one, gr.Dropdown):  # looked into and left as it was, it is not moved
            menu.chosen(one)(None, **moved)


def _wire_model(page: Page, method: Any) -> None:
    """What the chosen model cannot do says so in the menu."""

    @told
    def on_model(model: str) -> Any:
        return gr.Dropdown(method_menu.choices(page.studio, model))

    page.demo.load(on_model, page.sidebar.model, method, **QUICK)
    page.sidebar.model.change(on_model, page.sidebar.model, method, **QUICK)


def _wire_removing(presets: GuidancePresets, preset: gr.Dropdown, said: gr.HTML, drop: gr.Button) -> None:
    """The button is there for a preset of one's own."""

    @told
    def on_change(chosen: str) -> Any:
        return gr.Button(visible=is_own(presets, chosen))

    @told
    def on_drop(chosen: str) -> list[Any]:
        presets.remove(chosen)
        return [gr.Dropdown(entries(presets), value=""), alert(f"Removed {chosen}.", kind="note")]

    preset.change(on_change, preset, drop, **QUICK)
    drop.click(on_drop, preset, [preset, said], **QUICK)
