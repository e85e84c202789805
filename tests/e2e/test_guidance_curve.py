"""A schedule's curve in Chromium: drawn with the mouse, moved with keys, and what the pictures were drawn with."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.guidance.schedule import Schedule
from studio.storage.png import read_png
from tests.e2e.settling import answered, double_tap, press, settled
from tests.e2e.test_guidance_tab import choose, to_guidance
from tests.e2e.test_prompt_tab import LONG_MS, Open, fill, generate, wait_until_done
from tests.ui.serving import Served

pytestmark = pytest.mark.browser
ROWS, AROUND = "#guidance-rows .guide.chosen", "#guidance-around"


class Curve:
    """The curve below `root`, in units of its own."""

    def __init__(self, page: Page, root: str) -> None:
        self.page, self.root = page, root
        self.svg = page.locator(f"{root} .curve svg")
        self.handles = page.locator(f"{root} .curve .point")
        self.field = page.locator(f"{root} input[data-name=points]")

    def choose(self, name: str) -> None:
        self.page.locator(f"{self.root} select[data-name=curve]").select_option(name)

    def put(self, name: str, value: float) -> None:
        number = self.page.locator(f"{self.root} input[type=number][data-name={name}]")
        number.fill(str(value))
        number.press("Tab")

    @property
    def text(self) -> str:
        return self.field.input_value()

    def said(self, text: str) -> None:
        expect(self.field).to_have_value(text, timeout=LONG_MS)

    def frame(self) -> tuple[float, float, float, float]:
        """x of progress 0 and 1, y of share 0 and 1, as the drawing has them."""
        number = "(one, name) => Number(one.getAttribute(name))"
        across = self.svg.locator(".grid line:not([class])")
        level = self.svg.locator(".grid line.set")
        at = [across.nth(0).evaluate(number, "x1"), across.nth(4).evaluate(number, "x1")]
        return at[0], at[1], across.nth(0).evaluate(number, "y2"), level.evaluate(number, "y1")

    def place(self, p: float, share: float) -> tuple[float, float]:
        """Where on the page, once nothing is to come that would move it."""
        settled(self.page)
        self.svg.scroll_into_view_if_needed()
        x0, x1, y0, y1 = self.frame()
        box: Any = self.svg.bounding_box()
        return box["x"] + x0 + p * (x1 - x0), box["y"] + y0 + share * (y1 - y0)

    def line(self) -> list[tuple[float, float]]:
        """(progress, share) of the line that is drawn."""
        x0, x1, y0, y1 = self.frame()
        pairs = re.findall(r"[ML]([\d.]+) ([\d.]+)", str(self.svg.locator(".line").get_attribute("d")))
        return [((float(x) - x0) / (x1 - x0), (float(y) - y0) / (y1 - y0)) for x, y in pairs]

    def comes_to(self, share: Callable[[float], float]) -> None:
        """Wait until the line is drawn along these shares: its numbers are in the fields before it is."""
        deadline = time.monotonic() + LONG_MS / 1000
        while True:
            line = self.line()
            expected = [share(progress) for progress, _ in line]
            if [drawn for _, drawn in line] == pytest.approx(expected, abs=0.02):
                return
            assert time.monotonic() < deadline, f"{line} is not along {expected}"
            self.page.wait_for_timeout(50)

    def drag(self, *places: tuple[float, float]) -> None:
        first, *others = [self.place(*one) for one in places]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for one in others:
            self.page.mouse.move(*one, steps=4)
        self.page.mouse.up()


def pairs(text: str) -> list[tuple[float, float]]:
    return [(float(p), float(share)) for p, share in (pair.split(":") for pair in text.split(", "))]


def with_schedule(page: Page, root: str) -> Curve:
    page.locator(f"{root} select[data-op=wrap]").select_option("schedule")
    curve = Curve(page, root)
    expect(curve.svg.locator(".line")).to_be_attached(timeout=LONG_MS)
    return curve


def points(page: Page, root: str) -> Curve:
    curve = with_schedule(page, root)
    curve.choose("points")
    expect(curve.handles).to_have_count(3, timeout=LONG_MS)
    return curve


def ready(page: Page) -> None:
    """The Guidance tab, with its formulas: what comes from the server from now on was asked for."""
    to_guidance(page)
    page.locator("#guidance-rows .guide-name").first.click()
    expect(page.locator(f"{ROWS} .formula")).to_be_attached(timeout=LONG_MS)


def asked(page: Page) -> list[dict[str, Any]]:
    """What the rows tell the server from now on."""
    told: list[dict[str, Any]] = []

    def heard(request: Any) -> None:
        data = json.loads(request.post_data or "{}") if request.method == "POST" else {}
        if isinstance(data.get("event_data"), dict) and "op" in data["event_data"]:
            told.append(data["event_data"])

    page.on("request", heard)
    return told


def kept_points(served: Served) -> str:
    """The points of the newest picture's recipe."""
    newest = max(served.folder.rglob("*.png"), key=lambda path: path.stat().st_mtime_ns)
    (wrapper,) = read_png(Path(newest)).recipe.guidance.wrappers
    assert wrapper.params["curve"] == "points"
    return str(wrapper.params["points"])


def shown_as_computed(page: Page) -> None:
    """Every curve; and no control loses or keeps what it should not. At the end four rows are as they were."""
    curve = with_schedule(page, ROWS)
    seen = page.locator(f"{ROWS} .wrapper .param:visible [data-name]:not([type=range])")
    cases: list[tuple[str, dict[str, float], list[str]]] = [
        ("constant", {"first": 1.25}, ["first"]),
        ("linear", {"first": 0.25, "last": 3.5}, ["first", "last"]),
        ("cosine", {"first": 2.0, "last": 0.5}, ["first", "last"]),
        ("beta", {"rise": 2.5, "fall": 4.0}, ["rise", "fall"]),
        ("beta", {"rise": 1.0, "fall": 1.0}, ["rise", "fall"]),
    ]
    for name, params, needed in cases:
        curve.choose(name)
        expect(page.locator(f"{ROWS} .formula")).to_contain_text(f"({name})", timeout=LONG_MS)
        for param, value in params.items():
            curve.put(param, value)
        assert [one.get_attribute("data-name") for one in seen.all()] == ["parameter", "curve", *needed]
        assert curve.handles.count() == 0
        expected = Schedule.model_validate({"curve": name, **params})
        curve.comes_to(lambda p, expected=expected: expected.factor(round(p * 60) / 60))

    # Live: the line follows a slider that is still held.
    curve.choose("linear")
    curve.put("last", 1)
    settled(page)
    slider = page.locator(f"{ROWS} input[type=range][data-name=last]")
    slider.evaluate("one => { one.value = 2; one.dispatchEvent(new Event('input', {bubbles: true})); }")
    assert curve.line()[-1] == pytest.approx((1, 2), abs=0.02)

    # What is moved while the rows are written anew is not lost.
    curve.choose("points")
    expect(curve.handles).to_have_count(3, timeout=LONG_MS)
    page.mouse.move(*curve.place(0.5, 1))
    page.mouse.down()
    page.mouse.move(*curve.place(0.6, 1.2), steps=3)
    # Something else changes the rows meanwhile.
    name = page.locator(f"{ROWS} .guide-name")
    page.evaluate("document.querySelector('#guidance-rows .guide.chosen [data-op=down]').click()")
    expect(page.locator("#guidance-rows .guide.chosen ~ .guide")).to_have_count(2, timeout=LONG_MS)
    expect(name).to_contain_text("schedule")
    page.mouse.move(*curve.place(0.7, 1.5), steps=3)
    expect(curve.svg.locator(".point.held")).to_have_count(1)
    page.mouse.up()
    expect(curve.handles).to_have_count(3)
    assert len(pairs(curve.text)) == 3 and pairs(curve.text)[1] != (0.5, 1.0)

    # A control that comes to stand for another parameter shows that one's value.
    choose(page, 0)
    method = page.locator(f"{ROWS} select[data-op=method]")
    method.select_option("perp_neg")
    switch = page.locator(f"{ROWS} input[data-name=gram_schmidt]")
    switch.click()
    expect(switch).to_have_attribute("checked", "", timeout=LONG_MS)
    switch.click()
    expect(switch).not_to_have_attribute("checked", "", timeout=LONG_MS)
    method.select_option("zero_star")
    expect(page.locator(f"{ROWS} input[data-name=fit]")).to_be_checked()
    method.select_option("cfg")
    expect(page.locator(f"{ROWS} .guide-name")).to_contain_text("CFG", timeout=LONG_MS)


def test_a_curve_is_shown_dragged_drawn_and_moved_by_keys_and_the_picture_is_drawn_with_it(
    opened: Open, served: Served
) -> None:
    page = opened()
    ready(page)
    shown_as_computed(page)
    page.locator("#guidance-steps input[type=number]").fill("2")
    for left in (3, 2, 1):  # one row is enough
        page.locator("#guidance-rows [data-op=remove]").last.click()
        expect(page.locator("#guidance-rows .guide")).to_have_count(left, timeout=LONG_MS)
    curve = points(page, ROWS)
    page.click("#compare")
    expect(page.locator("#guidance-results figcaption")).to_have_count(1, timeout=LONG_MS)
    expect(page.locator("#guidance-stop")).to_be_disabled(timeout=LONG_MS)
    picture = page.locator("#guidance-results [data-pick] img")
    first = str(picture.get_attribute("src"))
    told = asked(page)

    # Dragged, with its value beside it; told once, when it is let go of.
    page.mouse.move(*curve.place(0.5, 1))
    page.mouse.down()
    page.mouse.move(*curve.place(0.62, 1.41), steps=6)
    expect(curve.svg.locator(".said")).to_have_text("×1.4 at 0.6")
    assert not told
    page.mouse.up()
    curve.said("0:0, 0.6:1.4, 1:0")
    expect(picture).not_to_have_attribute("src", first, timeout=LONG_MS)
    assert [(one["op"], one["name"], one["value"]) for one in told] == [("wparam", "points", "0:0, 0.6:1.4, 1:0")]
    expect(page.locator("#guidance-stop")).to_be_disabled(timeout=LONG_MS)
    assert kept_points(served) == "0:0, 0.6:1.4, 1:0"
    assert curve.line() == [pytest.approx(one, abs=0.01) for one in [(0, 0), (0, 0), (0.6, 1.4), (1, 0), (1, 0)]]

    # It does not pass its neighbours, nor leave the field.
    with answered(page, "0.55:0.5, 0.6:1.4, 1:0"):
        curve.drag((0, 0), (1.3, 0.5))
    curve.said("0.55:0.5, 0.6:1.4, 1:0")
    expect(curve.svg.locator(".grid text").last).to_have_text("image")

    # Keys, told together once they rest; the point keeps the keyboard's attention though the row was written anew.
    expect(page.locator("#guidance-stop")).to_be_disabled(timeout=LONG_MS)
    told.clear()
    with answered(page, "0.95:0.3"):
        press(curve.handles.nth(2), "ArrowLeft", "ArrowUp", "Shift+ArrowUp")
        curve.said("0.55:0.5, 0.6:1.4, 0.95:0.3")
        expect(curve.handles.nth(2)).to_have_attribute("aria-valuetext", "×0.3 at 0.95")
    assert [one["value"] for one in told] == ["0.55:0.5, 0.6:1.4, 0.95:0.3"]
    expect(curve.handles.nth(2)).to_be_focused(timeout=LONG_MS)
    with answered(page, "0.75:0.95"):
        page.keyboard.press("+")
    curve.said("0.55:0.5, 0.6:1.4, 0.75:0.95, 0.95:0.3")
    with answered(page, "0.6:1.4, 0.95:0.3"):
        page.keyboard.press("Delete")
    curve.said("0.55:0.5, 0.6:1.4, 0.95:0.3")

    # Drawn with a free hand, over what was there; a double click removes a point, a click adds one.
    with answered(page, '"0.05:'):
        curve.drag(*[(p / 40, 1 + 0.8 * math.sin(p / 5)) for p in range(2, 36)])
    drawn = pairs(curve.text)
    assert 4 <= len(drawn) <= 16 and drawn[0][0] == 0.05 and drawn[-1] == (0.95, 0.3)
    for p in range(2, 35, 3):
        share = Schedule(curve="points", points=curve.text).factor(p / 40)
        assert share == pytest.approx(1 + 0.8 * math.sin(p / 5), abs=0.2), p
    double_tap(page, *curve.place(0.95, 0.3))
    expect(curve.handles).to_have_count(len(drawn) - 1)
    curve.said(", ".join(f"{p:g}:{share:g}" for p, share in drawn[:-1]))
    settled(page)
    page.mouse.click(*curve.place(0.99, 0.52))
    expect(curve.handles).to_have_count(len(drawn))
    assert pairs(curve.text)[-1] == (1, 0.5)
    expect(page.locator(f"{ROWS} .formula")).to_contain_text("to 0.5 at the last", timeout=LONG_MS)
    expect(page.locator("#guidance-stop")).to_be_disabled(timeout=LONG_MS)
    assert kept_points(served) == curve.text

    # In numbers, for those who want them; what cannot be read is said, by the page and by the server.
    curve.field.fill("0:1, 0.3:oops")
    expect(page.locator(f"{ROWS} .curve.wrong .hint")).to_contain_text("cannot be read")
    curve.field.press("Tab")
    expect(page.locator(f"{ROWS} .formula.wrong")).to_contain_text("pairs progress:share", timeout=LONG_MS)
    curve.field.fill("0:1, 0.33:4.5")
    curve.field.press("Tab")
    expect(page.locator(f"{ROWS} .formula")).to_contain_text("to 4.5 at the last", timeout=LONG_MS)
    expect(curve.svg.locator(".grid text").nth(5)).to_have_text("×5")  # the scale fits
    assert curve.line()[-1] == pytest.approx((1, 4.5), abs=0.01)


def open_method(page: Page) -> Locator:
    page.click("#guidance-method > button")
    around = page.locator(AROUND)
    expect(around.locator(".around")).to_be_visible(timeout=LONG_MS)
    return around


# Nothing sticks out, and a finger has 44 px.
HAS_ROOM = """(root) => {
  const [frame, reach] = [' .curve svg', ' .curve .point .reach'].map(
    (one) => document.querySelector(root + one).getBoundingClientRect());
  const dots = [...document.querySelectorAll(root + ' .curve .point .dot')].map((one) => one.getBoundingClientRect());
  return document.documentElement.scrollWidth <= innerWidth && reach.width >= 44 && reach.height >= 44
    && dots.length === 3 && dots.every((dot) => frame.left <= dot.left && dot.right <= frame.right);
}"""


def drawn_by_a_finger(page: Page, curve: Curve) -> None:
    """Its points have room for one at any width, and it moves the second to 0.7."""
    for width in (1440, 800):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(HAS_ROOM, arg=curve.root)
    # A finger 20 px beside the point takes hold of it where a mouse would not.
    (x, y), (to_x, to_y) = curve.place(0.5, 1), curve.place(0.7, 1)
    page.evaluate(
        """([x, y, toX, toY]) => {
          const at = document.elementFromPoint(x, y + 20);
          const send = (name, x, y) => at.dispatchEvent(new PointerEvent(name,
            {bubbles: true, pointerId: 1, pointerType: 'touch', button: 0, clientX: x, clientY: y, isPrimary: true}));
          Element.prototype.setPointerCapture = () => {};
          send('pointerdown', x, y + 20); send('pointermove', toX, toY + 20); send('pointerup', toX, toY + 20);
        }""",
        [x, y, to_x, to_y],
    )
    curve.said("0:0, 0.7:1, 1:0")
    page.set_viewport_size({"width": 1440, "height": 900})


def test_the_prompt_tab_has_the_same_controls_no_json_what_the_method_has_and_tells_bad_values(
    opened: Open, served: Served
) -> None:
    page = opened()
    fill(page, "a red star", steps=3)
    around = open_method(page)
    expect(around).to_contain_text("No modifiers")
    curve = points(page, AROUND)
    drawn_by_a_finger(page, curve)
    curve.drag((0.7, 1), (0.3, 1.5))
    generate(page)  # at once: no answer of the server's is waited for
    wait_until_done(page)
    assert kept_points(served) == curve.text == "0:0, 0.3:1.5, 1:0"
    assert "{" not in around.inner_text()

    # Delete on a point removes the point, and not the picture.
    pictures = page.locator("#gallery .thumb").count()
    page.wait_for_selector("#delete-shown")
    curve.handles.nth(1).focus()
    page.keyboard.press("Delete")
    curve.said("0:0, 1:0")
    settled(page)
    assert page.locator("#gallery .thumb").count() == pictures

    # A preset keeps it.
    page.fill("#preset-name :is(input, textarea)", "drawn")
    page.click("#preset-save")
    page.wait_for_selector("#preset-said .note")

    # What a schedule moves is what the method has.
    parameter = around.locator("select[data-name=parameter]")
    offered = parameter.locator("option")
    expect(offered).to_have_text(["Guidance scale", "Rescale"], timeout=LONG_MS)
    parameter.select_option("rescale")
    page.click("#method input")
    page.click("[role=option]:has-text('(APG)')")
    expect(offered.first).to_have_text("Not here: rescale", timeout=LONG_MS)
    expect(parameter).to_have_value("rescale")
    parameter.select_option("momentum")

    # All of it is there after a reload; the preset and a past picture bring their own back.
    page.reload()
    page.wait_for_selector("#generate")
    open_method(page)
    curve.said("0:0, 1:0")
    expect(parameter).to_have_value("momentum", timeout=LONG_MS)
    assert "Eta" in offered.all_inner_texts()
    around.locator("[data-op=unwrap]").click()
    expect(around).to_contain_text("No modifiers", timeout=LONG_MS)
    page.click("#preset input")
    page.click("[role=option]:has-text('drawn (yours)')")
    curve.said("0:0, 1:0")
    around.locator("select[data-name=parameter]").select_option("rescale")
    expect(page.locator("#preset input")).to_have_value("Custom")
    page.locator("#gallery .thumb").first.click()
    page.click("#caption button[data-do=restore]")
    curve.said("0:0, 0.3:1.5, 1:0")
    expect(around.locator("select[data-name=parameter]")).to_have_value("guidance_scale")

    # A sum has a method of its own, of which only what matters is shown.
    around.locator("[data-op=unwrap]").click()
    expect(around).to_contain_text("No modifiers", timeout=LONG_MS)
    around.locator("select[data-op=wrap]").select_option("sum")
    around.locator("select[data-op=added]").select_option("seg")
    width = around.locator(".param:has([data-name=blur_sigma])")
    expect(width).to_be_visible(timeout=LONG_MS)
    around.locator("select[data-name=blur]").select_option("mean")
    expect(width).to_be_hidden()
    around.locator(".wrapper select[data-op=wrap]").select_option("interval")
    stop = around.locator(".wrapper .wrapper input[type=number][data-name=stop]")
    stop.fill("0.5")
    stop.press("Tab")
    generate(page)
    wait_until_done(page)
    newest = max(served.folder.rglob("*.png"), key=lambda path: path.stat().st_mtime_ns)
    (wrapper,) = read_png(Path(newest)).recipe.guidance.wrappers
    assert wrapper.added is not None and wrapper.added.method == "seg" and wrapper.added.params["blur"] == "mean"
    assert [(one.wrapper, one.params["stop"]) for one in wrapper.added.wrappers] == [("interval", 0.5)]

    # A bad value is told when a picture is asked for.
    around.locator("[data-op=unwrap]").first.click()
    expect(around).to_contain_text("No modifiers", timeout=LONG_MS)
    around.locator("select[data-op=wrap]").select_option("interval")
    number = around.locator("input[type=number][data-name=start]")
    number.fill("7")
    number.press("Tab")
    page.click("#generate")
    expect(page.locator("#message .error")).to_contain_text("start must be a number from 0 to 1, not 7")

    # Of a method only what matters is shown.
    page.click("#method input")
    page.click("[role=option]:has-text('(SEG)')")
    width = page.locator(".method-controls:visible >> text=Blur sigma")
    expect(width).to_be_visible(timeout=LONG_MS)
    page.locator("#method-rest .method-controls:visible").get_by_label("Blur", exact=True).select_option("mean")
    expect(width).to_be_hidden()
