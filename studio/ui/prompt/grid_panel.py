"""The X/Y/Z grid on the Prompt tab: its axes, what they come to, and its sheet. What they do: grid.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.core.recipe import EditRef
from studio.ui import watch
from studio.ui.components import axes, history, menu, sheet
from studio.ui.components.form import Form
from studio.ui.markup import tag, text
from studio.ui.prompt import grid, past
from studio.ui.prompt.grid import AXIS_PARTS
from studio.ui.stack_panel import NAME as STACK
from studio.ui.stack_panel import SESSION
from studio.ui.tabs.base import Page
from studio.ui.values import TEXT, WHOLE, holds, remembered
from studio.ui.wiring import Answer, Event, Wiring

AXIS_MENUS = tuple(f"axis_{letter}" for letter in "XYZ")


# -- layout ---------------------------------------------------------------------------------------------------------


def build(values: Mapping[str, Any]) -> dict[str, Any]:
    """The axes, the button, and the place for the sheet. values: of the form, as it is laid out."""
    parts: dict[str, Any] = {}
    with gr.Accordion("X/Y/Z grid", open=False, elem_id="grid") as parts["panel"]:
        for letter, info in (
            ("X", "From left to right."),
            ("Y", "From top to bottom."),
            ("Z", "One table for each value."),
        ):
            with gr.Row(elem_classes="axis"):
                parts[f"axis_{letter}"] = gr.Dropdown(
                    axes.choices(values),
                    value="",
                    label=f"{letter} axis",
                    info=info,
                    min_width=180,
                    scale=2,
                    elem_id=f"axis-{letter.lower()}",
                )
                parts[f"values_{letter}"] = gr.Textbox(
                    label=f"{letter} values",
                    info="Such as 1-5, or a, b.",
                    max_lines=3,
                    min_width=180,
                    scale=3,
                    max_length=100_000,
                    elem_id=f"values-{letter.lower()}",
                )
        parts["forecast"] = gr.HTML(
            tag("p", text(axes.HELP), class_="hint"), apply_default_css=False, elem_id="forecast"
        )
        with gr.Row(elem_classes="grid-go"):
            parts["start"] = gr.Button("Make the grid", variant="primary", elem_id="grid-start", scale=0, min_width=150)
            parts["earlier"] = gr.Dropdown(
                [],
                value=None,
                label="Earlier grids",
                info="To look at, or to go on with.",
                elem_id="earlier-grids",
                min_width=160,
                visible=False,
            )
        script = sheet.SCRIPT + watch.PART
        parts["sheet"] = gr.HTML("", apply_default_css=False, js_on_load=script, elem_id="grid-sheet")
    parts["grid"] = gr.BrowserState(None, storage_key="palimpsest-grid", secret="palimpsest-page")
    holds(parts["grid"], remembered(WHOLE))
    return parts


# -- wiring ---------------------------------------------------------------------------------------------------------


class _Inputs:
    """What the handlers read from the page: the form, the edits and the axes."""

    def __init__(self, page: Page, form: Form) -> None:
        self._edits, self._form = page.sidebar.edits, form
        self.form_and_axes = (*form.names, *AXIS_PARTS)
        self.all = (*SESSION, *self.form_and_axes)

    def values(self, event: Event) -> tuple[dict[str, Any], Sequence[EditRef]]:
        """The form as plain values, and the edits that are on."""
        with self._edits.of(event) as session:
            refs = session.value.refs
        return self._form.plain(event.values), refs

    def with_axes(self, event: Event) -> tuple[dict[str, Any], Sequence[EditRef], list[Any]]:
        """The same, and what is typed for the axes, by AXIS_PARTS."""
        return *self.values(event), [event[name] for name in AXIS_PARTS]

    def menus(self, event: Event, typed: Mapping[str, str] | None = None) -> Answer:
        """What each axis can be by now. typed: by AXIS_PARTS, what axes are set to; None leaves them."""
        typed = typed or {}
        selected = [typed.get(name, event[name]) for name in AXIS_MENUS]
        entries = axes.choices(*self.values(event), selected)
        dropdowns = {
            name: gr.Dropdown(entries, value=typed[name]) if name in typed else gr.Dropdown(entries)
            for name in AXIS_MENUS
        }
        return {**typed, **dropdowns}


def wire(page: Page, form: Form, around: Wiring, parts: dict[str, Any]) -> None:
    """The forecast follows the axes; the sheet follows its job, whatever else is drawn. around: the tab's wiring."""
    wiring, inputs = Wiring({**around.parts, **parts}), _Inputs(page, form)
    _wire_axes(page, wiring, inputs)
    _wire_choice(page, wiring, inputs)
    _wire_sheet(page, wiring)


def _wire_axes(page: Page, wiring: Wiring, inputs: _Inputs) -> None:
    """What an axis can be follows the form and the edits; what the axes come to follows them and is begun."""
    studio, edits, parts = page.studio, page.sidebar.edits, wiring.parts

    def on_recipe(event: Event) -> Answer:
        return inputs.menus(event)

    def on_axes(event: Event) -> Answer:
        return {"forecast": grid.forecast(studio, *inputs.with_axes(event))}

    def on_start(event: Event) -> Answer:
        number, html = grid.start(studio, *inputs.with_axes(event))
        if number is None:
            return {"forecast": html}
        earlier = gr.Dropdown(grid.earlier(studio), value=number, visible=True)
        return {"grid": number, "sheet": html, "earlier": earlier}

    changes = [parts[name].change for name in AXIS_PARTS]
    wiring.on(changes, on_axes, inputs.all, ("forecast",), mode="always_last")
    offers = [parts[name].change for name in ("method", "sampler", "wrappers")]
    wiring.on(offers, on_recipe, inputs.all, AXIS_MENUS, mode="always_last")
    edits.on_change(wiring, on_recipe, inputs.form_and_axes, AXIS_MENUS)
    begun = ("grid", "forecast", "sheet", "earlier")
    wiring.on(parts["start"].click, on_start, inputs.form_and_axes, begun, turns=(STACK,), announces=True)


def _wire_choice(page: Page, wiring: Wiring, inputs: _Inputs) -> None:
    """An earlier grid, and the one that was on the page before a reload."""
    studio, parts = page.studio, wiring.parts

    def on_choice(event: Event) -> Answer:
        number = event["earlier"]
        typed = inputs.menus(event, grid.refilled(studio, number))
        return {"grid": number, "sheet": grid.show(studio, number)[0], **typed}

    def on_open(event: Event) -> Answer:
        entries = grid.earlier(studio)
        chosen = event["grid"] if event["grid"] in [number for _, number in entries] else None
        html, drawing = grid.show(studio, chosen)
        menu_of_grids = gr.Dropdown(entries, value=chosen, visible=bool(entries))
        answer = {"earlier": menu_of_grids, "sheet": html, **inputs.menus(event, grid.refilled(studio, chosen))}
        # One that is still drawn is in sight at once.
        return {**answer, "panel": gr.Accordion(open=True)} if drawing else answer

    filled_in = ("grid", "sheet", *AXIS_PARTS)
    wiring.on(menu.chosen(parts["earlier"]), on_choice, ("earlier", *inputs.all), filled_in)
    wiring.on(page.demo.load, on_open, ("grid", *inputs.all), ("panel", "earlier", "sheet", *AXIS_PARTS))


def _wire_sheet(page: Page, wiring: Wiring) -> None:
    """The sheet is looked at again while it is drawn; its buttons, and its pictures."""
    studio, table = page.studio, wiring.parts["sheet"]

    def on_look(event: Event) -> Answer:
        html, drawing = grid.show(studio, event["grid"])
        # The last time, its pictures come into the history too.
        return {"sheet": html} if drawing else {"sheet": html, "past": history.past(studio, event["query"])}

    def on_act(event: Event) -> Answer:
        return {"sheet": grid.act(studio, event.read("act", TEXT), event.read("grid", WHOLE))[0]}

    def on_pick(event: Event) -> Answer:
        return past.picked(studio, [event.read("id", WHOLE)])

    wiring.on(table.look, on_look, ("grid", "query"), ("sheet", "past"))
    wiring.on(table.act, on_act, (), ("sheet",), announces=True)
    wiring.then(wiring.on(table.pick, on_pick, (), past.PICKED), past.REVEAL)
