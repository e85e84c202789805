"""Counted before it is parsed: values are, and what stands in strings is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.core.bounded_json import loads, without_repeats


@pytest.mark.parametrize(
    "value",
    [[], {}, "a", 1, [1, 2, 3], {"a": [1, {"b": None}], "c": "d"}, {"[,{": '",[{\\"', "é": [["\U0001f600\\"]]}],
)
def test_gives_what_json_gives(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2).encode()):
        assert loads(text, 10) == value


@pytest.mark.parametrize("text", ["[0,0,0,0]", "[[[[]]]]", '{"a":{},"b":{}}', '[{},"",0]', b"[0,0,0,0]"])
def test_refuses_more_values_than_it_may_have(text: str | bytes) -> None:
    assert loads(text, 4) == json.loads(text)
    with pytest.raises(ValueError, match="more than 3 values"):
        loads(text, 3)


def test_what_stands_in_strings_is_no_value() -> None:
    metadata = {"ss_tag_frequency": json.dumps({f"tag {n}": [n, {"[": n}] for n in range(100)})}
    assert loads(json.dumps(metadata), 3) == metadata


def test_nothing_is_parsed_of_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *args, **more: pytest.fail("parsed"))
    with pytest.raises(ValueError, match="more than 10 values"):
        loads("[" + "[]," * 1_000_000, 10)


@pytest.mark.parametrize("text", ["", "{", '"' * 100_001, '"\\' * 100_000, b"\xff{}", "[1,]"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        loads(text, 10)


def test_repeated_names_can_be_seen() -> None:
    assert loads('{"a": 1, "a": 2}', 10, pairs_hook=len) == 2
    assert loads('{"a": {"b": 1}, "c": {"b": 2}}', 10, pairs_hook=without_repeats) == {"a": {"b": 1}, "c": {"b": 2}}
    with pytest.raises(ValueError, match="the name 'b' stands twice in one object"):
        loads('{"a": {"b": 1, "b": 1}}', 10, pairs_hook=without_repeats)
