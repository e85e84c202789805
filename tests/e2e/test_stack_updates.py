"""The edit stack in Chromium where several things are changed at once: none of them is lost, whatever comes first."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from studio.core.settings import Settings
from studio.services.edits.library import EditLibrary
from studio.services.sources import Sources
from studio.storage.edits import EditStore
from studio.storage.png import read_png
from tests.e2e.held_worker import Brake
from tests.e2e.holding import arrived, held, is_change
from tests.e2e.settling import settled
from tests.e2e.test_prompt_tab import LONG_MS, PICTURE, Open, choose, fill, generate, wait_until_done
from tests.ui.serving import Served
from tests.ui.stencil_edits import edit_file

pytestmark = pytest.mark.browser
ROW = "#edit-stack .edit"
SWITCH = f"{ROW} [role=switch]"
# Several controls within one turn of the page's loop, as no hand can, and a slow line lets any hand.
AT_ONCE = """(selectors) => {
  for (const selector of selectors) document.querySelector(selector).click();
}"""


@pytest.fixture(scope="module")
def edits(served: Served, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The ids of three edits in the workspace, by name."""
    folder = tmp_path_factory.mktemp("edits")
    library = EditLibrary(EditStore(served.folder / "edits"), Sources(Settings()))
    files = (edit_file(folder / f"{name}.safetensors", name, size=0.2 * k) for k, name in enumerate("abc", start=1))
    return [library.import_file(file).id for file in files]


def started(opened: Open, count: int = 2) -> Page:
    """So many of the edits on the stack, all on."""
    page = opened()
    for k, name in enumerate("abc"[:count], start=1):
        choose(page, "#add-edit", name)
        expect(page.locator(ROW)).to_have_count(k)
    return page


def switched(page: Page, *on: bool) -> None:
    """Wait until the switches stand like this."""
    for k, one in enumerate(on):
        expect(page.locator(SWITCH).nth(k)).to_have_attribute("aria-checked", str(one).lower())


def reloaded(page: Page) -> Page:
    settled(page)  # the browser writes its copy after the page shows it
    page.reload()
    page.wait_for_selector("#generate")
    expect(page.locator(ROW).first).to_be_visible(timeout=LONG_MS)
    return page


def switched_and_renamed(page: Page) -> None:
    """Of three, two switches within the time of one answer are both switched; and an edit is renamed and back again."""
    waiting = held(page, 1)
    page.locator(SWITCH).nth(0).click()
    arrived(page, waiting, 1)
    with page.expect_request(is_change):
        page.locator(SWITCH).nth(1).click()
    waiting[0].continue_()
    switched(page, False, False)
    switched(reloaded(page), False, False)

    # It is renamed in its row.
    menu(page, 1)
    page.click(f"{ROW} .menu[open] [data-rename]")
    field = page.get_by_label("New name of b", exact=True)
    expect(field).to_be_focused()
    field.press("Escape")
    expect(field).to_be_hidden()
    menu(page, 1)
    page.click(f"{ROW} .menu[open] [data-rename]")
    field.fill("Softer <b>edges</b> ${1}")
    field.press("Enter")
    expect(page.locator(SWITCH).nth(1)).to_have_text("Softer <b>edges</b> ${1}")
    expect(page.locator(f"{ROW} .badge")).to_have_count(0)
    expect(page.locator(SWITCH).nth(0)).to_have_text("a")
    menu(page, 1)
    page.click(f"{ROW} .menu[open] [data-rename]")
    page.get_by_label("New name of Softer").fill("b")
    page.locator(f"{ROW} .rename button[type=submit]").nth(1).click()
    expect(page.locator(SWITCH).nth(1)).to_have_text("b")
    expect(page.locator(SWITCH)).to_have_text(["a", "b", "c"])


def test_switches_in_one_answers_time_at_once_and_right_before_a_picture_are_all_heard_and_an_edit_is_renamed(
    opened: Open, edits: list[str]
) -> None:
    page = started(opened, 3)
    switched_and_renamed(page)
    for number in (0, 1):
        page.locator(SWITCH).nth(number).click()
    switched(page, True, True, True)
    fill(page, "a red star on a white background", steps=4)
    generate(page)
    wait_until_done(page)
    expect(page.locator("#caption .made")).to_contain_text("3 edits")
    page.evaluate(AT_ONCE, [f"{ROW}:nth-child(1) [role=switch]", f"{ROW}:nth-child(3) [role=switch]"])
    switched(page, False, True, False)
    expect(page.locator("#caption .made")).to_contain_text("1 edit")
    wait_until_done(page)
    expect(page.locator("#caption .made")).to_contain_text("1 edit")

    # A picture made right after a switch is made with it.
    prompt = "a purple cross at night"  # of no other picture there is
    fill(page, prompt, steps=2)
    waiting = held(page, 1)
    page.locator(SWITCH).nth(0).click()
    arrived(page, waiting, 1)
    with page.expect_request("**/gradio_api/run/**"):
        page.click("#generate")
    waiting[0].continue_()
    # A picture that was on the page before is drawn again with the switch as well: which comes last is open.
    page.fill("#search :is(input, textarea)", prompt)
    expect(page.locator("#gallery .thumb")).to_have_count(1, timeout=LONG_MS)
    wait_until_done(page)
    page.locator("#gallery .thumb").click()
    expect(page.locator("#caption")).to_contain_text(prompt)
    src = page.locator(PICTURE).first.get_attribute("src")
    made = read_png(page.request.get(urljoin(page.url, str(src))).body()).recipe
    assert [ref.edit for ref in made.edits] == edits[:2]


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py, tests/ui/test_stack_panel.py
def test_requests_that_arrive_in_another_order_are_taken_in_that_of_the_page(opened: Open, edits: list[str]) -> None:
    page = started(opened, 3)
    waiting = held(page, 2)
    page.evaluate(AT_ONCE, [f"{ROW}:nth-child(1) [data-op=down]", f"{ROW}:nth-child(1) [data-op=remove]"])
    arrived(page, waiting, 2)
    for route in reversed(waiting):
        route.continue_()
        page.wait_for_timeout(100)
    expect(page.locator(ROW)).to_have_count(2)
    page.click("#edit-stack [data-op=undo]")
    expect(page.locator(SWITCH)).to_have_text(["b", "a", "c"])  # moved first, then removed
    page.click("#edit-stack [data-op=undo]")
    expect(page.locator(SWITCH)).to_have_text(["a", "b", "c"])


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py, tests/ui/test_stack_panel.py
def test_an_older_answer_that_lands_last_does_not_stay(opened: Open, edits: list[str]) -> None:
    page = started(opened)
    waiting = held(page, 1)
    page.locator(SWITCH).nth(0).click()
    arrived(page, waiting, 1)
    late = waiting[0].fetch()
    page.locator(SWITCH).nth(1).click()
    switched(page, False, False)
    with page.expect_event("requestfinished", lambda request: request is waiting[0].request):
        waiting[0].fulfill(response=late)
    settled(page)
    switched(page, False, False)
    switched(reloaded(page), False, False)


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py, tests/ui/test_stack_panel.py
def test_settings_restored_at_once_with_a_switch_are_the_stack_and_undo_takes_both_back(
    opened: Open, edits: list[str]
) -> None:
    page = started(opened, 2)
    fill(page, "a blue ring on a white background", steps=2)
    generate(page)
    wait_until_done(page)
    page.locator(f"{ROW} [data-op=remove]").first.click()
    expect(page.locator(ROW)).to_have_count(1)
    expect(page.locator("#caption .made")).to_contain_text("1 edit", timeout=LONG_MS)  # it is drawn again
    page.locator("#gallery .thumb.stack").first.click()  # both are one tile
    page.locator("#canvas button.frame").first.click()
    expect(page.locator("#caption .made")).to_contain_text("2 edits")
    page.evaluate(AT_ONCE, [f"{SWITCH}", "#caption button[data-do=restore]"])
    expect(page.locator(ROW)).to_have_count(2)
    switched(page, True, True)
    page.click("#edit-stack [data-op=undo]")
    expect(page.locator(ROW)).to_have_count(1)
    switched(page, False)
    page.click("#edit-stack [data-op=undo]")
    switched(page, True)


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py, tests/ui/test_stack_panel.py
def test_two_pages_of_one_browser_keep_to_themselves(opened: Open, edits: list[str]) -> None:
    page = started(opened)
    other = opened(context=page.context)
    switched(other, True, True)
    page.locator(SWITCH).nth(0).click()
    other.locator(SWITCH).nth(1).click()
    switched(page, False, True)
    switched(other, True, False)
    page.locator(f"{ROW} [data-op=up]").nth(1).click()
    expect(page.locator(SWITCH)).to_have_text(["b", "a"])
    switched(page, True, False)


def menu(page: Page, row: int) -> None:
    page.locator(f"{ROW} .menu > summary").nth(row).click()


def test_an_edit_is_deleted_after_one_question_and_not_while_it_is_drawn_with(
    opened: Open, edits: list[str], served: Served, brake: Brake, tmp_path: Path
) -> None:
    library = EditLibrary(EditStore(served.folder / "edits"), Sources(Settings()))
    library.import_file(edit_file(tmp_path / "d.safetensors", "doomed", size=0.7))
    page = started(opened, 1)
    choose(page, "#add-edit", "doomed")
    expect(page.locator(ROW)).to_have_count(2)
    fill(page, "a red star on a white background", count=2, steps=3)
    brake.at("begun")
    generate(page)
    menu(page, 1)
    page.click(f"{ROW} .menu[open] .sure summary")
    expect(page.locator(f"{ROW} .menu[open] .sure p")).to_contain_text("Delete the edit doomed from the workspace?")
    page.click(f"{ROW} .menu[open] [data-op=delete]")
    expect(page.locator("#edit-stack .message.error")).to_contain_text("The edit doomed is in use")
    expect(page.locator(ROW)).to_have_count(2)
    page.click("#cancel")
    brake.release()  # a picture that is drawn again with the stack as it is would be held as well
    wait_until_done(page)
    expect(page.locator("#queue .empty-line")).to_be_visible(timeout=LONG_MS)
    menu(page, 1)
    expect(page.locator(f"{ROW} .menu[open] [data-op=delete]")).to_be_hidden()  # it is asked anew
    page.click(f"{ROW} .menu[open] .sure summary")
    page.click(f"{ROW} .menu[open] [data-op=delete]")
    expect(page.locator(ROW)).to_have_count(1)
    expect(page.locator("#edit-stack .message")).to_have_count(0)
    assert "doomed" not in [entry.name for entry in library.list()]
    page.click("#edit-stack [data-op=undo]")
    expect(page.locator(ROW)).to_have_count(0)  # the step before is that without a
