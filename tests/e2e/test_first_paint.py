"""What a page costs that is opened on a studio which runs already: seconds to its first paint, and requests."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.test_prompt_tab import LONG_MS, slowdown
from tests.ui.serving import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # figures of this machine
PAINTED_S, MOST_REQUESTS = 2.0, 100
PAINT = "performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime / 1000)"


def test_a_page_is_painted_within_two_seconds_with_few_requests(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = slowdown()
    began = time.monotonic()
    page.goto(served.url)
    expect(page.locator("#generate")).to_be_visible(timeout=LONG_MS)
    usable_s = time.monotonic() - began
    requests = [url for url in asked if not url.startswith(("data:", "blob:"))]
    (painted_s,) = page.evaluate(PAINT)
    slower = max(1.0, before, slowdown())
    context.close()
    print(f"first paint {painted_s:.2f} s, usable {usable_s:.2f} s, {len(requests)} requests ({slower=:.1f})")
    assert painted_s <= PAINTED_S * slower and len(requests) <= MOST_REQUESTS
