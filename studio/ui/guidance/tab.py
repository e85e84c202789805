"""The Guidance tab's parts and what happens between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.core.errors import BadInput
from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.services.presets import GuidancePresets
from studio.ui import edit_stack, handover
from studio.ui.components.form import samplers
from studio.ui.errors import told
from studio.ui.guidance import board as boards
from studio.ui.guidance import results, rows, run, why
from studio.ui.guidance import sweep as sweeps
from studio.ui.guidance.board import Board
from studio.ui.handover import Handover
from studio.ui.markup import alert
from studio.ui.tabs.base import Page

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
POLL_S = 0.4
ANNOUNCE = "() => window.dispatchEvent(new Event('palimpsest-changed'))"
TITLE = "Guidance"
KEEP = "Save the open row"


@dataclass(frozen=True)
class Parts:
    """The components. fields: what all rows share, by the names of run.FIELDS. board: kept in the browser."""

    fields: dict[str, Any]
    board: gr.BrowserState
    timer: gr.Timer
    html: dict[str, gr.HTML]
    go: gr.Button
    stop: gr.Button
    preset: gr.Dropdown
    name: gr.Textbox
    save: gr.Button
    sweep: dict[str, Any]


# -- layout ---------------------------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    presets = GuidancePresets(page.studio.settings.workspace)
    with gr.Row(elem_classes="workbench guidance"):
        with gr.Column(elem_classes="controls", min_width=0):
            left = _left(presets)
        with gr.Column(elem_classes="stage", min_width=0):
            html = {
                "message": _html("", "guidance-message"),
                "results": _html(results.EMPTY, "guidance-results", results.CLICK),
                "why": _html("", "guidance-why"),
                "strip": _html("", "guidance-strip"),
            }
            with gr.Accordion("Sweep one parameter", open=False, elem_id="guidance-sweep"):
                sweep = _sweep()
                html["sweep"] = _html("", "guidance-film", results.CLICK)
    parts = Parts(
        board=page.memories["guidance"],
        timer=gr.Timer(POLL_S, active=False), html={**html, "rows": left.pop("rows")}, sweep=sweep,
        go=left.pop("go"), stop=left.pop("stop"), preset=left.pop("preset"), name=left.pop("name"),
        save=left.pop("save"), fields=left,
    )  # fmt: skip
    _wire(page, parts, presets)


def _html(value: str, id: str, script: str | None = None) -> gr.HTML:
    return gr.HTML(value, apply_default_css=False, js_on_load=script, elem_id=id)


def _left(presets: GuidancePresets) -> dict[str, Any]:
    left: dict[str, Any] = {}
    left["prompt"] = gr.Textbox(
        "a striped purple star on a meadow background", label="Prompt", info="One for all rows.", lines=2, max_lines=6,
        max_length=20_000, elem_id="guidance-prompt",
    )  # fmt: skip
    left["negative"] = gr.Textbox("", label="Negative prompt", info="What guidance moves away from.", max_lines=4,
                                  max_length=20_000, elem_id="guidance-negative")  # fmt: skip
    with gr.Row(elem_classes="go"):
        left["go"] = gr.Button("Compare", variant="primary", elem_id="compare")
        left["stop"] = gr.Button(
            "Stop", variant="stop", interactive=False, elem_id="guidance-stop", min_width=64, scale=0
        )
    with gr.Row(elem_classes="shared"):
        left["seed"] = gr.Textbox("7", label="Seed", info="-1: a new one.", max_lines=1, max_length=40,
                                  elem_id="guidance-seed", min_width=90)  # fmt: skip
        left["seeds"] = gr.Slider(1, run.MAX_SEEDS, 1, step=1, label="Seeds", info="Columns.", min_width=90,
                                  elem_id="guidance-seeds")  # fmt: skip
    with gr.Row(elem_classes="shared"):
        left["steps"] = gr.Slider(1, 100, 20, step=1, label="Steps", info="Of every row.", min_width=90,
                                  elem_id="guidance-steps")  # fmt: skip
        known = [(one.label, name) for name, one in samplers().items()]
        left["sampler"] = gr.Dropdown(known, value="dpmpp_2m", label="Sampler", info="Of every row.", min_width=90,
                                      elem_id="guidance-sampler")  # fmt: skip
    left["equal"] = gr.Checkbox(
        False, label="Equal network work (NFE)", elem_id="guidance-equal",
        info="Rows that ask the network more per step take fewer steps, so that all cost the same.",
    )  # fmt: skip
    left["rows"] = _html("", "guidance-rows", rows.SCRIPT)
    left["preset"] = gr.Dropdown(entries(presets), value="", label="Preset", elem_id="guidance-preset",
                                 info="Puts a named setting into the open row.")  # fmt: skip
    with gr.Row(elem_classes="save-row"):
        left["name"] = gr.Textbox(label=KEEP, info="As a preset, for every tab.", max_lines=1, max_length=60,
                                  elem_id="guidance-preset-name")  # fmt: skip
        left["save"] = gr.Button("Save", elem_id="guidance-preset-save", min_width=70, scale=0)
    return left


def _sweep() -> dict[str, Any]:
    with gr.Row(elem_classes="sweep-row"):
        made = {
            "name": gr.Dropdown([], label="Parameter", info="Of the open row.", elem_id="sweep-name", min_width=140),
            "low": gr.Number(0, label="From", info="First.", elem_id="sweep-low", min_width=70),
            "high": gr.Number(10, label="To", info="Last.", elem_id="sweep-high", min_width=70),
            "count": gr.Number(6, label="Pictures", info="2 to 12.", precision=0, minimum=2, elem_id="sweep-count",
                               maximum=sweeps.MAX_VALUES, min_width=70),
            "go": gr.Button("Sweep", elem_id="sweep-go", scale=0, min_width=90),
        }  # fmt: skip
    return made


def entries(presets: GuidancePresets) -> list[tuple[str, str]]:
    """(label, name) for the menu."""
    return [("", ""), *((f"{one.name} (yours)" if one.own else one.name, one.name) for one in presets.listing())]


# -- wiring ---------------------------------------------------------------------------------------------------------


def _wire(page: Page, parts: Parts, presets: GuidancePresets) -> None:
    studio, model, stack = page.studio, page.sidebar.model, page.sidebar.edits.state
    html, names, sweep = parts.html, list(parts.fields), parts.sweep
    shared = [model, stack, *parts.fields.values()]
    seen = [html["rows"], html["results"], html["why"], html["sweep"], html["message"], sweep["name"], sweep["low"],
            sweep["high"], parts.timer, parts.stop]  # fmt: skip

    def view(board: Board, chosen_model: str, said: str = "", before: Board | None = None) -> list[Any]:
        """Everything as it is now. before: where only what changed since is to be set."""
        now = results.show(studio, board)
        film, filming = sweeps.sweep_html(studio, board["sweep"])
        formulas, wrong = run.formulas(board, studio, chosen_model)
        spec = boards.row_of(board, board["chosen"])["guidance"]
        swept = sweeps.parameters(spec)
        name = next((name for _, name in swept if name.endswith("scale")), swept[0][1] if swept else None)
        limits: list[Any] = [gr.skip(), gr.skip(), gr.skip()]
        if before is None or _method_of(before) != _method_of(board):
            low, high = sweeps.bounds(spec, name) if name else (0.0, 1.0)
            limits = [gr.Dropdown(swept, value=name), low, high]
        busy = now.busy or filming
        same = before is not None and before["shown"] == board["shown"]
        reason = gr.skip() if same else why.why_html(studio, board, now.drawn)
        return [
            rows.rows_html(board, formulas, wrong), now.html, reason, film,
            alert(said), *limits, gr.Timer(active=busy), gr.Button(interactive=busy),
        ]  # fmt: skip

    def given(values: tuple[Any, ...]) -> tuple[str, list[Any], dict[str, Any]]:
        chosen_model, kept, *rest = values
        return chosen_model, list(edit_stack.read(kept).refs), dict(zip(names, rest, strict=True))

    def redrawn(now: Board, id: int, model: str, edits: list[Any], fields: Mapping[str, Any]) -> tuple[Board, str]:
        """A row drawn again on the seeds that are shown, whatever stands in the field by now."""

        def work() -> Board:
            base = run.base_of(studio, model, {**fields, "seed": boards.seeds(now)[0]}, edits)
            return run.again(studio, now, id, base, bool(fields["equal"]))

        return run.tried(work, now)

    @told
    def on_open(kept: Any, visited: bool, chosen_model: str) -> list[Any]:
        board = boards.read(kept)
        if visited:
            return [board, *view(board, chosen_model)]
        # Formulas and colours bring torch, and the page is painted before that: they come when the tab is visited.
        return [board, rows.rows_html(board, {}, {}), *(gr.skip() for _ in seen[1:])]

    @told
    def on_tab(kept: Any, chosen_model: str, event: gr.SelectData) -> list[Any]:
        if event.value != TITLE:
            return [gr.skip() for _ in range(len(seen) + 2)]
        menu = gr.Dropdown(entries(presets))
        if kept is None:  # quicker than what the browser kept is read: `on_open` shows it
            return [True, *(gr.skip() for _ in seen), menu]
        return [True, *view(boards.read(kept), chosen_model), menu]

    @told
    def on_compare(kept: Any, *values: Any) -> list[Any]:
        chosen_model, edits, fields = given(values)
        before = boards.read(kept)
        board = {**before, "shown": 0}

        def work() -> Board:
            base = run.base_of(studio, chosen_model, fields, edits)
            return run.compare(studio, board, base, fields["seeds"], bool(fields["equal"]))

        now, said = run.tried(work, board)
        return [now, *view(now, chosen_model, said, before=before), ""]

    @told
    def on_op(kept: Any, event: gr.EventData) -> list[Any]:
        before = boards.read(kept)
        what, id = str(event.op), int(event.row)

        def work() -> Board:
            if what == "add":
                return boards.add(before, boards.defaults(str(event.value)))
            return boards.change(before, what, id, int(event.at), str(event.name), event.value)

        now, said = run.tried(work, before)
        # A value that moved is drawn at once where its row was drawn before.
        moved = not said and what not in ("add", "choose", "copy", "remove", "up", "down")
        return [now, before, id if moved else 0, said]

    @told
    def on_changed(kept: Any, before: Board, moved: int, said: str, *values: Any) -> list[Any]:
        chosen_model, edits, fields = given(values)
        now = boards.read(kept)
        if moved and boards.seeds(now):
            now, said = redrawn(now, moved, chosen_model, edits, fields)
        return [now, *view(now, chosen_model, said, before=before)]

    @told
    def on_tick(kept: Any, chosen_model: str) -> list[Any]:
        board = boards.read(kept)
        now, (film, filming) = results.show(studio, board), sweeps.sweep_html(studio, board["sweep"])
        busy = now.busy or filming
        return [now.html, film, gr.Timer(active=busy), gr.Button(interactive=busy)]

    @told
    def on_why(kept: Any, event: gr.EventData) -> list[Any]:
        board = {**boards.read(kept), "shown": int(event.id)}
        now = results.show(studio, board)
        return [board, now.html, why.why_html(studio, board, now.drawn), ""]

    @told
    def on_strip(kept: Any) -> str:
        return why.strip_html(studio, boards.read(kept)["shown"])

    @told
    def on_stop(kept: Any) -> None:
        board = boards.read(kept)
        for job in {cell["job"] for cell in board["cells"]} | ({board["sweep"]["job"]} if board["sweep"] else set()):
            studio.stop(job)

    @told
    def on_sweep(kept: Any, name: str, low: Any, high: Any, count: Any, *values: Any) -> list[Any]:
        chosen_model, edits, fields = given(values)
        board = boards.read(kept)

        def work() -> Board:
            base = run.base_of(studio, chosen_model, fields, edits)
            return run.sweep(studio, board, base, name, low, high, count)

        now, said = run.tried(work, board)
        return [now, *view(now, chosen_model, said, before=board)]

    @told
    def on_preset(kept: Any, chosen: str, *values: Any) -> list[Any]:
        chosen_model, edits, fields = given(values)
        before = boards.read(kept)

        def work() -> Board:
            spec = presets.load(chosen).spec.model_dump(mode="json")
            return boards.with_guidance(before, before["chosen"], spec)

        now, said = run.tried(work, before) if chosen else (before, "")
        if chosen and not said and boards.seeds(now):
            now, said = redrawn(now, now["chosen"], chosen_model, edits, fields)
        # Empty again: the same preset may be wanted in another row.
        return [now, *view(now, chosen_model, said, before=before), ""]

    @told
    def on_save(kept: Any, name: str) -> list[Any]:
        board = boards.read(kept)
        spec = load(GuidanceSpec, boards.row_of(board, board["chosen"])["guidance"], "guidance")
        saved = presets.save((name or "").strip(), spec).name
        return [gr.Dropdown(entries(presets), value=""), "", alert(f"Saved as {saved}.", kind="note")]

    def on_handover(sent: Handover, kept: Any, chosen_model: str) -> list[Any]:
        recipe = sent.recipe
        board = boards.read(kept)
        board = boards.with_guidance(board, board["chosen"], recipe.guidance.model_dump(mode="json"))
        said = alert(f"Picture {sent.picture} gave the prompt, the seed, the steps and the open row.", kind="note")
        fields = {"prompt": recipe.prompt, "negative": recipe.negative_prompt, "seed": str(recipe.seed),
                  "steps": min(recipe.steps, 100), "sampler": recipe.sampler}  # fmt: skip
        out = view(board, chosen_model)
        out[4] = said
        return [board, *out, *(fields.get(name, gr.skip()) for name in names)]

    board = parts.board
    visited = gr.State(False)
    page.demo.load(on_open, [board, visited, model], [board, *seen], **QUICK)
    page.tabs.select(on_tab, [board, model], [visited, *seen, parts.preset], **QUICK)
    parts.go.click(on_compare, [board, *shared], [board, *seen, html["strip"]], **QUICK).then(
        None, None, None, js=ANNOUNCE, api_visibility="private"
    )
    before, moved, said = gr.State(None), gr.State(0), gr.State("")
    html["rows"].op(on_op, board, [board, before, moved, said], **QUICK).then(
        on_changed, [board, before, moved, said, *shared], [board, *seen], **QUICK
    )
    for place in (html["results"], html["sweep"]):
        place.why(on_why, board, [board, html["results"], html["why"], html["strip"]], **QUICK).then(
            on_strip, board, html["strip"], **QUICK
        )
    parts.timer.tick(on_tick, [board, model], [html["results"], html["sweep"], parts.timer, parts.stop], **QUICK)
    parts.stop.click(on_stop, board, None, **QUICK)
    sweep["go"].click(
        on_sweep, [board, *(sweep[one] for one in ("name", "low", "high", "count")), *shared], [board, *seen], **QUICK
    )
    sweep["name"].input(_limits, [board, sweep["name"]], [sweep["low"], sweep["high"]], **QUICK)
    parts.preset.input(on_preset, [board, parts.preset, *shared], [board, *seen, parts.preset], **QUICK)
    parts.save.click(on_save, [board, parts.name], [parts.preset, parts.name, html["message"]], **QUICK)
    outputs = [board, *seen, *parts.fields.values()]
    handover.receive(page, "guidance", on_handover, outputs, [board, model])


def _limits(kept: Any, name: str) -> list[Any]:
    board = boards.read(kept)
    try:
        return list(sweeps.bounds(boards.row_of(board, board["chosen"])["guidance"], name))
    except BadInput:
        return [gr.skip(), gr.skip()]


def _method_of(board: Board) -> tuple[int, str]:
    return board["chosen"], str(boards.row_of(board, board["chosen"])["guidance"]["method"])
