"""Longer walks through the Prompt tab in Chromium, with the real model: queue, history, dropped files, edits, grids."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from studio.storage.png import read_png
from tests.e2e.held_worker import Brake
from tests.e2e.settling import settled
from tests.e2e.test_prompt_tab import (
    LONG_MS,
    PICTURE,
    PROMPT,
    TWO_FRAMES,
    Open,
    choose,
    fill,
    generate,
    unfold,
    wait_until_done,
)
from tests.services.test_dropped import A1111, png
from tests.ui.serving import Served
from tests.ui.stencil_edits import edit_file

pytestmark = pytest.mark.browser
THUMB = "#gallery .thumb"


def pixels(page: Page) -> str:
    """Something that differs with the picture that is shown."""
    return page.locator(PICTURE).first.evaluate(
        """async (image) => { await image.decode(); const c = document.createElement('canvas');
        c.width = c.height = 32; c.getContext('2d').drawImage(image, 0, 0, 32, 32); return c.toDataURL(); }"""
    )


def queued(page: Page, brake: Brake) -> None:
    """Generating while a job runs adds to the queue, and nothing blocks typing."""
    fill(page, "a red star", count=2, steps=3)
    brake.at("begun")
    generate(page)
    fill(page, "a blue ring", count=1, steps=2)
    page.click("#generate")
    page.wait_for_selector("#message .note")
    expect(page.locator("#message")).to_contain_text("In the queue")
    page.fill(PROMPT, "typed while it draws")
    fill(page, "a green fish", count=1, steps=2)
    page.click("#generate")
    page.wait_for_selector("#queue .job.running", timeout=LONG_MS)
    expect(page.locator("#queue .job")).to_have_count(3)
    expect(page.locator("#queue .job.waiting .what").first).to_contain_text("a blue ring")
    page.locator("#queue .job.waiting").nth(1).locator("[data-act=up]").click()
    expect(page.locator("#queue .job.waiting .what").first).to_contain_text("a green fish")
    # What is done elsewhere, by a program or in another window, is seen here.
    waiting = page.locator("#queue .job.waiting").nth(1).locator("[data-act=cancel]").get_attribute("data-job")
    page.request.post(urljoin(page.url, "/gradio_api/run/stop"), data={"data": [waiting, True]})
    expect(page.locator("#queue .job")).to_have_count(2, timeout=LONG_MS)
    page.click("#cancel")
    expect(page.locator("#queue .job")).to_have_count(1, timeout=LONG_MS)
    brake.release()
    wait_until_done(page)
    page.wait_for_selector("#queue .empty-line", timeout=LONG_MS)
    expect(page.locator("#caption .said")).to_have_text("a green fish", timeout=LONG_MS)
    page.click("#ended summary")
    expect(page.locator("#ended .what").nth(0)).to_contain_text("a blue ring")  # the newest first
    expect(page.locator("#ended .what").nth(1)).to_contain_text("a red star")
    assert page.locator("#ended [data-act=retry]").count() >= 2
    page.locator("#ended [data-act=dismiss]").first.click()
    expect(page.locator("#ended .what").nth(0)).to_contain_text("a red star")
    expect(page.locator("#ended details")).to_have_attribute("open", "")  # and is not folded away by that
    page.locator("#ended :is([data-act=dismiss], [data-act=dismiss_all])").last.click()  # of all, where there are more
    expect(page.locator("#ended details")).to_have_count(0)


def picked_far_down(page: Page) -> None:
    """What is picked in the history under everything else comes into sight."""
    page.set_viewport_size({"width": 800, "height": 500})
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator(PICTURE).first).not_to_be_in_viewport()
    page.locator(THUMB).first.click()
    expect(page.locator(PICTURE).first).to_be_in_viewport()
    page.set_viewport_size({"width": 1440, "height": 900})


def starred_deleted_and_sent(page: Page) -> None:
    """A star, a deletion that is taken back, and pictures sent to other tabs."""
    fill(page, "a pink flower", seed="11", steps=2)
    generate(page)
    wait_until_done(page)
    page.fill("#search :is(input, textarea)", "pink flower")  # of all that other walks have drawn
    expect(page.locator(THUMB)).to_have_count(1)
    picked_far_down(page)
    page.click("#star-shown")
    expect(page.locator(f"{THUMB} .star")).to_have_count(1)
    page.click("#filters > button")
    page.check("#only-favourites input")
    expect(page.locator(THUMB)).to_have_count(1)
    page.uncheck("#only-favourites input")
    expect(page.locator(THUMB)).to_have_count(1)
    page.locator("body").press("?")  # a dialog, whose Delete is not for the picture beneath
    expect(page.locator("dialog.about table").first).to_be_visible(timeout=LONG_MS)
    page.keyboard.press("Delete")
    page.keyboard.press("Escape")
    settled(page)
    expect(page.locator(THUMB)).to_have_count(1)
    page.locator("body").press("Delete")  # as the key says
    page.wait_for_selector("#caption [data-do=undelete]")
    expect(page.locator(THUMB)).to_have_count(0)
    page.click("#caption [data-do=undelete]")
    expect(page.locator(THUMB)).to_have_count(1)
    expect(page.locator("#caption .said")).to_have_text("a pink flower")
    page.click("#caption .menu summary")
    page.click("#caption .menu [data-to=compare]")
    expect(page.locator("[role=tab][id^=tab-][aria-selected=true]")).to_have_text("Compare")
    expect(page.locator("#compare-table img[alt='a pink flower: CFG 1.5']")).to_be_visible(timeout=LONG_MS)
    page.get_by_role("tab", name="Prompt").click()
    if not page.is_visible("#caption .menu [data-to=guidance]"):
        page.click("#caption .menu summary")
    page.click("#caption .menu [data-to=guidance]")
    page.wait_for_selector("#guidance-rows .guide", timeout=LONG_MS)
    expect(page.locator("#guidance-prompt textarea")).to_have_value("a pink flower", timeout=LONG_MS)
    expect(page.locator("#guidance-rows .guide.chosen .guide-name")).to_have_text("CFG 1.5", timeout=LONG_MS)

    # The other way round: its rule is found by its words, and is there already.
    rows = page.locator("#guidance-rows .guide").count()
    unfold(page, "#guidance-pictures", "#guidance-picker .thumb")
    page.fill("#guidance-picker input", "pink flower")
    page.locator("#guidance-picker .thumb").first.click()
    expect(page.locator("#guidance-picker .picker-said")).to_have_text("1 chosen")
    page.click("#guidance-take")
    expect(page.locator("#guidance-picker .picker-said")).to_contain_text("Click pictures", timeout=LONG_MS)
    expect(page.locator("#guidance-rows .guide")).to_have_count(rows)


def test_pictures_are_queued_starred_deleted_sent_and_dropped_on_the_page_and_evil_uploads_are_refused(
    opened: Open, served: Served, brake: Brake, tmp_path: Path
) -> None:
    page = opened()
    queued(page, brake)
    starred_deleted_and_sent(page)
    page.get_by_role("tab", name="Prompt").click()

    # A picture that is dropped on the page restores its recipe.
    fill(page, "a dotted orange house", seed="18446744073709551615", steps=3)
    generate(page)
    wait_until_done(page)
    with page.expect_download() as download:
        page.click("#caption a.action")
    ours = tmp_path / "ours.png"
    download.value.save_as(ours)
    fill(page, "something else", seed="1", steps=9)
    page.set_input_files("#dropped input[type=file]", ours)
    expect(page.locator(PROMPT)).to_have_value("a dotted orange house", timeout=LONG_MS)
    expect(page.locator("#seed :is(input, textarea)")).to_have_value("18446744073709551615")
    expect(page.locator("#steps input[type=number]")).to_have_value("3")
    expect(page.locator("#dropped-said")).to_contain_text("the picture was made with")
    page.set_input_files("#dropped input[type=file]", png(tmp_path / "theirs.png", parameters=A1111))
    expect(page.locator(PROMPT)).to_have_value("a (red:1.2) star <lora:x:1>")
    expect(page.locator("#steps input[type=number]")).to_have_value("30")
    expect(page.locator("#dropped-said")).to_contain_text("dreamshaper")
    assert read_png(ours).recipe.prompt == "a dotted orange house"

    # What is no picture, or half of one, is refused in a sentence.
    page.fill(PROMPT, "still here")
    evil = tmp_path / "evil.png"
    page_text, half = b"<html><script>alert(1)</script></html>", b"\x89PNG\r\n\x1a\n" + b"\0" * 50
    for data, said in ((page_text, "is not a PNG"), (half, "damaged")):
        evil.write_bytes(data)
        page.set_input_files("#dropped input[type=file]", evil)
        expect(page.locator("#dropped-said")).to_contain_text("The file evil.png")
        expect(page.locator("#dropped-said")).to_contain_text(said)
    (tmp_path / "photo.GIF").write_bytes(b"GIF89a")
    page.set_input_files("#dropped input[type=file]", tmp_path / "photo.GIF")
    expect(page.locator("#refused")).to_contain_text("The file photo.GIF is not taken here. Give one of .png or .jpg")
    expect(page.locator("#dropped-said")).to_be_empty()  # the file before is not spoken of any more
    page.set_input_files("#dropped input[type=file]", evil)
    expect(page.locator("#dropped-said")).to_contain_text("damaged")
    expect(page.locator("#refused")).to_have_count(0)
    expect(page.locator(PROMPT)).to_have_value("still here")
    assert not list((served.folder / "cache").rglob("evil.png"))


MEASURE_GRID = """async () => {
  const scroller = document.querySelector('#grid-sheet .table'), picture = scroller.querySelector('.frame.done img');
  await picture.decode();
  const page = document.documentElement;
  return {
    room: scroller.clientWidth, table: scroller.firstElementChild.getBoundingClientRect().width,
    side: picture.getBoundingClientRect().width, pixels: picture.naturalWidth,
    beyond: page.scrollWidth - page.clientWidth,
  };
}"""


def large_cells(page: Page) -> None:
    """Three columns take the width there is. On a phone no picture is smaller than its pixels, and the grid scrolls."""
    page.set_viewport_size({"width": 1900, "height": 900})
    page.evaluate(TWO_FRAMES)
    wide = page.evaluate(MEASURE_GRID)
    assert 0.85 * wide["room"] <= wide["table"] <= wide["room"], wide
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate(TWO_FRAMES)
    narrow = page.evaluate(MEASURE_GRID)
    assert narrow["side"] >= narrow["pixels"] and narrow["table"] > narrow["room"] and narrow["beyond"] <= 0, narrow
    page.set_viewport_size({"width": 1440, "height": 900})


def test_the_strength_of_an_edit_changes_the_picture_off_is_the_base_again_and_a_grid_fills_while_one_watches(
    opened: Open, brake: Brake, tmp_path: Path
) -> None:
    page = opened()
    fill(page, "a red star on a white background", seed="5", steps=4)
    generate(page)
    wait_until_done(page)
    base = pixels(page)
    unfold(page, "#import-edit", "#edit-file")
    file = edit_file(tmp_path / "rounder.safetensors", "Rounder", size=0.5)
    page.set_input_files("#edit-file input[type=file]", file)
    expect(page.locator("#edit-said")).to_contain_text("2 of 2 layers fit", timeout=LONG_MS)
    page.click("#edit-accept")
    expect(page.locator("#caption .made")).to_contain_text("1 edit", timeout=LONG_MS)
    whole, shown = pixels(page), str(page.locator(PICTURE).first.get_attribute("src"))
    slider = page.locator("#edit-stack input[type=range]")
    slider.focus()
    slider.press("Home")  # as far down as it goes
    expect(page.locator("#edit-stack input[type=number][data-op=strength]")).to_have_value("-1")
    expect(page.locator(PICTURE).first).not_to_have_attribute("src", shown, timeout=LONG_MS)
    wait_until_done(page)
    less = pixels(page)
    assert len({base, whole, less}) == 3
    page.click("#edit-stack [role=switch]")
    expect(page.locator("#caption .made")).not_to_contain_text("edit", timeout=LONG_MS)
    assert pixels(page) == base

    # A grid of nine fills while one watches, and goes out as a sheet.
    fill(page, "a red star on a white background", seed="5", steps=2)
    unfold(page, "#grid", "#axis-x")
    choose(page, "#axis-x", "Seed")
    page.fill("#values-x :is(input, textarea)", "1-3")
    choose(page, "#axis-y", "search and replace")
    page.fill("#values-y :is(input, textarea)", "star, ring, fish")
    expect(page.locator("#forecast")).to_contain_text("3 × 3 = 9 pictures", timeout=LONG_MS)
    brake.at("image")
    page.click("#grid-start")
    page.wait_for_selector("#grid-sheet .frame.done", timeout=LONG_MS)
    page.reload()  # in the middle
    expect(page.locator("#edit-stack [role=switch]")).to_have_attribute("aria-checked", "false", timeout=LONG_MS)
    page.wait_for_selector("#grid-sheet")  # it is open by itself
    brake.release()
    expect(page.locator("#grid-sheet .frame.done")).to_have_count(9, timeout=LONG_MS)
    large_cells(page)
    page.locator("#grid-sheet .frame.done").nth(4).click()
    expect(page.locator("#caption .said")).to_have_text("a red ring on a white background")
    expect(page.locator("#canvas img").first).to_be_in_viewport()  # above the grid, and in sight
    with page.expect_download() as download:
        page.click("#grid-sheet a.action")
    assert Path(download.value.path()).stat().st_size > 1000

    page.click("#edit-stack [data-op=remove]")
    expect(page.locator("#edit-stack .edit")).to_have_count(0)
    page.click("#edit-stack [data-op=undo]")
    expect(page.locator("#edit-stack .edit")).to_have_count(1)
