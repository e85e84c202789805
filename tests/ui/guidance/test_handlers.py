"""What happens on the Guidance tab, without a page: each handler with the plain values that an event brings."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.guidance import spoken
from studio.services.presets import GuidancePresets
from studio.ui import order
from studio.ui.board_events import Call
from studio.ui.guidance import board as boards
from studio.ui.guidance import results, run
from studio.ui.guidance.handlers import Handlers
from studio.ui.guidance.tab import SEEN
from studio.ui.handover import Handover, Sent
from studio.ui.sessions import WAIT_S, Sessions
from tests.ui.fake_studio import FakeStudio
from tests.ui.guidance.test_board import plain

FIELDS = {
    "prompt": "a red star",
    "negative": "",
    "seed": "7",
    "seeds": 1,
    "steps": 2,
    "sampler": "dpmpp_2m",
    "equal": False,
}
PAGE = Call("page", model="stencil", fields=FIELDS)


@pytest.fixture
def do(fake: FakeStudio, tmp_path: Path) -> Handlers:
    made = Handlers(fake, GuidancePresets(tmp_path / "workspace"), Sessions(boards.BoardSession))
    made.opened(replace(PAGE, stored=boards.plain(boards.new())))
    return made


def move(name: str, value: Any, row: int = 2) -> dict[str, Any]:
    return {"op": "param", "row": row, "at": "", "name": name, "value": value}


def jobs_of(board: dict[str, Any]) -> set[str]:
    return run.jobs_of(boards.read(board))


def params(board: dict[str, Any], row: int = 2) -> dict[str, Any]:
    return next(each["guidance"]["params"] for each in board["rows"] if each["id"] == row)


def test_two_sliders_and_compare_with_the_same_copy_of_the_board(do: Handlers, fake: FakeStudio) -> None:
    call = replace(PAGE, stored=boards.plain(boards.new()))  # as if no answer had come in between
    do.row_op(replace(call, turn=1), move("guidance_scale", 9))
    do.row_op(replace(call, turn=2), move("rescale", 0.5))
    answer = do.compare(replace(call, turn=3))
    assert params(answer["board"])["guidance_scale"] == 9 and params(answer["board"])["rescale"] == 0.5
    job = answer["board"]["cells"][1]["job"]
    asked = [Recipe.load(one).guidance.params for one in fake.jobs.get(job).payload["recipes"]]
    assert (asked[1]["guidance_scale"], asked[1]["rescale"]) == (9, 0.5)
    again = do.opened(Call("after a reload", stored=answer["board"], model="stencil"))
    assert params(again["board"]) == params(answer["board"])


def test_both_changes_of_two_threads_are_kept(do: Handlers) -> None:
    moves = [move("guidance_scale", 9), move("rescale", 0.5), move("guidance_scale", 4, row=1), move("eta", 1, row=3)]
    threads = [threading.Thread(target=do.row_op, args=(PAGE, one)) for one in moves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    board = do.update_pictures(PAGE) and do.visited(PAGE)["board"]
    assert params(board)["guidance_scale"] == 9 and params(board)["rescale"] == 0.5
    assert params(board, 1)["guidance_scale"] == 4 and params(board, 3)["eta"] == 1


def test_every_change_has_a_revision_above_the_one_before(do: Handlers) -> None:
    found = [
        do.row_op(PAGE, move("rescale", 0.5)),
        do.take_preset(PAGE, "cfg"),
        do.look_into(PAGE, 3),
        do.row_op(PAGE, move("rescale", 99)),
        do.behind(PAGE, 40),
        do.update_pictures(PAGE),
    ]
    told = [int(answer["board_revision"].removeprefix(order.revision("board", 0)[:-1])) for answer in found]
    assert told[:4] == sorted(set(told[:4])) and told[4] == 41 and told[5] == 41
    assert set(SEEN) <= set(found[4])  # whoever is behind is told everything


def test_the_page_is_painted_before_formulas_and_told_them_on_the_first_visit(do: Handlers) -> None:
    assert set(do.opened(PAGE)) == {"board", "board_revision", "rows"}
    shown = do.visited(PAGE)
    assert set(shown) == {*SEEN, "preset"} and "g = " in shown["rows"]
    early = Call("a tab shown before what the browser kept was read", model="stencil")
    assert set(do.visited(early)) == {"preset"}
    kept = {**boards.plain(boards.change(boards.new(), "choose", 3)), "revision": 7}
    assert do.opened(replace(early, stored=kept))["board"] == kept and "g = " in do.opened(early)["rows"]


def test_a_first_visitor_who_is_quicker_than_the_first_answer_misses_and_loses_nothing(do: Handlers) -> None:
    first = Call("of a browser that kept nothing", model="stencil", fields=FIELDS)
    painted = do.opened(first)
    assert "g = " in do.visited(first)["rows"]  # asked before that answer had arrived
    do.row_op(first, move("rescale", 0.5))
    board = do.row_op(replace(first, stored=painted["board"]), move("guidance_scale", 9))["board"]
    assert params(board)["rescale"] == 0.5 and params(board)["guidance_scale"] == 9


def test_a_value_that_moved_is_drawn_where_its_row_was(do: Handlers, fake: FakeStudio) -> None:
    assert not do.row_op(PAGE, move("rescale", 0.1))["board"]["cells"]  # nothing was drawn yet
    first = do.compare(PAGE)["board"]["cells"]
    fake.ended(first[0]["job"])
    for op in ({"op": "choose", "row": 3}, {"op": "down", "row": 1}, {"op": "add", "value": "apg"}):
        assert do.row_op(PAGE, op)["board"]["cells"] == first
    moved = do.row_op(replace(PAGE, fields={**FIELDS, "seed": "99"}), move("rescale", 0.2))["board"]["cells"]
    assert moved[:-1] == [cell for cell in first if cell["row"] != 2] and moved[-1]["seed"] == "7"
    fake.ended(moved[-1]["job"])
    drawn = results.show(fake, boards.read(do.visited(PAGE)["board"])).pictures
    assert drawn[2, "7"].recipe.guidance.params["rescale"] == 0.2


def test_what_cannot_be_done_is_said_and_nothing_moves(do: Handlers) -> None:
    before = do.visited(PAGE)["board"]
    for op in ({"op": "burn", "row": 1}, {"op": "param", "row": "x"}, {"op": "remove", "row": 99}, {}):
        answer = do.row_op(PAGE, op)
        assert 'class="message error"' in answer["message"] and answer["board"]["rows"] == before["rows"]
    assert "Choose what to sweep" in do.sweep(PAGE, None, 0, 1, 3)["message"]
    assert "no guidance preset" in do.take_preset(PAGE, "nothing of the kind")["message"].lower()
    with pytest.raises(BadInput, match="whole number"):
        do.look_into(PAGE, "x")


def test_a_method_the_model_cannot_do_is_greyed_and_says_why_in_its_row(do: Handlers) -> None:
    other = replace(PAGE, model="large")
    do.row_op(PAGE, {"op": "method", "row": 2, "value": "autoguidance"})
    able, unable = do.visited(PAGE)["rows"], do.visited(other)["rows"]
    label = "Autoguidance (needs an early checkpoint)"
    assert label not in able and unable.count(label) == 2  # the row's own menu, and that which adds a row
    assert 'disabled title="Not with large: it needs an early checkpoint."' in unable
    assert "formula wrong" not in able and unable.count("formula wrong") == 1
    assert "autoguidance needs an early checkpoint of the model" in unable
    summed = do.row_op(other, {"op": "wrap", "row": 1, "value": "sum"})["rows"]
    assert summed.count(label) == 3
    assert do.shared_changed(PAGE)["rows"].count(label) == 0


def test_a_method_that_the_sampler_does_not_suit_says_so_in_its_row_before_it_is_drawn(do: Handlers) -> None:
    do.visited(PAGE)
    rows = do.row_op(PAGE, {"op": "method", "row": 2, "value": "z_sampling"})["rows"]
    assert rows.count("formula caveat") == 1 and "DPM++ 2M, a multistep sampler, goes by earlier steps" in rows
    assert "formula wrong" not in rows  # it can be drawn all the same
    suited = replace(PAGE, fields={**FIELDS, "sampler": "ddim"})
    beyond = do.row_op(suited, move("guidance_scale", 8, row=1))["rows"]
    assert beyond.count("formula caveat") == 1 and "Above a scale of 4, pictures of Stencil break" in beyond
    do.row_op(suited, move("guidance_scale", 4, row=1))
    assert "formula caveat" not in do.shared_changed(suited)["rows"]
    assert "formula caveat" not in do.shared_changed(replace(PAGE, fields={**FIELDS, "sampler": None}))["rows"]


def test_presets_go_in_and_out_of_the_open_row(do: Handlers) -> None:
    do.row_op(PAGE, move("guidance_scale", 9))
    saved = do.save(PAGE, " mine ")
    assert "Saved as mine" in saved["message"] and ("mine (yours)", "mine") in saved["preset"].choices
    do.row_op(PAGE, {"op": "choose", "row": 1})
    answer = do.take_preset(PAGE, "mine")
    assert params(answer["board"], 1)["guidance_scale"] == 9 and answer["preset"] == ""


def test_a_menu_left_without_a_choice_changes_nothing_and_keeps_nobody_waiting(do: Handlers) -> None:
    began = time.monotonic()
    assert do.take_preset(replace(PAGE, turn=1), "") == {} and do.take_preset(replace(PAGE, turn=2), None) == {}
    do.row_op(replace(PAGE, turn=3), move("guidance_scale", 9))
    assert time.monotonic() - began < WAIT_S


def test_a_preset_that_the_menu_tells_twice_is_drawn_once(do: Handlers, fake: FakeStudio) -> None:
    do.row_op(PAGE, {"op": "choose", "row": 1})
    fake.ended(do.compare(PAGE)["board"]["cells"][0]["job"])
    once = do.take_preset(PAGE, "apg-tight")["board"]["cells"]
    assert do.take_preset(PAGE, "apg-tight")["board"]["cells"] == once and len(fake.jobs.newest()) == 2


def test_the_sweep_knows_the_open_row(do: Handlers, fake: FakeStudio) -> None:
    assert do.limits(PAGE, "guidance_scale") == {"sweep_low": 0.0, "sweep_high": 30.0}
    assert do.limits(PAGE, "nothing") == {}
    assert "sweep_name" in do.row_op(PAGE, {"op": "choose", "row": 3})
    assert "sweep_name" not in do.row_op(PAGE, move("eta", 0.5, row=3))  # what the user set there stays
    sweep = do.sweep(PAGE, "eta", 0, 1, 3)["board"]["sweep"]
    assert sweep["values"] == [0, 0.5, 1]
    fake.ended(sweep["job"])


def test_stop_ends_what_the_page_draws_and_knows_no_other_jobs(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    board = do.compare(PAGE)["board"]
    foreign = {**board, "cells": [{**board["cells"][0], "job": "of another workspace"}, *board["cells"]]}
    assert do.stop(Call("page two", stored={**foreign, "revision": 1})) == {}
    job = fake.ended(board["cells"][0]["job"])
    assert fake.jobs.get(job).status == "cancelled"


def sent(**guidance: Any) -> Handover:
    recipe = Recipe(prompt="a ring", seed=3, steps=120, guidance=GuidanceSpec(method="apg", params=guidance))
    return Handover("guidance", (Sent(5, "0" * 64, recipe),), 1)


def test_a_picture_sent_here_is_a_row_of_its_own_and_fills_the_fields(do: Handlers) -> None:
    before = do.visited(PAGE)["board"]
    answer = do.receive(PAGE, sent(eta=1.0))
    assert answer["prompt"] == "a ring" and answer["seed"] == "3" and answer["steps"] == 100
    rows = answer["board"]["rows"]
    assert rows[:-1] == before["rows"] and rows[-1]["guidance"]["params"] == {"eta": 1.0}
    assert answer["board"]["chosen"] == rows[-1]["id"] and "Picture 5" in answer["message"]
    whole = spoken(GuidanceSpec(method="apg", params={"eta": 1.0})).params  # as a picture's recipe has it
    again = do.receive(PAGE, sent(**whole))
    assert again["board"]["rows"] == rows and "has its guidance already" in again["message"]


def test_rules_of_past_pictures_become_rows_once(do: Handlers, fake: FakeStudio) -> None:
    rules = [GuidanceSpec(params={"guidance_scale": scale}) for scale in (6.0, 11.0)]
    fake.ended(fake.pictures.submit([Recipe(steps=1, guidance=rule) for rule in rules]))
    answer = do.take_pictures(PAGE, [1, 2])
    rows = answer["board"]["rows"]
    assert len(rows) == 5 and rows[-1]["guidance"]["params"]["guidance_scale"] == 11 and answer["pictures"] == []
    assert "Click some" in do.take_pictures(PAGE, [])["message"]
    missing = do.take_pictures(PAGE, [2, 99])
    assert (
        "no picture number 99" in missing["message"] and missing["board"]["rows"] == rows and "pictures" not in missing
    )


def test_where_there_is_no_room_for_a_picture_nothing_moves_and_it_says_so(do: Handlers) -> None:
    before = [do.row_op(PAGE, {"op": "copy", "row": 1})["board"] for _ in range(4)][-1]
    answer = do.receive(PAGE, sent(eta=1.0))
    assert answer["board"] == before and "prompt" not in answer
    assert "room for 8 rows" in answer["message"] and 'class="message error"' in answer["message"]


def test_several_pictures_sent_at_once_are_rows_as_far_as_there_is_room(do: Handlers) -> None:
    def of(id: int, scale: float) -> Sent:
        rule = spoken(GuidanceSpec(params={"guidance_scale": scale}))  # as a picture's recipe has it
        return Sent(id, "0" * 64, Recipe(prompt=f"ring {id}", seed=id, guidance=rule))

    one_rule = do.receive(PAGE, Handover("guidance", (of(3, 2), of(4, 2)), 1))  # of two seeds, say
    assert len(one_rule["board"]["rows"]) == 5 and one_rule["prompt"] == "ring 3" and one_rule["seed"] == "3"
    assert "Pictures 3 and 4 gave 1 further row; the prompt" in one_rule["message"]
    more = do.receive(PAGE, Handover("guidance", tuple(of(k, k) for k in range(10, 16)) + (of(16, 2),), 2))
    scales = [row["guidance"]["params"]["guidance_scale"] for row in more["board"]["rows"]]
    assert scales[4:] == [2, 10, 11, 12] and more["board"]["chosen"] == more["board"]["rows"][4]["id"]
    assert "Pictures 10, 11, 12 and 16 gave 3 further rows" in more["message"]
    assert "No room for pictures 13, 14 and 15: there is room for 8 rows. Remove one first." in more["message"]
    full = do.receive(PAGE, Handover("guidance", tuple(of(k, k) for k in range(20, 29)), 3))
    assert (
        "9 pictures gave nothing. There is room for 8 rows" in full["message"]
        and full["board"]["rows"] == more["board"]["rows"]
    )


def test_a_picture_keeps_its_own_name_whatever_its_row_says_by_now(do: Handlers, fake: FakeStudio) -> None:
    fake.ended(do.compare(PAGE)["board"]["cells"][0]["job"])
    names = re.findall(r'class="card-name">.*?<span>([^<]*)', do.update_pictures(PAGE)["results"])
    assert names[1] == "CFG 6"
    refused = do.row_op(PAGE, move("guidance_scale", 99))
    assert "from 0 to 30" in refused["message"]
    assert re.findall(r'class="card-name">.*?<span>([^<]*)', refused["results"]) == names
    assert refused["results"].count("The row is now CFG 99, which is not drawn yet.") == 1
    assert "The row is now" not in do.row_op(PAGE, move("guidance_scale", 6))["results"]


def test_a_strip_that_comes_late_is_not_shown_under_another_picture(
    do: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.ui.guidance import why

    monkeypatch.setattr(why, "strip_html", lambda studio, id: f"strip of {id}")
    do.look_into(PAGE, 3)
    assert do.strip(PAGE) == {"strip": "strip of 3"}
    monkeypatch.setattr(why, "strip_html", lambda studio, id: str(do.look_into(PAGE, 4)))
    assert do.strip(PAGE) == {}


def test_a_redraw_takes_the_place_of_the_one_before_it_and_stop_stops_all_there_is(
    do: Handlers, fake: FakeStudio
) -> None:
    """Only the newest is drawn, whatever was asked for before: nothing waits behind what nobody waits for."""
    do.row_op(PAGE, {"op": "choose", "row": 2})
    first = do.compare(PAGE)["board"]
    fake.ended(jobs_of(first).pop())
    fake.sketcher.hold = True
    for scale in (2, 3, 4, 5):
        board = do.row_op(PAGE, move("guidance_scale", scale))["board"]
    wanted = {cell["job"] for cell in board["cells"] if cell["row"] == 2}
    assert {entry.job_id for entry in fake.jobs.queue() if entry.state != "stopping"} == wanted and len(wanted) == 1
    do.compare(PAGE)
    again = do.compare(PAGE)["board"]  # nor does the one before wait to be drawn
    swept = do.sweep(PAGE, "guidance_scale", 1, 5, 3)["board"]
    other = do.sweep(PAGE, "guidance_scale", 1, 6, 3)["board"]
    removed = do.row_op(PAGE, {"op": "remove", "row": 4})["board"]
    alive = {entry.job_id for entry in fake.jobs.queue() if entry.state != "stopping"}
    assert alive == jobs_of(removed) == jobs_of(again) | {other["sweep"]["job"]}
    assert swept["sweep"]["job"] not in alive
    assert do.stop(PAGE) == {}
    for job in fake.jobs.unfinished():
        fake.ended(job.id)
    assert fake.jobs.queue() == [] and fake.history.count() == len(first["cells"])
    assert [job.status for job in fake.jobs.newest()] == ["cancelled"] * (len(fake.jobs.newest()) - 1) + ["done"]


def test_a_redraw_that_is_refused_leaves_the_one_before_it_alone(do: Handlers, fake: FakeStudio) -> None:
    do.row_op(PAGE, {"op": "choose", "row": 2})
    fake.ended(jobs_of(do.compare(PAGE)["board"]).pop())
    fake.sketcher.hold = True
    do.row_op(PAGE, move("guidance_scale", 4))
    (drawing,) = [entry.job_id for entry in fake.jobs.queue()]
    assert 'class="message error"' in do.row_op(PAGE, move("guidance_scale", 99))["message"]
    assert [entry.job_id for entry in fake.jobs.queue()] == [drawing], "neither stopped nor followed by another"
    do.stop(PAGE)
    fake.ended(drawing)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain, plain, plain)
def test_whatever_a_stranger_sends_leaves_a_board(do: Handlers, one: Any, two: Any, three: Any) -> None:
    call = Call(one, two, three, "stencil", fields=FIELDS)
    for work in (
        lambda: do.row_op(call, {"op": one, "row": two, "at": three, "name": one, "value": three}),
        lambda: do.sweep(call, one, two, three, one),
        lambda: do.behind(call, two),
        lambda: do.update_pictures(call),
        lambda: do.limits(call, one),
    ):
        work()
    assert do.visited(PAGE)["board"]["rows"]
