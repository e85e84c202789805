"""The menus of methods: everything is in them, and what cannot be chosen says why."""

from __future__ import annotations

from studio.ui.components import fields, method_menu
from studio.ui.methods import declarations
from tests.ui.fake_studio import FakeStudio

REASON = "Autoguidance (needs an early checkpoint)"


def test_what_a_model_cannot_do_has_its_reason_in_label_and_title(fake: FakeStudio) -> None:
    able, unable = method_menu.entries(fake, "stencil"), method_menu.entries(fake, "large")
    known = declarations()
    assert [entry[1] for entry in able] == [entry[1] for entry in unable] == [*known.guidance, *known.defective]
    assert [entry for entry in able if len(entry) == 3] == [
        (method.label, name, f"Not offered: {method.defect}.") for name, method in known.defective.items()
    ]
    assert set(unable) - set(able) == {(REASON, "autoguidance", "Not with large: it needs an early checkpoint.")}
    assert method_menu.entries() == able


def test_options_are_greyed_and_titled() -> None:
    html = fields.options_html([("A <b>", "a"), ("B", "b", 'why "not"')], "b")
    assert '<option value="a">A &lt;b&gt;</option>' in html
    assert '<option value="b" selected disabled title="why &quot;not&quot;">B</option>' in html


def test_a_menu_that_can_grey_nothing_says_it_in_the_label(fake: FakeStudio) -> None:
    found = method_menu.choices(fake, "large")
    assert (REASON, "autoguidance") in found and [name for _, name in found] == list(declarations().guidance)
    assert ("Autoguidance", "autoguidance") in method_menu.choices(fake, "stencil")
