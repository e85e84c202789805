"""Styles: named words that go around a prompt, as A1111 has them; one JSON file each.

{"prompt": "{prompt} in neon style", "negative_prompt": "", "source": "words of the world", "note": "when to take it"}
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, field_validator

from studio.core.bounded_json import read_settings
from studio.core.errors import BadInput
from studio.core.params import Params

PLACE = "{prompt}"
MAX_CHARS = 2_000


class Style(Params):
    """What is put around, or where it has no {prompt} behind, a prompt and its negative prompt."""

    prompt: str = Field(default="", max_length=MAX_CHARS, description="words around the prompt's place, {prompt}")
    negative_prompt: str = Field(default="", max_length=MAX_CHARS, description="the same for the negative prompt")
    source: str = Field(min_length=1, description="where the words come from")
    note: str = Field(default="", description="when to take it")

    @field_validator("prompt", "negative_prompt")
    @classmethod
    def _one_place(cls, value: str) -> str:
        if value.count(PLACE) > 1:  # two in each of a few styles would double a prompt again and again
            raise ValueError(f"has {PLACE} more than once")
        return value

    def apply(self, prompt: str, negative_prompt: str = "") -> tuple[str, str]:
        """Give the prompt and negative prompt in this style. Empty words leave a prompt as it is."""
        return _around(self.prompt, prompt), _around(self.negative_prompt, negative_prompt)


def read_style(path: Path) -> Style:
    """Read one style. Raises BadInput naming the file if it is none."""
    try:
        return Style.model_validate_json(read_settings(path)[0])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The style {path.name} cannot be read: {place}: {first['msg']}.") from None
    except ValueError as error:  # which a ValidationError is as well
        raise BadInput(f"The style {path.name} cannot be read: {str(error).rstrip('.')}.") from None


def _around(words: str, prompt: str) -> str:
    """A1111's rule: in place of {prompt}; without one, behind the prompt and a comma."""
    if PLACE in words:
        return words.replace(PLACE, prompt)
    return ", ".join(part for part in (prompt.strip(), words.strip()) if part) if words.strip() else prompt
