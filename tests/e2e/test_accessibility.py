"""Every screen held against axe-core's rules of WCAG A and AA: in both themes, and at 200 %."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.test_compare_tab import compared
from tests.e2e.test_guidance_tab import WHY, compare, sweep, to_guidance, too_small
from tests.e2e.test_prompt_tab import LONG_MS, TWO_FRAMES, Open, generate

pytestmark = pytest.mark.browser

RULES: dict[str, Any] = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
# The page has the same elements at every width, in another order. Each theme is looked at whole, at one; the last is
# 1440 at 200 %. That nothing is cut off at these and at others is measured beside the walks through each tab.
VIEWS = [(1440, "dark"), (720, "light")]


def violations(page: Page, scheme: str, width: int, part: str | None = None) -> list[str]:
    """What axe finds, a line for each place. part: of the page, where the rest was looked at before."""
    page.set_viewport_size({"width": width, "height": 900})
    # Without motion: otherwise colours change over a moment, and half-way none has its contrast.
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.evaluate(TWO_FRAMES)
    found = Axe().run(page, part, RULES).response["violations"]
    return [f"{width} {scheme}: {one['id']} ({one['impact']}): {node['target']} {node['html'][:160]}"
            for one in found for node in one["nodes"]]  # fmt: skip


def in_views(page: Page, part: str | None = None) -> list[str]:
    return [line for width, scheme in VIEWS for line in violations(page, scheme, width, part)]


WRONG = """document.querySelector('#generate').insertAdjacentHTML('afterend', '<img id="wrong" src="data:,">')"""


def test_the_prompt_tab_with_everything_open_and_what_is_wrong_is_found(opened: Open) -> None:
    page = opened()
    generate(page)
    folded = page.locator(".controls .label-wrap").locator("visible=true")
    assert folded.count() >= 3
    for button in folded.all():
        if "open" not in str(button.get_attribute("class")):
            button.click()
    expect(page.locator("#steps")).to_be_visible()
    for part in ("#canvas img", "#generate", "#stop"):  # what changes the picture, and the picture, beside each other
        expect(page.locator(part).first).to_be_in_viewport(timeout=LONG_MS)
    assert in_views(page) == []

    page.evaluate(WRONG)
    assert any("image-alt" in line for line in violations(page, "light", 1440, "#wrong"))
    page.evaluate("document.querySelector('#wrong').remove()")

    # What ? opens, and Escape closes; the theme chosen in it is the page's.
    page.locator("#generate").press("?")
    expect(page.locator("dialog.about tbody th", has_text="Palimpsest")).to_be_visible(timeout=LONG_MS)
    assert in_views(page, "dialog.about") == []
    page.locator("dialog.about [data-theme-choice][value=dark]").check()
    expect(page.locator("body.dark")).to_have_count(1)
    page.locator("dialog.about [data-theme-choice][value='']").check()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.about")).to_have_count(0)


def test_the_compare_tab_with_an_open_row_its_panels_and_each_view(opened: Open) -> None:
    page = opened()
    compared(page)
    page.locator("#compare-table .guide-name").first.click()
    expect(page.locator(".compare-editor")).to_be_visible(timeout=LONG_MS)
    page.click("[data-panel=compare-add]")
    assert in_views(page) == []
    for panel in ("compare-statistics", "compare-keep"):
        page.click(f"[data-panel={panel}]")
        assert violations(page, "dark", 1440, f"#{panel}") == []
    for view in page.locator(".view-choice [role=radio]").all()[1:]:
        view.click()
        assert violations(page, "light", 1440, "#compare-views") == []


def test_the_guidance_tab_with_results_and_reasons_which_can_be_read_from_afar(opened: Open) -> None:
    page = opened()
    to_guidance(page)
    page.locator("#guidance-steps input[type=number]").fill("4")
    compare(page, 4)
    page.locator(WHY).nth(2).click()
    page.wait_for_selector("#guidance-strip img", timeout=LONG_MS)
    for width in (1440, 800, 720):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        assert too_small(page) == [], width
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_text("All measures").click()
    sweep(page, 2)
    page.locator("#guidance-rows .chosen select.menu-like").select_option("schedule")
    expect(page.locator("#guidance-rows .chosen .curve svg")).to_be_visible(timeout=LONG_MS)
    assert in_views(page) == []
