from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.errors import AssetError, BadInput, NotFound
from studio.core.recipe import Recipe
from studio.services import sources
from studio.ui import edit_stack, exports, stack_panel
from studio.ui.components import stack as look
from studio.ui.components.stack import EditFacts
from studio.ui.edit_stack import EditRow, Stack
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file

MODEL = "stencil"


def test_an_empty_stack_says_that_the_weights_are_the_base(fake: FakeStudio) -> None:
    assert "equal the base" in stack_panel.show(fake, Stack(), MODEL)


def test_a_file_is_looked_at_before_it_is_taken_in(fake: FakeStudio, tmp_path: Path) -> None:
    file = str(edit_file(tmp_path / "mine.safetensors", "no <star>"))
    said, usable, part = stack_panel.check(fake, file, MODEL)
    assert "2 of 2 layers fit" in said and usable and not part
    assert not fake.edits.list()
    stack, message = stack_panel.take(fake, file, "", MODEL, False, Stack())
    (entry,) = fake.edits.list()
    assert [row.edit for row in stack.rows] == [entry.id] and "no &lt;star&gt;" in message
    assert not Path(file).exists()
    shown = stack_panel.show(fake, stack, MODEL)
    assert "no &lt;star&gt;" in shown and 'class="badge' not in shown and f"/edits/{entry.id}/kohya" in shown
    assert stack_panel.addable(fake, stack) == [] and stack_panel.addable(fake, Stack()) == [(entry.name, entry.id)]


def test_what_does_not_fit_is_told_and_not_taken(fake: FakeStudio, tmp_path: Path) -> None:
    file = str(edit_file(tmp_path / "other.safetensors", fits=False))
    said, usable, _ = stack_panel.check(fake, file, MODEL)
    assert "somewhere" in said and not usable
    with pytest.raises(AssetError, match="does not fit"):
        stack_panel.take(fake, file, "", MODEL, False, Stack())
    assert Path(file).exists() and not fake.edits.list()


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"PK\x03\x04", b"\xff" * 100, b"<html>"])
def test_files_that_are_no_edits_are_refused_in_a_sentence(fake: FakeStudio, tmp_path: Path, data: bytes) -> None:
    for suffix in ("safetensors", "zip"):
        file = tmp_path / f"evil.{suffix}"
        file.write_bytes(data)
        said, usable, _ = stack_panel.check(fake, str(file), MODEL)
        assert 'role="alert"' in said and not usable


def test_rows_tell_what_is_wrong_with_their_edits(fake: FakeStudio, tmp_path: Path) -> None:
    stack, _ = stack_panel.take(fake, str(edit_file(tmp_path / "a.safetensors")), "", MODEL, False, Stack())
    entry = fake.edits.list()[0]
    gone = edit_stack.change(stack, "add", "gone-0123456789ab")
    assert stack_panel.show(fake, gone, MODEL).count('class="badge bad"') == 1
    shown = look.stack_html(stack, {entry.id: EditFacts(entry, misfit="no layer <x>", base="other")})
    assert "does not fit" in shown and "&lt;x&gt;" in shown
    assert "other base" in look.stack_html(stack, {entry.id: EditFacts(entry, base="other")})
    entry.path.write_bytes(b"torn")
    assert "broken" in stack_panel.show(fake, stack, MODEL)


def test_of_an_edit_with_a_gate_the_strength_can_follow_the_prompt_and_of_others_the_row_says_why_not(
    fake: FakeStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sources.GATES, "word", "nowhere:Word")
    plain_file, gated_file = tmp_path / "plain.safetensors", tmp_path / "gated.safetensors"
    stack, _ = stack_panel.take(fake, str(edit_file(plain_file, "plain")), "", MODEL, False, Stack())
    edit_file(gated_file, "gated", size=0.2, provenance={"gate": {"name": "word", "params": {"word": "star"}}})
    stack, _ = stack_panel.take(fake, str(gated_file), "", MODEL, False, stack)
    plain, gated = (row.edit for row in stack.rows)

    def switches(stack: Stack) -> list[str]:
        return re.findall(r'<input type="checkbox"[^>]*>', stack_panel.show(fake, stack, MODEL))

    assert ["disabled" in switch for switch in switches(stack)] == [True, False]
    assert "The edit &#x27;plain&#x27; carries no gate, so its strength cannot follow the prompt." in stack_panel.show(
        fake, stack, MODEL
    )
    with pytest.raises(BadInput, match="carries no gate"):
        stack_panel.change(fake, stack, "auto", plain, True)
    stack = stack_panel.change(fake, stack, "auto", gated, True)
    assert [ref.auto for ref in stack.refs] == [False, True] and " checked" in switches(stack)[1]
    assert "Acts in all steps, as strongly as the prompt calls for" in stack_panel.show(fake, stack, MODEL)
    brought = edit_stack.change(stack, "auto", plain, True)  # by a recipe of a workspace that knows more
    assert "disabled" not in switches(brought)[0]
    assert "Pictures with it are refused: switch this off." in stack_panel.show(fake, brought, MODEL)
    assert not stack_panel.change(fake, brought, "auto", plain, False).refs[0].auto


def test_a_strength_outside_of_the_slider_is_still_shown() -> None:
    shown = look.stack_html(Stack((EditRow("e", -4.0),)), {})
    assert 'min="-4"' in shown and 'value="-4"' in shown


def test_the_steps_of_an_edit_are_folded_away_while_they_are_all() -> None:
    shown = look.stack_html(Stack((EditRow("e"),)), {})
    assert "Acts in all steps" in shown and '<details class="window">' in shown
    late = look.stack_html(Stack((EditRow("e", start=0.25),)), {})
    assert "Acts from 25% to 100% of the steps" in late and 'data-op="start"' in late and 'value="25"' in late
    assert '<details class="window" open>' in late or '<details class="window" open="">' in late


def test_what_was_imported_is_named_and_of_what_may_be_taken_away_again_nothing_is_said(
    fake: FakeStudio, tmp_path: Path
) -> None:
    file = str(edit_file(tmp_path / "a.safetensors", "no"))
    stack, message = stack_panel.take(fake, file, "No <red>", MODEL, False, Stack())
    assert re.sub(r"<[^>]*>", "", message) == "Imported: No &lt;red&gt;." and len(stack.rows) == 1


def imported(fake: FakeStudio, folder: Path, name: str) -> str:
    return fake.edits.import_file(edit_file(folder / f"{name}.safetensors", name, size=0.01 * len(name))).id


def test_a_renamed_edit_is_the_same_edit_under_its_new_name(fake: FakeStudio, tmp_path: Path) -> None:
    old = imported(fake, tmp_path, "old")
    stack = stack_panel.change(fake, Stack(), "add", old, None)
    assert stack_panel.change(fake, stack, "rename", old, " Rounder <b> ") == stack
    shown = stack_panel.show(fake, stack, MODEL)
    assert "<span>Rounder &lt;b&gt;</span>" in shown and 'class="badge' not in shown
    assert stack_panel.addable(fake, stack) == []  # it is in the stack, whatever it was called then
    (tmp_path / "again.safetensors").write_bytes(fake.edits.show(old).path.read_bytes())
    assert stack_panel.take(fake, str(tmp_path / "again.safetensors"), "", MODEL, False, stack)[0] == stack
    fake.ended(fake.pictures.submit([Recipe(steps=1, edits=stack.refs)]))
    for wrong in ("", "   ", None, 7, "x" * 101, "a\nb"):
        with pytest.raises(BadInput, match="name"):
            stack_panel.change(fake, stack, "rename", old, wrong)
    with pytest.raises(NotFound):
        stack_panel.change(fake, stack, "rename", "gone-0123456789ab", "x")


def test_a_deleted_edit_is_gone_from_the_workspace_and_from_every_step_of_the_stack(
    fake: FakeStudio, tmp_path: Path
) -> None:
    one, other = imported(fake, tmp_path, "one"), imported(fake, tmp_path, "other")
    stack = edit_stack.change(edit_stack.change(Stack(), "add", one), "add", other)
    stack = edit_stack.change(stack, "remove", one)
    renamed = fake.edits.rename(one, "another name").id
    stack = edit_stack.change(stack, "add", renamed)
    stack = stack_panel.change(fake, stack, "delete", renamed, None)
    assert [entry.id for entry in fake.edits.list()] == [other] and stack.names == {other}
    assert 'class="badge' not in stack_panel.show(fake, stack, MODEL)
    with pytest.raises(NotFound):
        stack_panel.change(fake, stack, "delete", one, None)


def test_an_edit_that_the_menu_tells_twice_is_added_once_and_none_is_no_wish(fake: FakeStudio, tmp_path: Path) -> None:
    one = imported(fake, tmp_path, "one")
    stack = stack_panel.add(fake, Stack(), one)
    assert [row.edit for row in stack.rows] == [one]
    renamed = fake.edits.rename(one, "other").id
    for wanted in (one, renamed, None, "", [], 7):
        assert stack_panel.add(fake, stack, wanted) == stack
    with pytest.raises(NotFound):
        stack_panel.add(fake, stack, "x" * 1000)


def test_what_is_asked_before_an_edit_is_deleted_says_which(fake: FakeStudio, tmp_path: Path) -> None:
    stack = edit_stack.change(Stack(), "add", imported(fake, tmp_path, "<b>one"))
    shown = stack_panel.show(fake, stack, MODEL)
    assert "Delete the edit &lt;b&gt;one from the workspace?" in shown and "<b>" not in shown
    fake.edits.list()[0].path.write_bytes(b"torn")
    broken = stack_panel.show(fake, stack, MODEL)
    assert 'data-op="delete"' in broken and "data-rename" not in broken and "kohya" not in broken
    gone = look.stack_html(stack, {})
    assert 'data-op="remove"' in gone and 'data-op="delete"' not in gone


@pytest.fixture
def client(fake: FakeStudio, tmp_path: Path) -> Any:
    fake.edits.import_file(edit_file(tmp_path / "a.safetensors", "mine"), model=MODEL)
    return TestClient(Starlette(routes=exports.routes(fake)))


@pytest.mark.parametrize("style", ["diffusers", "kohya", "palimpsest"])
def test_an_edit_goes_out_as_one_file(client: Any, fake: FakeStudio, tmp_path: Path, style: str) -> None:
    entry = fake.edits.list()[0]
    answer = client.get(f"/edits/{entry.id}/{style}")
    assert answer.status_code == 200 and f"{entry.id}-{style}.safetensors" in answer.headers["Content-Disposition"]
    file = tmp_path / "back.safetensors"
    file.write_bytes(answer.content)
    assert "2 of 2 layers fit" in stack_panel.check(fake, str(file), MODEL)[0]


def test_a_peft_folder_goes_out_and_comes_back_as_a_zip_file(client: Any, fake: FakeStudio, tmp_path: Path) -> None:
    entry = fake.edits.list()[0]
    answer = client.get(f"/edits/{entry.id}/peft")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"adapter_config.json", "adapter_model.safetensors"} <= {Path(name).name for name in archive.namelist()}
    file = tmp_path / "mine.zip"
    file.write_bytes(answer.content)
    assert "2 of 2 layers fit" in stack_panel.check(fake, str(file), MODEL)[0]


@pytest.mark.parametrize("path", ["nothing/kohya", "..%2f..%2fx/kohya", "mine/pickle", "mine"])
def test_there_is_nothing_else_to_be_had(client: Any, path: str) -> None:
    assert client.get(f"/edits/{path}").status_code == 404


def archive(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def test_evil_archives_are_refused_and_write_nothing_outside(fake: FakeStudio, tmp_path: Path) -> None:
    config, weights = "adapter_config.json", "adapter_model.safetensors"
    outside = tmp_path / "out"
    for files, said in (
        ({f"../../{config}": b"{}"}, "lie outside"),
        ({config: b" " * 2_000_000, weights: b""}, "at most 1000000"),
        ({config: b"{}", f"a/{config}": b"{}", weights: b""}, "once"),
        ({f"{n}": b"" for n in range(60)}, "60 files"),
    ):
        with pytest.raises(BadInput, match=said), stack_panel.opened(archive(tmp_path / "evil.zip", **files)):
            pass
    assert not outside.exists() and not list(tmp_path.parent.glob(config))
