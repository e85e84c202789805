"""Import and export: labels of other tools in, labels out for others. See studio/ui/label/exchange."""

from __future__ import annotations

from studio.ui.label.exchange import form, layout
from studio.ui.label.exchange.handlers import Handlers
from studio.ui.label.exchange.routes import routes
from studio.ui.label.parts import Part
from studio.ui.tabs.base import Page
from studio.ui.values import TEXT, WHOLE
from studio.ui.wiring import Answer, Event, Wiring

# What is of the other direction is out of sight: in the browser, for no answer is needed for that.
SHOW = "(direction) => { document.body.dataset.labelExchange = direction; }"


def build(page: Page) -> None:
    """Lay out and wire the part."""
    wiring = Wiring({**page.parts, **layout.build()})
    do, parts = Handlers(page.studio), wiring.parts

    def on_look(event: Event) -> Answer:
        return do.look(event["labels"])

    def on_format(event: Event) -> Answer:
        return do.about(str(event["format"]))

    def on_choose(event: Event) -> Answer:
        return do.choose(event.read("campaign", WHOLE))

    def on_describe(event: Event) -> Answer:
        return do.describe(event["labels"])

    def on_export(event: Event) -> Answer:
        return do.send_out(event.values)

    def on_arrived(event: Event) -> Answer:
        return do.arrived(event.read("set", TEXT))

    def on_import(event: Event) -> Answer:
        return do.bring_in(event["waiting"], event["import_format"], event["import_name"])

    def on_op(event: Event) -> Answer:
        return do.act(event.read("op", TEXT), event.read("id", TEXT), event["labels"])

    looks = ("labels", "runs")
    wiring.on(page.demo.load, on_look, ("labels",), looks)
    # Where an import has ended, others have a campaign more.
    wiring.on(parts["runs"].look, on_look, ("labels",), looks, mode="always_last", announces=True)
    wiring.on(parts["runs"].op, on_op, ("labels",), ("message", *looks), mode="multiple")
    wiring.on(parts["runs"].choose, on_choose, (), (*looks, "direction"))
    wiring.on(parts["format"].change, on_format, ("format",), ("about",))
    wiring.on(parts["labels"].change, lambda event: {"description": ""}, (), ("description",))
    wiring.on(parts["describe"].click, on_describe, ("labels",), ("description",))
    # Once: who presses twice wants one.
    wiring.on(parts["export"].click, on_export, form.FIELDS, ("message", "runs"), mode="once")
    wiring.on(parts["files"].arrived, on_arrived, (), ("arrived", "waiting"), mode="multiple")
    fields = ("waiting", "import_format", "import_name")
    answers = ("message", "arrived", "waiting", "import_name", "runs")
    wiring.on(parts["import"].click, on_import, fields, answers, mode="once")
    wiring.browser([page.demo.load, parts["direction"].change], SHOW, ("direction",))


PART = Part(
    "Import and export",
    order=40,
    build=build,
    routes=routes,
    style=(layout.HERE / "style.css").read_text(encoding="utf-8"),
)
