"""Styles: how they go around a prompt, and that those which ship speak words the model knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.models.tokens import PromptTokenizer
from studio.prompts.styles import Style, read_style

SHIPPED = Path(__file__).parents[2] / "presets" / "styles"


@pytest.mark.parametrize(
    ("words", "prompt", "styled"),
    [
        ("{prompt} in neon style", "a star", "a star in neon style"),
        ("neon style", "a star", "a star, neon style"),
        ("neon style", "", "neon style"),
        ("", " a star ", " a star "),
        ("see {prompt}", "{prompt} {0} {{x}}", "see {prompt} {0} {{x}}"),
    ],
)
def test_around_a_prompt(words: str, prompt: str, styled: str) -> None:
    assert Style(prompt=words, source="x").apply(prompt) == (styled, "")
    assert Style(negative_prompt=words, source="x").apply("p", prompt) == ("p", styled)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_style(path: Path, stencil_dir: Path) -> None:
    style = read_style(path)
    prompt, negative = style.apply("a red star")
    tokenizer = PromptTokenizer(stencil_dir)
    assert prompt.startswith("a red star ") and style.note
    assert tokenizer.report(prompt).unknown_words == tokenizer.report(negative).unknown_words == ()


def test_shipped_styles_are_found_by_name() -> None:
    assert {"neon", "watercolor", "at-night"} <= {path.stem for path in SHIPPED.glob("*.json") if read_style(path)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "bad.json cannot be read"),
        ('{"prompt": "x"}', "source"),
        ('{"prompt": "x", "source": ""}', "source"),
        ('{"prompt": "x", "source": "y", "colour": 1}', "colour"),
        ('{"prompt": "{prompt} {prompt}", "source": "y"}', "more than once"),
        ('{"prompt": 3, "source": "y"}', "prompt"),
        ('{"negative_prompt": "' + "x" * 2001 + '", "source": "y"}', "negative_prompt"),
    ],
)
def test_bad_style(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_style(path)
