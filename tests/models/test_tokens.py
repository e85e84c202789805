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


def test_syntax_is_no_token(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a (red:1.3) \\(star\\) [zebra]", "a1111")
    assert [(row.token, row.weight) for row in report.rows[:2]] == [("a</w>", 1), ("red</w>", 1.3)]
    assert report.unknown_words == ("zebra",)
    assert tokenizer.report("star++ (red)1.3", "compel").tokens == 2
    assert tokenizer.report("(red:1.3)").tokens > 3


def test_rows_point_into_the_prompt_as_typed(tokenizer: PromptTokenizer) -> None:
    prompt = "a (red:1.3) star BREAK [blue:white:3] square"
    rows = tokenizer.report(prompt, "a1111").rows
    assert [prompt[row.start : row.end] for row in rows] == ["a", "red", "star", "blue", "square"]
    assert [row.chunk for row in rows] == [0, 0, 0, 1, 1] and all(row.kept for row in rows)


def test_chunks(tokenizer: PromptTokenizer) -> None:
    long = "a red star on a white background , a (blue:2) square on white"
    cut, chunked = tokenizer.report(long, "a1111"), tokenizer.report(long, "a1111", overflow="chunk")
    assert (cut.chunks, cut.cut, cut.is_cut) == ((10,), "square on white", True)
    assert [row.kept for row in cut.rows] == [True] * 10 + [False] * 3
    assert (chunked.chunks, chunked.cut, chunked.is_cut) == ((10, 3), "", False)
    assert tokenizer.report("a BREAK a red BREAK", "a1111").chunks == (1, 2, 0)


def test_of_a_prompt_that_changes_the_longest_wording_is_told(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a [red|zebra|blue star] AND a zebu", "a1111")
    assert report.tokens == len(tokenizer.tokenise(["a zebra"])) and report.unknown_words == ("zebra", "zebu")


def test_what_the_report_counts_is_what_is_framed(tokenizer: PromptTokenizer) -> None:
    ids = [token.id for token in tokenizer.tokenise(["a red ", "star"])]
    assert tokenizer.framed(ids) == tokenizer.ids("a red star")
    assert tokenizer.framed(ids * 10) == tokenizer.ids("a red star " * 10)
