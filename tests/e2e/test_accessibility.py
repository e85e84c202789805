"""Every screen held against axe-core's rules of WCAG A and AA, in both themes, wide, narrow and at 200 %."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.test_guidance_tab import WHY, compare, sweep, to_guidance
from tests.e2e.test_prompt_tab import LONG_MS, Open, generate

pytestmark = pytest.mark.browser

RULES: dict[str, Any] = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
VIEWS = [(1440, "light"), (1440, "dark"), (800, "light"), (800, "dark"), (720, "light")]  # the last: 1440 at 200 %


def violations(page: Page, scheme: str, width: int) -> list[str]:
    """What axe finds, a line for each place."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.wait_for_timeout(400)  # colours change over a moment, and half-way none has its contrast
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{width} {scheme}: {one['id']} ({one['impact']}): {node['target']} {node['html'][:160]}"
            for one in found for node in one["nodes"]]  # fmt: skip


def in_all_views(page: Page) -> list[str]:
    return [line for width, scheme in VIEWS for line in violations(page, scheme, width)]


def test_the_prompt_tab_with_a_picture_and_everything_open(opened: Open) -> None:
    page = opened()
    generate(page)
    folded = page.locator(".controls .label-wrap").locator("visible=true")
    assert folded.count() >= 3
    for button in folded.all():
        if "open" not in str(button.get_attribute("class")):
            button.click()
    page.wait_for_timeout(500)
    assert in_all_views(page) == []


def test_the_guidance_tab_with_results_and_reasons(opened: Open) -> None:
    page = opened()
    to_guidance(page)
    page.locator("#guidance-steps input[type=number]").fill("4")
    compare(page, 4)
    page.locator(WHY).nth(1).click()
    page.wait_for_selector("#guidance-strip img", timeout=LONG_MS)
    page.get_by_text("All measures").click()
    sweep(page, 2)
    page.locator("#guidance-rows .chosen select.menu-like").select_option("schedule")
    expect(page.locator("#guidance-rows .chosen .curve svg")).to_be_visible(timeout=LONG_MS)
    assert in_all_views(page) == []


def test_the_tabs_that_are_to_come(opened: Open) -> None:
    page = opened()
    for tab in ("Erase", "Label", "Compare"):
        page.set_viewport_size({"width": 1440, "height": 900})  # where all of them have room
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        assert in_all_views(page) == [], tab


def test_axe_finds_what_is_wrong(opened: Open) -> None:
    page = opened()
    page.evaluate("document.querySelector('#generate').insertAdjacentHTML('afterend', '<img src=\"data:,\">')")
    assert any("image-alt" in line for line in violations(page, "light", 1440))
