"""What happens on the Compare tab, without a page: each handler with the plain values that an event brings."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.services.presets import GuidancePresets
from studio.storage.search import ORIGINS, HistoryFilter
from studio.ui.board_events import Call
from studio.ui.compare import board as boards
from studio.ui.compare import links
from studio.ui.compare.handlers import Handlers
from studio.ui.compare.tab import MENUS, SEEN
from studio.ui.handover import Handover, Sent
from studio.ui.sessions import Sessions
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file

FIELDS = {"prompts": "", "seeds": "", "paired": False, "equal": False}
PAGE = Call("page", model="stencil", fields=FIELDS)
STEPS = 2
ANY = HistoryFilter(origins=ORIGINS)


@pytest.fixture
def do(fake: FakeStudio, tmp_path: Path) -> Handlers:
    made = Handlers(fake, GuidancePresets(tmp_path / "workspace"), Sessions(boards.BoardSession))
    made.opened(replace(PAGE, stored=boards.plain(boards.new())))
    return made


@pytest.fixture
def pictures(fake: FakeStudio) -> list[int]:
    """Three rules on one prompt and seed."""
    recipes = [
        Recipe(prompt="a red star", seed=7, steps=STEPS, guidance=GuidanceSpec(params={"guidance_scale": scale}))
        for scale in (1.5, 3, 6)
    ]
    return [picture.id for picture in fake.pictures.draw(recipes)]


def rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return answer["compare"]["comparison"]["rows"]


def columns(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return answer["compare"]["comparison"]["columns"]


def with_fields(**fields: Any) -> Call:
    return replace(PAGE, fields={**FIELDS, **fields})


def drawn(fake: FakeStudio, do: Handlers, call: Call = PAGE) -> tuple[int, dict[str, Any]]:
    """Draw what is missing; how many pictures that made, and what is shown then."""
    before = fake.history.count(only=ANY)
    answer = do.draw(call)
    assert not is_refused(answer), answer["message"]
    for job in fake.jobs.unfinished():
        fake.ended(job.id)
    return fake.history.count(only=ANY) - before, do.visited(PAGE)


def is_refused(answer: dict[str, Any]) -> bool:
    return 'class="message error"' in answer["message"]


def cells(answer: dict[str, Any]) -> int:
    return answer["table"].count("data-pick=")


def test_pictures_are_rows_that_are_drawn_already_and_a_new_row_draws_only_itself(
    do: Handlers, fake: FakeStudio, pictures: list[int]
) -> None:
    answer = do.add_pictures(PAGE, pictures[:2])
    assert len(rows(answer)) == 2 and cells(answer) == 2 and answer["pictures"] == []
    assert re.findall(r'class="name">([^<]*)', answer["table"]) == ["CFG 1.5", "CFG 3"]
    assert "guidance scale: 1.5 → 3" in answer["table"]
    assert drawn(fake, do)[0] == 0
    do.add_pictures(PAGE, pictures[2:])
    answer = do.row_op(PAGE, {"op": "set", "row": 3, "name": "steps", "value": 3})
    assert "1 to draw" in answer["table"] and cells(answer) == 2
    count, answer = drawn(fake, do)
    assert count == 1 and cells(answer) == 3
    # Columns: what is typed when Draw is pressed counts.
    count, answer = drawn(fake, do, with_fields(seeds="7, 8"))
    assert count == 3 and cells(answer) == 6 and [column["seed"] for column in columns(answer)] == [7, 8]


def test_nothing_is_lost_by_a_reload_and_another_window_has_its_own(do: Handlers, pictures: list[int]) -> None:
    do.add_pictures(PAGE, pictures)
    do.columns_changed(with_fields(prompts="a fish\na tree", seeds="1-2"))
    kept = do.row_op(PAGE, {"op": "refer", "row": 2})["compare"]
    fresh = Call("after a reload", stored=kept, model="stencil", fields=FIELDS)
    assert set(do.opened(fresh)) == {"compare", "compare_revision", "bar"}
    answer = do.visited(fresh)
    assert set(answer) == {*SEEN, *MENUS}
    assert answer["compare"] == kept and (answer["prompts"], answer["seeds"]) == ("a fish\na tree", "1, 2")
    half_typed = do.visited(replace(fresh, fields={**FIELDS, "prompts": "a fish\na tree\na bo"}))
    assert "prompts" not in half_typed and half_typed["compare"] == kept
    do.row_op(fresh, {"op": "remove", "row": 1})
    assert len(rows(do.visited(PAGE))) == 3


def test_a_row_that_changes_nothing_is_flagged(do: Handlers, fake: FakeStudio, pictures: list[int]) -> None:
    do.add_pictures(PAGE, pictures[:1])
    answer = do.row_op(PAGE, {"op": "copy", "row": 1})
    assert "once more: the recipes are the same" in answer["table"]
    # The engine here draws no negative prompts: the recipe is another, and the picture is not.
    do.row_op(PAGE, {"op": "set", "row": 2, "name": "negative_prompt", "value": "blue"})
    _, answer = drawn(fake, do)
    assert "flag" in answer["table"] and "no effect on this picture" in answer["table"]


def test_rows_come_from_presets_edits_models_and_values(do: Handlers, fake: FakeStudio, pictures: list[int]) -> None:
    alone = do.add_preset(PAGE, "apg")
    assert [row["name"] for row in rows(alone)] == ["as it was", "apg"] and alone["preset"] == ""
    do.clear(PAGE)
    do.add_pictures(PAGE, pictures[:1])
    assert rows(do.add_preset(PAGE, "apg"))[-1]["recipe"]["guidance"]["method"] == "apg"
    entry = kept_edit(fake)
    answer = do.add_edit(PAGE, entry, "0, 0.5, 1")
    assert [[ref["strength"] for ref in row["recipe"]["edits"]] for row in rows(answer)[-3:]] == [[0], [0.5], [1]]
    do.row_op(PAGE, {"op": "set", "row": 1, "name": "width", "value": 64})
    answer = do.add_models(PAGE, ["stencil"])
    assert rows(answer)[-1]["recipe"]["width"] == fake.sources.card("stencil").default_size_px
    answer = do.add_values(PAGE, "guidance.params.guidance_scale", "1, 2", "steps", "3, 4", "", "")
    assert [row["name"] for row in rows(answer)[-2:]] == [
        "guidance scale: 1, steps: 4", "guidance scale: 2, steps: 4",
    ]  # fmt: skip
    for refused in (
        do.add_preset(PAGE, "none of that name"),
        do.add_edit(PAGE, "", "1"),
        do.add_edit(PAGE, entry, "much"),
        do.add_models(PAGE, []),
        do.add_models(PAGE, ["nobody's"]),
        do.add_values(PAGE, "", "", "", "", "", ""),
        do.add_values(PAGE, "steps", "1-40", "", "", "", ""),
        do.add_pictures(PAGE, []),
        do.row_op(PAGE, {"op": "burn", "row": 1}),
        do.row_op(PAGE, {}),
        do.columns_changed(with_fields(seeds="1-400")),
    ):
        assert is_refused(refused) and rows(refused) == rows(answer)


def kept_edit(fake: FakeStudio, name: str = "no stars", steps: int = 0) -> str:
    """An edit of the workspace, by its id."""
    provenance = {"training": {}, "steps": steps} if steps else {}
    path = fake.settings.workspace / "one.safetensors"
    file = edit_file(path, name, size=0.1 + steps / 100, provenance=provenance)
    return fake.edits.import_file(file, name=name).id


def test_steps_of_a_training_are_rows_for_a_view(do: Handlers, fake: FakeStudio, pictures: list[int]) -> None:
    for steps in (80, 20):
        kept_edit(fake, "mine", steps)
    do.add_pictures(PAGE, pictures[:1])
    menus = do.visited(PAGE)
    assert ("mine: 2 steps of it", "mine") in menus["training"].choices
    answer = do.add_training(PAGE, "mine")
    assert [row["name"] for row in rows(answer)[1:]] == ["mine, step 20", "mine, step 80"]
    assert re.findall(r'data-training="mine" data-step="(\d+)"', answer["table"]) == ["20", "80"]


def test_files_are_rows_and_gone_and_those_without_settings_are_refused(
    do: Handlers, fake: FakeStudio, pictures: list[int], tmp_path: Path
) -> None:
    dropped = tmp_path / "dropped.png"
    shutil.copy(fake.history.get(pictures[0]).image_path, dropped)
    answer = do.add_files(PAGE, [str(dropped)])
    assert rows(answer)[0]["recipe"]["prompt"] == "a red star" and cells(answer) == 1 and not dropped.exists()
    assert answer["dropped"] is None
    text = tmp_path / "words.png"
    text.write_text("no picture")
    assert is_refused(do.add_files(PAGE, [str(text)])) and not text.exists()


def test_pictures_of_another_tab_are_rows_and_their_seeds_columns(do: Handlers, fake: FakeStudio) -> None:
    recipes = [
        Recipe(prompt="a red star", seed=seed, steps=STEPS, edits=edits)
        for edits in ((), (EditRef(edit=kept_edit(fake)),))
        for seed in (7, 8)
    ]
    made = fake.pictures.draw(recipes)
    sent = Handover("compare", tuple(Sent(one.id, one.sha256, one.recipe) for one in made), 1)
    answer = do.receive(PAGE, sent)
    assert len(rows(answer)) == 2 and cells(answer) == 4 and answer["seeds"] == "7, 8"
    assert "4 pictures were sent here, as 2 rows." in answer["message"]


def test_draw_and_stop(do: Handlers, fake: FakeStudio, pictures: list[int]) -> None:
    do.add_pictures(PAGE, pictures)
    fake.sketcher.hold = True
    answer = do.draw(with_fields(seeds="20-25"))
    assert answer["stop"].interactive and "data-watch=" in answer["table"]
    assert len(fake.jobs.unfinished()) == 1
    assert "is being drawn" in do.draw(with_fields(seeds="20-25"))["message"]
    (job,) = fake.jobs.unfinished()
    do.stop(PAGE)
    fake.ended(job.id)
    answer = do.update_pictures(PAGE)
    assert not answer["stop"].interactive and "Drawing was stopped." in answer["table"]
    # What no cell waits for any more goes on for nobody.
    do.draw(with_fields(seeds="20-25"))
    (job,) = fake.jobs.unfinished()
    do.columns_changed(with_fields(seeds="30"))
    fake.ended(job.id)
    assert fake.jobs.get(job.id).status == "cancelled"
    # What somebody waits for elsewhere is none of it, though a cell waited for it too.
    theirs = fake.pictures.submit([Recipe(prompt="a red star", seed=40, steps=STEPS, batching="shared")])
    do.clear(PAGE)
    do.add_preset(PAGE, "none")
    do.columns_changed(with_fields(prompts="a red star", seeds="40"))
    do.row_op(PAGE, {"op": "set", "row": 1, "name": "steps", "value": STEPS})
    do.row_op(PAGE, {"op": "set", "row": 1, "name": "prompt", "value": "a red star"})
    do.columns_changed(with_fields(seeds="41"))
    assert not fake.jobs.get(theirs).over
    fake.sketcher.hold = False
    fake.ended(theirs)


def test_comparisons_are_kept_and_what_was_replaced_comes_back(do: Handlers, pictures: list[int]) -> None:
    first = do.add_pictures(PAGE, pictures)
    assert "Saved as mine." in do.save(PAGE, "mine")["message"]
    assert not rows(do.clear(PAGE)) and rows(do.bring_back(PAGE)) == rows(first)
    do.clear(PAGE)
    answer = do.open_saved(PAGE, "mine")
    assert rows(answer) == rows(first) and (answer["saved"], answer["saved_name"]) == ("", "mine")
    assert ("mine", "mine") not in do.forget_saved(PAGE, "mine")["saved"].choices
    assert is_refused(do.open_saved(PAGE, "mine")) and is_refused(do.save(PAGE, " "))
    assert is_refused(do.forget_saved(PAGE, "")) and is_refused(do.forget_saved(PAGE, "mine"))


def test_a_report_is_given_away_and_opened_again(
    do: Handlers, fake: FakeStudio, pictures: list[int], tmp_path: Path
) -> None:
    answer = do.add_pictures(PAGE, pictures)
    client = TestClient(Starlette(routes=links.routes(fake)))
    addresses = dict(re.findall(r'href="(/comparisons/\w+\.(\w+))"', answer["files"]))
    assert sorted(addresses.values()) == ["html", "pdf", "png"]
    answers = {kind: client.get(address) for address, kind in addresses.items()}
    assert answers["png"].content.startswith(b"\x89PNG") and answers["pdf"].content.startswith(b"%PDF")
    assert "attachment" in answers["html"].headers["content-disposition"] and b"CFG 3" in answers["html"].content
    assert client.get(f"/comparisons/{'0' * 32}.html").status_code == 404
    assert client.get(next(iter(addresses)).rsplit(".", 1)[0] + ".exe").status_code == 404
    report = tmp_path / "report.html"
    report.write_bytes(answers["html"].content)
    do.clear(PAGE)
    opened = do.add_files(PAGE, [str(report)])
    assert "Opened the report report.html." in opened["message"] and cells(opened) == 3
    assert [row["recipe"] for row in rows(opened)] == [row["recipe"] for row in rows(answer)]


def test_whoever_is_behind_is_told_everything(do: Handlers, pictures: list[int]) -> None:
    do.add_pictures(PAGE, pictures)
    assert set(SEEN) <= set(do.behind(PAGE, 40))
    assert do.update_pictures(PAGE)["compare_revision"].endswith(":41")


def test_two_rows_are_tested_blind_and_told_when_it_is_over(
    do: Handlers, fake: FakeStudio, pictures: list[int]
) -> None:
    do.add_pictures(PAGE, pictures)
    assert is_refused(do.blind_test(PAGE, 1)) and is_refused(do.blind_test(PAGE, None))  # the reference is no rival
    answer = do.blind_test(PAGE, 3)
    assert "The blind test of CFG 6 against CFG 1.5 is ready" in answer["message"]
    (campaign,) = answer["compare"]["tests"]
    assert f'data-op="label" data-campaign="{campaign}"' in answer["tests"] and "preferred" not in answer["tests"]
    told = do.end_test(PAGE, campaign)
    assert "Nothing was answered." in told["tests"] and "data-campaign" not in told["tests"]
    again = do.opened(Call("after a reload", stored=told["compare"], fields=FIELDS))
    assert again["compare"]["tests"] == [campaign]


def test_a_rival_that_is_chosen_stays_while_it_is_offered(do: Handlers, pictures: list[int]) -> None:
    first = do.add_pictures(PAGE, pictures[:2])["rival"]
    assert first.value == 2
    third = do.add_pictures(PAGE, pictures[2:])["rival"]
    assert [id for _, id in third.choices] == [2, 3] and "value" not in third.constructor_args
    removed = do.row_op(PAGE, {"op": "remove", "row": 2})["rival"]
    assert removed.value == 3
    other_reference = do.row_op(PAGE, {"op": "refer", "row": 3})["rival"]
    assert other_reference.value == 1
