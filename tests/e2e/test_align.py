"""The Align part in Chromium, with the real model: labels become an edit, which is tested blind."""

from __future__ import annotations

import io
import re
import time

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from studio.world.oracle import Oracle
from studio.world.reading import Reading
from tests.e2e.held_worker import Brake
from tests.e2e.test_accessibility import in_views
from tests.e2e.test_label_campaigns import whole
from tests.e2e.test_label_tab import press
from tests.e2e.test_prompt_tab import LONG_MS, Open, unfold
from tests.ui.serving import Served

pytestmark = pytest.mark.browser
NAME, WHO = "stars that glow", "Sim"
PROMPTS = ["a star", "a moon", "a fish", "a tree", "a heart", "a house"]
PAIRS, TESTED = 12, 6
AFTER, CURVES = "#align-pairs .after", "#align-past .curves-inline svg"
MOVED = f"(before) => document.querySelector('{CURVES}')?.innerHTML !== before"


def labelled(served: Served) -> None:
    """A campaign made by the API, and answered by somebody who likes neon: some of the pictures are drawn with it."""
    with httpx.Client(base_url=served.url, timeout=60) as client:

        def run(name: str, *values: object) -> dict[str, object]:
            answer = client.post(f"/gradio_api/run/{name}", json={"data": list(values)}).raise_for_status()
            return dict(answer.json()["data"][0])

        words = [["neon", "flat"]]
        recipes = [{"steps": 6, "width": 128, "height": 128}]
        made = run(
            "make_campaign", NAME, PAIRS, "pair", None, PROMPTS, 1.0, words, recipes, True, 5, "", 1, False, "never"
        )
        deadline = time.monotonic() + 600
        client.post("/label/annotator", json={"alias": WHO}).raise_for_status()
        oracle, number = Oracle.load(), 0
        asked = {"annotator": WHO, "campaign": str(made["id"]), "count": "4"}
        while number < PAIRS:
            assert time.monotonic() < deadline, f"{number} of {PAIRS} pairs were asked"
            items = client.get("/label/next", params=asked).raise_for_status().json()["items"]
            for item in items:
                sides = [_pixels(client.get(picture["src"]).content) for picture in item["pictures"]]
                worth = [_worth(*both) for both in zip(oracle.read(np.stack(sides)), sides, strict=True)]
                outcome = "left" if worth[0] > worth[1] else "right"
                vote = {
                    "id": f"simulated{number:04}",
                    "annotator": WHO,
                    "campaign": asked["campaign"],
                    "item": item["id"],
                }
                vote |= {"question": item["question"], "answer": {"outcome": outcome}}
                client.post("/label/vote", json=vote).raise_for_status()
                number += 1
            time.sleep(0 if items else 0.2)  # drawn ahead, as far as they are


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _worth(reading: Reading, pixels: np.ndarray) -> float:
    """Neon first, then what is darker: a taste that is never in doubt."""
    return float(reading.style == "neon") - float(pixels.mean()) / 255


def test_labels_become_an_edit_whose_curves_and_pictures_move_and_which_is_tested_blind(
    opened: Open, served: Served, brake: Brake
) -> None:
    labelled(served)
    page = opened()
    page.get_by_role("tab", name="Label").click()
    page.get_by_role("tab", name="Align").click()
    expect(page.get_by_role("checkbox", name=re.compile(NAME))).to_be_visible(timeout=LONG_MS)
    expect(page.locator("#align-contents")).to_contain_text("fits them", timeout=LONG_MS)
    expect(page.locator("#align-contents")).to_contain_text("6 prompts")

    # What is wrong is said, and nothing is begun.
    unfold(page, "#align-advanced", "#align-beta")
    beta = page.locator("#align-beta :is(input, textarea)")
    beta.fill("strong")
    page.click("#align-train")
    expect(page.locator("#align-message .message")).to_contain_text("Beta is a number above 0", timeout=LONG_MS)
    beta.fill("")

    # It trains: curves and pictures move, and it is stopped with what it has.
    page.get_by_role("combobox", name="Objective").click()
    page.get_by_role("option", name=re.compile("SFT on winners")).click()
    page.click("#align-train")
    expect(page.locator(CURVES).first).to_be_visible(timeout=LONG_MS)
    brake.at("percent", 15)  # it is drawn with after each eighth
    expect(page.locator(f"{AFTER} figcaption").first).to_have_text("after, so far", timeout=LONG_MS)
    expect(page.locator("#align-pairs .before .frame.done").first).to_be_visible(timeout=LONG_MS)
    curve = page.locator(CURVES).first.inner_html()
    brake.at("percent", 19)
    page.wait_for_function(MOVED, arg=curve, timeout=LONG_MS)
    page.get_by_role("button", name="Stop, and keep what it has").click()
    expect(page.locator("#align-past .alignment").first).to_contain_text("Trained for", timeout=LONG_MS)
    brake.release()
    expect(page.locator(f"{AFTER} figcaption").first).to_have_text("after", timeout=LONG_MS)
    whole(page)
    assert in_views(page, "#tab-label") == []

    # It goes on the stack, and is tested blind.
    page.get_by_role("button", name="Put on the stack").click()
    expect(page.locator("#edit-stack [role=switch]")).to_have_count(1, timeout=LONG_MS)
    page.get_by_role("button", name="Test it blind").click()
    expect(page.locator("#align-message .message")).to_contain_text("its pairs are being drawn", timeout=LONG_MS)
    page.get_by_role("button", name="Answer it").click()
    expect(page.get_by_role("radio", name=re.compile("Blind test of"))).to_be_checked(timeout=LONG_MS)
    page.get_by_label(re.compile("Who labels|or somebody new")).last.fill("Ada")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled(timeout=LONG_MS)
    page.keyboard.press("Enter")
    for number in range(TESTED):
        press(page, "ArrowUp" if number % 2 else "ArrowLeft", "both good" if number % 2 else "left")
    page.get_by_role("tab", name="Align").click()
    expect(page.locator("#align-past .blind-test")).to_contain_text(f"n = {TESTED}", timeout=LONG_MS)
