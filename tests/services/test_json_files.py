"""JSON that people write by hand or get from others: recipes, presets, styles, comparisons, plans, labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli.train import _plan_in
from studio.core.bounded_json import MAX_SETTINGS_BYTES, MAX_SETTINGS_VALUES
from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.guidance.presets import read_preset
from studio.preference.exchange.incoming import RefusedRow
from studio.preference.exchange.json_files import lines
from studio.prompts.styles import read_style
from studio.services.comparisons.comparison import Comparison
from studio.services.presets import GuidancePresets

PRESET: dict[str, Any] = {"method": "cfg", "params": {"guidance_scale": 3.0}, "source": "by hand"}


def first_line(path: Path) -> Any:
    ((_, values),) = lines(path)
    if isinstance(values, RefusedRow):
        raise BadInput(values.reason)
    return values


# What reads a file of each kind, and one that it accepts.
READERS: dict[str, tuple[Callable[[Path], Any], dict[str, Any]]] = {
    "recipe": (lambda path: Recipe.from_json(path.read_bytes()), {"prompt": "a star"}),
    "comparison": (lambda path: Comparison.from_json(path.read_bytes()), {"name": "a", "rows": [{"recipe": {}}]}),
    "preset": (read_preset, PRESET),
    "style": (read_style, {"prompt": "neon", "source": "by hand"}),
    "plan": (_plan_in, {"loss": "esd"}),
    "label": (first_line, {"prompt": "a star"}),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_name_that_stands_twice_is_refused_by_that_name(tmp_path: Path, kind: str) -> None:
    """Which of its two values counts is anybody's guess, and programs guess differently."""
    read, good = READERS[kind]
    path = tmp_path / "x.json"
    text = json.dumps(good)
    name = next(iter(good))
    twice = text[:-1] + f", {json.dumps(name)}: {json.dumps(good[name])}}}"
    within = text[:-1] + ', "more": {"a": 1, "a": 2}}'
    path.write_text(text, encoding="utf-8")
    read(path)
    for bad, said in ((twice, name), (within, "a")):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(BadInput, match=f"the name '{said}' stands twice in one object"):
            read(path)


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_json_is_refused_with_its_place_and_depth_costs_a_sentence(tmp_path: Path, kind: str) -> None:
    read, good = READERS[kind]
    path = tmp_path / "x.json"
    for text, said in (
        (json.dumps(good)[:-1] + ' "more": 1}', r"line 1 column \d+"),
        ('{"a": ' + "[" * 10_000 + "]" * 10_000 + "}", r"nested too deep|recursion|more than \d+ values"),
        ("[" * 10_000, r"nested too deep|recursion|more than \d+ values"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=said) as refused:
            read(path)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_files_of_settings_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = GuidancePresets(tmp_path, shipped=tmp_path)
    presets.own_folder.mkdir(parents=True)
    huge, many = presets.own_folder / "huge.json", presets.own_folder / "many.json"
    many.write_text(json.dumps(PRESET | {"note": [0] * MAX_SETTINGS_VALUES}), encoding="utf-8")
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    monkeypatch.setattr(json, "loads", lambda *arguments, **more: pytest.fail("parsed"))
    for path, said in ((huge, f"larger than {MAX_SETTINGS_BYTES} bytes"), (many, "more than 10000 values")):
        for read in (read_preset, read_style):
            with pytest.raises(BadInput, match=rf"{path.name} cannot be read: it .*{said}"):
                read(path)
    assert [bool(entry.problem) for entry in presets.listing() if entry.is_own] == [True, True]


def test_a_file_of_a_later_version_says_so_or_names_what_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for kind, said in (
        ("recipe", "of version 2, and this program reads up to 1. Update Palimpsest"),
        ("comparison", "of version 2, and this program reads up to 1. Update Palimpsest"),
        ("preset", "x.json cannot be read: version"),
        ("style", "x.json cannot be read: version"),
    ):
        read, good = READERS[kind]
        path.write_text(json.dumps({**good, "version": 2}), encoding="utf-8")
        with pytest.raises(BadInput, match=said):
            read(path)
