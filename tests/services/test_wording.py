from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound
from studio.services.wording import words


def test_styles_go_around_both_prompts_in_their_order(tmp_path: Path) -> None:
    styles = tmp_path / "presets" / "styles"
    styles.mkdir(parents=True)
    for name, prompt in (("one", "{prompt}, one"), ("two", "two {prompt}")):
        (styles / f"{name}.json").write_text(json.dumps({"prompt": prompt, "negative_prompt": "no", "source": "here"}))
    said = words(tmp_path).say("a star", "", ["one", "two"], seed=1)
    assert (said.prompt, said.negative_prompt) == ("two a star, one", "no, no")


def test_wildcards_are_drawn_by_the_seed_also_those_that_a_style_brings(tmp_path: Path) -> None:
    lists = tmp_path / "presets" / "wildcards"
    lists.mkdir(parents=True)
    (lists / "mine.txt").write_text("\n".join(f"word{n}" for n in range(50)))
    known = words(tmp_path)
    drawn = {known.say("a __mine__", "", [], seed).prompt for seed in range(20)}
    assert len(drawn) > 5 and known.say("a __mine__", "", [], 3) == known.say("a __mine__", "", [], 3)


def test_ones_own_go_before_those_that_ship_and_broken_ones_are_told(tmp_path: Path) -> None:
    assert "neon" in words(tmp_path).styles and "colours" in words(tmp_path).wildcards.lists
    own = tmp_path / "presets"
    (own / "styles").mkdir(parents=True)
    (own / "wildcards").mkdir()
    (own / "styles" / "neon.json").write_text(json.dumps({"prompt": "mine", "source": "here"}))
    (own / "styles" / "torn.json").write_text("{")
    (own / "wildcards" / "torn.txt").write_bytes(b"\xff\xfe\xfa")
    (own / "wildcards" / "whole.txt").write_text("red", encoding="utf-8")
    found = words(tmp_path)
    assert found.styles["neon"].prompt == "mine" and "watercolor" in found.styles
    assert len(found.problems) == 2 and all("torn" in problem for problem in found.problems)
    assert "colours" in found.wildcards.lists and found.wildcards.lists["whole"] == ("red",)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    known = words(tmp_path)
    with pytest.raises(NotFound, match="no style"):
        known.say("a", "", ["../x"], 0)
    with pytest.raises(NotFound, match="wildcard list"):
        known.say("a __nothing__", "", [], 0)
    with pytest.raises(BadInput, match="at most 8"):
        known.say("a", "", ["neon"] * 9, 0)
