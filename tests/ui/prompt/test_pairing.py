from __future__ import annotations

import re

from studio.ui.components.fields import parameters
from studio.ui.components.scale_range import range_html
from studio.ui.methods import declarations
from studio.ui.prompt import pairing
from tests.ui.fake_studio import FakeStudio
from tests.ui.test_form import FILLED


def test_what_does_not_go_together_is_said_and_what_cannot_be_read_is_left_to_generating(fake: FakeStudio) -> None:
    assert set(pairing.READ) <= set(FILLED)
    zigzag = FILLED | {"method": "z_sampling"}
    assert "DDIM, Euler and Euler a suit it" in pairing.note(fake, zigzag) and 'role="status"' in pairing.note(
        fake, zigzag
    )
    summed = '[{"wrapper": "sum", "params": {}, "added": {"method": "cfg_pp", "params": {}}}]'
    assert "CFG++" in pairing.note(fake, FILLED | {"wrappers": summed})
    for fits in (FILLED, zigzag | {"sampler": "ddim"}, zigzag | {"method.rest": '{"z_sampling": {"strength": 0}}'}):
        assert pairing.note(fake, fits) == ""
    for unreadable in ({"method": "gone"}, {"sampler": None}, {"wrappers": "{"}, {"method.rest": "7"}):
        assert pairing.note(fake, zigzag | unreadable) == ""


def test_a_scale_beyond_what_suits_the_model_says_so_while_it_is_set(fake: FakeStudio) -> None:
    beyond = FILLED | {"method.first": '{"cfg": {"guidance_scale": 8}}'}
    assert "Above a scale of 4, pictures of Stencil break up more often." in pairing.note(fake, beyond)
    interval = '[{"wrapper": "interval", "params": {"start": 0.1}}]'
    for fits in (
        {"model": "gone"},
        {"method": "apg"},
        {"wrappers": interval},
        {"method.first": '{"cfg": {"guidance_scale": 4}}'},
    ):
        assert pairing.note(fake, beyond | fits) == ""
    assert "--scale-high: 4;" in range_html(fake, "stencil") and range_html(fake, "gone") == ""


def test_a_negative_prompt_that_nothing_uses_says_so(fake: FakeStudio) -> None:
    alone = FILLED | {"method": "cfg", "method.first": '{"cfg": {"guidance_scale": 1}}'}
    for words in ({"negative_prompt": "red"}, {"more_negatives": [{"prompt": "red", "weight": 1.0}]}):
        assert "The negative prompt has no effect" in pairing.note(fake, alone | words)
        for uses in ({"method": "nag"}, {"method.first": '{"cfg": {"guidance_scale": 2}}'}):
            assert pairing.note(fake, alone | words | uses) == ""
    assert pairing.note(fake, alone | {"negative_prompt": ""}) == ""


def test_the_mark_finds_its_place_on_the_slider_of_every_methods_scale() -> None:
    pair = re.compile(
        r'<span class="pair scale" style="--low-end: (\d+); --high-end: (\d+)"><input type="range"([^>]*)>'
    )
    for name, method in declarations().guidance.items():
        found = pair.findall("".join(parameters(method.params, {}, "param", 1)))
        scales = [spec for spec in method.params if spec.name == "guidance_scale"]
        assert len(found) == len(scales), name
        for (low, high, slider), spec in zip(found, scales, strict=True):
            assert (float(low), float(high)) == (spec.low, spec.high) and 'data-name="guidance_scale"' in slider
