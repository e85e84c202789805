"""The arrows between packages, and what an import may bring with it."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODEL_LIBRARIES = {"diffusers", "transformers", "peft", "accelerate"}
PAGE_LIBRARIES = {"gradio", "gradio_client"}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def imported_by(*statements: str) -> list[set[str]]:
    """Of each statement, run after those before it: top-level names of every module a fresh interpreter then holds."""
    code = (
        "import json, sys\n"
        f"for statement in {statements!r}:\n"
        "    exec(statement)\n"
        "    print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return [set(json.loads(line)) for line in done.stdout.splitlines()[-len(statements) :]]


def test_import_contracts_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tree of packages in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("clean")
    tabs = [f"ui/{tab}" for tab in ("prompt", "erase", "label", "guidance", "compare")]
    for package in ("ui", *tabs, "services", "guidance", "world", "core"):
        (folder / "studio" / package).mkdir(parents=True)
        (folder / "studio" / package / "__init__.py").touch()
    (folder / "studio" / "__init__.py").touch()
    (folder / "studio" / "ui" / "app.py").write_text("import gradio\n")
    assert lint_imports(folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/wrong.py", "import studio.ui.app"),
        ("guidance/wrong.py", "import studio.world"),
        ("ui/compare/wrong.py", "import studio.ui.prompt"),
        ("services/wrong.py", "import gradio"),
        ("ui/wrong.py", "def late():\n    import diffusers"),
        ("brand_new/__init__.py", ""),
    ],
)
def test_import_contracts_can_break(clean: Path, tmp_path: Path, file: str, line: str) -> None:
    shutil.copytree(clean, tmp_path, dirs_exist_ok=True)
    wrong = tmp_path / "studio" / file
    wrong.parent.mkdir(exist_ok=True)
    wrong.write_text(line + "\n")
    assert lint_imports(tmp_path).returncode == 1


# Each line is one interpreter, in which a module may not bring what it refuses, nor may those before it.
LIGHT = MODEL_LIBRARIES | PAGE_LIBRARIES
# One of diffusers' guiders is built, and diffusers itself waits for its first step.
THEIRS = (
    "from studio.core.recipe import GuidanceSpec\n"
    "import studio.guidance\n"
    "studio.guidance.build(GuidanceSpec(method='diffusers_apg'))"
)
CHAINS = [
    [
        ("import studio", LIGHT | {"torch", "numpy", "pydantic"}),
        ("import studio.prompts", LIGHT | {"torch", "numpy", "sqlalchemy"}),
        ("import studio.core.recipe", LIGHT | {"torch", "matplotlib", "sqlalchemy"}),
        ("import studio.models.listing", LIGHT | {"torch", "numpy"}),
        ("import studio.cli", LIGHT | {"torch"}),
        ("import studio.services.studio", LIGHT | {"torch"}),  # all that a page needs before it is painted
    ],
    [
        ("import studio.diffusion", LIGHT | {"matplotlib", "sqlalchemy"}),
        ("import studio.guidance", LIGHT | {"matplotlib", "sqlalchemy", "pandas", "PIL", "scipy"}),
        (THEIRS, LIGHT),
        ("import studio.world, studio.world.oracle", LIGHT | {"sqlalchemy"}),
        ("import studio.engine.backend", LIGHT),
        # The page's own process: it may import torch, but never what loads a model.
        (
            "import studio.services.studio, studio.services.replay, studio.services.doctor, studio.services.world",
            LIGHT | {"alembic"},
        ),
        ("import studio.ui.app", MODEL_LIBRARIES),
    ],
]


@pytest.mark.parametrize("chain", CHAINS, ids=["without torch", "with it"])
def test_what_an_import_brings(chain: list[tuple[str, set[str]]]) -> None:
    for (statement, refused), names in zip(chain, imported_by(*(line for line, _ in chain)), strict=True):
        assert not names & refused, statement


def test_the_package_alone_brings_nothing_from_outside() -> None:
    (bare,) = imported_by("import json")
    (names,) = imported_by("import studio")
    assert names - bare - set(sys.stdlib_module_names) == {"studio"}


# -- circles --------------------------------------------------------------------------------------------------------


def imports_of(root: Path) -> dict[str, set[str]]:
    """Module of the package at a root -> those of its modules that it imports anywhere, also inside functions."""
    files = {module_name(path.relative_to(root.parent)): path for path in root.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= inner & files.keys() or {node.module}
        graph[module] = (names & files.keys()) - {module}
    return graph


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules from which a way leads back to themselves: what is left when all that import nothing left are gone."""
    left = {module: set(imports) for module, imports in graph.items()}
    while ends := [module for module, imports in left.items() if not imports & left.keys()]:
        for module in ends:
            del left[module]
    # From the other side too, so that those which only lead to a circle do not count.
    while starts := [module for module in left if not any(module in imports for imports in left.values())]:
        for module in starts:
            del left[module]
    return sorted(left)


def test_no_files_import_each_other_in_a_circle(tmp_path: Path) -> None:
    assert circles(imports_of(ROOT / "studio")) == []
    for name, line in (
        ("a", "from toy.b import x"),
        ("b", "def late():\n    from toy import c"),
        ("c", "import toy.a"),
    ):
        (tmp_path / "toy").mkdir(exist_ok=True)
        (tmp_path / "toy" / f"{name}.py").write_text(line + "\n")
    assert circles(imports_of(tmp_path / "toy")) == ["toy.a", "toy.b", "toy.c"]
