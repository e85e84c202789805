"""The documentation is true: generated pages are fresh, links lead somewhere, README's verbs exist."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from studio.cli import parser
from studio.services import reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("assets/**/*.md")])
# launch.py's own, and the one with its own parser
OWN_VERBS = {"test", "setup", "check", "doctor", "train-embedded"}


def test_generated_pages_are_fresh() -> None:
    assert reference.stale(ROOT / "docs", ROOT / "presets" / "guidance") == [], "run: palimpsest docs"


def test_a_stale_page_is_noticed_and_rewritten(tmp_path: Path) -> None:
    written = reference.write(tmp_path, ROOT / "presets" / "guidance")
    assert "methods/cfg.md" in written and reference.stale(tmp_path, ROOT / "presets" / "guidance") == []
    (tmp_path / "methods" / "cfg.md").write_text("old")
    assert reference.write(tmp_path, ROOT / "presets" / "guidance") == ["methods/cfg.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_verbs_named_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:launch\.py|palimpsest) ([a-z][a-z-]+)", text))
    verbs = {choice for action in parser()._actions if action.choices for choice in action.choices}
    assert named, "the README shows no command"
    assert named - OWN_VERBS - verbs == set()


def commands_of(text: str) -> list[str]:
    """The commands of the studio that a page shows, in blocks or between words, less the program's name."""
    blocks = re.compile(r"```\w*\n(?P<block>.*?)```|`(?P<inline>[^`\n]+)`", re.DOTALL)
    lines = [line for shown in blocks.finditer(text) for line in (shown["block"] or shown["inline"]).splitlines()]
    return [found[1] for line in lines if (found := re.match(r"\s*(?:python3 launch\.py|palimpsest) (.+)", line))]


def test_every_command_that_the_pages_show_is_one() -> None:
    """Its verb, its flags and their values; not that the files it names are there."""
    pages = [page for page in PAGES if "design" not in page.parts and page.name != "CHANGELOG.md"]
    commands = [command for page in pages for command in commands_of(page.read_text(encoding="utf-8"))]
    grammar, tried = parser(), 0
    for command in commands:
        words = shlex.split(command, comments=True)
        if words and words[0] not in OWN_VERBS:
            grammar.parse_args(words)
            tried += 1
    assert tried > 50


def test_every_paper_of_a_source_is_a_link_of_its_own() -> None:
    assert reference.link("this project") == "this project"
    one = "[arXiv:2410.02416](https://arxiv.org/abs/2410.02416)"
    assert reference.link("arXiv:2410.02416, section 4") == f"{one}, section 4"
    assert reference.link("arXiv:2410.02416; this project (x)") == f"{one}; this project (x)"
    links = re.findall(r"\]\((https[^)]*)\)", "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md")))
    assert links and not [link for link in links if re.search(r"[\s,;]", link)]


def test_every_test_that_the_reliability_page_names_is_there_and_slow_where_it_says_so() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(\*\*slow\*\* )?`(tests/[\w/]+\.py)::(\w+)`", page))
    functions = {file: functions_of(ROOT / file) for _, file, _ in named}
    assert len(named) > 100
    assert [f"{file}::{name}" for _, file, name in named if name not in functions[file]] == []
    # What is marked as a whole runs with --slow alone; of some tests only a larger number of cases does.
    assert [f"{file}::{name}" for mark, file, name in named if bool(mark) != functions[file][name]] == []


def functions_of(file: Path) -> dict[str, bool]:
    """Names of the tests of a file, and whether each of them is marked slow, itself or with its file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    marks = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
    of_file = any(mark.startswith("pytestmark") and "mark.slow" in mark for mark in marks)
    return {
        node.name: of_file or any(ast.unparse(mark) == "pytest.mark.slow" for mark in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_what_one_can_rely_on_is_found(page: str) -> None:
    assert "docs/reliability.md" in (ROOT / page).read_text(encoding="utf-8")
