"""Endpoints without a server: what reaches the function, and what reaches the client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import gradio as gr
import pytest
from pydantic import Field

from studio.ui.api.endpoint import Upload, expose


class Shelf:
    def take(
        self,
        name: str,
        count: Annotated[int, Field(ge=1, le=9)] = 2,
        size: Literal["s", "m"] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Take things.

        What follows is not shown.
        """
        return {"name": name, "count": count, "size": size, **more}

    def read(self, file: Upload) -> str:
        """Read."""
        return file.read_text()

    def fall(self) -> int:
        """Fall."""
        raise KeyError("a detail for the log")


def exposed(function: Callable[..., Any], unchecked: Any = None) -> Any:
    """The endpoint as Gradio has it."""

    async def lay_out() -> Any:
        with gr.Blocks() as demo:
            expose(function, function.__name__, unchecked)
        (found,) = demo.fns.values()
        return found

    return asyncio.run(lay_out())


def test_arguments_come_in_the_order_that_is_told() -> None:
    endpoint = exposed(Shelf().take, {"free": (dict[str, Any], {})})
    assert (endpoint.api_name, endpoint.api_visibility, endpoint.queue) == ("take", "public", False)
    assert endpoint.api_description == "Take things."
    assert [one.api_info().get("type") for one in endpoint.inputs] == ["string", "object", "integer", None]
    assert endpoint.fn("hat", {"x": None}, 3.0, "m") == {"free": {"x": None}, "name": "hat", "count": 3, "size": "m"}
    assert endpoint.fn("hat", {}) == {"free": {}, "name": "hat", "count": 2, "size": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "The call of take lacks the field 'name'."),
        ((5,), "In the call of take, name must be valid text, not 5."),
        (("hat", 10), "In the call of take, count must be a whole number from 1 to 9, not 10."),
        (("hat", True), "In the call of take, count must be a whole number from 1 to 9, not True."),
        (("hat", 1, "xl"), "In the call of take, size must be one of s, m, not 'xl'."),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(given: tuple[Any, ...], said: str) -> None:
    with pytest.raises(gr.Error) as caught:
        exposed(Shelf().take).fn(*given)
    assert caught.value.message == said


def test_only_uploads_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "one").mkdir(parents=True)
    (tmp_path / "cache" / "one" / "x.txt").write_text("uploaded")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "cache" / "link.txt").symlink_to(tmp_path / "secret.txt")
    endpoint = exposed(Shelf().read)
    assert endpoint.fn({"path": str(tmp_path / "cache" / "one" / "x.txt")}) == "uploaded"
    assert list((tmp_path / "cache" / "one").iterdir()) == []  # nothing of an upload is kept
    for path in ("secret.txt", "cache/../secret.txt", "cache/link.txt", "cache/one", "cache/none.txt", "x" * 5000):
        with pytest.raises(gr.Error, match="must be a file that was uploaded here"):
            endpoint.fn({"path": str(tmp_path / path)})


def test_a_bug_is_logged_whole_and_told_by_its_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught:
        exposed(Shelf().fall).fn()
    assert "a detail" not in caught.value.message and "a detail for the log" in caplog.text
    code = caplog.records[-1].getMessage().split()[-1]
    assert code in caught.value.message
