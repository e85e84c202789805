"""The arrows between packages, and what an import may bring with it."""

from __future__ import annotations

import json
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


def imported_by(statement: str) -> set[str]:
    """Top-level names of everything a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_contracts_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/wrong.py", "import studio.ui.app"),
        ("guidance/wrong.py", "import studio.world"),
        ("services/wrong.py", "import gradio"),
        ("ui/wrong.py", "def late():\n    import diffusers"),
        ("brand_new/__init__.py", ""),
    ],
)
def test_import_contracts_can_break(tmp_path: Path, file: str, line: str) -> None:
    for package in ("ui", "services", "guidance", "world", "core"):
        (tmp_path / "studio" / package).mkdir(parents=True)
        (tmp_path / "studio" / package / "__init__.py").touch()
    (tmp_path / "studio" / "__init__.py").touch()
    (tmp_path / "studio" / "ui" / "app.py").write_text("import gradio\n")
    assert lint_imports(tmp_path).returncode == 0
    wrong = tmp_path / "studio" / file
    wrong.parent.mkdir(exist_ok=True)
    wrong.write_text(line + "\n")
    assert lint_imports(tmp_path).returncode == 1


def test_the_package_alone_is_light() -> None:
    third_party = imported_by("import studio") - set(sys.stdlib_module_names)
    assert not third_party & (MODEL_LIBRARIES | PAGE_LIBRARIES | {"torch", "numpy", "pydantic"})


@pytest.mark.parametrize(
    ("module", "refused"),
    [
        ("studio.core.recipe", MODEL_LIBRARIES | PAGE_LIBRARIES | {"torch", "matplotlib", "sqlalchemy"}),
        ("studio.prompts", MODEL_LIBRARIES | PAGE_LIBRARIES | {"torch", "numpy", "sqlalchemy"}),
        ("studio.diffusion", MODEL_LIBRARIES | PAGE_LIBRARIES | {"matplotlib", "sqlalchemy"}),
        ("studio.guidance", MODEL_LIBRARIES | PAGE_LIBRARIES | {"matplotlib", "sqlalchemy", "pandas", "PIL"}),
        ("studio.world", MODEL_LIBRARIES | PAGE_LIBRARIES | {"sqlalchemy"}),
        ("studio.engine.backend", MODEL_LIBRARIES | PAGE_LIBRARIES),
        ("studio.services.generate", MODEL_LIBRARIES | PAGE_LIBRARIES),
        ("studio.ui.app", MODEL_LIBRARIES),
        ("studio.cli", MODEL_LIBRARIES | PAGE_LIBRARIES | {"torch"}),
    ],
)
def test_what_an_import_brings(module: str, refused: set[str]) -> None:
    assert not imported_by(f"import {module}") & refused
