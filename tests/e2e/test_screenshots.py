"""Takes the screenshots of docs/: PALIMPSEST_SCREENSHOTS=docs/screenshots pytest --slow tests/e2e/test_screenshots.py

Without the variable they go to a temporary folder, which still proves that the page gets that far.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from studio.world.examples import EXAMPLES, FIRST
from tests.e2e.conftest import Scheme
from tests.e2e.held_worker import Brake
from tests.e2e.test_erase_tab import balance, erase, to_balance, to_erase
from tests.e2e.test_prompt_tab import LONG_MS, Open, choose, fill, generate, wait_until_done

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
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
VIEWS = [
    View(1440, 900, "light"),
    View(1440, 900, "dark"),
    View(1280, 720, "light"),
    View(800, 900, "light"),
    View(800, 900, "dark"),
    View(390, 844, "light"),
]


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
    for view in VIEWS:
        seen_as(page, view)
        page.screenshot(path=folder / f"prompt-{view}.png")
    seen_as(page, VIEWS[0])

    brake.at("preview", 6)  # in the middle of the first of four, while two jobs wait
    fill(page, EXAMPLES[1].prompt, seed="5", count=4, steps=40)
    page.click("#sampling > button")
    page.click("#generate")
    page.wait_for_selector("#canvas .frame.live", timeout=LONG_MS)
    for waiting, example in enumerate(EXAMPLES[2:4], 1):
        page.fill("#prompt textarea", example.prompt)
        page.click("#generate")
        expect(page.locator("#queue .job")).to_have_count(1 + waiting, timeout=LONG_MS)
    seen_as(page, VIEWS[0])
    page.screenshot(path=folder / f"drawing-{VIEWS[0]}.png")
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
    seen_as(page, VIEWS[0])
    page.evaluate("document.querySelector('#grid').scrollIntoView()")
    page.screenshot(path=folder / f"grid-{VIEWS[0]}.png")
    assert {path.stem for path in folder.glob("prompt-*.png")} == {f"prompt-{view}" for view in VIEWS}


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
    for view in VIEWS:
        seen_as(page, view)
        if view.width != 1280:  # what a projector shows is what is seen without scrolling; else the whole of it
            bottom = page.evaluate(
                "document.querySelector('.workbench.guidance').getBoundingClientRect().bottom + scrollY"
            )
            seen_as(page, view._replace(height=int(bottom) + 40))
        page.screenshot(path=folder / f"guidance-{view}.png")
    assert {path.stem for path in folder.glob("guidance-*.png")} == {f"guidance-{view}" for view in VIEWS}


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
    for view in VIEWS:
        seen_as(page, view)
        if view.width != 1280:  # as of the Guidance tab
            bottom = page.evaluate(
                "document.querySelector('.workbench.compare').getBoundingClientRect().bottom + scrollY"
            )
            seen_as(page, view._replace(height=int(bottom) + 40))
        page.screenshot(path=folder / f"compare-{view}.png")
    seen_as(page, VIEWS[2])
    page.get_by_role("radio", name="Slider").click()
    page.locator(".view-tools select[data-choice=second]").select_option(index=1)
    seen_as(page, VIEWS[2])
    page.screenshot(path=folder / f"compare-slider-{VIEWS[2]}.png")
    assert {path.stem for path in folder.glob("compare-*.png")} >= {f"compare-{view}" for view in VIEWS}


def test_screenshots_of_erase(opened: Open, folder: Path) -> None:
    page = opened()
    to_erase(page)
    erase(page)
    for view in VIEWS:
        seen_as(page, view)
        if view.width != 1280:  # as of the Guidance tab
            bottom = page.evaluate(
                "document.querySelector('.workbench.erase').getBoundingClientRect().bottom + scrollY"
            )
            seen_as(page, view._replace(height=int(bottom) + 40))
        page.screenshot(path=folder / f"erase-{view}.png")
    assert {path.stem for path in folder.glob("erase-*.png")} == {f"erase-{view}" for view in VIEWS}


def test_screenshots_of_a_balance(opened: Open, folder: Path) -> None:
    page = opened()
    to_balance(page)
    balance(page)
    for view in VIEWS:
        seen_as(page, view)
        if view.width != 1280:  # as of the Guidance tab
            bottom = page.evaluate(
                "document.querySelector('.workbench.erase').getBoundingClientRect().bottom + scrollY"
            )
            seen_as(page, view._replace(height=int(bottom) + 40))
        page.screenshot(path=folder / f"balance-{view}.png")
    assert {path.stem for path in folder.glob("balance-*.png")} == {f"balance-{view}" for view in VIEWS}
