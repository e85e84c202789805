"""The Campaigns part in Chromium: made and drawn; a folder of other programs' pictures brought in and sorted by key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_accessibility import in_views
from tests.e2e.test_label_tab import SAID, press
from tests.e2e.test_prompt_tab import LONG_MS, TWO_FRAMES, Open
from tests.services.labels.foreign_files import a1111, comfyui, invokeai, with_exif
from tests.ui.serving import Served, serving

pytestmark = pytest.mark.browser
MESSAGE, FILES, CAMPAIGNS = "#campaign-message .message", "#campaign-files-html .files", "#campaign-list .campaign"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In the place of the studio that the other walks share: this one draws sketches."""
    folder = tmp_path_factory.mktemp("campaigns")
    with serving(["-m", "tests.ui.serve_fake", str(folder), "0"], folder) as page:
        yield page


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as somebody has it: three programs, a picture that lies on its side, a copy, and a page."""
    folder = tmp_path_factory.mktemp("theirs")
    for number in range(3):
        a1111(folder / f"a1111-{number}.png", "a star at night", number)
    comfyui(folder / "comfy.png", "a star at night", 4)
    invokeai(folder / "invoke.png", "a moon", 5)
    with_exif(folder / "side.jpg", "a star at night", 6, orientation=6)
    with_exif(folder / "copy.jpg", "a star at night", 1)
    (folder / "page.png").write_bytes(b"<html>")
    return folder


def whole(page: Page) -> None:
    """Nothing is wider than the page."""
    for width in (1440, 800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, width
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_campaign_is_made_and_drawn_and_a_folder_of_other_programs_pictures_is_sorted(
    opened: Open, served: Served, theirs: Path
) -> None:
    page = opened()
    page.get_by_role("tab", name="Label").click()
    page.get_by_role("tab", name="Campaigns").click()
    expect(page.locator("#campaign-list")).to_contain_text("No campaign yet")
    expect(page.locator("#campaign-note p")).to_contain_text("62 pictures of 30 prompts", timeout=LONG_MS)

    # With everything as it is: 30 pairs, which can be labelled as soon as the first is drawn.
    page.click("#campaign-go")
    expect(page.locator(MESSAGE)).to_contain_text("30 pairs of Stencil is made", timeout=LONG_MS)
    pairs = page.locator(CAMPAIGNS).filter(has_text="30 pairs of Stencil")
    expect(pairs.get_by_role("button", name="Label", exact=True)).to_be_enabled(timeout=LONG_MS)
    expect(pairs.get_by_role("button", name="Stop drawing")).to_have_count(0, timeout=LONG_MS)
    pairs.get_by_role("button", name="Pause").click()
    expect(pairs.locator(".state")).to_have_text("paused", timeout=LONG_MS)

    # What is wrong is said, and what was typed stays, over a reload too.
    page.get_by_label("Prompts of your own").check()
    page.get_by_label("Your prompts").fill("a star\na heart")
    page.get_by_label("Half of the items").check()
    expect(page.locator("#campaign-note .error")).to_contain_text("only where you say which", timeout=LONG_MS)
    whole(page)
    assert in_views(page, "#tab-label") == []

    # A folder of pictures from elsewhere.
    page.get_by_label("Files you have").check()
    page.locator("#campaign-folder input[type=file]").set_input_files(theirs)
    expect(page.locator(FILES)).to_contain_text("6 pictures in 2 groups of one prompt and size", timeout=LONG_MS)
    expect(page.locator(FILES)).to_contain_text("Left out: 1 near-duplicate")
    expect(page.locator(".files-refused")).to_contain_text("page.png")
    expect(page.locator(".files-thumb .turned")).to_have_count(1)
    assert in_views(page, "#tab-label") == []
    page.get_by_label("One by one: good or bad").check()
    page.locator("#campaign-people > button").click()
    page.get_by_label("Some are asked again, sides swapped").uncheck()
    page.fill("#campaign-name :is(input, textarea)", "theirs")
    page.click("#campaign-go")
    expect(page.locator(MESSAGE)).to_contain_text("It asks about 6 pictures, one by one.", timeout=LONG_MS)
    expect(page.locator(FILES)).to_have_count(0)
    campaign = page.locator(CAMPAIGNS).filter(has_text="theirs")
    expect(campaign).to_contain_text("All of its pictures are from elsewhere")

    # Sorted by key: good, bad, good, ...
    campaign.get_by_role("button", name="Label", exact=True).click()
    # Chosen, the pad has laid itself out anew, and what is typed stays.
    expect(page.get_by_role("radio", name=re.compile("theirs"))).to_be_checked(timeout=LONG_MS)
    page.evaluate(TWO_FRAMES)
    page.get_by_label("Who labels").fill("Ada")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG_MS)
    page.keyboard.press("Enter")
    for number in range(6):
        press(page, "u" if number % 2 == 0 else "j")
        expect(page.locator(SAID)).to_contain_text("Saved", timeout=LONG_MS)
    page.get_by_role("tab", name="Campaigns").click()
    expect(campaign).to_contain_text("6 of 6 items have their answers · 6 answers by Ada 6", timeout=LONG_MS)
    with httpx.Client(base_url=served.url, timeout=60) as client:
        answer = client.post("/gradio_api/run/campaign", json={"data": ["theirs"]}).raise_for_status().json()["data"][0]
    assert (answer["answers"], answer["foreign_share"], answer["done"]) == (6, 1, 6)

    page.reload()
    page.get_by_role("tab", name="Label").click()
    page.get_by_role("tab", name="Campaigns").click()
    expect(page.get_by_label("Files you have")).to_be_checked(timeout=LONG_MS)
    page.get_by_label("Drawn here").check()
    expect(page.get_by_label("Your prompts")).to_have_value("a star\na heart", timeout=LONG_MS)
