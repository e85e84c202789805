"""The drawings of docs/architecture.md: rooms are those of the import contract, and each stop of a way is a file."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
# From the top to the bottom, the packages of each step.
STEPS = [re.findall(r"\w+", step) for contract in CONTRACTS for step in contract.get("layers", [])]
SVG = "{http://www.w3.org/2000/svg}"
WAYS = ("recipe", "measure", "vote", "training", "comparison")
PLACES = {
    "page": ("ui", "cli"),
    "services": ("services",),
    "disk": ("storage",),
    "worker": ("engine", "training", "models"),
}


def drawing(name: str) -> ElementTree.Element:
    return ElementTree.parse(IMAGES / f"architecture-{name}.svg").getroot()


def test_the_rooms_stand_as_the_import_contract_has_them() -> None:
    rooms = [group for group in drawing("rooms").iter(f"{SVG}g") if group.get("data-room")]
    heights: dict[float, list[str]] = {}
    for room in rooms:
        box = room.find(f"{SVG}rect")
        assert box is not None
        heights.setdefault(float(box.get("y", "")), []).append(str(room.get("data-room")))
    assert [sorted(heights[y]) for y in sorted(heights)] == [sorted(step) for step in STEPS]
    packages = {path.parent.name for path in (ROOT / "studio").glob("*/__init__.py")}
    assert {name for step in STEPS for name in step} == packages == set(re.findall(r"`studio/(\w+)`", PAGE))


def test_arrows_between_rooms_are_imports() -> None:
    level = {name: place for place, step in enumerate(STEPS) for name in step}
    arrows = [(path.get("data-from"), path.get("data-to")) for path in drawing("rooms").iter(f"{SVG}path")]
    drawn = [(str(above), str(below)) for above, below in arrows if above]
    assert len(drawn) >= 10
    for above, below in drawn:
        assert level[above] < level[below]
        files = (ROOT / "studio" / above).rglob("*.py")
        imported = re.compile(rf"^\s*(from|import) studio\.{below}\b", re.MULTILINE)
        assert any(imported.search(path.read_text(encoding="utf-8")) for path in files), (above, below)


@pytest.mark.parametrize("way", WAYS)
def test_a_way_leads_through_files_that_are_there_in_the_order_of_the_page(way: str) -> None:
    stops = [group for group in drawing(way).iter(f"{SVG}g") if group.get("data-stop")]
    files = [str(stop.get("data-stop")) for stop in stops]
    for stop, file in zip(stops, files, strict=True):
        assert (ROOT / file).is_file(), file
        assert file.split("/")[1] in PLACES[str(stop.get("data-place"))], file
    section = PAGE.partition(f"architecture-{way}.svg")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \d+ \| `([^`]+)` \|", section, re.MULTILINE) == files
    assert len(files) > 6 and all(first != second for first, second in pairwise(files))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["rooms", *WAYS])
def test_a_drawing_can_be_read_in_light_and_dark_and_is_told_in_words(name: str) -> None:
    """WCAG 2.1: 4.5 to 1 for text on what lies behind it."""
    root = drawing(name)
    style = root.find(f"{SVG}style")
    assert style is not None and style.text
    light, _, dark = style.text.partition("@media (prefers-color-scheme: dark)")
    for theme in (light, dark):
        fill = dict(re.findall(r"\.([\w]+)(?:, \.\w+)* \{ fill: (#[0-9a-f]{6})", theme))
        for text, ground in (("name", "room"), ("about", "room"), ("number", "room"), ("head", "ground")):
            bright, dim = sorted((luminance(fill[text]), luminance(fill[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, ground)
    assert int(re.findall(r"font: (\d+)px", style.text)[0]) >= 12
    title, words = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and title.text and words is not None and words.text
    assert re.search(rf"!\[[^]]{{20,}}\]\(images/architecture-{name}\.svg\)", PAGE)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_page_is_found(page: str) -> None:
    assert "docs/architecture.md" in (ROOT / page).read_text(encoding="utf-8")
