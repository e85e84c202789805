"""The commands that README and the quicker guides show are run: a page's in its order, in one folder, with Stencil.

What a page speaks of, and no command of it makes, is laid out before. Measurements are cut to a few pictures: that the
commands work is tried here, and not how well. That every page's commands are ones is in tests/test_docs.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.cli import main
from studio.evidence import reproduce
from studio.preference.answer import Answer
from studio.services import budget
from studio.storage.archive import Archive
from studio.storage.labels.log import Circumstances
from tests.test_docs import OWN_VERBS, PAGES, ROOT, commands_of
from tests.ui.stencil_edits import edit_file

# The beginning of a command -> why it is not run here, and where what it does is tried.
NOT_RUN = {
    "reproduce --out": "hours, and writes docs/; tests/cli/test_reproduce.py tries it",
    "edits import esd-van_gogh": "a file of SD 1.4's; tests/engine/edits/test_original.py has a small one",
}
Run = Callable[[str], None]


def shown(page: Path) -> list[str]:
    """Commands of a page that are the studio's own, as they are typed, less the program's name."""
    return [words for words in commands_of(page.read_text(encoding="utf-8")) if words.split()[0] not in OWN_VERBS]


def is_run(command: str) -> bool:
    return not any(command.startswith(beginning) for beginning in NOT_RUN)


def test_what_is_not_run_is_shown_somewhere() -> None:
    commands = [command for page in PAGES for command in shown(page)]
    assert [words for words in NOT_RUN if not any(command.startswith(words) for command in commands)] == []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command as it is typed, in a folder of its own, whose home it is too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PALIMPSEST_DEVICE", "cpu")
    monkeypatch.delenv("PALIMPSEST_WORKSPACE", raising=False)
    monkeypatch.setattr(reproduce, "PICTURES", 2)
    monkeypatch.setattr(budget, "MAX_STEPS", 8)

    def command(words: str) -> None:
        code = main(shlex.split(words, comments=True))
        out, err = capsys.readouterr()
        assert code == 0, f"{words}: {err}{out}"

    yield command


# -- what the pages speak of ----------------------------------------------------------------------------------------


def answer(campaign: str, workspace: Path = Path("workspace")) -> None:
    """Have every pair of a campaign answered by somebody who likes what comes first."""
    archive = Archive.open(workspace)
    labels = archive.labels
    try:
        who, number = labels.annotators.ensure("ada").alias, 0
        while leases := labels.lease(labels.campaigns.find(campaign).id, who, 8):
            for lease in leases:
                number += 1
                chosen = Answer.pair("first" if number % 3 else "second")
                labels.log.vote(f"{campaign}-{number:04}", lease.token, lease.questions[0], chosen, Circumstances())
    finally:
        archive.close()


def labelled(run: Run, campaign: str) -> None:
    run(f'label campaign make "{campaign}" --count 24 --steps 2')
    answer(campaign)


def for_readme(run: Run) -> None:
    edit_file(Path("my_lora.safetensors"))


def for_comparing(run: Run) -> None:
    run("erase star --substitute heart --name no-stars")
    page = (ROOT / "docs" / "guide" / "comparing.md").read_text(encoding="utf-8")
    Path("scales.json").write_text(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0], encoding="utf-8")


def for_edits(run: Run) -> None:
    edit_file(Path("my_lora.safetensors"))
    # Other substitutes: the same edit twice is one edit, under its first name.
    for name, way in (
        ("no-star", "star --substitute heart"),
        ("no-stars", "star --substitute moon"),
        ("no-hearts", "heart --substitute ring"),
    ):
        run(f"erase {way} --name {name}")
    for name, size in (("style-a", 0.1), ("style-b", 0.2)):
        edit_file(Path(f"{name}.safetensors"), name, size=size)
        run(f"edits import {name}.safetensors --name {name}")


LAID_OUT: dict[str, Callable[[Run], None]] = {
    "README.md": for_readme,
    "docs/guide/comparing.md": for_comparing,
    "docs/guide/edits.md": for_edits,
    "docs/guide/label-formats.md": lambda run: labelled(run, "stars"),
    "docs/guide/tuning.md": lambda run: run("erase star --substitute heart --name no-star"),
}
# What somebody does in between, before the command that begins so.
BEFORE: dict[str, Callable[[Run], None]] = {
    'label tune accept "softer"': lambda run: run('label tune simulate "softer" --best guidance_scale=3'),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", LAID_OUT)
def test_the_commands_of_a_page_work(page: str, run: Run) -> None:
    LAID_OUT[page](run)
    for command in filter(is_run, shown(ROOT / page)):
        for beginning, does in BEFORE.items():
            if command.startswith(beginning):
                does(run)
        run(command)
