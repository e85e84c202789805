"""Takes the screenshots of docs/: PALIMPSEST_SCREENSHOTS=docs/screenshots pytest --slow tests/e2e/test_screenshots.py

Without the variable they go to a temporary folder, which still proves that the page gets that far.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio.world.examples import EXAMPLES, FIRST
from tests.e2e.test_prompt_tab import LONG_MS, Open, choose, fill, generate, wait_until_done

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("PALIMPSEST_SCREENSHOTS")
    found = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    found.mkdir(parents=True, exist_ok=True)
    return found


def test_screenshots_of_the_page(opened: Open, folder: Path) -> None:
    page = opened()
    for seed, example in enumerate(reversed(EXAMPLES)):
        fill(page, example.prompt, seed=str(seed), steps=20)
        generate(page)
        wait_until_done(page)
    for width in (1440, 800):
        for scheme in ("light", "dark"):
            page = opened(width=width, scheme=scheme)
            fill(page, FIRST.prompt, seed="-1", steps=20)
            page.click("#sampling > button")  # `fill` opened it
            page.wait_for_timeout(2500)
            page.evaluate("window.scrollTo(0, 0)")
            page.screenshot(path=folder / f"prompt-{width}-{scheme}.png")
    page = opened()
    fill(page, EXAMPLES[1].prompt, seed="5", count=4, steps=40)
    page.click("#sampling > button")
    generate(page)
    for example in EXAMPLES[2:4]:  # and two that wait
        fill(page, example.prompt, steps=20)
        page.click("#generate")
        page.wait_for_timeout(1500)
    page.wait_for_selector("#canvas .frame.done")
    page.wait_for_selector("#canvas .frame.live")
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=folder / "drawing-1440-light.png")
    page.click("#stop")
    page.wait_for_selector("#queue .empty-line", timeout=LONG_MS)
    page = opened()
    fill(page, "a red star on a white background", seed="1", steps=20)
    page.click("#sampling > button")
    page.click("#grid > button")
    page.wait_for_timeout(500)
    choose(page, "#axis-x", "search and replace")
    page.fill("#values-x :is(input, textarea)", "star, heart, fish, flower")
    choose(page, "#axis-y", "CFG: guidance scale")
    page.fill("#values-y :is(input, textarea)", "1, 1.5, 3")
    page.wait_for_selector("#forecast .forecast", timeout=LONG_MS)
    page.click("#grid-start")
    expect(page.locator("#grid-sheet .frame.done")).to_have_count(12, timeout=LONG_MS)
    page.wait_for_timeout(2500)
    page.evaluate("document.querySelector('#grid').scrollIntoView()")
    page.screenshot(path=folder / "grid-1440-light.png")
    page.evaluate("window.scrollTo(0, 0)")
    for tab in ("Erase", "Label", "Compare"):
        page.click(f"[role=tab]:has-text('{tab}')")
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"{tab.lower()}-1440-light.png")
    assert len(list(folder.glob("*.png"))) >= 10


def test_screenshots_of_guidance(opened: Open, folder: Path) -> None:
    for width in (1440, 800):
        for scheme in ("light", "dark"):
            page = opened(width=width, scheme=scheme)
            page.wait_for_timeout(1500)
            page.get_by_role("tab", name="Guidance").click()
            page.wait_for_selector("#guidance-rows .formula", timeout=LONG_MS)
            page.click("#compare")
            expect(page.locator("#guidance-results figcaption")).to_have_count(4, timeout=LONG_MS)
            page.locator("#guidance-results [data-pick]").nth(1).click()
            page.wait_for_selector("#guidance-strip img", timeout=LONG_MS)
            page.locator("#guidance-sweep > button").click()
            page.click("#sweep-go")
            page.wait_for_selector("#guidance-film svg", timeout=LONG_MS)
            page.wait_for_timeout(500)
            bottom = "document.querySelector('.workbench.guidance').getBoundingClientRect().bottom + scrollY"
            page.set_viewport_size({"width": width, "height": int(page.evaluate(bottom)) + 40})
            page.evaluate("window.scrollTo(0, 0)")
            page.mouse.move(2, 2)  # off the plots, which mark the step under it
            page.wait_for_timeout(500)
            page.screenshot(path=folder / f"guidance-{width}-{scheme}.png")
    assert len(list(folder.glob("guidance-*.png"))) >= 4
