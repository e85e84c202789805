from __future__ import annotations

import re

import pytest

from studio.ui import theme

CSS = (theme.HERE / "style.css").read_text(encoding="utf-8")
PAGE = (theme.HERE / "page.js").read_text(encoding="utf-8")


def luminance(code: str) -> float:
    """Relative luminance. Source: WCAG 2.2."""
    parts = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("ground", ["paper", "sheet"])
@pytest.mark.parametrize("ink", ["ink", "ink-soft", "ink-faint", "rubric", "verdigris", "ochre"])
def test_text_is_readable(dark: bool, ground: str, ink: str) -> None:
    found = theme.colours(dark)
    assert contrast(found[ink], found[ground]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_buttons_messages_and_disabled_buttons_are_readable(dark: bool) -> None:
    found = theme.colours(dark)
    for ink, ground in (
        ("on-seal", "seal"),
        ("on-seal", "seal-deep"),
        ("ink", "rubric-wash"),
        ("rubric", "rubric-wash"),
    ):
        assert contrast(found[ink], found[ground]) >= 4.5, (ink, ground)
    assert contrast(found["ink-faint"], found["well"]) >= 3


def test_light_and_dark_name_the_same_colours() -> None:
    assert set(theme.colours(True)) == set(theme.colours(False)) and len(theme.colours(True)) > 12


def test_nothing_is_fetched() -> None:
    assert not re.findall(r"url\((?!\"data:)", CSS) and "@import" not in CSS
    assert "http" not in PAGE
    assert not [font for font in theme.theme()._font_css if "http" in font]


def test_nothing_moves_by_itself() -> None:
    """What moves without end has the page painted as often as the screen can, which the engine pays for."""
    sheets = {path.name: path.read_text(encoding="utf-8") for path in theme.HERE.rglob("*.css")}
    assert len(sheets) > 3
    for name, sheet in sheets.items():
        moves = re.findall(r"@keyframes.*|animation(?:-[a-z-]+)?:(?!\s*none).*|infinite.*", sheet)
        assert not moves, name


def test_every_variable_is_one_that_gradio_knows() -> None:
    css = theme.theme()._get_theme_css()
    for name, value in theme.VARIABLES.items():
        assert f"--{name.replace('_', '-')}: {value};" in css, name
