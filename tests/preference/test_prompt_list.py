"""Prompts as people have them: every form gives the same list, and what is none is refused by file and line."""

import json
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.preference.prompt_list import MAX_BYTES, MAX_PROMPTS, read_prompts, typed

TWO = ("a star", "a red heart, at night")
FILES = {
    "lines.txt": "# comment\n\na star\r\na red heart, at night\na star\n",
    "bom.txt": "\ufeffa star\na red heart, at night",
    "list.json": json.dumps([{"prompt": "a star", "seed": 3}, "a red heart, at night"]),
    "object.json": json.dumps({"prompts": ["a star", {"caption": "a red heart, at night"}]}),
    "lines.jsonl": '{"text": "a star"}\n\n"a red heart, at night"\n',
    "head.csv": 'seed,Prompt\n1,a star\n2,"a red heart, at night"\n',
    "bare.csv": 'a star\n"a red heart, at night"\n',
    "head.tsv": "caption\tseed\na star\t1\na red heart, at night\t2\n",
}


@pytest.mark.parametrize("name", FILES)
def test_every_form_gives_the_same_prompts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], encoding="utf-8", newline="")
    assert read_prompts(tmp_path / name) == TWO


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.doc", b"a star", "is none of .txt"),
        ("a.txt", b"\xff\xfe\x00", "not text in UTF-8"),
        ("a.txt", b"\n# nothing\n", "There is no prompt"),
        ("a.json", b"[1", "not valid JSON"),
        ("a.json", b"[" * 100_000, "JSON"),
        ("a.json", b'["a star", {"seed": 1}]', "Entry 2 names no prompt"),
        ("a.json", b"3", "must be a list of prompts"),
        ("a.jsonl", b'"a star"\n{', "Line 2 is not valid JSON"),
        ("a.csv", b'"a star\n', "cannot be read as a table"),
        ("a.txt", b"x" * 10_001, "has 10,001 characters"),
        ("a.txt", b"x" * (MAX_BYTES + 1), "larger than"),
        ("a.txt", b"\n".join(b"%d" % k for k in range(MAX_PROMPTS + 1)), "more than 10,000 prompts"),
    ],
)
def test_what_is_no_file_of_prompts_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as refusal:
        read_prompts(tmp_path / name)
    assert sentence in refusal.value.message and name in refusal.value.message


def test_a_missing_file_and_no_line_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_prompts(tmp_path / "none.txt")
    with pytest.raises(BadInput, match="no prompt"):
        typed(" \n")
