"""The Prompt tab in Chromium, with the real model behind it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.models.card import read_card
from studio.storage.png import read_png
from tests.e2e.conftest import serve_on
from tests.e2e.held_worker import Brake
from tests.e2e.settling import settled
from tests.ui.serving import Served, serving

pytestmark = pytest.mark.browser
Open = Callable[..., Page]

PROMPT = "#prompt textarea"
PICTURE = "#canvas .frame.done img"
TWO_FRAMES = "new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))"  # it is laid out anew
LONG_MS = 240_000  # a busy machine; what is meant to be quick is measured where it is


def unfold(page: Page, part: str, within: str) -> None:
    """Open a part that is folded away. What Gradio shows for the first time it fills within a frame, over us."""
    page.click(f"{part} > button")
    page.wait_for_selector(within)
    page.evaluate(TWO_FRAMES)


def fill(page: Page, prompt: str, seed: str = "7", count: int = 1, steps: int = 6) -> None:
    page.fill(PROMPT, prompt)
    page.fill("#seed :is(input, textarea)", seed)
    page.fill("#count input[type=number]", str(count))
    if not page.is_visible("#steps"):
        unfold(page, "#sampling", "#steps")
    page.fill("#steps input[type=number]", str(steps))
    page.locator("#steps input[type=number]").blur()
    page.evaluate(TWO_FRAMES)


# Whether progress was ever seen since then, and what the caption was: a job of three steps may be over before it is
# looked at.
ARMED = """() => {
  window.underway = false;
  new MutationObserver(() => {
    window.underway ||= Boolean(document.querySelector('#progress .progress')?.getClientRects().length);
  }).observe(document.querySelector('#progress'), {subtree: true, childList: true, attributes: true});
  return document.querySelector('#caption').innerHTML;
}"""
BEGUN = """caption => {
  const line = document.querySelector('#caption');
  return window.underway || (line.textContent.trim() !== '' && line.innerHTML !== caption);
}"""


def generate(page: Page) -> None:
    """Ask for pictures, and wait until the page works at them or has them."""
    caption = page.evaluate(ARMED)
    page.click("#generate")
    page.wait_for_function(BEGUN, arg=caption, timeout=LONG_MS)


def wait_until_done(page: Page) -> None:
    page.wait_for_selector("#progress .progress", state="detached", timeout=LONG_MS)
    expect(page.locator("#generate")).to_be_enabled()


def slowdown() -> float:
    """Wall time of a second of arithmetic: 1 on a machine with nothing else to do."""
    program = (
        "import time\nbegan = time.monotonic()\nwhile time.process_time() < 1: pass\nprint(time.monotonic() - began)"
    )
    return float(subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, check=True).stdout)


@pytest.mark.slow  # a figure of this machine: the default suite times nothing
def test_the_page_is_painted_within_six_seconds_of_the_start(browser: Browser, model: Path, tmp_path: Path) -> None:
    with serving(serve_on(tmp_path / "first"), tmp_path / "first"):
        pass  # the very first start after installing also writes Python's byte code
    before = slowdown()
    page = browser.new_page()
    began = time.monotonic()
    with serving(serve_on(tmp_path / "second"), tmp_path / "second") as served:
        page.goto(served.url)
        page.wait_for_selector("#generate")
        painted_s = time.monotonic() - began
        # It is the first, and wakes the engine: so it looks until that is there.
        expect(page.locator("#status .dot.ready")).to_be_visible(timeout=LONG_MS)
        page.close()
    # Six seconds are for a machine with nothing else to do; where others work, they take their share.
    slower = max(1.0, before, slowdown())
    assert painted_s <= 6 * slower, (
        f"{painted_s:.1f} s, of which {served.seconds:.1f} s until it answered ({slower=:.1f})"
    )


def test_generate_shows_a_moving_preview_then_the_picture_stop_keeps_and_a_reload_in_the_middle_finds_the_job(
    opened: Open, served: Served, model: Path, brake: Brake
) -> None:
    page, side = opened(), read_card(model).default_size_px
    fill(page, "a red star on a white background", steps=40)  # a preview costs a hundredth of the time at most
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    brake.at("preview")
    page.focus(PROMPT)
    page.keyboard.press("Control+Enter")
    live = page.locator("#canvas .frame.live img")
    first = str(live.get_attribute("src", timeout=LONG_MS))
    page.wait_for_timeout(1000)  # the longest that the engine waits between two of them
    brake.at("preview", 2)
    expect(live).not_to_have_attribute("src", first, timeout=LONG_MS)
    brake.release()
    wait_until_done(page)
    # Steps are looked at in passing. What costs the page a tenth of a second of a core, and so the engine, is the whole
    # look: when a picture is asked for and when it is there, whatever the number of steps.
    assert asked.count("/watch") >= 2 and asked.count("/gradio_api/run/predict") <= 6
    assert page.locator(PICTURE).evaluate("image => image.decode().then(() => image.naturalWidth)") == side
    assert "seed 7 ·" in page.inner_text("#caption .made")
    with page.expect_download() as download:
        page.click("#caption a.action")
    file = Path(download.value.path())
    assert read_png(file).recipe.prompt == "a red star on a white background"
    kept = [path.read_bytes() for path in served.folder.rglob("*.png")]
    assert file.read_bytes() in kept

    # Stop stops and keeps.
    fill(page, "a star", count=16, steps=3)
    brake.at("image")
    generate(page)
    page.wait_for_selector(PICTURE, timeout=LONG_MS)
    page.click("#stop")
    page.wait_for_selector("#message .note", timeout=LONG_MS)
    assert "kept" in page.inner_text("#message")
    assert page.locator(PICTURE).count() < 16  # nor was it waited for the rest
    expect(page.locator("#generate")).to_be_enabled()
    expect(page.locator("#stop")).to_be_disabled()

    # A reload in the middle finds the job again, and sees its end.
    fill(page, "a heart", count=4, steps=3)
    brake.at("preview")
    generate(page)
    page.wait_for_selector("#canvas .frame.live", timeout=LONG_MS)
    page.reload()
    page.wait_for_selector("#progress .progress")
    expect(page.locator("#stop")).to_be_enabled()
    beside_a_wide_tab(page)
    brake.release()
    wait_until_done(page)
    assert page.locator(PICTURE).count() == 4
    page.locator("#canvas button.frame").first.click()
    page.wait_for_selector("#caption button[data-do=restore]")
    assert page.locator(PICTURE).count() == 1

    # Over the whole window it goes on to the others of its batch, and the last of them is what the page shows then.
    page.click("#canvas [data-tool=full]")
    expect(page.locator("dialog.viewer .viewer-place")).to_have_text("1 of 4")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("dialog.viewer .viewer-place")).to_have_text("4 of 4")
    seed = page.inner_text("dialog.viewer .viewer-name")
    page.keyboard.press("Escape")
    expect(page.locator("#caption .made")).to_contain_text(f"{seed} ·")
    expect(page.locator("#canvas .walk")).to_contain_text("4 of 4")


# A tab that declares itself wide: its controls are those of this one, and what it shows is longer than any window.
DECLARE_WIDE = "window.palimpsestTabs.find((tab) => tab.id === 'compare').wide = true"
LAY_OUT = """() => {
  const bench = document.querySelector('.workbench').cloneNode(true), stage = bench.querySelector('.stage');
  bench.classList.add('wide', 'toy');
  bench.querySelector('.past').remove();
  stage.style.minHeight = '3000px';
  const own = document.querySelector('#tab-compare .workbench');
  own.style.display = 'none';
  own.after(bench);
}"""
MEASURE_WIDE = """() => {
  window.scrollTo(0, 0);
  const box = (selector) => document.querySelector(selector).getBoundingClientRect();
  const wide = '#tab-compare .workbench.toy > ', bar = box(`${wide}.controls`), stage = box(`${wide}.stage`);
  const parts = [...document.querySelectorAll(`${wide}.controls > *`)].filter((part) => part.offsetParent);
  return {
    room: document.documentElement.clientWidth - stage.width, gap: stage.top - bar.bottom, height: bar.height,
    parts: parts.length, rows: new Set(parts.map((part) => Math.round(part.getBoundingClientRect().bottom))).size,
    beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
}"""


def beside_a_wide_tab(page: Page) -> None:
    """The sidebar is folded, the controls are a bar over all the width, and a line with the progress stays in view."""
    page.evaluate(DECLARE_WIDE)
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#sidebar.open")).to_have_count(0)
    page.wait_for_selector("#tab-compare #compare-go", timeout=LONG_MS)
    settled(page)
    page.evaluate(LAY_OUT)
    for width, height in ((1440, 900), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(TWO_FRAMES)
        page.wait_for_function(f"({MEASURE_WIDE})().room < 120")  # the sidebar moves away
        measured = page.evaluate(MEASURE_WIDE)
        assert measured["room"] < 120 and measured["beyond"] <= 0, measured
        assert measured["gap"] >= 0 and measured["height"] < height / 2, measured  # over it, and leaves it room
        assert measured["rows"] < measured["parts"], measured  # beside each other
        page.evaluate("window.scrollTo(0, 2000)")
        for part in ("#slim .state", "#slim .bar", "#tab-compare .workbench.toy #generate"):
            expect(page.locator(part)).to_be_in_viewport(ratio=0.99)
        line, bar = (page.locator(part).bounding_box() for part in ("#slim", "#tab-compare .toy .controls"))
        assert line and bar and bar["y"] >= line["y"] + line["height"] - 1  # one does not cover the other
    page.locator("#tab-compare .toy").evaluate("bench => bench.remove()")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("tab", name="Prompt").click()
    expect(page.locator("#sidebar.open")).to_have_count(1)  # as it was


def choose(page: Page, menu: str, entry: str) -> None:
    page.click(f"{menu} input")
    page.click(f"[role=option]:has-text('{entry}')")


def told_and_read(page: Page) -> None:
    """Bad input is told beside the button, and what is typed is read at once."""
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    evil = "<img src=x onerror=alert(1)> ${alert(2)} {{value}} `</textarea>"
    fill(page, evil, seed="99999999999999999999", steps=2)
    page.click("#generate")
    page.wait_for_selector("#message .error")
    assert "18446744073709551615" in page.inner_text("#message")
    fill(page, evil, seed="1", steps=6)
    generate(page)
    wait_until_done(page)
    assert page.inner_text("#caption .said") == evil
    assert page.locator("#message p").count() == 0
    assert not dialogs

    # What is typed is read at once, and what fills in does.
    fill(page, "", seed="-1")
    page.locator(PROMPT).press_sequentially("a red xylophone")
    expect(page.locator("#prompt-report .unknown")).to_contain_text("xylophone")
    page.fill(PROMPT, "star " * 200)
    page.wait_for_selector("#prompt-report .cut")
    expect(page.locator("#generate")).to_be_in_viewport(ratio=0.99)  # a long prompt does not push it away

    page.click("#chips button >> nth=1")
    expect(page.locator(PROMPT)).to_have_value("a neon cyan ring on a night background")
    page.click("#chips button.surprise")
    expect(page.locator(PROMPT)).not_to_have_value("a neon cyan ring on a night background")
    page.click("#dice")
    expect(page.locator("#seed :is(input, textarea)")).not_to_have_value("-1")

    page.fill(PROMPT, "a (red:1.4) star")
    expect(page.locator("#prompt-report .weighed sub")).to_have_text("1.4")
    unfold(page, "#wording", "#wildcards .wild")
    page.focus(PROMPT)
    page.keyboard.press("End")
    page.click("#wildcards .wild >> nth=0")
    expect(page.locator(PROMPT)).to_have_value("a (red:1.4) star __colours__")
    choose(page, "#styles", "neon")
    expect(page.locator("#prompt-report .read")).to_contain_text("neon style")
    expect(page.locator("#negative-report .read")).to_contain_text("watercolor")

    # A method and a preset bring their controls, and moving one makes it no preset.
    assert page.locator(".method-controls:visible").count() == 1
    page.click("#guidance-method > button")
    choose(page, "#method", "APG")
    page.wait_for_selector(".method-controls:visible >> text=Norm limit")
    choose(page, "#preset", "APG, tight")
    scale = page.locator("#method-first .method-controls:visible input[type=number]")
    expect(scale).to_have_value("10", timeout=LONG_MS)  # the first one brings torch into the page
    expect(page.locator("#preset-said .preset-note")).to_contain_text("arXiv:2410.02416")
    scale.fill("7")
    scale.blur()
    expect(page.locator("#preset input")).to_have_value("Custom")
    page.click("#reset")
    expect(scale).to_have_value("1.5", timeout=LONG_MS)
    expect(page.locator("#seed :is(input, textarea)")).to_have_value("-1")
    expect(page.locator(PROMPT)).to_have_value("a (red:1.4) star __colours__")


def test_what_is_typed_is_told_beside_the_button_read_at_once_survives_a_reload_and_comes_back_with_a_picture(
    opened: Open,
) -> None:
    page = opened()
    told_and_read(page)
    expect(page.locator("#prompt-report .read")).not_to_contain_text("neon style")  # the styles are reset as well
    fill(page, "a blue ring on a black background", seed=str(2**64 - 1), steps=3)
    page.click("#negatives > button")
    page.click("#more-negatives .add")
    page.keyboard.type("blue ${alert(1)} {{value}} <b>")
    page.click("#more-negatives .add")
    page.keyboard.type("green")
    page.fill("#more-negatives .weight >> nth=0", "0.5")
    page.get_by_label("Stop of negative prompt 2").fill("0.75")
    generate(page)
    wait_until_done(page)
    page.wait_for_selector("#gallery .thumb")
    before = page.locator("#gallery .thumb").count()
    page.reload()
    page.wait_for_selector("#gallery .thumb")
    assert page.locator("#gallery .thumb").count() == before
    expect(page.locator(PROMPT)).to_have_value("a blue ring on a black background")
    expect(page.locator("#seed :is(input, textarea)")).to_have_value("18446744073709551615")
    assert "seed 18446744073709551615 ·" in page.inner_text("#caption .made")
    if not page.is_visible("#more-negatives .add"):
        page.click("#negatives > button")
    expect(page.locator("#more-negatives .text").first).to_have_value("blue ${alert(1)} {{value}} <b>")
    expect(page.locator("#more-negatives .weight").first).to_have_value("0.5")
    expect(page.locator("#more-negatives .start").first).to_have_value("0")
    expect(page.locator("#more-negatives .stop").first).to_have_value("0.75")
    page.click("#more-negatives .remove >> nth=1")
    expect(page.locator("#more-negatives .text")).to_have_count(1)
    fill(page, "a green fish", seed=str(2**53 + 1), steps=2)
    generate(page)
    wait_until_done(page)
    page.click("#caption summary")
    expect(page.locator("#caption .recipe")).to_contain_text("blue ${alert(1)} {{value}} <b> × 0.5, from 0 to 0.75")
    fill(page, "something else", seed="1", steps=9)
    page.locator("#gallery .thumb").first.click()
    page.click("#caption button[data-do=restore]")
    expect(page.locator(PROMPT)).to_have_value("a green fish")
    expect(page.locator("#seed :is(input, textarea)")).to_have_value("9007199254740993")
    expect(page.locator("#steps input[type=number]")).to_have_value("2")


def ground(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def whole(page: Page, width: int) -> None:
    """Nothing sticks out."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("#prompt", "#generate", "#canvas", "#gallery"):
        box: Any = page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, (part, width)


def test_at_any_width_in_any_theme_by_keys_alone_nothing_is_cut_off_or_pretended(opened: Open) -> None:
    """A page at rest asks for nothing. 720 is what a 1440 px wide page has left at 200 % zoom."""
    page = opened()
    expect(page.locator("#status .dot.ready")).to_be_visible(timeout=LONG_MS)  # the engine has loaded its model
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    deadline = time.monotonic() + 60
    while True:  # it comes to rest when it can: busy machines paint late what they were told in time
        asked.clear()
        page.wait_for_timeout(2000)
        if not asked:
            break
        assert time.monotonic() < deadline, asked

    for width in (1440, 800, 720):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        whole(page, width)
        page.click("#generate", trial=True)  # the sidebar does not lie over it
    narrow = opened(width=400)  # opened narrow, the page has its sidebar closed
    whole(narrow, 400)
    shown = narrow.locator("[role=tab][id^=tab-][aria-selected=true]")
    narrow.get_by_role("tab", name="Compare").click()  # each tab is there to be pressed, in a second row or not
    expect(narrow).to_have_url(re.compile("#compare$"))
    narrow.reload()
    expect(shown).to_have_text("Compare", timeout=LONG_MS)
    settled(narrow)  # Gradio has laid out its strip of tabs
    expect(shown).to_have_text("Compare")
    narrow.go_back()
    expect(shown).to_have_text("Prompt")
    narrow.go_forward()
    expect(shown).to_have_text("Compare")
    page.set_viewport_size({"width": 1440, "height": 900})

    # The tabs, by keys.
    page.focus("[role=tab][id^=tab-][aria-selected=true]")
    for name in ("Erase", "Label", "Guidance", "Compare"):
        page.keyboard.press("ArrowRight")
        expect(page.locator("[role=tab][id^=tab-][aria-selected=true]")).to_have_text(name)
        assert page.locator("#edit-stack:visible").count() == 1

    # Light and dark follow the system until one of them is chosen.
    page.emulate_media(reduced_motion="reduce")  # or colours take a moment
    light = ground(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.body.classList.contains('dark')")
    dark = ground(page)
    assert light != dark
    page.emulate_media(color_scheme="light")
    page.wait_for_function("!document.body.classList.contains('dark')")
    assert ground(page) == light
    page.click("#theme-toggle")
    assert ground(page) == dark
    page.reload()
    expect(page.locator("#compare-go")).to_be_visible(timeout=LONG_MS)  # on the tab that was shown
    page.wait_for_function("document.body.classList.contains('dark')")
    assert ground(page) == dark
    page.click("#theme-toggle")
    assert ground(page) == light
