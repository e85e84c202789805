from __future__ import annotations

from studio.ui.prompt import pairing
from tests.ui.test_form import FILLED


def test_what_does_not_go_together_is_said_and_what_cannot_be_read_is_left_to_generating() -> None:
    assert set(pairing.READ) <= set(FILLED)
    zigzag = FILLED | {"method": "z_sampling"}
    assert "DDIM, Euler and Euler a suit it" in pairing.note(zigzag) and 'role="status"' in pairing.note(zigzag)
    summed = '[{"wrapper": "sum", "params": {}, "added": {"method": "cfg_pp", "params": {}}}]'
    assert "CFG++" in pairing.note(FILLED | {"wrappers": summed})
    for fits in (FILLED, zigzag | {"sampler": "ddim"}, zigzag | {"method.rest": '{"z_sampling": {"strength": 0}}'}):
        assert pairing.note(fits) == ""
    for unreadable in ({"method": "gone"}, {"sampler": None}, {"wrappers": "{"}, {"method.rest": "7"}):
        assert pairing.note(zigzag | unreadable) == ""
