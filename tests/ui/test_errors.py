from __future__ import annotations

import logging
import re
import tempfile
from pathlib import Path

import gradio as gr
import pytest

from studio.core.errors import AssetError, BadInput
from studio.ui.errors import hide_folders, on_page, sentence


def test_a_studio_error_speaks_for_itself() -> None:
    assert sentence(BadInput("Steps must be 1 to 1000.", "Take 20.")) == "Steps must be 1 to 1000. Take 20."


def test_a_bug_is_logged_whole_under_the_id_that_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        shown = sentence(ZeroDivisionError("secret detail"))
    code = re.search(r"\b[0-9a-f]{8}\b", shown)
    assert code and code[0] in caplog.text
    assert "secret detail" in caplog.text and "secret detail" not in shown


def test_files_of_this_machine_are_told_by_their_names_alone(tmp_path: Path) -> None:
    hide_folders(tmp_path / "my workspace", None)
    cache = Path(tempfile.gettempdir()) / "gradio" / "5eb63bbb"
    for path, name in (
        (tmp_path / "my workspace" / "edits" / "a b.safetensors", "a b.safetensors"),
        (tmp_path / "my workspace" / "studio.db", "studio.db"),
        (cache / "x.png", "x.png"),
        (Path.home() / "models" / "y.bin", "y.bin"),
        (Path(__file__).parents[2] / "assets" / "z.json", "z.json"),
    ):
        assert sentence(AssetError(f"The file {path} is damaged.", "Fetch it again.")) == (
            f"The file {name} is damaged. Fetch it again."
        )
    assert (
        sentence(AssetError(f"The folder {tmp_path / 'my workspace'} is gone.")) == "The folder my workspace is gone."
    )
    for message in ("There is no model named '/etc/passwd'.", "It is at /edits/x/peft."):
        assert sentence(BadInput(message)) == message


def test_handlers_tell_the_page_and_escape_what_they_tell() -> None:
    @on_page
    def handler(value: str) -> str:
        raise BadInput(f"There is no {value}.")

    with pytest.raises(gr.Error) as caught:
        handler("<img src=x onerror=alert(1)>")
    assert "<img" not in caught.value.message and "&lt;img" in caught.value.message


def test_handlers_keep_their_signature_for_gradio() -> None:
    @on_page
    def handler(event: gr.EventData) -> str:
        return "x"

    assert handler.__wrapped__.__annotations__  # type: ignore[attr-defined]
