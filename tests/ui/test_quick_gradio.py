from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from studio.ui import quick_gradio
quick_gradio.install()
quick_gradio.install()
assert sum(type(finder).__name__ == "_Finder" for finder in sys.meta_path) == 1
import gradio, inspect
from gradio import component_meta
assert "quick_gradio" in inspect.getfile(component_meta.create_or_modify_pyi)
assert not any(type(finder).__name__ == "_Finder" for finder in sys.meta_path)
class Own(gr_slider := gradio.Slider):
    pass
with gradio.Blocks() as demo:
    Own(0, 1)
assert demo.get_config_file()["components"]
made = []
from gradio import blocks
create = blocks.App.create_app
blocks.App.create_app = staticmethod(lambda *args, **kwargs: made.append(create(*args, **kwargs)) or made[-1])
with quick_gradio.one_application():
    with gradio.Blocks() as demo:
        Own(0, 1)
assert not made
from fastapi import FastAPI
from fastapi.testclient import TestClient
page = TestClient(gradio.mount_gradio_app(FastAPI(), demo, path="/")).get("/")
assert len(made) == 1 and page.status_code == 200 and "gradio" in page.text
print("fine")
"""


def test_gradio_works_without_its_stub_files() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout.strip() == "fine", done.stderr
