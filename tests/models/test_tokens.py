"""Prompts to tokens: as CLIPTokenizer, with an account of what is cut and unknown."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.core.errors import AssetError
from studio.models import clip_vocabulary
from studio.models.single_file import SHIPPED
from studio.models.tokens import PromptTokenizer
from tests.tiny_model import CONTEXT


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PromptTokenizer:
    return PromptTokenizer(tiny_model)


def test_known_words_are_one_token_each(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a RED star,  on a white background")
    assert (report.tokens, report.tokens_read, report.cut, report.unknown_words) == (8, 8, "", ())
    assert report.limit == CONTEXT - 2
    assert not report.is_cut


def test_unknown_words_are_named_once_as_written(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a Zebra, a zebra and a Zebra !! on ⭐ x")
    assert report.unknown_words == ("Zebra", "zebra", "and", "⭐")


def test_what_is_cut_is_shown(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a red star on a white background , a blue square on white")
    assert (report.tokens, report.tokens_read) == (13, 10)
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
    assert report.tokens_read == min(report.tokens, report.limit)
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


def test_brackets_that_nothing_closes_are_told(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.report("a (red star", "a1111").unclosed == (2,)
    assert [row.weight for row in tokenizer.report("a (red star", "a1111").rows] == [1, 1.1, 1.1]
    assert tokenizer.report("a (red) star", "a1111").unclosed == tokenizer.report("a (red", "compel").unclosed == ()


def test_rows_point_into_the_prompt_as_typed(tokenizer: PromptTokenizer) -> None:
    prompt = "a (red:1.3) star BREAK [blue:white:3] square"
    rows = tokenizer.report(prompt, "a1111").rows
    assert [prompt[row.start : row.end] for row in rows] == ["a", "red", "star", "blue", "square"]
    assert [row.chunk for row in rows] == [0, 0, 0, 1, 1] and all(row.is_read for row in rows)


def test_chunks(tokenizer: PromptTokenizer) -> None:
    long = "a red star on a white background , a (blue:2) square on white"
    cut, chunked = tokenizer.report(long, "a1111"), tokenizer.report(long, "a1111", overflow="chunk")
    assert (cut.chunks, cut.cut, cut.is_cut) == ((10,), "square on white", True)
    assert [row.is_read for row in cut.rows] == [True] * 10 + [False] * 3
    assert (chunked.chunks, chunked.cut, chunked.is_cut) == ((8, 5), "", False), "cut behind the comma"
    assert tokenizer.report("a BREAK a red BREAK", "a1111").chunks == (1, 2, 0)


def test_of_a_prompt_that_changes_the_longest_wording_is_told(tokenizer: PromptTokenizer) -> None:
    report = tokenizer.report("a [red|zebra|blue star] AND a zebu", "a1111")
    assert report.tokens == len(tokenizer.tokenise(["a zebra"])) and report.unknown_words == ("zebra", "zebu")


def test_what_the_report_counts_is_what_is_framed(tokenizer: PromptTokenizer) -> None:
    ids = [token.id for token in tokenizer.tokenise(["a red ", "star"])]
    assert tokenizer.framed(ids) == tokenizer.ids("a red star")
    assert tokenizer.framed(ids * 10) == tokenizer.ids("a red star " * 10)


# -- other files, other padding -------------------------------------------------------------------------------------

PROMPTS = (
    "",
    "a red star",
    "Zebra! don't 123 ... é ⭐ \u202e x\0y",
    "A  b\n",
    "<|startoftext|> x <|endoftext|> y",
    "漢字 ﬁ",
)


@pytest.fixture
def older(tiny_model: Path, tmp_path: Path) -> Path:
    """The same tokenizer in the files that most published models have, padded with another token."""
    told = json.loads((tiny_model / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in told["merges"]]
    config = {"pad_token": {"content": "!"}, "model_max_length": CONTEXT}
    (folder / "vocab.json").write_text(json.dumps(told["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


def test_vocabulary_and_merges_are_the_same_tokenizer(tokenizer: PromptTokenizer, older: Path) -> None:
    other = PromptTokenizer(older)
    assert other.shares_words(tokenizer) and other.pad_id != tokenizer.pad_id
    for prompt in PROMPTS:
        assert other.word_ids(prompt) == tokenizer.word_ids(prompt)
        ids, whole = other.ids(prompt), tokenizer.ids(prompt)
        end = min(len(tokenizer.word_ids(prompt)) + 2, CONTEXT)  # beyond it is padding
        assert ids[:end] == whole[:end]


def test_special_ids(tokenizer: PromptTokenizer) -> None:
    ids = tokenizer.ids("a")
    assert (ids[0], ids[2], ids[3]) == (tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id)
    assert ids[1:2] == tokenizer.word_ids("a")


def test_clips_own_vocabulary_is_at_hand(tmp_path: Path) -> None:
    """A folder with the config alone: ids as published for CLIP, and those of the library for anything."""
    from transformers import CLIPTokenizer

    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer_config.json").write_text('{"pad_token": "<|endoftext|>", "model_max_length": 77}')
    mine = PromptTokenizer(tmp_path)
    assert mine.ids("a photo of a cat")[:8] == [49406, 320, 1125, 539, 320, 2368, 49407, 49407]
    vocabulary, merges = clip_vocabulary.shipped()
    assert len(vocabulary) == 49408 and len(merges) == 48894
    pairs: Any = [tuple(line.split(" ")) for line in merges]  # as it wants them, whatever it is annotated with
    theirs = CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=77)
    for prompt in (*PROMPTS, "zebra" * 100):
        expected = theirs(prompt, padding="max_length", max_length=77, truncation=True).input_ids
        assert mine.ids(prompt) == expected


def test_a_vocabulary_without_marks_is_refused(older: Path) -> None:
    path = older / "tokenizer" / "vocab.json"
    path.write_text(path.read_text(encoding="utf-8").replace("<|startoftext|>", "begin"), encoding="utf-8")
    with pytest.raises(AssetError, match="cannot be read"):
        PromptTokenizer(older)


# -- where a long prompt is divided ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip() -> PromptTokenizer:
    """CLIP's own vocabulary, 75 tokens to a chunk."""
    return PromptTokenizer(SHIPPED / "sd1", 77)


def chunks_of(clip: PromptTokenizer, prompt: str) -> list[str]:
    rows = clip.report(prompt, "plain", overflow="chunk").rows
    count = max(row.chunk for row in rows) + 1
    spans = [[(row.start, row.end) for row in rows if row.chunk == number] for number in range(count)]
    return [prompt[span[0][0] : span[-1][1]] for span in spans]


@pytest.mark.parametrize(
    ("lead", "tail", "second"),
    [
        ("cat, " * 36 + "dog ", "emotionless face, blue eyes", "dog emotionless face, blue eyes"),
        ("cat, " * 28 + "cat " * 19, "dog", "cat " * 19 + "dog"),
        ("cat " + "cat, " * 27 + "cat " * 20, "dog", "dog"),  # a comma is too far back, as in the web UI
        ("cat " * 74, "emotionless", "emotionless"),
        ("cat " * 74, "1024", "1024"),
        ("cat " * 74, "the ⭐ star", "⭐ star"),
        ("cat " * 74 + ", ", "dog", "dog"),
        ("cat " * 75, ", dog", ", dog"),
    ],
)
def test_no_word_is_cut_in_two(clip: PromptTokenizer, lead: str, tail: str, second: str) -> None:
    prompt = lead + tail
    first, *others = chunks_of(clip, prompt)
    assert others == [second] and first == prompt[: -len(second)].rstrip()


def test_a_word_that_is_too_long_to_go_back_is_cut_between_characters(clip: PromptTokenizer) -> None:
    for prompt in ("赤い星" * 40, "⭐" * 60, "x" * 300):
        assert "".join(chunks_of(clip, prompt)) == prompt
        assert all(len(chunk) > 1 for chunk in chunks_of(clip, prompt))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(["cat", "emotionless", ",", "1024", "⭐", "赤い星", "(", "-"]), max_size=150))
def test_every_token_is_in_one_chunk_in_order(clip: PromptTokenizer, pieces: list[str]) -> None:
    prompt = " ".join(pieces)
    report = clip.report(prompt, "plain", overflow="chunk")
    assert [row.token for row in report.rows] == clip._tokenizer.encode(prompt, add_special_tokens=False).tokens
    assert all(size <= 75 for size in report.chunks) and sum(report.chunks) == report.tokens_read
