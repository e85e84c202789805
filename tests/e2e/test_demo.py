"""The page for a projector, in Chromium: by its address and from the settings; what the back row sees is in view."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_accessibility import violations
from tests.e2e.test_erase_tab import erase, to_erase
from tests.e2e.test_prompt_tab import LONG_MS, Open
from tests.e2e.test_screenshots import PROJECTOR, folder, seen_as

__all__ = ["folder"]  # the fixture: where screenshots go
pytestmark = pytest.mark.browser
LEAST_PX = 16  # of any letter that is seen, at 1280 x 720
# The smallest type on the page, in pixels of the screen, and what is written in it.
SMALLEST = """(part) => {
  let smallest = [1000, ''];
  const texts = document.createTreeWalker(document.querySelector(part), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const holder = text.parentElement, range = document.createRange();
    if (!text.textContent.trim() || !holder.checkVisibility()) continue;
    range.selectNode(text);
    if (![...range.getClientRects()].some(({width, height}) => width > 1 && height > 1)) continue;
    const size = parseFloat(getComputedStyle(holder).fontSize) * holder.currentCSSZoom;
    if (size < smallest[0]) smallest = [size, text.textContent.trim()];
  }
  return smallest;
}"""
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_a_projector_shows_large_type_and_what_an_edit_changes(opened: Open, folder: Path) -> None:
    page = opened()
    page.set_viewport_size({"width": PROJECTOR.width, "height": PROJECTOR.height})
    page.keyboard.press("?")
    page.locator("dialog.about [data-demo]").check()
    page.keyboard.press("Escape")
    assert page.url.endswith("?demo")
    expect(page.locator("#sidebar.open")).to_have_count(0)
    page.reload()  # the address says it
    expect(page.locator("html.demo")).to_have_count(1)
    page.wait_for_selector("#generate")
    assert_large(page, "#tab-prompt")
    for part in ("#prompt textarea", "#generate", "#canvas"):
        expect(page.locator(part)).to_be_in_viewport(timeout=LONG_MS)
    expect(page.locator("#seed")).to_be_hidden()

    to_erase(page)
    erase(page)
    assert_large(page, "#tab-erase")
    pairs = page.locator("#erase-pairs .pairs > section:visible")
    expect(pairs.locator(".pair-role span")).to_have_text(["should change", "should stay"])
    for frame in pairs.locator(".frame").all():
        expect(frame).to_be_in_viewport(ratio=0.99, timeout=LONG_MS)
    assert violations(page, "light", PROJECTOR.width, "#tab-erase") == []
    seen_as(page, PROJECTOR)
    page.screenshot(path=folder / f"demo-{PROJECTOR}.png")

    page.keyboard.press("?")  # back again
    page.locator("dialog.about [data-demo]").uncheck()
    page.keyboard.press("Escape")
    assert "demo" not in page.url
    expect(page.locator("#erase-preserve")).to_be_visible()


def assert_large(page: Page, part: str) -> None:
    size, words = page.evaluate(SMALLEST, part)
    assert size >= LEAST_PX, f"{size:.1f} px: {words}"
    assert page.evaluate(BEYOND) <= 0
