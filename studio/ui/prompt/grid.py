"""X/Y/Z grids: the form's recipe, varied along up to three axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput, NotFound, StudioError, WorkspaceError
from studio.core.params import shown
from studio.core.recipe import EditRef, Recipe
from studio.services.estimate import seconds_for
from studio.services.grids.grid import Grid
from studio.services.pairing import caveat
from studio.services.wording import words
from studio.ui import watch
from studio.ui.components import history, menu, sheet
from studio.ui.components.form import Form, recipes
from studio.ui.components.progress import seconds
from studio.ui.errors import sentence
from studio.ui.markup import alert, tag, text
from studio.ui.prompt import axes, past
from studio.ui.stack_panel import NAME as STACK
from studio.ui.stack_panel import SESSION
from studio.ui.tabs.base import Page
from studio.ui.values import TEXT, WHOLE, holds, remembered
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

AXIS_MENUS = tuple(f"axis_{letter}" for letter in "XYZ")
AXIS_PARTS = tuple(f"{part}_{letter}" for letter in "XYZ" for part in ("axis", "values"))
HELP = (
    "Numbers: 1, 2, 3 or 1-5 or 1-9 (+2) or 0.5-2 [4]. Texts: with commas between them. Search and replace: the first "
    "text is looked for in the prompt, and each takes its place. To vary what another guidance method has, choose that "
    "method first."
)


# -- handlers -------------------------------------------------------------------------------------------------------


def base_for(values: Mapping[str, Any], edits: Sequence[EditRef], wording: Any, paths: Sequence[str | None]) -> Recipe:
    """The recipe of the form, one picture of it. Raises BadInput.

    Parameters of a method are left to their defaults where the axes change the method itself: no other would take them.
    """
    recipe = recipes({**values, "count": 1}, edits, wording)[0]
    changed: dict[str, Any] = recipe.model_dump(mode="json")
    if "sampler" in paths:
        changed["sampler_params"] = {}
    if "guidance.method" in paths:
        scale = recipe.guidance.params.get("guidance_scale")
        changed["guidance"]["params"] = {} if scale is None else {"guidance_scale": scale}
    return Recipe.load(changed)


def forecast(
    studio: Studio, values: Mapping[str, Any], edits: Sequence[EditRef], axis_texts: Sequence[str | None]
) -> str:
    """How many pictures there will be, and how long they take; or what is wrong."""
    if not any(axis_texts[::2]):
        return tag("p", text(HELP), class_="hint")
    try:
        base = base_for(values, edits, words(studio.settings.workspace), axis_texts[::2])
        plan = studio.grids.plan(base, axes.read(studio, base, axis_texts))
    except StudioError as error:
        return tag("p", text(sentence(error)), class_="hint wrong", role="status")
    takes = seconds_for(studio.jobs, plan.recipes)
    shape = " × ".join(str(len(axis.values)) for axis in plan.axes)
    time = "time known after a first picture" if takes is None else seconds(takes)
    count = f"{shape} = {len(plan.recipes)} pictures" if len(plan.axes) > 1 else f"{len(plan.recipes)} pictures"
    line = tag("p", text(f"{count}, {time}."), class_="forecast", role="status")
    return line + alert(_caveat(plan.recipes), kind="note")


def _caveat(cells: Sequence[Recipe]) -> str:
    """What to know of the first cell whose guidance method does not go with its sampler."""
    pairs = dict.fromkeys((recipe.guidance, recipe.sampler, tuple(recipe.sampler_params.items())) for recipe in cells)
    sentences = (caveat(guidance, sampler, dict(params)) for guidance, sampler, params in pairs)
    return next((sentence for sentence in sentences if sentence), "")


def start(
    studio: Studio, values: Mapping[str, Any], edits: Sequence[EditRef], axis_texts: Sequence[str | None]
) -> tuple[int | None, str]:
    """Begin a grid; its number and how it looks, or None and why not."""
    try:
        base = base_for(values, edits, words(studio.settings.workspace), axis_texts[::2])
        number = studio.grids.start(base, axes.read(studio, base, axis_texts))
    except StudioError as error:
        return None, alert(sentence(error))
    return number, show(studio, number)[0]


def show(studio: Studio, number: int | None) -> tuple[str, bool]:
    """How a grid looks now, and whether it is being drawn; "" for none."""
    if not number:
        return "", False
    try:
        grid = studio.grids.get(number)
    except NotFound:  # the browser remembers a grid of another workspace
        return "", False
    except WorkspaceError as error:  # this one cannot be read, and the page is there for the others
        return alert(sentence(error)), False
    return sheet.grid_html(grid, _progress(studio, grid)), grid.job_id is not None


def act(studio: Studio, action: str, number: int) -> tuple[str, bool]:
    """Press a button of a grid. Raises NotFound, BadInput."""
    grid = studio.grids.get(number)
    if action == "resume":
        studio.grids.resume(number)
    elif action == "stop":
        if grid.job_id:
            studio.jobs.stop(grid.job_id)
    else:
        raise BadInput(f"There is nothing to do with a grid called {shown(action)}.")
    return show(studio, number)


def refilled(studio: Studio, number: int | None) -> dict[str, str]:
    """The axes of a grid as they are typed, by AXIS_PARTS; {} for no grid."""
    try:
        grid_axes = studio.grids.get(number).axes if number else ()
    except (NotFound, WorkspaceError):
        return {}
    typed = [text for axis in grid_axes for text in (axis.path, axes.typed(axis))]
    return dict(zip(AXIS_PARTS, typed + [""] * (len(AXIS_PARTS) - len(typed)), strict=True)) if typed else {}


def earlier(studio: Studio) -> list[tuple[str, int]]:
    """(label, number) of the newest grids."""
    return [(f"Grid {number}", number) for number in studio.grids.newest()]


def _progress(studio: Studio, grid: Grid) -> Mapping[str, float]:
    if not grid.job_id:
        return {}
    events = studio.jobs.events(grid.job_id)
    newest = next((event.data for event in reversed(events) if event.kind == "progress"), {})
    return {**newest, "drawn": sum(event.kind == "image" for event in events)}


# -- layout and wiring ----------------------------------------------------------------------------------------------


def build(values: Mapping[str, Any]) -> dict[str, Any]:
    """The axes, the button, and the place for the sheet. values: of the form, as it is laid out."""
    parts: dict[str, Any] = {}
    with gr.Accordion("X/Y/Z grid", open=False, elem_id="grid") as parts["panel"]:
        for letter, info in (("X", "To the right."), ("Y", "Downward."), ("Z", "A table for each.")):
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
                    info="As in 1-5 or a, b.",
                    max_lines=3,
                    min_width=180,
                    scale=3,
                    max_length=100_000,
                    elem_id=f"values-{letter.lower()}",
                )
        parts["forecast"] = gr.HTML(tag("p", text(HELP), class_="hint"), apply_default_css=False, elem_id="forecast")
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


def wire(page: Page, form: Form, around: Wiring, parts: dict[str, Any]) -> None:
    """The forecast follows the axes; the sheet follows its job, whatever else is drawn. around: the tab's wiring."""
    studio, edits = page.studio, page.sidebar.edits
    wiring = Wiring({**around.parts, **parts})

    def of(event: Event) -> tuple[dict[str, Any], Sequence[EditRef], list[Any]]:
        with edits.of(event) as session:
            refs = session.value.refs
        return form.plain(event.values), refs, [event[name] for name in AXIS_PARTS]

    def menus(event: Event, typed: Mapping[str, str] | None = None) -> Answer:
        """What each axis can be by now. typed: by AXIS_PARTS, what axes are set to; None leaves them."""
        with edits.of(event) as session:
            refs = session.value.refs
        typed = typed or {}
        selected = [typed.get(name, event[name]) for name in AXIS_MENUS]
        entries = axes.choices(form.plain(event.values), refs, selected)
        dropdowns = {
            name: gr.Dropdown(entries, value=typed[name]) if name in typed else gr.Dropdown(entries)
            for name in AXIS_MENUS
        }
        return {**typed, **dropdowns}

    def on_recipe(event: Event) -> Answer:
        return menus(event)

    def on_axes(event: Event) -> Answer:
        return {"forecast": forecast(studio, *of(event))}

    def on_start(event: Event) -> Answer:
        number, html = start(studio, *of(event))
        if number is None:
            return {"forecast": html}
        return {"grid": number, "sheet": html, "earlier": gr.Dropdown(earlier(studio), value=number, visible=True)}

    def on_choice(event: Event) -> Answer:
        number = event["earlier"]
        return {"grid": number, "sheet": show(studio, number)[0], **menus(event, refilled(studio, number))}

    def on_look(event: Event) -> Answer:
        html, drawing = show(studio, event["grid"])
        # The last time, its pictures come into the history too.
        return {"sheet": html} if drawing else {"sheet": html, "past": history.past(studio, event["query"])}

    def on_open(event: Event) -> Answer:
        entries = earlier(studio)
        chosen = event["grid"] if event["grid"] in [number for _, number in entries] else None
        html, drawing = show(studio, chosen)
        menu_of_grids = gr.Dropdown(entries, value=chosen, visible=bool(entries))
        answer = {"earlier": menu_of_grids, "sheet": html, **menus(event, refilled(studio, chosen))}
        # One that is still drawn is in sight at once.
        return {**answer, "panel": gr.Accordion(open=True)} if drawing else answer

    def on_act(event: Event) -> Answer:
        return {"sheet": act(studio, event.read("act", TEXT), event.read("grid", WHOLE))[0]}

    def on_pick(event: Event) -> Answer:
        return past.picked(studio, [event.read("id", WHOLE)])

    form_and_axes = (*form.names, *AXIS_PARTS)
    recipe_and_axes = (*SESSION, *form_and_axes)
    changes = [parts[name].change for name in AXIS_PARTS]
    wiring.on(changes, on_axes, recipe_and_axes, ("forecast",), mode="always_last")
    offers = [wiring.parts[name].change for name in ("method", "sampler", "wrappers")]
    wiring.on(offers, on_recipe, recipe_and_axes, AXIS_MENUS, mode="always_last")
    edits.on_change(wiring, on_recipe, form_and_axes, AXIS_MENUS)
    begun = ("grid", "forecast", "sheet", "earlier")
    wiring.on(parts["start"].click, on_start, form_and_axes, begun, turns=(STACK,), announces=True)
    wiring.on(menu.chosen(parts["earlier"]), on_choice, ("earlier", *recipe_and_axes), ("grid", "sheet", *AXIS_PARTS))
    wiring.on(parts["sheet"].look, on_look, ("grid", "query"), ("sheet", "past"))
    wiring.on(parts["sheet"].act, on_act, (), ("sheet",), announces=True)
    wiring.then(wiring.on(parts["sheet"].pick, on_pick, (), past.PICKED), past.REVEAL)
    wiring.on(page.demo.load, on_open, ("grid", *recipe_and_axes), ("panel", "earlier", "sheet", *AXIS_PARTS))
