from __future__ import annotations

from studio.ui.markup import alert, attributes, facts, image, png_uri, tag, text

EVIL = """"><script>alert('x')</script>"""


def test_text_means_itself() -> None:
    assert text(EVIL) == "&quot;&gt;&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;"


def test_attributes_are_escaped_and_named() -> None:
    assert attributes({"class_": "a b", "data_pick": 3, "hidden": True, "title": None, "x": False}) == (
        ' class="a b" data-pick="3" hidden'
    )
    assert EVIL not in tag("p", title=EVIL)


def test_inner_html_of_a_tag_is_kept_and_everything_else_escaped() -> None:
    assert tag("p", "<b>x</b>") == "<p><b>x</b></p>"
    for fragment in (facts([(EVIL, EVIL)]), alert(EVIL), image("/x.png", EVIL)):
        assert "<script" not in fragment


def test_an_error_is_announced_and_nothing_is_nothing() -> None:
    assert 'role="alert"' in alert("No.")
    assert 'role="status"' in alert("Stopped.", kind="note")
    assert alert("") == ""


def test_png_uri() -> None:
    assert png_uri(b"\x89PNG") == "data:image/png;base64,iVBORw=="
