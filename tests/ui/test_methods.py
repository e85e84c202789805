from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.guidance.diffusers_guiders import DISABLED
from studio.ui import methods as module


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    module.declarations.cache_clear()
    yield
    module.declarations.cache_clear()
    while module._reader:
        module._reader.pop().communicate()


def test_the_other_interpreter_reads_what_the_classes_declare() -> None:
    module.start()
    assert module._reader
    assert module.declarations() == module.declared()


def test_what_a_method_asks_and_why_some_are_not_offered_is_declared() -> None:
    found = module.from_json(module.to_json(module.declared()))
    assert {name for name, method in found.guidance.items() if "weak" in method.asks} == {"autoguidance"}
    assert all("main" in method.asks and not method.defect for method in found.guidance.values())
    assert found.defective.keys() == DISABLED.keys() and not found.defective.keys() & found.guidance.keys()
    assert found.defective["diffusers_pag"].label == "diffusers: PAG"
    assert {name: method.defect for name, method in found.defective.items()} == dict(DISABLED)


def test_json_keeps_everything() -> None:
    assert module.from_json(module.to_json(module.declared())) == module.declared()


def test_a_reader_that_fails_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = subprocess.Popen([sys.executable, "-c", "print('no json')"], stdout=subprocess.PIPE)
    module._reader.append(broken)
    assert module.declarations() == module.declared()


def test_samplers_and_grids_are_declared_too() -> None:
    found = module.declarations()
    assert {"ddim", "dpmpp_2m"} <= found.samplers.keys() and {"trailing", "karras"} <= found.grids.keys()
    assert not [name for name in found.grids if name.startswith("flow")]
    assert [spec.name for spec in found.samplers["ddim"].params] == ["eta"]
    assert all(method.label for method in (*found.guidance.values(), *found.samplers.values()))


def test_the_page_is_built_and_opened_without_torch_and_its_friends(tmp_path: Path) -> None:
    program = """
import sys
from studio.ui import methods, quick_gradio
quick_gradio.install()
methods.start()
from pathlib import Path
from studio.ui import app, edit_stack, stack_panel
from studio.ui.prompt import grid, presets, view, writing
from tests.ui.fake_studio import FakeStudio
assert set(methods.declarations().guidance) >= {"cfg", "apg"}
with FakeStudio(Path(sys.argv[1])) as studio:
    app.build(studio)
    view.on_opening(studio, None)
    stack_panel.show(studio, edit_stack.Stack((edit_stack.EditRow("x"),)), "stencil")
    grid.show(studio, 1), grid.earlier(studio)
    writing.reports(studio, writing.words(Path(sys.argv[1])), "a (red:1.2) star", "", ["neon"], "a1111", "stencil", "1")
print(*[name for name in ("torch", "diffusers", "transformers", "peft") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
