"""The first five minutes in Chromium: from an empty workspace through the whole loop, led by a line above the tabs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio.services.walkthrough import ENOUGH_LABELS
from studio.ui.walkthrough import WORDS
from tests.e2e.conftest import serve_on
from tests.e2e.settling import settled
from tests.e2e.test_accessibility import in_views
from tests.e2e.test_label_tab import press
from tests.e2e.test_prompt_tab import LONG_MS, Open
from tests.ui.serving import Served, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def served(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In the place of the studio that the other walks share: nobody has done anything in this one."""
    folder = tmp_path_factory.mktemp("first")
    with serving(serve_on(folder), folder) as page:
        yield page


def led(page: Page, step: str) -> None:
    """The line says this step, and leads to it."""
    expect(page.locator(".tour p")).to_contain_text(WORDS[step][1], timeout=LONG_MS)
    expect(page.locator(".tour li.done")).to_have_count(list(WORDS).index(step))
    page.click("[data-tour=go]")
    expect(page.locator(f"#tab-{WORDS[step][2]}-button")).to_have_attribute("aria-selected", "true", timeout=LONG_MS)
    settled(page)


def test_the_whole_loop_from_an_empty_workspace_to_an_aligned_edit_and_its_blind_test(opened: Open) -> None:
    page, began = opened(tour=True), time.monotonic()
    expect(page.locator(".tour li")).to_have_count(5, timeout=LONG_MS)
    assert in_views(page, "#walkthrough") == []
    page.set_viewport_size({"width": 1440, "height": 900})
    led(page, "generate")
    page.click("#generate")

    led(page, "erase")
    page.click("#erase-go")
    page.get_by_role("button", name="Accept at strength 1").click(timeout=LONG_MS)

    page.reload()  # it goes on where it was
    led(page, "compare")
    expect(page.locator("#compare-basis p")).to_have_count(1, timeout=LONG_MS)  # menus come with it
    settled(page)
    page.get_by_role("combobox", name="Edit", exact=True).click()
    page.get_by_role("option", name=re.compile("no-star")).click()
    settled(page)
    page.click("#compare-add-edit")
    expect(page.locator("#compare-table tr[data-row]")).to_have_count(2, timeout=LONG_MS)
    page.fill("#compare-prompts :is(input, textarea)", "a red star on a white background")
    page.fill("#compare-seeds :is(input, textarea)", "7, 8")
    page.click("#compare-go")

    led(page, "label")
    page.get_by_label(re.compile("Who labels|or somebody new")).last.fill("Kim")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG_MS)
    page.keyboard.press("Enter")
    for number in range(ENOUGH_LABELS):
        press(page, "ArrowRight" if number % 3 else "ArrowLeft", "right" if number % 3 else "left")

    led(page, "align")
    page.click("#align-train")
    expect(page.locator(".tour p")).to_contain_text("That was the whole loop", timeout=10 * LONG_MS)
    page.get_by_role("button", name="Test it blind").first.click()
    page.get_by_role("button", name="Answer it").click(timeout=LONG_MS)
    expect(page.get_by_role("button", name=re.compile("Start|Go on"))).to_be_enabled(timeout=LONG_MS)
    page.keyboard.press("Enter")
    for number in range(6):
        press(page, "ArrowRight" if number % 2 else "ArrowLeft", "right" if number % 2 else "left")
    page.get_by_role("tab", name="Align").click()
    expect(page.locator("#align-past .blind-test")).to_contain_text("n = 6", timeout=LONG_MS)
    print(f"the walkthrough took {time.monotonic() - began:.0f} s")

    page.click("[data-tour=end]")
    page.reload()
    page.wait_for_selector("#generate", state="attached")
    settled(page)
    expect(page.locator(".tour")).to_have_count(0)  # it stays away until it is asked for
