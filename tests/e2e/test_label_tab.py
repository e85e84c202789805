"""The pad of the Label tab in Chromium: one page for the whole walk, over a studio whose pictures are sketches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.test_accessibility import in_views
from tests.e2e.test_prompt_tab import LONG_MS, TWO_FRAMES, Open
from tests.ui.serving import Served, serving

pytestmark = pytest.mark.browser
ITEMS = 24
SAID = "#label-pad [data-part=said]"
PLACE = "#label-pad [data-part=place]"
UNSAVED = "#label-pad [data-part=unsaved]"
# A key is meant for what is seen once that has been there for a moment; the page itself says when it counts.
LIVE = "document.querySelector('#label-pad .pad-stage[data-live]') !== null"
# Two presses within one script: nothing can come in between.
PRESSED = """([key, repeat]) => document.body.dispatchEvent(
    new KeyboardEvent('keydown', {key, repeat, bubbles: true, cancelable: true}))"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In the place of the studio that the other walks share: this one has a campaign."""
    folder = tmp_path_factory.mktemp("labels")
    with serving(["-m", "tests.e2e.serve_labels", str(folder), str(ITEMS)], folder) as page:
        yield page


def to_pad(page: Page, name: str) -> None:
    """Go to the tab, make a profile, and start."""
    page.get_by_role("tab", name="Label").click()
    page.get_by_label(re.compile("Who labels|or somebody new")).last.fill(name)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG_MS)
    page.get_by_role("radio", name=re.compile("Asked as pair")).check()
    page.keyboard.press("Enter")


def press(page: Page, key: str, said: str | None = None) -> None:
    """Press a key when it counts, and wait until the answer is on disk."""
    page.wait_for_function(LIVE, timeout=LONG_MS)
    page.keyboard.press(key)
    if said is not None:
        expect(page.locator(SAID)).to_contain_text(f"Saved: {said}.", timeout=LONG_MS)


def answered(served: Served) -> dict[str, int]:
    """Name of each person -> how many answers of theirs stand."""
    with httpx.Client(base_url=served.url, timeout=60) as client:
        names = [person["id"] for person in client.get("/label/progress").json()["annotators"]]
        views = {name: client.get("/label/progress", params={"annotator": name}).json() for name in names}
    return {name: view["campaigns"][0]["mine"] for name, view in views.items()}  # of the newest


def now_answered(page: Page, served: Served, count: int) -> None:
    """Wait until so many answers of Ada's stand: what is said of the one before is said of the next too."""
    for _ in range(600):
        if answered(served)["Ada"] >= count:
            break
        page.wait_for_timeout(100)
    assert answered(served)["Ada"] == count


def whole(page: Page) -> None:
    """Nothing is wider than the page, at any width and at 200 %; what is pressed is as large as a finger."""
    for width in (1440, 800, 720, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(TWO_FRAMES)
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, width
        small = page.locator("#label-pad button:visible").evaluate_all(
            "buttons => buttons.map(b => b.getBoundingClientRect()).filter(b => b.width < 44 || b.height < 44).length"
        )
        assert small == 0, width
    page.set_viewport_size({"width": 1440, "height": 900})


def test_what_does_not_count_votes_that_wait_for_the_studio_keys_of_ones_own_and_what_pictures_were(
    opened: Open, served: Served
) -> None:
    page = opened(refused=True)  # the browser says so of the votes that are held up
    to_pad(page, "Ada")
    expect(page.locator(PLACE)).to_have_text(f"Pair 1 of {ITEMS}", timeout=LONG_MS)
    bodies: list[Any] = []
    page.on("request", lambda asked: bodies.append(asked.post_data_json) if asked.url.endswith("/vote") else None)
    press(page, "ArrowLeft", "left")
    body = bodies[0]
    assert body["first_paint_at"] <= body["answered_at"] and body["latency_ms"] >= 150
    sources = page.locator("#label-pad img").evaluate_all("images => images.map((image) => [image.src, image.alt])")
    for source, alternative in sources:
        assert re.fullmatch(r"http://[0-9.:]+/label/picture/[\w-]{20,}-[01]", source) and alternative == ""

    # Nothing counts while it is typed, held down, or before both pictures are painted; of a double click, one.
    page.wait_for_function(LIVE)
    page.evaluate(PRESSED, ["ArrowLeft", True])
    press(page, "n")
    page.locator(".pad-note textarea").fill("A comment with asdw z")
    page.keyboard.press("Escape")
    held: list[Route] = []
    released: list[bool] = []
    page.route("**/label/picture/*-1", lambda route: route.continue_() if released else held.append(route))
    page.locator(".pad-answers [data-action=left]").dblclick()
    expect(page.locator(SAID)).to_contain_text("Saved: left. Pair 3", timeout=LONG_MS)
    assert bodies[-1]["comment"] == "A comment with asdw z" and answered(served) == {"Ada": 2}
    count = 2
    while True:  # what was decoded ahead is not held up
        page.wait_for_function(f"{LIVE} || document.querySelector('.pad-stage[data-state=waiting]')")
        if not page.evaluate(LIVE):
            break
        press(page, "ArrowRight", "right")
        count += 1
    now_answered(page, served, count)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    released.append(True)
    for route in held:
        route.continue_()
    press(page, "ArrowRight", "right")
    now_answered(page, served, count + 1)

    # A studio that does not answer: votes wait in the browser, over a reload, and arrive once.
    page.route("**/label/vote", lambda route: route.abort())
    for number in (1, 2):
        press(page, "ArrowLeft")
        expect(page.locator(UNSAVED)).to_have_text(f"{number} unsaved")
    expect(page.locator(SAID)).to_contain_text("not saved yet")
    page.reload()
    expect(page.locator(UNSAVED)).to_have_text("2 unsaved", timeout=LONG_MS)
    now_answered(page, served, count + 1)
    page.unroute("**/label/vote")
    expect(page.locator(UNSAVED)).to_be_hidden(timeout=LONG_MS)
    now_answered(page, served, count + 3)

    # What the studio refuses is said, kept, and asked again; nobody asks it again and again.
    refusal = {"status": 409, "json": {"error": "You have answered this already."}}
    page.route("**/label/vote", lambda route: route.fulfill(**refusal), times=1)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/label/next" in request.url else None)
    press(page, "ArrowLeft")
    expect(page.get_by_role("alert").locator("visible=true")).to_have_text("You have answered this already.")
    press(page, "ArrowLeft", "left")
    now_answered(page, served, count + 4)
    assert len(asked) <= 3
    page.keyboard.press("p")
    expect(page.locator(".pad-refused")).to_contain_text("One answer was not taken.", timeout=LONG_MS)
    page.get_by_role("button", name="Forget them").click()
    page.get_by_role("button", name="Go on").click()

    # Full size, the same part of both, the two in turns; other keys, kept with the person.
    page.wait_for_function(LIVE)
    page.keyboard.press("i")
    page.keyboard.press("+")
    zoomed = "[...document.querySelectorAll('#label-pad img')].map((image) => getComputedStyle(image).transform)"
    transforms = page.evaluate(zoomed)
    assert len(transforms) == 2 and transforms[0] == transforms[1] != "none"
    page.keyboard.down("x")
    expect(page.locator(".pad-stage")).to_have_attribute("data-swapped", "")
    page.keyboard.up("x")
    expect(page.locator(".pad-stage[data-swapped]")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("k")  # of the prompt, the words that say what is to be seen
    prompt, marked = page.locator(".pad-prompt").inner_text(), page.locator(".pad-prompt mark").all_inner_texts()
    assert marked == [word for word in prompt.split() if word not in ("a", "on", "at")] != []
    page.keyboard.press("?")
    page.get_by_role("button", name="Another key for Left").click()
    page.keyboard.press("q")
    expect(page.locator("[data-part=remap]")).to_have_text("Q is for Left now.")
    page.keyboard.press("Escape")
    press(page, "q", "left")
    expect(page.locator(".pad-answers [data-action=left] kbd")).to_have_text("Q")
    whole(page)
    assert in_views(page, "#tab-label") == []

    # What the pictures were: after an answer, and never before it is on disk; at the end, of all of them.
    page.keyboard.press("p")
    page.get_by_role("radio", name=re.compile("Told after each")).check()
    page.get_by_role("button", name="Go on").click()
    told = page.locator(".pad-reveal")
    expect(told).to_be_hidden()
    press(page, "ArrowRight", "right")
    expect(told.locator("h3").nth(1)).to_have_text(re.compile("Right picture *preferred"), timeout=LONG_MS)
    expect(told.locator("dt")).to_have_text(["Seed", "Seed"])
    whole(page)
    page.keyboard.press("z")  # also from there
    expect(page.locator(SAID)).to_contain_text("Taken back: right", timeout=LONG_MS)
    expect(told).to_be_hidden()
    for _ in range(2):
        press(page, "q")
        expect(told).to_be_visible(timeout=LONG_MS)
        page.keyboard.press("Enter")
    rest = page.locator("#label-pad .pad-screen:visible")
    expect(rest).to_contain_text("That was the last one.", timeout=LONG_MS)
    page.keyboard.press("p")
    page.get_by_role("radio", name=re.compile("Told at the end")).check()
    page.get_by_role("button", name="Go on").click()
    press(page, "q")
    rest.get_by_role("button", name="What the pictures were").click(timeout=LONG_MS)
    expect(rest.locator(".pad-item figcaption b")).to_have_text("preferred", timeout=LONG_MS)
    expect(rest.locator(".pad-item dt")).to_have_text(["Seed", "Seed"])
    assert in_views(page, "#tab-label") == []
