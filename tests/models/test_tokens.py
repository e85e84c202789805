"""Prompts to tokens: as CLIPTokenizer, with an account of what is cut and unknown."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.core.errors import AssetError
from studio.models.tokens import PromptTokenizer
from tests.tiny_model import CONTEXT


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PromptTokenizer:
    return PromptTokenizer(tiny_model)


def test_known_words_are_one_token_each(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a RED star,  on a white background")
    assert (report.tokens, report.kept, report.cut, report.unknown_words) == (8, 8, "", ())
    assert report.limit == CONTEXT - 2
    assert not report.is_cut


def test_unknown_words_are_named_once_as_written(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a Zebra, a zebra and a Zebra !! on ⭐ x")
    assert report.unknown_words == ("Zebra", "zebra", "and", "⭐")


def test_what_is_cut_is_shown(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a red star on a white background , a blue square on white")
    assert (report.tokens, report.kept) == (13, 10)
    assert report.cut == "square on white"


def test_empty(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.report("").tokens == 0
    assert len(tokenizer.ids("")) == CONTEXT


@pytest.mark.parametrize("prompt", ["", "a red star", "zebra" * 100, "a red star, " * 50, "é ⭐ \u202e x\0y", "A  b\n"])
def test_ids_are_those_of_the_library(tokenizer: PromptTokenizer, tiny_model: Path, prompt: str) -> None:
    from transformers import CLIPTokenizer

    theirs = CLIPTokenizer.from_pretrained(tiny_model / "tokenizer")
    expected = theirs(prompt, padding="max_length", max_length=CONTEXT, truncation=True).input_ids
    assert tokenizer.ids(prompt) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(max_size=60))
def test_any_text_is_accounted_for(tokenizer: PromptTokenizer, prompt: str) -> None:
    report = tokenizer.report(prompt)
    assert len(tokenizer.ids(prompt)) == CONTEXT
    assert report.kept == min(report.tokens, report.limit)
    assert report.cut in prompt
    assert all(word in prompt for word in report.unknown_words)


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="tokenizer in .* cannot be read"):
        PromptTokenizer(tmp_path)
