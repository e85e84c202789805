"""Menus in Chromium: what is chosen is told once, by mouse and by keyboard, and what is only looked into is left."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.ui.guidance.run import FIELDS
from tests.e2e.settling import settled
from tests.e2e.test_guidance_tab import to_guidance
from tests.e2e.test_prompt_tab import LONG_MS, Open, unfold

INTERVAL = "CFG in an interval: high scale at middle noise only: more variety, and fewer network evaluations"
pytestmark = pytest.mark.browser


def told(page: Page, inputs: int, name: str) -> list[Any]:
    """From now on, the calls of so many inputs of which one is `name`."""
    found: list[Any] = []

    def heard(request: Any) -> None:
        if request.method == "POST" and "/run/" in request.url:
            data = json.loads(request.post_data or "{}").get("data", [])
            if len(data) == inputs and name in data:
                found.append(data)

    page.on("request", heard)
    return found


def test_what_is_chosen_is_told_once_and_stays_while_menus_are_looked_into(opened: Open) -> None:
    page = opened()
    calls = told(page, 1, "cfg-interval")
    page.click("#preset input")
    page.click("[role=option]:has-text('CFG in an interval')")
    expect(page.locator("#preset-said .preset-note")).to_be_visible(timeout=LONG_MS)
    settled(page)
    assert len(calls) == 2  # its settings, and whether it can be removed

    page.click("#guidance-method > button")
    for menu in ("#method input", "#preset input"):
        page.click(menu)
        page.wait_for_selector("[role=option]")
        page.keyboard.press("Tab")
    settled(page)
    expect(page.locator("#preset input")).to_have_value(INTERVAL)
    assert len(calls) == 2

    # Another method is chosen: the settings are no preset's any more; and the same preset may be chosen again.
    page.click("#method input")
    page.click("[role=option]:has-text('(SEG)')")
    expect(page.locator("#preset input")).to_have_value("Custom", timeout=LONG_MS)
    page.focus("#preset input")
    page.locator("#preset input").fill(INTERVAL)
    page.keyboard.press("Enter")
    expect(page.locator("#method input")).to_have_value("Classifier-free (CFG)", timeout=LONG_MS)
    expect(page.locator("#preset input")).to_have_value(INTERVAL)

    # So do the size and the sweep.
    unfold(page, "#sampling", "#steps")
    width = page.get_by_label("Width").first
    width.fill("192")
    width.press("Tab")
    page.focus("#model input")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("Tab")
    settled(page)
    expect(width).to_have_value("192")

    to_guidance(page)
    page.click("#guidance-sweep > button")
    low = page.locator("#sweep-low input")
    expect(page.locator("#sweep-name input")).not_to_have_value("", timeout=LONG_MS)
    low.fill("3")
    low.press("Tab")
    page.click("#sweep-name input")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("Tab")
    settled(page)
    expect(low).to_have_value("3")

    # A preset for a row is told once, with the board's and the stack's turns, the model and the tab's fields.
    calls = told(page, 2 * 2 + 1 + len(FIELDS) + 1, "apg")
    for _ in range(2):  # the menu is empty again, and the same may be wanted once more
        page.click("#guidance-preset input")
        page.get_by_role("option", name=re.compile("^APG:")).click()
        expect(page.locator("#guidance-preset input")).to_have_value("", timeout=LONG_MS)
        settled(page)
    assert len(calls) == 2
