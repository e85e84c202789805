"""The Compare tab in Chromium, with the real model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import WIDE
from tests.e2e.settling import settled
from tests.e2e.test_prompt_tab import LONG_MS, TWO_FRAMES, Open, fill, generate, wait_until_done
from tests.ui.serving import Served

pytestmark = pytest.mark.browser
PICTURES, ROWS = "#compare-table .frame.done", "#compare-table tr[data-row]"
SEEDS = "#compare-seeds :is(input, textarea)"
BEYOND = "document.documentElement.scrollWidth - window.innerWidth"


def two_pictures(page: Page) -> None:
    """Two ways to one seed, drawn on the Prompt tab."""
    for steps in (3, 4):
        fill(page, "a striped purple star on a meadow background", steps=steps)
        generate(page)
        wait_until_done(page)


def to_compare(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector("#compare-picker .thumb", timeout=LONG_MS)
    settled(page)


def add_from_history(page: Page, count: int) -> None:
    """The newest pictures that were drawn alone as rows: another walk may have left several that came together."""
    alone = page.locator("#compare-picker .thumb[data-pick]")
    expect(alone.nth(count - 1)).to_be_visible(timeout=LONG_MS)
    for number in range(count):
        alone.nth(number).click()
        expect(page.locator("#compare-picker .picker-said")).to_have_text(f"{number + 1} chosen")
    page.click("#compare-take")
    expect(page.locator(ROWS)).to_have_count(count, timeout=LONG_MS)
    settled(page)


def compared(page: Page) -> None:
    """Two rows on two seeds, drawn and read."""
    two_pictures(page)
    to_compare(page)
    add_from_history(page, 2)
    page.fill(SEEDS, "7, 8")
    page.keyboard.press("Control+Enter")
    expect(page.locator(PICTURES)).to_have_count(4, timeout=LONG_MS)
    expect(page.locator("#compare-table figcaption").last).to_contain_text("accuracy", timeout=LONG_MS)
    settled(page)


def test_a_picture_that_is_pressed_while_the_list_changes_is_chosen(opened: Open) -> None:
    page = opened()
    fill(page, "a red ring", steps=3)
    generate(page)
    wait_until_done(page)
    to_compare(page)
    page.locator("#compare-picker .thumb[data-pick]").first.hover()
    page.mouse.down()
    search = page.locator("#compare-picker input")
    with page.expect_response(lambda response: "component_server" in response.url):
        search.evaluate("search => { search.value = 'zebra'; search.dispatchEvent(new Event('input')); }")
    page.evaluate(TWO_FRAMES)
    page.mouse.up()
    expect(page.locator("#compare-picker .picker-said")).to_have_text("1 chosen")
    expect(page.locator("#compare-picker .picker-tiles")).to_have_text("No picture's prompt has these words.")


def test_rows_from_the_history_and_a_file_drawn_looked_at_shared_and_found_again(
    opened: Open, served: Served, tmp_path: Path
) -> None:
    page = opened()
    compared(page)
    assert len({str(one.get_attribute("src")) for one in page.locator(f"{PICTURES} img").all()}) == 4

    # A file is a row; this one is a row that is there already, and says so.
    picture = page.locator(f"{PICTURES} img").first.get_attribute("src")
    file = tmp_path / "a picture.png"
    file.write_bytes(page.request.get(f"{served.url.rstrip('/')}{picture}").body())
    page.set_input_files("#compare-dropped input[type=file]", file)
    expect(page.locator(ROWS)).to_have_count(3, timeout=LONG_MS)
    expect(page.locator(PICTURES)).to_have_count(6, timeout=LONG_MS)  # drawn already: the cells are those of row 1
    expect(page.locator(f"{ROWS} .flag")).to_contain_text("the recipes are the same", timeout=LONG_MS)
    settled(page)

    # Two rows are seen whole on a projector: Draw has folded away what rows come from.
    page.set_viewport_size({"width": 1280, "height": 720})
    for one in (0, 3):
        expect(page.locator(PICTURES).nth(one)).to_be_in_viewport(ratio=0.99, timeout=LONG_MS)
    page.set_viewport_size(WIDE)
    looked_at(page)

    # It goes out as one file, and all of it outlives a reload.
    page.click("[data-panel=compare-keep]")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report (HTML)").click()
    assert download.value.path().read_bytes().startswith(b"<!doctype html>")
    kept = page.locator(ROWS).all_inner_texts()
    page.reload()
    expect(page.locator(PICTURES)).to_have_count(6, timeout=LONG_MS)
    assert page.locator(ROWS).all_inner_texts() == kept
    expect(page.locator(SEEDS)).to_have_value("7, 8")
    for width in (800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        assert page.evaluate(BEYOND) <= 0, width


def looked_at(page: Page) -> None:
    """In the table and in each view, by keys alone."""
    table, told = page.locator("#compare-table"), page.locator(".view-told")
    page.locator(PICTURES).nth(2).focus()
    page.keyboard.down("r")
    expect(page.locator("#compare-table[data-flipped], #compare-table [data-flipped]")).to_have_count(1)
    page.keyboard.up("r")
    page.keyboard.press("ArrowRight")
    expect(page.locator(PICTURES).nth(3)).to_be_focused()
    expect(page.locator(f"{PICTURES}.pinned")).to_have_count(2)  # the row that the others are held against
    page.keyboard.press("p")
    expect(page.locator(ROWS).nth(1)).to_contain_text("reference", timeout=LONG_MS)
    settled(page)

    page.keyboard.press("2")
    expect(page.get_by_role("radio", name="Slider")).to_be_checked()
    expect(table.locator("table")).to_be_hidden()
    expect(told).to_contain_text("seed 7")
    page.keyboard.press("ArrowRight")
    expect(told).to_contain_text("seed 8")
    divider = page.get_by_role("slider", name=re.compile("Divider"))
    before = float(divider.input_value())
    page.keyboard.press("[")
    assert float(divider.input_value()) == before - 5
    page.keyboard.press("3")
    page.keyboard.down("r")
    expect(page.locator(".view-stage[data-held]")).to_have_count(1)
    page.keyboard.up("r")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("4")
    expect(page.locator(".both.difference")).to_be_visible()
    page.keyboard.press("5")
    expect(page.locator(".view-pictures.of-large figure")).to_have_count(3)
    page.keyboard.press("6")
    expect(page.locator(".view-nothing")).to_contain_text("No two rows are steps of one training")
    page.get_by_role("radio", name="Training").press("ArrowRight")
    expect(page.get_by_role("radio", name="Table")).to_be_checked()
    expect(table.locator("table")).to_be_visible()
    for view in ("Large", "Table"):  # and by the mouse, from the table too
        page.get_by_role("radio", name=view).click()
        expect(page.get_by_role("radio", name=view)).to_be_checked()
