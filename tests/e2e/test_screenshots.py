"""Takes the screenshots of docs/: PALIMPSEST_SCREENSHOTS=docs/screenshots pytest --slow tests/e2e/test_screenshots.py

Without the variable they go to a temporary folder, which still proves that the page gets that far. To look at all that
there is, PALIMPSEST_SCREENSHOTS_VIEWS=all takes every size in both themes; docs/ has the dark theme at one size alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from studio.world.examples import EXAMPLES, FIRST
from tests.e2e.conftest import Scheme
from tests.e2e.held_worker import Brake
from tests.e2e.test_align import NAME, labelled
from tests.e2e.test_erase_tab import balance, erase, to_balance, to_erase
from tests.e2e.test_label_campaigns import to_part
from tests.e2e.test_label_tab import LIVE, press
from tests.e2e.test_prompt_tab import LONG_MS, Open, choose, fill, generate, wait_until_done
from tests.ui.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(3600)]
# Every place that scrolls by itself, back to its top; the mouse is off what it would mark.
TO_THE_TOP = "window.scrollTo(0, 0); document.querySelectorAll('.controls').forEach(part => part.scrollTop = 0)"


class View(NamedTuple):
    """What a screenshot is named after."""

    width: int
    height: int
    scheme: Scheme

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


# A desk, a projector, a narrow window and a phone.
SIZES = [(1440, 900), (1280, 720), (800, 900), (390, 844)]
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")
VIEWS = [
    View(*size, scheme)
    for size in SIZES
    for scheme in SCHEMES
    if scheme == "light" or size == SIZES[0] or os.environ.get("PALIMPSEST_SCREENSHOTS_VIEWS") == "all"
]
DESK, PROJECTOR = View(*SIZES[0], "light"), View(*SIZES[1], "light")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("PALIMPSEST_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def seen_as(page: Page, view: View) -> None:
    page.emulate_media(color_scheme=view.scheme)
    page.set_viewport_size({"width": view.width, "height": view.height})
    page.evaluate(TO_THE_TOP)
    page.mouse.move(2, 2)
    page.wait_for_timeout(700)  # colours and heights settle


def shoot(page: Page, folder: Path, name: str, part: str = "") -> None:
    """Take every view. part: seen to its foot, but on a projector: that shows what needs no scrolling."""
    for view in VIEWS:
        seen_as(page, view)
        if part and view.width != PROJECTOR.width:
            bottom = page.evaluate(f"document.querySelector('{part}').getBoundingClientRect().bottom + scrollY")
            seen_as(page, view._replace(height=max(view.height, int(bottom) + 40)))
        page.screenshot(path=folder / f"{name}-{view}.png")
    assert {path.stem for path in folder.glob(f"{name}-*.png")} >= {f"{name}-{view}" for view in VIEWS}
    seen_as(page, DESK)


def test_screenshots_of_the_page(opened: Open, folder: Path, brake: Brake) -> None:
    page = opened()
    for seed, example in enumerate(reversed(EXAMPLES)):
        fill(page, example.prompt, seed=str(seed), steps=20)
        generate(page)
        wait_until_done(page)
    fill(page, FIRST.prompt, seed="0", count=4, steps=20)
    generate(page)
    wait_until_done(page)
    page.click("#sampling > button")  # `fill` opened it
    shoot(page, folder, "prompt")

    brake.at("preview", 6)  # in the middle of the first of four, while two jobs wait
    fill(page, EXAMPLES[1].prompt, seed="5", count=4, steps=40)
    page.click("#sampling > button")
    page.click("#generate")
    page.wait_for_selector("#canvas .frame.live", timeout=LONG_MS)
    for waiting, example in enumerate(EXAMPLES[2:4], 1):
        page.fill("#prompt textarea", example.prompt)
        page.click("#generate")
        expect(page.locator("#queue .job")).to_have_count(1 + waiting, timeout=LONG_MS)
    seen_as(page, DESK)
    page.screenshot(path=folder / f"drawing-{DESK}.png")
    brake.release()
    page.click("#stop")  # all three
    expect(page.locator("#queue")).to_contain_text("Nothing is being drawn", timeout=LONG_MS)

    fill(page, "a red star on a white background", seed="1", steps=20)
    page.click("#sampling > button")
    page.click("#grid > button")
    page.wait_for_selector("#axis-x", timeout=LONG_MS)
    choose(page, "#axis-x", "search and replace")
    page.fill("#values-x :is(input, textarea)", "star, heart, fish, flower")
    choose(page, "#axis-y", "CFG: guidance scale")
    page.fill("#values-y :is(input, textarea)", "1, 1.5, 3")
    page.wait_for_selector("#forecast .forecast", timeout=LONG_MS)
    page.click("#grid-start")
    expect(page.locator("#grid-sheet .frame.done")).to_have_count(12, timeout=LONG_MS)
    seen_as(page, DESK)
    page.evaluate("document.querySelector('#grid').scrollIntoView()")
    page.screenshot(path=folder / f"grid-{DESK}.png")


def test_screenshots_of_guidance(opened: Open, folder: Path) -> None:
    page = opened()
    page.get_by_role("tab", name="Guidance").click()
    page.wait_for_selector("#guidance-rows .formula", timeout=LONG_MS)
    page.click("#compare")
    expect(page.locator("#guidance-results figcaption")).to_have_count(4, timeout=LONG_MS)
    page.locator("#guidance-results [data-pick]").nth(1).click()
    page.wait_for_selector("#guidance-strip img", timeout=LONG_MS)
    page.locator("#guidance-sweep > button").click()
    page.click("#sweep-go")
    page.wait_for_selector("#guidance-film svg", timeout=LONG_MS)
    shoot(page, folder, "guidance", ".workbench.guidance")


def test_screenshots_of_compare(opened: Open, folder: Path) -> None:
    page = opened()
    page.get_by_role("tab", name="Guidance").click()
    page.wait_for_selector("#guidance-rows .formula", timeout=LONG_MS)
    page.click("#compare")
    expect(page.locator("#guidance-results figcaption")).to_have_count(4, timeout=LONG_MS)
    page.get_by_role("button", name="Send to Compare").click()
    expect(page.locator("#compare-table .frame.done")).to_have_count(4, timeout=LONG_MS)
    page.fill("#compare-seeds :is(input, textarea)", "7-12")
    page.click("#compare-go")
    expect(page.locator("#compare-table .frame.done")).to_have_count(24, timeout=LONG_MS)
    expect(page.locator("#compare-table figcaption").last).to_contain_text("accuracy", timeout=LONG_MS)
    shoot(page, folder, "compare", ".workbench.compare")
    page.get_by_role("radio", name="Slider").click()
    page.locator(".view-tools select[data-choice=second]").select_option(index=1)
    seen_as(page, PROJECTOR)
    page.screenshot(path=folder / f"compare-slider-{PROJECTOR}.png")


def test_screenshots_of_erase(opened: Open, folder: Path) -> None:
    page = opened()
    to_erase(page)
    erase(page)
    page.get_by_role("button", name=re.compile("A first look")).click()
    expect(page.locator("#erase-card .report-card")).to_be_visible(timeout=10 * LONG_MS)
    shoot(page, folder, "erase", ".workbench.erase")


def test_screenshots_of_a_balance(opened: Open, folder: Path) -> None:
    page = opened()
    to_balance(page)
    balance(page)
    shoot(page, folder, "balance", ".workbench.erase")


def test_screenshots_of_the_label_tab(opened: Open, served: Served, folder: Path) -> None:
    labelled(served)
    page = opened()

    # Two campaigns: one that was answered, with what the answers say; one that is being answered.
    to_part(page, "Campaigns")
    page.click("#campaign-go")
    expect(page.locator("#campaign-list .campaign")).to_have_count(2, timeout=LONG_MS)
    answered = page.locator("#campaign-list .campaign", has_text=NAME)
    answered.get_by_role("button", name="What the answers say").click()
    expect(answered.locator(".detail")).to_contain_text("How sound the answers are", timeout=LONG_MS)
    asked = page.locator("#campaign-list .campaign", has_text="30 pairs of Stencil")
    expect(asked).not_to_contain_text("pictures drawn", timeout=10 * LONG_MS)
    shoot(page, folder, "campaigns", "#label-campaigns .campaigns-bench")

    asked.get_by_role("button", name="Label", exact=True).click()
    page.get_by_label(re.compile("Who labels|or somebody new")).last.fill("Ada")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG_MS)
    shoot(page, folder, "collect")
    page.keyboard.press("Enter")
    press(page, "ArrowLeft", "left")
    page.wait_for_function(LIVE, timeout=LONG_MS)
    shoot(page, folder, "label")

    to_part(page, "Align")
    page.get_by_role("checkbox", name=re.compile(NAME)).check()
    expect(page.locator("#align-contents")).to_contain_text("6 prompts", timeout=LONG_MS)
    page.click("#align-train")
    put_on = page.get_by_role("button", name="Put on the stack")
    expect(put_on).to_be_visible(timeout=10 * LONG_MS)
    expect(page.locator("#align-pairs .after figcaption").first).to_have_text("after", timeout=LONG_MS)
    shoot(page, folder, "align", "#label-align .campaigns-bench")

    put_on.click()
    expect(page.locator("#edit-stack [role=switch]")).to_have_count(1, timeout=LONG_MS)
    to_part(page, "Tune by votes")
    page.locator("#tuning-rows [data-part=on]").first.check()
    page.click("#tuning-start")
    page.get_by_role("button", name=re.compile("^Answer: ")).click(timeout=10 * LONG_MS)
    page.get_by_role("button", name="Go on").click()
    for number in range(8):
        press(page, "ArrowRight" if number % 3 else "ArrowLeft", "right" if number % 3 else "left")
    to_part(page, "Tune by votes")
    expect(page.locator("#tuning-list svg").first).to_be_visible(timeout=LONG_MS)
    shoot(page, folder, "tuning", "#label-tune-by-votes .campaigns-bench")

    to_part(page, "Import and export")
    page.click("#exchange-describe")
    page.click("#exchange-export")
    expect(page.locator("#exchange-runs a[download]")).to_be_visible(timeout=LONG_MS)
    shoot(page, folder, "exchange", "#label-import-and-export .campaigns-bench")
