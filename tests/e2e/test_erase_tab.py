"""The Erase tab in Chromium, with the real model: one page for the whole walk."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from studio.storage.edits import EditStore
from studio.world.oracle import Oracle
from tests.e2e.held_worker import Brake
from tests.e2e.settling import settled
from tests.e2e.test_accessibility import in_views
from tests.e2e.test_prompt_tab import LONG_MS, TWO_FRAMES, Open, unfold
from tests.ui.serving import Served

pytestmark = pytest.mark.browser
BEFORE, AFTER = "#erase-pairs .before .frame.done img", "#erase-pairs .after .frame.done img"
ROW = "#erase-rows .guide.chosen"


def to_erase(page: Page) -> None:
    page.get_by_role("tab", name="Erase").click()
    page.wait_for_selector("#erase-rows .guide", timeout=LONG_MS)
    expect(page.locator("#erase-note p")).to_be_visible(timeout=LONG_MS)


def erase(page: Page) -> None:
    """Press Erase and wait until the pictures after are there, and nothing is under way."""
    page.click("#erase-go")
    looked_at(page)


def looked_at(page: Page, strength: str = "1") -> None:
    expect(page.locator("#erase-pairs .after figcaption")).to_have_text(
        [f"after, strength {strength}"] * 4, timeout=LONG_MS
    )
    expect(page.locator("#erase-stop")).to_be_disabled(timeout=LONG_MS)
    expect(page.locator(BEFORE)).to_have_count(4)


def to_balance(page: Page) -> None:
    to_erase(page)
    page.locator("#erase-aim label", has_text="Balance").click()
    expect(page.locator("#erase-wishes .wanted-shares li")).to_have_count(2, timeout=LONG_MS)
    expect(page.locator("#erase-go")).to_have_text("Balance")


def balance(page: Page) -> None:
    """Press Balance and wait until the pictures after are there, and nothing is under way."""
    page.click("#erase-go")
    settled(page)  # what is looked at is this one, and none before
    expect(page.locator("#erase-outcome .share-bar.after")).not_to_have_count(0, timeout=LONG_MS)
    expect(page.locator("#erase-pairs .after figcaption")).to_have_text(["after, strength 1"] * 8, timeout=LONG_MS)
    expect(page.locator("#erase-stop")).to_be_disabled(timeout=LONG_MS)


def pixels(page: Page, frames: str) -> np.ndarray:
    """The pictures of a column, [4, side, side, 3]."""
    sources = [urljoin(page.url, str(image.get_attribute("src"))) for image in page.locator(frames).all()]
    files = [io.BytesIO(page.request.get(source).body()) for source in sources]
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])


def objects(pictures: np.ndarray) -> list[str]:
    return [reading.things[0].object if reading.things else "" for reading in Oracle.load().read(pictures)]


def write(page: Page, label: str, value: str) -> None:
    field = page.locator(ROW).get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def whole(page: Page) -> None:
    """Nothing is wider than the page."""
    for width in (1440, 800, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, width
    page.set_viewport_size({"width": 1440, "height": 900})


def trained(page: Page, brake: Brake) -> None:
    """What trains shows its curves and its pictures while it does; stopped, it keeps what it has learned."""
    page.locator("#erase-rows [data-op=remove]").last.click()
    expect(page.locator("#erase-rows .guide")).to_have_count(1)
    page.locator("#erase-methods .method", has_text="Replace").click()
    expect(page.locator("#erase-note")).to_contain_text("Trains 160 steps at most", timeout=LONG_MS)
    page.click("#erase-go")
    expect(page.locator("#erase-figures svg").first).to_be_visible(timeout=LONG_MS)
    brake.at("percent", 15)  # it is drawn with after each eighth
    expect(page.locator("#erase-pairs .after figcaption").first).to_have_text("after, so far", timeout=LONG_MS)
    page.click("#erase-stop")
    expect(page.locator("#erase-outcome")).to_contain_text("Stopped after", timeout=LONG_MS)
    brake.release()
    looked_at(page)
    expect(page.get_by_role("button", name="Go on training")).to_be_enabled()
    assert in_views(page, "#tab-erase") == []


def test_a_star_becomes_a_heart_is_accepted_and_weakened_to_the_base_and_the_draft_outlives_a_reload(
    opened: Open, brake: Brake
) -> None:
    page = opened()
    to_erase(page)

    # What is wrong is said while it is typed, and nothing is lost by it.
    write(page, "Erase", "zebra")
    expect(page.locator(f"{ROW} .wrong")).to_contain_text("does not know the word 'zebra': it reads")
    write(page, "Draw instead", "")
    write(page, "Erase", "star")
    expect(page.locator(f"{ROW} .wrong")).to_contain_text("needs a substitute")
    page.click("#erase-go")
    expect(page.locator("#erase-message .error")).to_contain_text("needs a substitute")
    write(page, "Draw instead", "heart")
    expect(page.locator(f"{ROW} .wrong")).to_have_count(0)
    expect(page.locator("#erase-rows .guide-name")).to_have_text(["star becomes →heart"])

    # Ctrl+Enter erases, Ctrl+. stops; then it runs to its end.
    brake.at("begun", between=True)  # the pictures before, which are asked for first, may be in hand already
    page.keyboard.press("Control+Enter")
    expect(page.locator("#erase-stop")).to_be_enabled(timeout=LONG_MS)
    page.keyboard.press("Control+.")
    settled(page)  # or the job, which takes no longer than a request, is over before the Stop is heard
    brake.release()
    expect(page.locator("#erase-outcome")).to_contain_text("stopped before there was an edit", timeout=LONG_MS)
    erase(page)
    base, edited = pixels(page, BEFORE), pixels(page, AFTER)
    assert objects(base) == ["star", "star", "triangle", "fish"]
    assert objects(edited) == ["heart", "heart", "triangle", "fish"]
    expect(page.locator("#erase-figures .erase-measures b.good")).to_have_count(2)
    expect(page.locator("#erase-past tbody tr")).to_have_count(1)
    whole(page)
    assert in_views(page, "#tab-erase") == []
    page.set_viewport_size({"width": 1440, "height": 900})

    # A picture opens beside the others; while a button is held, those after are as they were before.
    page.locator(AFTER).first.click()
    expect(page.locator("dialog.viewer .viewer-place")).to_have_text("2 of 8")
    page.keyboard.press("Escape")
    page.locator("[data-hold]").hover()
    page.mouse.down()
    covering = "document.querySelector('.pair .after .frame'), '::before'"
    assert page.evaluate(f"getComputedStyle({covering}).opacity") == "1"
    page.mouse.up()
    assert page.evaluate(f"getComputedStyle({covering}).opacity") == "0"

    # Accepted, it is on the stack; at 0 the base model draws, bit for bit.
    page.get_by_role("button", name="Accept at strength 1").click()
    expect(page.locator("#edit-stack [role=switch]")).to_have_text(["no-star"])
    expect(page.get_by_role("button", name="On the edit stack at 1")).to_be_disabled()
    strength = page.locator("#erase-outcome input[type=number]")
    strength.fill("0")
    strength.press("Enter")
    looked_at(page, "0")
    assert np.array_equal(pixels(page, AFTER), base)
    expect(page.locator("#erase-pairs .same")).to_contain_text("bit for bit")
    strength.fill("0.5")
    strength.press("Enter")
    looked_at(page, "0.5")
    page.get_by_role("button", name="Set to 0.5 on the edit stack").click()
    expect(page.locator("#edit-stack input[type=number][data-op=strength]")).to_have_value("0.5")
    page.locator("#edit-stack [data-op=remove]").click()  # the tab follows the stack
    expect(page.get_by_role("button", name="Accept at strength 0.5")).to_be_enabled()

    # The draft, and what is looked at, outlive a reload.
    page.fill("#erase-preserve textarea", "a red ring")
    unfold(page, "#erase-advanced", "#erase-name")
    page.fill("#erase-name :is(input, textarea)", "mine")
    page.locator("#erase-rows [data-op=add]").click()
    expect(page.locator("#erase-rows .guide").nth(1)).to_have_class("guide chosen", timeout=LONG_MS)
    write(page, "Erase", "neon")
    expect(page.locator("#erase-rows .guide-name")).to_have_text(["star becomes →heart", "neon becomes →nothing"])
    settled(page)  # the browser writes its copy after the page shows it
    page.reload()
    expect(page.locator("#erase-rows .guide-name")).to_have_text(
        ["star becomes →heart", "neon becomes →nothing"], timeout=LONG_MS
    )
    expect(page.locator("#erase-preserve textarea")).to_have_value("a red ring", timeout=LONG_MS)
    looked_at(page, "0.5")

    # Words near a concept are kept by a click; a substitute is proposed, and tried on the base.
    page.click("#erase-near [data-op=suggest]")
    expect(page.locator("#erase-near .chip").first).to_be_visible(timeout=LONG_MS)
    words = str(page.locator("#erase-near .chip").first.get_attribute("data-value"))
    page.locator("#erase-near .chip").first.click()
    expect(page.locator("#erase-preserve textarea")).to_have_value(f"a red ring\n{words}", timeout=LONG_MS)
    page.locator(f"{ROW} [data-op=try]").click()
    expect(page.locator(f"{ROW} .tried")).to_contain_text("of 24 pictures of the base show it", timeout=LONG_MS)
    expect(page.locator("#erase-rows .guide-name").last).not_to_contain_text("nothing")

    # Both at once; what is kept is the neighbour. The first try is opened again, and deleted.
    erase(page)
    expect(page.locator("#erase-outcome h2")).to_contain_text("neon")
    expect(page.locator("#erase-pairs .neighbour .pair-prompt")).to_have_text("a red ring")
    expect(page.locator("#erase-past tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Send to Compare").click()
    expect(page.locator("#compare-table tr[data-row]")).to_have_count(
        2, timeout=LONG_MS
    )  # without the edit, and with it
    expect(page.locator("#compare-prompts textarea")).to_have_value(re.compile("a red ring"))
    page.get_by_role("tab", name="Erase").click()
    page.get_by_role("button", name="Look at no-star").click()
    looked_at(page)
    page.locator(".erase-sure summary").click()
    page.get_by_role("button", name="Delete it for good").click()
    expect(page.locator("#erase-past tbody tr")).to_have_count(1, timeout=LONG_MS)
    expect(page.locator("#erase-outcome")).to_contain_text("Press Erase")
    trained(page, brake)


def wish(page: Page, label: str, value: str) -> None:
    field = page.locator("#erase-wishes").get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


@pytest.fixture
def balances(served: Served) -> Iterator[None]:
    """Afterwards none is left, nor the round that was kept when it was stopped: other walks know their edits."""
    yield
    store = EditStore(served.folder / "edits")
    for edit in store.list():
        if edit.slug.startswith("balanced-"):
            store.remove(edit.id)


@pytest.mark.usefixtures("balances")
def test_hearts_are_balanced_by_looks_that_are_seen_as_bars_stopped_and_accepted(opened: Open, brake: Brake) -> None:
    page = opened()
    to_erase(page)
    page.locator("#erase-aim input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#erase-go")).to_have_text("Balance", timeout=LONG_MS)
    expect(page.locator("#erase-rows")).to_be_hidden()

    # What is wrong is said where it is, and nothing is lost by it.
    wish(page, "Attribute 2", "zebra")
    expect(page.locator("#erase-wishes .wrong")).to_contain_text("'zebra' is no object, style or colour")
    page.click("#erase-go")
    expect(page.locator("#erase-message .error")).to_contain_text("'zebra'")
    wish(page, "Attribute 2", "blue")
    expect(page.locator("#erase-wishes .wrong")).to_have_count(0)
    wish(page, "Parts of blue", "2")
    expect(page.locator("#erase-wishes .wanted")).to_have_text(["33%", "67%"], timeout=LONG_MS)
    page.locator("#erase-wishes details summary").click()
    settings = {"Rounds, at most": "3", "Pictures of a round": "4", "Pictures of the check": "4"}
    for label, number in {**settings, "Steps of a picture": "4", "Near enough": "0.05"}.items():
        wish(page, label, number)
    expect(page.locator("#erase-note")).to_contain_text("Draws 20 pictures at most", timeout=LONG_MS)

    # Bars move while it goes on, for of four pictures none are a third; stopped, the nearest round is the edit, or
    # nothing is, and that is said.
    brake.at("measure", 2)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#erase-outcome .share-bar.now")).to_have_count(4, timeout=LONG_MS)
    expect(page.locator("#erase-outcome .progress .step")).to_contain_text("Round 3 of 3 at most")
    expect(page.locator("#erase-outcome .share-bar.before .amount").first).to_contain_text("of 4")
    assert in_views(page, "#tab-erase") == []
    page.click("#erase-stop")
    settled(page)
    brake.release()
    expect(page.locator("#erase-outcome")).to_contain_text(re.compile("[Ss]topped"), timeout=LONG_MS)
    expect(page.locator("#erase-stop")).to_be_disabled(timeout=LONG_MS)

    # To its end: told by others, loudly where it is not as wanted, and put on the stack like any other edit.
    balance(page)
    expect(page.locator("#erase-outcome .share-bar.after")).to_have_count(4)
    expect(page.locator("#erase-outcome .message")).to_be_visible()
    whole(page)
    assert in_views(page, "#tab-erase") == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Accept at strength 1").click()
    # The round that was kept when it was stopped may have the name already.
    expect(page.locator("#edit-stack [role=switch]")).to_have_text([re.compile("balanced-heart")])
    settled(page)
    page.reload()
    expect(page.locator("#erase-wishes .wanted")).to_have_text(["33%", "67%"], timeout=LONG_MS)
    expect(page.locator("#erase-outcome .share-bar.after")).to_have_count(4, timeout=LONG_MS)
    page.locator("#edit-stack [data-op=remove]").click()
    expect(page.locator("#edit-stack [role=switch]")).to_have_count(0, timeout=LONG_MS)
    settled(page)  # the outcome is painted anew without it, and what was unfolded there would close
    page.locator(".erase-sure summary").click()
    page.get_by_role("button", name="Delete it for good").click()
    expect(page.locator("#erase-outcome")).to_contain_text("Press Balance", timeout=LONG_MS)
    page.locator("#erase-aim label", has_text="Erase").click()
    expect(page.locator("#erase-rows .guide-name")).to_have_text(["star becomes →heart"], timeout=LONG_MS)
