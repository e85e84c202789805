"""Guidance in the form: presets to choose from and to save, the method, and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.ui.components import around, choice, menu, method_menu
from studio.ui.components.form import GUIDANCE, Form, Values
from studio.ui.markup import alert, tag, text
from studio.ui.methods import declarations
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.ui.tabs.base import Page

AS_SET = "Custom"


# -- handlers -------------------------------------------------------------------------------------------------------


def entries(presets: GuidancePresets) -> list[tuple[str, str]]:
    """(label, name) for the menu; "" is the form's own settings."""
    return [(AS_SET, ""), *((entry.label, entry.name) for entry in presets.listing())]


def notes(presets: GuidancePresets) -> str:
    """What is wrong with presets that cannot be used, if any is."""
    broken = [entry for entry in presets.listing() if entry.problem]
    return "".join(alert(f"The preset {entry.name} cannot be used: {entry.problem}.") for entry in broken)


def is_own(presets: GuidancePresets, name: str) -> bool:
    """Whether a preset is one the user saved."""
    return any(entry.is_own and entry.name == name for entry in presets.listing())


def take(presets: GuidancePresets, name: str) -> tuple[Values, str]:
    """Values of the form for a preset, and what to say of it. Raises NotFound, BadInput."""
    if not name:
        return {}, ""
    preset = presets.load(name)
    values = choice.values_of_choice("method", preset.spec.method, preset.spec.params, declarations().guidance)
    values["wrappers"] = around.to_json([wrapper.model_dump(mode="json") for wrapper in preset.spec.wrappers])
    note = tag("p", f"{text(preset.note)} {tag('cite', text(preset.source))}", class_="preset-note")
    return values, alert(preset.warning) + note


def save(presets: GuidancePresets, name: str, values: Values) -> str:
    """Keep the form's guidance under a name. Raises BadInput, NotFound, WorkspaceError."""
    method, params = choice.chosen(values, "method", GUIDANCE, declarations().guidance)
    guidance = {"method": method, "params": params, "wrappers": around.read(values.get("wrappers"))}
    spec = load(GuidanceSpec, guidance, "guidance")
    return presets.save((name or "").strip(), spec).name


# -- layout ---------------------------------------------------------------------------------------------------------


def build(form: Form, presets: GuidancePresets, page: Page) -> None:
    """Lay out presets, method and parameters, and wire them among themselves."""
    parts: dict[str, Any] = {"model": page.sidebar.model}
    parts["preset"] = gr.Dropdown(
        entries(presets),
        value="",
        label="Guidance",
        elem_id="preset",
        info="How pictures are made to follow the prompt: a preset, or your own settings.",
    )
    parts["preset_said"] = gr.HTML(notes(presets), apply_default_css=False, elem_id="preset-said")
    names_of_others = set(form.names)
    methods = choice.Choice(form, "method", declarations().guidance, "cfg")
    methods.controls("first")  # what one reaches for; the rest would bury it
    with gr.Accordion("Guidance method", open=False, elem_id="guidance-method"):
        methods.menu("Method", "Every method has controls of its own.")
        methods.controls("rest")
        form.add("wrappers", around.control(methods.default))
        with gr.Row(elem_classes="save-row"):
            parts["name"] = gr.Textbox(
                label="Save as a preset",
                info="A name for these settings.",
                max_lines=1,
                max_length=60,
                elem_id="preset-name",
            )
            parts["save"] = gr.Button("Save", elem_id="preset-save", min_width=70, scale=0)
        parts["drop"] = gr.Button("Remove this preset", visible=False, size="sm", elem_id="preset-remove")
    guidance_names = [name for name in form.names if name not in names_of_others]
    wiring = Wiring({**form.controls, **parts})
    # What was saved since the page was laid out is in the menu of a page that is opened again, and what was saved on
    # another tab in that of this one when it is come back to.
    menu_again = [page.demo.load, page.tab.select]
    wiring.on(menu_again, lambda event: {"preset": gr.Dropdown(entries(presets))}, (), ("preset",), mode="multiple")
    _wire(wiring, presets, guidance_names)
    _wire_removing(wiring, presets)
    _wire_model(wiring, page)


def _wire(wiring: Wiring, presets: GuidancePresets, guidance_names: list[str]) -> None:
    parts = wiring.parts

    def on_preset(event: Event) -> Answer:
        values, note = take(presets, event["preset"])
        updates = {name: gr.update(value=values[name]) for name in guidance_names if name in values}
        return {"preset_said": note, **updates}

    def on_save(event: Event) -> Answer:
        saved = save(presets, event["name"], {name: event[name] for name in guidance_names})
        note = alert(f"Saved as {saved}.", kind="note")
        return {"preset": gr.Dropdown(entries(presets), value=saved), "name": "", "preset_said": note}

    wiring.on(menu.chosen(parts["preset"]), on_preset, ("preset",), ("preset_said", *guidance_names))
    wiring.on(parts["save"].click, on_save, ("name", *guidance_names), ("preset", "name", "preset_said"))
    # Moved by hand, the settings are no preset's any more. In the browser alone. A menu that was looked into and left
    # as it was is not moved.
    menus = [parts[name] for name in guidance_names if isinstance(parts[name], gr.Dropdown)]
    moved = [parts[name].input for name in guidance_names if parts[name] not in menus]
    for happens in (moved, *map(menu.chosen, menus)):
        wiring.browser(happens, "() => ['', '']", (), ("preset", "preset_said"))


def _wire_model(wiring: Wiring, page: Page) -> None:
    """What the chosen model cannot do says so in the menu."""

    def on_model(event: Event) -> Answer:
        return {"method": gr.Dropdown(method_menu.choices(page.studio, event["model"]))}

    wiring.on(page.demo.load, on_model, ("model",), ("method",))
    wiring.on(page.sidebar.model.change, on_model, ("model",), ("method",))


def _wire_removing(wiring: Wiring, presets: GuidancePresets) -> None:
    """The button is there for a preset of one's own."""
    parts = wiring.parts

    def on_change(event: Event) -> Answer:
        return {"drop": gr.Button(visible=is_own(presets, event["preset"]))}

    def on_drop(event: Event) -> Answer:
        presets.remove(event["preset"])
        note = alert(f"Removed {event['preset']}.", kind="note")
        return {"preset": gr.Dropdown(entries(presets), value=""), "preset_said": note}

    wiring.on(parts["preset"].change, on_change, ("preset",), ("drop",))
    wiring.on(parts["drop"].click, on_drop, ("preset",), ("preset", "preset_said"))
