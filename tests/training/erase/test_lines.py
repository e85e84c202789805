"""Concepts as lines of text: what each says, and what a bad one costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.training.erase import lines
from studio.training.erase.lines import read_file, read_lines

PASTED = """\
# what goes
star -> heart
fish→tree
watercolor

star -> star
a -> b -> c
 -> heart
"""
TABLE = """\
Concept,Draw instead,kind,Also called,remark
"Gogh, van",Monet,style,Vincent; van Gogh,a comma in a name
red,blue
big cat,dog,beast
"""


def test_a_line_is_a_concept_and_what_takes_its_place_and_a_bad_one_is_named_by_its_number() -> None:
    pasted = read_lines(PASTED)
    good = [
        (line.number, line.concept["words"], line.concept.get("substitute", "")) for line in pasted if not line.problem
    ]
    assert good == [(2, "star", "heart"), (3, "fish", "tree"), (4, "watercolor", "")]
    problems = {line.number: line.problem for line in pasted if line.problem}
    assert set(problems) == {6, 7, 8}
    assert "place of itself" in problems[6] and "two arrows" in problems[7] and "words" in problems[8]


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_table_has_its_columns_by_their_names(delimiter: str) -> None:
    text = (
        TABLE if delimiter == "," else TABLE.replace(", van", "; van").replace(",", "\t").replace("; van", ", van", 1)
    )
    first, second, third = read_lines(text)
    assert first.concept == {
        "words": "Gogh, van",
        "substitute": "Monet",
        "kind": "style",
        "synonyms": ["Vincent", "van Gogh"],
    }
    assert second.concept == {"words": "red", "substitute": "blue"} and not second.problem
    assert third.number == 4 and "kind" in third.problem


def test_without_names_the_columns_are_the_usual_ones_and_too_much_is_refused(tmp_path: Path) -> None:
    (line,) = read_lines("star, heart, object")
    assert line.concept == {"words": "star", "substitute": "heart", "kind": "object"}
    assert "5 columns" in read_lines("a,b,object,d,e")[0].problem
    with pytest.raises(BadInput, match=f"more than {lines.MAX_LINES}"):
        read_lines("a -> b\n" * (lines.MAX_LINES + 1))
    file = tmp_path / "concepts.txt"
    for content, complaint in ((b"\xff\xfe", "no text"), (b"# nothing", "names no concepts"), (b"x" * 200_001, "KB")):
        file.write_bytes(content)
        with pytest.raises(BadInput, match=complaint):
            read_file(file)
