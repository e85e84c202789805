"""Choosing pictures out of the history: what is found, and what the control holds."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.ui.components import picker
from studio.ui.values import read
from tests.ui.fake_studio import FakeStudio


def test_pictures_are_found_by_their_words(fake: FakeStudio) -> None:
    for prompt in ("a ring", "<b> star"):
        fake.ended(fake.pictures.submit([Recipe(prompt=prompt, steps=1)]))
    assert picker.page_html(fake, "").count("data-ids") == picker.page_html(fake, None).count("data-ids") == 2
    assert 'data-ids="1"' in picker.page_html(fake, " RING ") and "star" not in picker.page_html(fake, "ring")
    assert "No picture's prompt" in picker.page_html(fake, "nothing of the kind")
    assert "<b>" not in picker.page_html(fake, "star")


@pytest.mark.parametrize("value", ["1", [1.5], [True], [1] * 9, {"id": 1}, ["1"]])
def test_it_holds_numbers_of_pictures_and_nothing_else(fake: FakeStudio, value: Any) -> None:
    control = picker.control(fake, "some", 8)
    assert read([control], [[]]) == [[]] and read([control], [[3, 1]]) == [[3, 1]]
    with pytest.raises(BadInput, match="The pictures that are chosen must be a list of 0 to 8 whole numbers"):
        read([control], [value])
