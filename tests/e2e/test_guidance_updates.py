"""The Guidance tab in Chromium where several things are changed at once: none of them is lost, whatever comes first."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, Route, expect

from studio.storage.png import read_png
from tests.e2e.held_worker import Brake
from tests.e2e.holding import arrived, held
from tests.e2e.settling import settled
from tests.e2e.test_guidance_tab import WHY, choose, reloaded, to_guidance
from tests.e2e.test_prompt_tab import LONG_MS, Open, fill, generate

pytestmark = pytest.mark.browser
NUMBER = "#guidance-rows .guide.chosen input[type=number][data-name={}]"
# Several controls within one turn of the page's loop, as no hand can, and a slow line lets any hand.
AT_ONCE = """(changes) => {
  for (const [name, value] of changes) {
    const field = document.querySelector(`#guidance-rows .chosen input[type=number][data-name=${name}]`);
    field.value = value;
    field.dispatchEvent(new Event('change', {bubbles: true}));
  }
}"""


def started(opened: Open) -> Page:
    """Two rows, the second open: APG, which has several numbers."""
    page = opened()
    to_guidance(page)
    page.locator("#guidance-steps input[type=number]").fill("2")
    for _ in range(2):
        count = page.locator("#guidance-rows .guide").count()
        page.locator("#guidance-rows .guide [data-op=remove]").last.click()
        expect(page.locator("#guidance-rows .guide")).to_have_count(count - 1, timeout=LONG_MS)
    choose(page, 1)
    page.locator("#guidance-rows .guide.chosen select[data-op=method]").select_option("apg")
    expect(page.locator(NUMBER.format("eta"))).to_be_visible(timeout=LONG_MS)
    return page


def drawn(page: Page) -> dict[str, Any]:
    """The parameters the second picture was drawn with, out of its file."""
    src = page.locator(f"{WHY} img").nth(1).get_attribute("src")
    return read_png(page.request.get(urljoin(page.url, src)).body()).recipe.guidance.params


# Every formula that the chosen row is painted with from now on.
PAINTED = """() => {
  const rows = document.querySelector('#guidance-rows');
  window.painted = [];
  new MutationObserver(() => window.painted.push(rows.querySelector('.chosen .formula').textContent))
    .observe(rows, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def test_several_changes_are_in_what_is_asked_for_at_once_and_an_older_answer_that_lands_last_is_not_painted(
    opened: Open, brake: Brake
) -> None:
    page = started(opened)
    page.evaluate(
        f"""() => {{ ({AT_ONCE})([['guidance_scale', 9], ['eta', 0.5], ['momentum', -0.3]]);
        document.querySelector('#compare').click(); }}"""
    )
    expect(page.locator(WHY)).to_have_count(2, timeout=LONG_MS)
    expect(page.locator("#guidance-stop")).to_be_disabled(timeout=LONG_MS)
    told = drawn(page)
    assert (told["guidance_scale"], told["eta"], told["momentum"]) == (9, 0.5, -0.3)

    # A change, a copy and a click on a picture.
    page.evaluate(
        f"""() => {{
          ({AT_ONCE})([['momentum', -0.6]]);
          document.querySelector("#guidance-rows [data-op=copy]").click();
          document.querySelector('{WHY}').click();
        }}"""
    )
    expect(page.locator("#guidance-rows .guide")).to_have_count(3, timeout=LONG_MS)
    expect(page.locator("#guidance-why .why")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(WHY).first).to_have_attribute("aria-pressed", "true", timeout=LONG_MS)
    choose(page, 1)
    expect(page.locator(NUMBER.format("momentum"))).to_have_value("-0.6", timeout=LONG_MS)

    # Behind another job, four changes of a row are one redraw, which Stop takes out of the queue.
    page.go_back()  # to the tab before
    expect(page.locator("[role=tab][id^=tab-][aria-selected=true]")).to_have_text("Prompt")
    fill(page, "a star", count=2, steps=3)
    brake.at("begun")
    generate(page)
    page.go_forward()
    for eta in ("0.1", "0.2", "0.3", "0.5"):
        page.evaluate(f"() => ({AT_ONCE})([['eta', {eta}]])")
        expect(page.locator("#guidance-rows .chosen .formula")).to_contain_text(eta, timeout=LONG_MS)
    expect(page.locator("#queue .job")).to_have_count(2, timeout=LONG_MS)
    page.click("#guidance-stop")
    expect(page.locator("#queue .job")).to_have_count(1, timeout=LONG_MS)
    page.click("#queue [data-act=cancel]")
    settled(page)
    brake.release()
    expect(page.locator("#queue")).to_contain_text("Nothing is being drawn", timeout=LONG_MS)

    # An older answer lands last.
    waiting = held(page, 1)
    page.evaluate(f"() => ({AT_ONCE})([['eta', 0.25]])")
    arrived(page, waiting, 1)
    late = waiting[0].fetch()
    page.evaluate(f"() => ({AT_ONCE})([['momentum', -0.3]])")
    expect(page.locator("#guidance-rows .chosen .formula")).to_contain_text("− 0.3·D", timeout=LONG_MS)
    page.evaluate(PAINTED)
    with page.expect_event("requestfinished", lambda request: request.url == waiting[0].request.url):
        waiting[0].fulfill(response=late)
    settled(page)
    assert all("− 0.3·D" in one for one in page.evaluate("window.painted"))
    reloaded(page)
    for name, value in (("guidance_scale", "9"), ("eta", "0.25"), ("momentum", "-0.3")):
        expect(page.locator(NUMBER.format(name))).to_have_value(value, timeout=LONG_MS)


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py
def test_requests_that_arrive_in_another_order_are_taken_in_that_of_the_page(opened: Open) -> None:
    page = started(opened)
    waiting = held(page, 2)
    page.evaluate(f"() => ({AT_ONCE})([['eta', 0.5], ['eta', 1]])")
    arrived(page, waiting, 2)
    with page.expect_request("**/gradio_api/run/**"):
        page.click("#compare")
    for route in reversed(waiting):
        route.continue_()
        page.wait_for_timeout(100)
    expect(page.locator(WHY)).to_have_count(2, timeout=LONG_MS)
    assert drawn(page)["eta"] == 1
    expect(page.locator(NUMBER.format("eta"))).to_have_value("1", timeout=LONG_MS)


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py
def test_a_page_goes_on_where_the_server_has_forgotten_it(opened: Open) -> None:
    page = started(opened)
    page.evaluate(f"() => ({AT_ONCE})([['eta', 0.5]])")
    expect(page.locator("#guidance-rows .chosen .formula")).to_contain_text("0.5", timeout=LONG_MS)
    fresh = "another page"

    def forget(route: Route) -> None:  # to the server it is a page it has never seen
        data = json.loads(route.request.post_data or "{}")
        route.continue_(post_data=json.dumps({**data, "session_hash": fresh}))

    page.route("**/gradio_api/run/**", forget)
    page.evaluate(f"() => ({AT_ONCE})([['momentum', -0.3], ['guidance_scale', 9]])")
    for name, value in (("eta", "0.5"), ("momentum", "-0.3"), ("guidance_scale", "9")):
        expect(page.locator(NUMBER.format(name))).to_have_value(value, timeout=LONG_MS)
    expect(page.locator("#guidance-rows .chosen .formula")).to_contain_text("− 0.3·D", timeout=LONG_MS)


@pytest.mark.slow  # the same without a page: tests/ui/test_sessions.py
def test_two_pages_of_one_browser_keep_to_themselves(opened: Open) -> None:
    page = started(opened)
    other = opened(context=page.context)
    to_guidance(other)
    expect(other.locator("#guidance-rows .guide")).to_have_count(2, timeout=LONG_MS)
    page.evaluate(f"() => ({AT_ONCE})([['eta', 0.5]])")
    other.evaluate(f"() => ({AT_ONCE})([['momentum', -0.3]])")
    expect(page.locator("#guidance-rows .chosen .formula")).to_contain_text("0.5", timeout=LONG_MS)
    expect(other.locator("#guidance-rows .chosen .formula")).to_contain_text("− 0.3·D", timeout=LONG_MS)
    choose(page, 0)
    choose(page, 1)
    expect(page.locator(NUMBER.format("eta"))).to_have_value("0.5", timeout=LONG_MS)
    expect(page.locator(NUMBER.format("momentum"))).not_to_have_value("-0.3", timeout=LONG_MS)
