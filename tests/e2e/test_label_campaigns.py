"""The Label tab in Chromium, from a campaign that is made to labels that go out: one walk over all its parts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_accessibility import in_views
from tests.e2e.test_label_tab import PLACE, SAID, press
from tests.e2e.test_prompt_tab import LONG_MS, TWO_FRAMES, Open
from tests.services.labels.foreign_files import a1111, comfyui, invokeai, with_exif
from tests.ui.serving import Served, serving

pytestmark = pytest.mark.browser
SAYINGS = ("left", "right", "both good", "both bad", "equal")
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


def answered_by(served: Served, name: str) -> tuple[int, dict[str, int]]:
    """Of a campaign, how many items have their answers, and who gave how many that stand."""
    with httpx.Client(base_url=served.url, timeout=60) as client:
        answer = client.post("/gradio_api/run/campaign", json={"data": [name]}).raise_for_status().json()["data"][0]
    return answer["done"], answer["by_annotator"]


def is_answered(served: Served, name: str, by_annotator: dict[str, int]) -> bool:
    """Whether a campaign comes to these answers: the last vote may be on its way when the page says "Saved"."""
    deadline = time.monotonic() + LONG_MS / 1000
    while answered_by(served, name)[1] != by_annotator:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def to_part(page: Page, name: str) -> None:
    page.get_by_role("tab", name="Label", exact=True).click()
    page.get_by_role("tab", name=name, exact=True).click()


def begin(page: Page, campaign: str, person: str) -> None:
    """Choose a campaign, say who labels, and start."""
    page.get_by_role("radio", name=re.compile(campaign)).check()
    page.get_by_label(re.compile("Who labels|or somebody new")).last.fill(person)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG_MS)
    page.keyboard.press("Enter")


def test_pairs_are_made_and_answered_by_two_a_folder_of_other_programs_is_sorted_and_labels_go_out_and_in(
    opened: Open, served: Served, theirs: Path, tmp_path: Path
) -> None:
    page = opened()
    to_part(page, "Campaigns")
    expect(page.locator("#campaign-list")).to_contain_text("No campaign yet")
    expect(page.locator("#campaign-note p")).to_contain_text("62 pictures of 30 prompts", timeout=LONG_MS)

    # What is wrong is said, and what was typed stays.
    page.get_by_label("Prompts of your own").check()
    page.get_by_label("Your prompts").fill("a star\na heart")
    page.get_by_label("Half of the items").check()
    expect(page.locator("#campaign-note .error")).to_contain_text("only where you say which", timeout=LONG_MS)
    page.get_by_label("Open prompts of Stencil's world").check()
    page.get_by_label("None", exact=True).first.check()
    expect(page.locator("#campaign-note p")).to_contain_text("62 pictures of 30 prompts", timeout=LONG_MS)

    # With everything as it is: 30 pairs, which can be labelled as soon as the first is drawn. A name that is being
    # typed on the pad meanwhile stays.
    page.get_by_role("tab", name="Collect").click()
    page.get_by_label("Who labels").fill("Ad")
    page.get_by_role("tab", name="Campaigns").click()
    page.click("#campaign-go")
    expect(page.locator(MESSAGE)).to_contain_text("30 pairs of Stencil is made", timeout=LONG_MS)
    pairs = page.locator(CAMPAIGNS).filter(has_text="30 pairs of Stencil")
    pairs.get_by_role("button", name="Label", exact=True).click(timeout=LONG_MS)
    expect(page.get_by_role("radio", name=re.compile("30 pairs"))).to_be_checked(timeout=LONG_MS)
    expect(page.get_by_label("Who labels")).to_have_value("Ad")
    begin(page, "30 pairs", "Ada")

    # Ten pairs by key, one of them answered anew, over a reload.
    expect(page.locator(PLACE)).to_contain_text("Pair 1 of", timeout=LONG_MS)
    for key, said in zip(("ArrowLeft", "d", "ArrowUp", "s", "t"), SAYINGS, strict=True):
        press(page, key, said)
    press(page, "z")
    expect(page.locator(SAID)).to_contain_text("Taken back: equal", timeout=LONG_MS)
    expect(page.locator(PLACE)).to_contain_text("Pair 5 of")
    page.reload()
    press(page, "ArrowRight", "right")
    for key, said in ((" ", "skipped"), ("ArrowLeft", "left"), ("a", "left"), ("d", "right"), ("b", "both bad")):
        press(page, key, said)
    expect(page.locator(PLACE)).to_contain_text("Pair 11 of")
    shown = page.locator("#label-pad img").first.get_attribute("src")

    # Somebody else, elsewhere, is asked another one.
    other = opened()
    other.get_by_role("tab", name="Label", exact=True).click()
    begin(other, "30 pairs", "Ben")
    press(other, "ArrowLeft", "left")
    assert other.locator("#label-pad img").first.get_attribute("src") != shown
    assert is_answered(served, "30 pairs of Stencil", {"Ada": 10, "Ben": 1})
    other.close()
    page.bring_to_front()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Go on")).to_be_enabled(timeout=LONG_MS)

    # What the answers say; and what was typed is there after the reload.
    page.get_by_role("tab", name="Campaigns").click()
    expect(page.locator("#campaign-prompts textarea")).to_have_value("a star\na heart", timeout=LONG_MS)
    whole(page)
    pairs.get_by_role("button", name="What the answers say").click()
    expect(pairs.locator(".detail")).to_contain_text("How sound the answers are", timeout=LONG_MS)
    assert in_views(page, "#tab-label") == []

    # A folder of pictures from elsewhere, sorted as a stream.
    page.get_by_label("Files you have").check()
    page.locator("#campaign-folder input[type=file]").set_input_files(theirs)
    expect(page.locator(FILES)).to_contain_text("6 pictures in 2 groups of one prompt and size", timeout=LONG_MS)
    expect(page.locator(FILES)).to_contain_text("Left out: 1 near-duplicate")
    expect(page.locator(".files-refused")).to_contain_text("page.png")
    expect(page.locator(".files-thumb .turned")).to_have_count(1)
    page.get_by_label("One by one: good or bad").check()
    page.locator("#campaign-people > button").click()
    page.get_by_label("Some are asked again, sides swapped").uncheck()
    page.fill("#campaign-name :is(input, textarea)", "theirs")
    page.click("#campaign-go")
    expect(page.locator(MESSAGE)).to_contain_text("It asks about 6 pictures, one by one.", timeout=LONG_MS)
    campaign = page.locator(CAMPAIGNS).filter(has_text="theirs")
    expect(campaign).to_contain_text("All of its pictures are from elsewhere")
    campaign.get_by_role("button", name="Label", exact=True).click()
    expect(page.get_by_role("radio", name=re.compile("theirs"))).to_be_checked(timeout=LONG_MS)
    page.get_by_label("As a stream").check()
    page.get_by_role("button", name="Go on").click()
    for number in range(6):
        press(page, "ArrowRight" if number % 2 == 0 else "ArrowLeft")
        expect(page.locator(SAID)).to_contain_text("Saved", timeout=LONG_MS)
    assert is_answered(served, "theirs", {"Ada": 6}) and answered_by(served, "theirs")[0] == 6

    # From the last screen out of it, and in again: what is there is passed over, and what cannot be read is named.
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.locator("#exchange-labels input")).to_have_value("theirs, 6 answers", timeout=LONG_MS)
    page.click("#exchange-export")
    link = page.locator("#exchange-runs a[download]")
    expect(link).to_contain_text("Download theirs.jsonl", timeout=LONG_MS)
    with page.expect_download() as download:
        link.click()
    target = tmp_path / "friend" / "labels.jsonl"
    download.value.save_as(target)
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [line["answer"]["good"] for line in lines] == [True, False] * 3
    assert {line["annotator"] for line in lines} != {"Ada"} and len(lines) == 6
    with target.open("a", encoding="utf-8") as file:
        file.write(json.dumps(lines[0] | {"id": "new", "answer": {"mode": "duel"}}) + "\n")
    page.get_by_label("Import", exact=True).check()
    page.locator("#exchange-files input[data-kind=folder]").set_input_files(target.parent)
    expect(page.locator("#exchange-arrived")).to_contain_text("labels.jsonl: Palimpsest's JSON lines.", timeout=LONG_MS)
    page.click("#exchange-import")
    run = page.locator("#exchange-runs .run").first
    expect(run).to_contain_text("6 were there already", timeout=LONG_MS)
    expect(run).to_contain_text("Row 7: ")
    whole(page)
    assert in_views(page, "#tab-label") == []
