"""The commands that README and the guides show are run: those of a page in its order, in one folder, with Stencil.

What a page speaks of, and no command of it makes, is laid out before. Trainings and measurements are cut to a few steps
and pictures: that the commands work is tried here, and not how well. The few that are not run say why.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from studio.cli import main
from studio.evidence import reproduce
from studio.preference.answer import Answer
from studio.services import budget
from studio.services.cards import request
from studio.storage.archive import Archive
from studio.storage.labels.log import Circumstances
from studio.training.align.objectives import OBJECTIVES
from studio.training.erase.card.budget import BUDGETS, Budget
from tests.services.labels.foreign_files import a1111
from tests.test_docs import OWN_VERBS, PAGES, ROOT, commands_of
from tests.ui.stencil_edits import edit_file

# The beginning of a command -> why it is not run here, and where what it does is tried.
NOT_RUN = {
    "reproduce --alignment": "hours; tests/evidence/alignment tries it on a tiny model",
    "reproduce --erasures": "hours; tests/evidence/erasure tries it on a tiny model",
    "reproduce --taste": "hours; tests/evidence/test_taste.py tries it",
    "reproduce --out": "hours, and writes docs/; tests/cli/test_reproduce.py tries it",
    "bench": "times this machine; tests/bench tries the cases",
    "docs": "tests/test_docs.py tries it",
    "drift no-star --model base": "models that are trained for hours; tests/cli/test_drift.py has small ones",
    "drift EDIT": "EDIT stands for a name",
    "evaluate claims-full": "W stands for a number; tests/cli/test_evaluate.py tries it",
    "edits import esd-van_gogh": "a file of SD 1.4's; tests/engine/edits/test_original.py has a small one",
    "slider person": "needs SD 1.4; tests/cli/test_slider.py tries its arguments",
    "slider --prompts-file": "needs SD 1.4; tests/training/erase/test_prompt_files.py reads such files",
}
FEW = {"forget": 2, "keep": 1, "near": 1, "wording": 1, "preserve": 0, "strength": 0, "unedited": 0}
Run = Callable[[str], None]


def shown(page: Path) -> list[str]:
    """Commands of a page that are the studio's own, as they are typed, less the program's name."""
    return [words for words in commands_of(page.read_text(encoding="utf-8")) if words.split()[0] not in OWN_VERBS]


def is_run(command: str) -> bool:
    return not any(command.startswith(beginning) for beginning in NOT_RUN)


GUIDES = [page for page in PAGES if "design" not in page.parts and page.name != "CHANGELOG.md"]
GUIDES = [page for page in GUIDES if any(map(is_run, shown(page)))]


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
    monkeypatch.setattr(request, "STEPS", 1)
    monkeypatch.setattr(request, "SHOWN", {"forget": 1})
    for name in list(BUDGETS):
        monkeypatch.setitem(BUDGETS, name, Budget(name, "", FEW, FEW))
    for name, objective in OBJECTIVES.items():
        quick = replace(objective, in_world=replace(objective.in_world, steps=4))
        monkeypatch.setitem(OBJECTIVES._entries, name, quick)
    monkeypatch.setattr(reproduce, "PICTURES", 2)
    monkeypatch.setattr(budget, "MAX_STEPS", 8)

    def command(words: str) -> None:
        arguments = [
            str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(words, True)
        ]
        code = main(arguments)
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


def for_erasing(run: Run) -> None:
    Path("concepts.txt").write_text("star -> heart\nfish -> tree\n", encoding="utf-8")
    run('generate "a red star" --seed 1 --count 16 --steps 2')
    run('generate "a blue star" --seed 1 --count 8 --steps 2')


def for_labelling(run: Run) -> None:
    run("erase star --substitute heart --name no-star")
    Path("prompts.txt").write_text("a red star\na blue fish\n", encoding="utf-8")
    Path("outputs").mkdir()
    for number in range(3):
        a1111(Path("outputs") / f"{number}.png", "a star", number)


LAID_OUT: dict[str, Callable[[Run], None]] = {
    "README.md": for_readme,
    "docs/guide/aligning.md": lambda run: labelled(run, "mine"),
    "docs/guide/comparing.md": for_comparing,
    "docs/guide/edits.md": for_edits,
    "docs/guide/erasing.md": for_erasing,
    "docs/guide/label-formats.md": lambda run: labelled(run, "stars"),
    "docs/guide/labelling.md": for_labelling,
    "docs/guide/tuning.md": lambda run: run("erase star --substitute heart --name no-star"),
}
# What somebody does in between, before the command that begins so.
BEFORE: dict[str, Callable[[Run], None]] = {
    'label campaign pause "first"': lambda run: answer("first"),
    'label tune accept "softer"': lambda run: run('label tune simulate "softer" --best guidance_scale=3'),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_work(page: Path, run: Run) -> None:
    LAID_OUT.get(str(page.relative_to(ROOT)), lambda run: None)(run)
    for command in filter(is_run, shown(page)):
        for beginning, does in BEFORE.items():
            if command.startswith(beginning):
                does(run)
        run(command)
