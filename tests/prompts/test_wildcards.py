"""Wildcards: the same seed gives the same words, and no list leads out of its folder or on for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.errors import BadInput, NotFound
from studio.prompts.wildcards import MANY, Wildcards, read_list
from studio.world.words import COLOUR_WORDS, OBJECT_WORDS, STYLE_WORDS

SHIPPED = Path(__file__).parents[2] / "presets" / "wildcards"
LISTS = Wildcards({"colours": ("red", "blue", "green"), "things": ("a star", "a __colours__ box"), "one": ("x",)})


def test_a_seed_gives_the_same_words_for_ever() -> None:
    """These words are part of old recipes: a change of how they are drawn would change their pictures."""
    assert [LISTS.expand("a __colours__ star", seed) for seed in range(6)] == [
        "a red star",
        "a green star",
        "a blue star",
        "a blue star",
        "a red star",
        "a blue star",
    ]


def test_each_use_is_a_draw_of_its_own() -> None:
    drawn = {LISTS.expand("__colours__ __colours__", seed) for seed in range(60)}
    assert len(drawn) == 9


def test_lists_in_lists() -> None:
    drawn = {LISTS.expand("(__things__:1.2)", seed) for seed in range(40)}
    assert drawn == {"(a star:1.2)", "(a red box:1.2)", "(a blue box:1.2)", "(a green box:1.2)"}


def test_every_prompt_a_text_stands_for_counts() -> None:
    assert LISTS.count("__things__ __colours__ __one__") == 12 and LISTS.count("nothing") == 1


@given(st.text(alphabet="_ab -.", max_size=30))
def test_every_prompt_can_be_counted(text: str) -> None:
    lists = Wildcards({"a": ("1", "2"), "a_b": ("3",), "ab": ("4", "5", "6")})
    try:
        count = lists.count(text)
    except BadInput:
        with pytest.raises(BadInput):
            lists.expand(text, 1)
        return
    if count <= 6:
        drawn = {lists.expand(text, seed) for seed in range(60)}
        assert len(drawn) <= count and (len(drawn) > 1) == (count > 1)


@pytest.mark.parametrize(
    "text", ["__", "____", "_ _colours_ _", "__colours", "_colours_", "__ colours __", "___", "______"]
)
def test_what_is_no_wildcard(text: str) -> None:
    assert LISTS.expand(text, 0) == text


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "C:\\x", ".", "é", "a.b", "<b>"])
def test_names_are_no_paths(name: str) -> None:
    with pytest.raises(BadInput, match="named with letters, digits, - and _, not"):
        LISTS.expand(f"__{name}__", 0)


@pytest.mark.parametrize("name", ["colour", "CON", "Colours", "x" * 300])
def test_a_list_that_is_not_there(name: str) -> None:
    for call in (lambda text: LISTS.expand(text, 0), LISTS.count):
        with pytest.raises(NotFound, match="there are: colours, one, things"):
            call(f"a __{name}__")
    with pytest.raises(NotFound, match="there are: none"):
        Wildcards({}).expand("__x__", 0)


def test_lists_that_lead_into_each_other() -> None:
    circle = Wildcards({"a": ("__b__",), "b": ("__a__",)})
    for call in (lambda text: circle.expand(text, 0), circle.count):
        with pytest.raises(BadInput, match="more than 8 deep: a -> b -> a"):
            call("__a__")


def test_lists_that_explode() -> None:
    doubling = {f"l{n}": (f"__l{n + 1}__ " * 100,) for n in range(7)}
    explosive = Wildcards({**doubling, "l7": ("x", "y")})
    assert explosive.count("__l0__") == MANY
    with pytest.raises(BadInput, match="More than 200 wildcards"):
        explosive.expand("__l0__", 0)
    with pytest.raises(BadInput, match="201 wildcards; at most 200"):
        LISTS.count("__one__ " * 201)
    with pytest.raises(BadInput, match="characters; at most 10000"):
        LISTS.expand("__colours__" + "x" * 10_000, 0)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a_b.txt").write_bytes("\ufeff# a comment\r\n\r\n red star \r\n#no\r\nbleu é\n".encode())
    assert read_list(tmp_path / "a_b.txt") == ("red star", "bleu é")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a__b.txt", b"x", "letters, digits, - and single _"),
        ("a b.txt", b"x", "'a b.txt' must be named"),
        ("a.txt", b"\xff\xfe", "'a.txt' is not UTF-8"),
        ("a.txt", b"# only this\n", "1 to 10000 entries, not 0"),
        ("a.txt", b"x\n" * 10_001, "not 10001"),
        ("a.txt", b"x" * 1_001, "entry of 1001 characters"),
        ("a.txt", b"x" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=says):
        read_list(tmp_path / name)


def test_shipped_lists_are_the_worlds_words() -> None:
    lists = {path.stem: read_list(path) for path in SHIPPED.glob("*.txt")}
    assert lists["objects"] == tuple(OBJECT_WORDS) and lists["colours"] == tuple(COLOUR_WORDS)
    assert lists["styles"] == tuple(STYLE_WORDS)
    assert Wildcards(lists).count("__scenes__") == 2 * 8 * 8 * 12 + (8 * 8 * 12) ** 2
