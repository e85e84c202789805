"""What happens on the Erase tab, without a page: each handler with the plain values that an event brings."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
import torch

from studio.core.errors import NotFound
from studio.core.recipe import Recipe
from studio.services import neighbours
from studio.services.cards import CardService
from studio.services.neighbours import Tried
from studio.training.erase.concept import WORLD
from studio.training.erase.methods import METHODS
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.files import FINISHED
from studio.training.lora.plan import Plan
from studio.training.lora.standing import Standing
from studio.ui import edit_stack
from studio.ui.board_events import Call
from studio.ui.edit_stack import Stack
from studio.ui.erase import board as boards
from studio.ui.erase import making, near, view
from studio.ui.erase.board import Board, BoardSession
from studio.ui.erase.handlers import Handlers
from studio.ui.erase.tab import SEEN, TRIAL, stored_fields
from studio.ui.sessions import Sessions
from studio.ui.wiring import Answer
from tests.ui.fake_studio import FakeStudio

FIELDS = {
    "preserve": "",
    "protect": 1.0,
    "completeness": 0.999,
    "untouched": False,
    "sliders": False,
    "edit_name": "",
    "seed": "0",
    "minutes": None,
}
PAGE = Call("page", model="stencil", fields=FIELDS)


@pytest.fixture
def do(fake: FakeStudio) -> Handlers:
    made = Handlers(fake, Sessions(BoardSession))
    made.opened(replace(PAGE, stored=boards.plain(boards.new())))
    made.visited(PAGE)
    return made


def held(answer: Answer) -> Board:
    return boards.read(answer["erase"])


def settled(do: Handlers, fake: FakeStudio, call: Call = PAGE) -> Answer:
    """Look until nothing is under way, and once more: what was under way at a look may have ended right after it."""
    deadline, was_over = time.monotonic() + 20, False
    while True:
        answer = do.looked(call)
        trial = held(answer).trial
        is_over = trial is None or all(fake.jobs.events(job)[-1].final for job in trial.jobs) and trial.drawing is None
        if is_over and was_over:
            return answer
        was_over = is_over
        assert time.monotonic() < deadline
        time.sleep(0.01)


def erased(do: Handlers, fake: FakeStudio, **fields: Any) -> Answer:
    do.erase(replace(PAGE, fields={**FIELDS, **fields}))
    return settled(do, fake)


def pictures(answer: Answer) -> list[str]:
    return re.findall(r'data-picture="(\d+)" data-name="([^"]*)"', answer["pairs"])


def test_a_first_visitor_has_an_example_and_one_press_shows_it_before_and_after(do: Handlers, fake: FakeStudio) -> None:
    first = do.visited(PAGE)
    assert "star" in first["rows"] and "Press Erase" in first["outcome"] and "message error" not in first["note"]
    going = do.erase(PAGE)
    assert "solves" in going["outcome"] or "Completeness" in going["figures"]
    answer = settled(do, fake)
    assert [name for _, name in pictures(answer)] == ["before", "after, strength 1"] * 4
    assert "Completeness" in answer["figures"] and "0.90" in answer["figures"] and "0.05" in answer["figures"]
    assert "Accept at strength 1" in answer["outcome"] and "suppressed, not proven removed" in answer["figures"]
    drawn = [fake.history.get(int(id)) for id, _ in pictures(answer)]
    assert all(picture.origin == "preview" for picture in drawn) and not fake.history.newest()
    for before, after in zip(drawn[::2], drawn[1::2], strict=True):  # nothing but the edit is another
        assert before.recipe.edits == () and after.recipe.edits[0].strength == 1
        assert before.recipe == after.recipe.model_copy(update={"edits": ()})
    (entry,) = fake.edits.list()
    assert entry.name == "no-star" and entry.provenance["erasure"]["concepts"][0]["kind"] == "object"
    assert entry.id in str(answer["past"]) and "Instant" in answer["past"]


def test_another_strength_draws_again_and_at_0_the_pictures_are_the_bases(do: Handlers, fake: FakeStudio) -> None:
    first = erased(do, fake)
    base = held(first).trial.base  # type: ignore[union-attr]
    do.act(PAGE, "strength", 0)
    answer = settled(do, fake)
    assert answer["pairs"].count("the same, bit for bit") == 4 and "At strength 0 every picture" in answer["pairs"]
    assert [name for _, name in pictures(answer)][1] == "after, strength 0"
    do.act(PAGE, "strength", 0.5)
    do.act(PAGE, "strength", 0.75)
    answer = settled(do, fake)
    assert [name for _, name in pictures(answer)] == ["before", "after, strength 0.75"] * 4
    trial = held(answer).trial
    assert trial is not None and trial.base == base  # it is drawn once
    refused, _ = do.act(PAGE, "strength", 9)
    assert "from 0 to 1.5" in refused["message"] and held(refused).trial == trial


def test_a_negative_prompt_is_drawn_beside_them_and_left_out_again(do: Handlers, fake: FakeStudio) -> None:
    assert "nothing to compare yet" in do.beside_negative(PAGE)["message"]
    first = erased(do, fake)
    assert 'aria-pressed="false"' in first["pairs"] and "three" not in first["pairs"]
    do.beside_negative(PAGE)
    settled(do, fake)
    answer = do.looked(PAGE)  # the last picture may be newer than what was looked at
    assert [name for _, name in pictures(answer)] == ["before", "after, strength 1", "negative prompt"] * 4
    assert 'aria-pressed="true"' in answer["pairs"]
    drawn = [fake.history.get(int(id)).recipe for id, _ in pictures(answer)]
    for before, negated in zip(drawn[::3], drawn[2::3], strict=True):  # the base, with the concept as negative prompt
        assert negated == before.model_copy(update={"negative_prompt": "star"})
    do.act(PAGE, "strength", 0.5)
    settled(do, fake)
    assert len(pictures(do.looked(PAGE))) == 12  # it stays beside another strength
    answer = do.beside_negative(PAGE)
    assert len(pictures(answer)) == 8 and 'aria-pressed="false"' in answer["pairs"]


def test_an_edit_that_changes_nothing_says_so_loudly(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.tints = False
    answer = erased(do, fake)
    assert 'class="message error"' in answer["pairs"] and "No effect" in answer["pairs"]


def test_accepted_it_is_on_the_stack_at_its_strength_and_the_button_says_so(do: Handlers, fake: FakeStudio) -> None:
    erased(do, fake)
    do.act(PAGE, "strength", 0.75)
    settled(do, fake)
    answer, stack = do.act(PAGE, "accept", None)
    (entry,) = fake.edits.list()
    assert [(row.edit, row.strength, row.on) for row in stack.rows] == [(entry.id, 0.75, True)]
    assert "On the edit stack at 0.75" in answer["outcome"]
    weaker = replace(PAGE, stack=stack)
    answer, _ = do.act(weaker, "strength", 0.25)
    assert "Set to 0.25 on the edit stack" in answer["outcome"]
    _, stack = do.act(weaker, "accept", None)
    assert [row.strength for row in stack.rows] == [0.25]
    do.act(replace(PAGE, stack=stack), "strength", 0)
    assert do.act(replace(PAGE, stack=stack), "accept", None)[1] == stack  # nothing to accept


def test_discarded_it_is_gone_from_the_workspace_and_the_stack_and_what_was_set_stays(
    do: Handlers, fake: FakeStudio
) -> None:
    fake.sketcher.step_s = 0.05  # its preview is under way
    do.erase(PAGE)
    while not fake.edits.list():
        do.looked(PAGE)
        time.sleep(0.01)
    do.looked(PAGE)
    (entry,) = fake.edits.list()
    _, stack = do.act(PAGE, "accept", None)
    assert stack.rows
    answer, stack = do.act(replace(PAGE, stack=stack), "discard", None)
    assert not fake.edits.list() and stack == Stack() and "Press Erase" in answer["outcome"]
    assert "star" in do.visited(PAGE)["rows"] and entry.id not in answer["past"]


def test_each_of_several_concepts_can_have_a_slider_of_its_own(do: Handlers, fake: FakeStudio) -> None:
    assert not do.visited(PAGE)["sliders"].visible  # one concept has nothing to part
    do.row_op(PAGE, {"op": "add", "row": 0})
    do.row_op(PAGE, {"op": "words", "row": 2, "value": "fish"})
    assert do.row_op(PAGE, {"op": "substitute", "row": 2, "value": "tree"})["sliders"].visible
    assert not do.method_op(PAGE, {"op": "method", "value": "ca"})["sliders"].visible
    do.method_op(PAGE, {"op": "method", "value": "uce"})
    answer = erased(do, fake, sliders=True)
    assert "Accept as 2 sliders at 1" in answer["outcome"] and len(fake.edits.list()) == 3
    _, stack = do.act(PAGE, "accept", None)
    assert [fake.edits.show(row.edit).name for row in stack.rows] == ["no-star-fish: star", "no-star-fish: fish"]
    accepted = replace(PAGE, stack=stack)
    assert "On the edit stack at 1" in do.looked(accepted)["outcome"]
    weaker = edit_stack.change(stack, "strength", stack.rows[0].edit, 0.5)
    assert "Accept as 2 sliders at 1" in do.looked(replace(PAGE, stack=weaker))["outcome"]
    answer, stack = do.act(accepted, "discard", None)
    assert not stack.rows and not fake.edits.list() and "Press Erase" in answer["outcome"]


def test_many_concepts_come_in_as_lines_and_those_that_cannot_be_stay_to_be_mended(
    do: Handlers, fake: FakeStudio
) -> None:
    answer = do.add_lines(PAGE, "fish -> tree\nzebra -> star\n# a remark\nred, blue, colour, scarlet; crimson\n")
    board = held(answer)
    assert [row.value.words for row in board.rows] == ["fish", "red"]  # the example gave way
    assert (
        answer["lines"] == "zebra -> star" and "Line 2, “zebra -&gt; star”: stencil does not know" in answer["message"]
    )
    answer = do.erase_each(PAGE, "star -> heart\nmoon -> moon\nhouse -> square")
    assert answer["lines"] == "moon -> moon" and "Line 2" in answer["message"] and "each by itself" in answer["batch"]
    for job in held(answer).batch:
        fake.ended(job)
    answer = do.looked_at_batch(PAGE)
    assert "2 of 2 edits were made" in answer["batch"] and answer["past"].count("<tr>") == 3
    assert boards.read(boards.plain(held(answer))) == held(answer)
    assert {entry.name for entry in fake.edits.list()} == {"no-star", "no-house"}
    answer = do.add_lines(PAGE, " ")
    assert "no concepts to read" in answer["message"] and len(held(answer).rows) == 2


@pytest.mark.parametrize(
    ("ops", "fields", "complaint"),
    [
        ([("words", "zebra")], {}, "does not know the word"),
        ([("words", "")], {}, "Say what is to be erased"),
        ([("substitute", "")], {}, "needs a substitute"),
        ([("substitute", "star")], {}, "cannot take the place of itself"),
        ([("words", "star " * 40)], {}, "words"),
        ([], {"preserve": "a ring\na red star"}, "cannot stay"),
        ([], {"seed": "seven"}, "seed"),
        ([], {"edit_name": "x" * 200}, "name"),
    ],
)
def test_what_is_wrong_is_said_at_once_and_again_when_erased_and_nothing_is_lost(
    do: Handlers, fake: FakeStudio, ops: list[tuple[str, str]], fields: dict[str, str], complaint: str
) -> None:
    call = replace(PAGE, fields={**FIELDS, **fields})
    for op, value in ops:
        do.row_op(call, {"op": op, "row": 1, "value": value})
    checked = do.checked(call)
    assert complaint in checked["rows"] + checked["note"]
    board = held(checked)
    answer = do.erase(call)
    assert 'class="message error"' in answer["message"] and complaint in answer["message"] + answer["rows"]
    assert held(answer).rows == board.rows and not fake.jobs.newest()


def test_an_unknown_word_is_shown_as_what_the_model_reads(do: Handlers) -> None:
    rows = do.row_op(PAGE, {"op": "words", "row": 1, "value": "zebra"})["rows"]
    assert re.search(r"does not know the word &#x27;zebra&#x27;: it reads \S+ \+ ", rows)


def test_erased_again_with_other_settings_the_base_is_not_drawn_again_and_both_edits_are_there(
    do: Handlers, fake: FakeStudio
) -> None:
    base = held(erased(do, fake)).trial.base  # type: ignore[union-attr]
    again = erased(do, fake, completeness=0.99, edit_name="second try")
    assert held(again).trial.base == base  # type: ignore[union-attr]
    assert sorted(entry.name for entry in fake.edits.list()) == ["no-star", "second try"]
    first = next(entry for entry in fake.edits.list() if entry.name == "no-star")
    do.open(PAGE, first.id)
    answer = settled(do, fake)
    assert "no-star" in answer["outcome"] and len(pictures(answer)) == 8 and "0.90" in answer["figures"]
    assert "not made by an erasure" in do.open(PAGE, _foreign(fake))["message"]
    assert held(do.looked(PAGE)).trial == held(answer).trial
    assert "no edit named" in do.open(PAGE, "nothing")["message"]


def _foreign(fake: FakeStudio) -> str:
    from tests.ui.stencil_edits import edit_file

    path = fake.settings.workspace / "foreign.safetensors"
    return fake.edits.import_file(edit_file(path, "foreign", size=3.0)).id


def test_stop_ends_what_this_page_runs_and_says_what_became_of_it(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.hold = True
    job = held(do.erase(PAGE)).trial.job  # type: ignore[union-attr]
    assert do.looked(PAGE)["stop"].interactive
    do.stop(PAGE)
    fake.sketcher.hold = False
    fake.ended(job)
    answer = settled(do, fake)
    assert "stopped before there was an edit" in answer["outcome"] and not fake.edits.list()
    assert "press Erase again" in answer["outcome"]


def test_a_page_loaded_again_finds_its_trial_and_a_deleted_edit_says_so(do: Handlers, fake: FakeStudio) -> None:
    kept = erased(do, fake)["erase"]
    elsewhere = Handlers(fake, Sessions(BoardSession))
    page = replace(PAGE, session="loaded again", stored=kept)
    elsewhere.opened(page)
    answer = elsewhere.visited(page)
    assert set(answer) == set(SEEN) - {"wishes"} and pictures(answer) == pictures(do.looked(PAGE))
    fake.edits.remove(fake.edits.list()[0].id)
    assert "was deleted" in elsewhere.looked(page)["outcome"]
    foreign = {**kept, "revision": 99, "trial": {**kept["trial"], "job": "of another workspace", "edit": ""}}
    lost = elsewhere.behind(replace(page, session="third", stored=foreign), 5)
    assert "another workspace" in lost["outcome"] and set(TRIAL) <= set(lost)


def test_neighbours_are_looked_for_and_kept_by_a_click(do: Handlers, fake: FakeStudio) -> None:
    do.near_op(PAGE, {"op": "suggest"})
    fake.ended(held(do.looked_for(PAGE)).near.job)  # type: ignore[union-attr]
    chips = do.looked_for(PAGE)["near"]
    words = re.findall(r'data-value="([^"]+)"', chips)
    assert words[:2] == ["a triangle", "a heart"] and len(words) == 6 and "Nearest to “star”" in chips
    kept = do.near_op(PAGE, {"op": "keep", "value": "a triangle"})
    assert kept["preserve"] == "a triangle" and 'data-value="a triangle"' not in kept["near"]
    more = replace(PAGE, fields={**FIELDS, "preserve": "a red ring\n"})
    assert do.near_op(more, {"op": "keep", "value": "a heart"})["preserve"] == "a red ring\na heart"
    do.row_op(PAGE, {"op": "words", "row": 1, "value": "zebra"})
    assert "no object, style or colour" in do.near_op(PAGE, {"op": "suggest"})["message"]
    do.row_op(PAGE, {"op": "words", "row": 1, "value": ""})
    assert "Say what is to be erased first" in do.near_op(PAGE, {"op": "suggest"})["message"]


def test_a_substitute_is_proposed_that_the_base_draws_and_one_that_is_named_is_tried(
    do: Handlers, fake: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {"circle": 17, "heart": 23}

    def trying(studio: Any, model: str, concept: Any, word: str) -> str:
        return fake.ended(fake.pictures.submit([Recipe(steps=1)]))

    monkeypatch.setattr(neighbours, "try_substitute", trying)
    monkeypatch.setattr(neighbours, "tried", lambda studio, job, concept, word: Tried(shown.get(word, 10), 24))
    rows = do.row_op(PAGE, {"op": "try", "row": 1})["rows"]
    assert "“heart”: 23 of 24 pictures of the base show it." in rows and "formula tried" in rows
    do.row_op(PAGE, {"op": "substitute", "row": 1, "value": "circle"})
    rows = do.row_op(PAGE, {"op": "try", "row": 1})["rows"]
    assert "17 of 24" in rows and "choose another" in rows
    # Of none, words of its kind are tried until one is good; after some it is left to the user.
    do.row_op(PAGE, {"op": "substitute", "row": 1, "value": ""})
    first = held(do.row_op(PAGE, {"op": "try", "row": 1})).substitute
    assert first is not None and first.proposes and first.word not in ("star", "triangle", "heart")
    tried = [first.word]
    for _ in range(5):
        lookup = held(do.looked_for(PAGE)).substitute
        assert lookup is not None
        tried += [lookup.word] if lookup.word not in tried else []
    assert len(tried) == near.MOST_TRIED and held(do.looked_for(PAGE)).rows[1].substitute == ""
    shown |= dict.fromkeys(WORLD["object"], 24)
    do.row_op(PAGE, {"op": "try", "row": 1})
    board = held(do.looked_for(PAGE))
    assert board.substitute is not None and board.rows[1].substitute == board.substitute.word != ""
    assert "24 of 24" in do.looked_for(PAGE)["rows"]


def test_a_card_is_begun_with_its_time_said_and_shown_when_it_is_there(
    do: Handlers, fake: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards: dict[str, Any] = {}

    def begin(self: Any, edit: str, budget: str) -> str:
        if budget not in ("preview", "standard"):
            raise NotFound(f"There is no budget {budget}.")
        return fake.pictures.submit([Recipe(steps=1)])

    monkeypatch.setattr(CardService, "card", lambda self, edit, budget="": cards.get(edit))
    monkeypatch.setattr(CardService, "start", begin)
    answer = erased(do, fake)
    assert answer["card"].count('data-op="measure"') == 3
    assert re.search(r"A first look: \d+ pictures, about \d+ s", answer["card"])
    assert "not measured" in answer["past"]
    assert "no budget" in do.measure(PAGE, "endless")["message"]
    fake.sketcher.hold = True
    going = do.measure(PAGE, "preview")
    assert "Draws pictures and reads them" in going["card"] and going["stop"].interactive
    job = held(going).trial.card  # type: ignore[union-attr]
    do.stop(PAGE)
    fake.ended(job)
    (entry,) = fake.edits.list()
    cards[entry.id] = {"job": "j", "budget": "preview", "verdict": {"light": "poor", "headline": "No effect"}}
    done = do.looked(PAGE)
    assert f'data-card="/cards/{entry.id}/fragment?v=j-preview"' in done["card"] and "Save as a page" in done["card"]
    assert 'class="light poor">No effect' in done["past"] and "with more pictures" in done["card"]


def choose(do: Handlers, method: str, **options: Any) -> Answer:
    for name, value in options.items():
        do.method_op(PAGE, {"op": "option", "name": name, "value": value})
    return do.method_op(PAGE, {"op": "method", "name": "", "value": method})


def test_methods_stand_in_plain_words_with_what_they_take_and_grey_where_they_were_measured_not_to_work(
    do: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmful = replace(METHODS.get("abo"), refused={"colour": "other colours suffer."})
    monkeypatch.setitem(METHODS._entries, "abo", harmful)
    cards = do.visited(PAGE)["methods"]
    places = [cards.index(f"<b>{title}</b>") for title in ("Instant", "Replace", "Careful", "Classic")]
    assert places == sorted(places) and places[2] < cards.index("More: ") < places[3]
    assert "disabled" not in cards and "about 64 s" in cards and "about 1 s" in cards
    trained = choose(do, "ca")
    assert "Trains 160 steps at most" in trained["note"] and "How it trains" in trained["methods"]
    assert "ends once the substitute is drawn" in trained["note"] and "at most about 64 s" in trained["methods"]
    assert "Trains 40 steps at most" in choose(do, "ca", steps=40)["note"]
    whole = choose(do, "ca", early_stopping=False)
    assert "Trains 40 steps, and shows" in whole["note"] and "All of them take" not in whole["note"]
    for option in ("steps", "early_stopping"):
        again = do.method_op(PAGE, {"op": "reset", "name": option})
    assert "Trains 160 steps at most" in again["note"]
    assert "Trains 160 steps, and shows" in choose(do, "esd")["note"]  # nothing takes the concept's place
    choose(do, "uce")
    do.row_op(PAGE, {"op": "words", "row": 1, "value": "red"})
    colour = do.row_op(PAGE, {"op": "substitute", "row": 1, "value": "blue"})["methods"]
    assert colour.count("disabled") == 1 and "Not for a colour: other colours suffer" in colour
    refused = do.erase(replace(PAGE, fields={**FIELDS}, session=None, stored={**boards.plain(boards.new())}))
    assert refused["message"] == ""  # another page's method is its own
    assert "Careful does not erase" in choose(do, "abo")["rows"]
    for wrong in (
        {"op": "option", "name": "steps", "value": -3},
        {"op": "option", "name": "x", "value": 1},
        {"op": "y"},
    ):
        assert 'class="message error"' in do.method_op(PAGE, wrong)["message"]


def test_while_it_trains_its_pictures_are_drawn_again_with_the_edit_as_it_is(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.005
    choose(do, "ca", steps=1000)
    answer = do.erase(PAGE)
    assert "data-next" in answer["outcome"] and "data-watch" in answer["outcome"]
    live: set[str] = set()
    deadline = time.monotonic() + 20
    while held(answer := do.looked(PAGE)).trial.edit == "":  # type: ignore[union-attr]
        trial = held(answer).trial
        if trial.drawn:  # type: ignore[union-attr]
            live.add(trial.drawn.edit)  # type: ignore[union-attr]
            fake.sketcher.step_s = 0  # to its end
        assert time.monotonic() < deadline
    job = held(answer).trial.job  # type: ignore[union-attr]
    assert live == {f"live:{job}"}
    answer = settled(do, fake)
    (entry,) = fake.edits.list()
    assert held(answer).trial.drawn.edit == entry.id  # type: ignore[union-attr]
    assert len(pictures(answer)) == 8 and "Replace" in answer["outcome"] and "Replace" in answer["past"]
    assert f'data-curves-of="{job}"' in answer["figures"] and "<svg" in answer["figures"]


def test_a_training_that_is_stopped_keeps_what_it_learned_and_goes_on(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.01
    choose(do, "abo", steps=400)  # more than are done before the stop is heard
    job = held(do.erase(PAGE)).trial.job  # type: ignore[union-attr]
    while not any(event.kind == "measure" for event in fake.jobs.events(job)):
        time.sleep(0.01)
    do.stop(PAGE)
    fake.ended(job)
    fake.sketcher.step_s = 0.001
    answer = settled(do, fake)
    assert "Stopped after" in answer["outcome"] and "Go on training" in answer["outcome"]
    assert len(fake.edits.list()) == 1 and len(pictures(answer)) == 8
    do.act(PAGE, "go_on", None)
    answer = settled(do, fake)
    assert "Stopped after" not in answer["outcome"] and "Go on training" not in answer["outcome"]
    assert held(answer).trial.job != job  # type: ignore[union-attr]
    assert "nothing to go on with" in do.act(PAGE, "go_on", None)[0]["message"]


def test_a_training_that_is_done_is_made_longer_where_its_checkpoint_is_there(do: Handlers, fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.0
    choose(do, "ca", steps=10)
    do.erase(PAGE)
    answer = settled(do, fake)
    first = held(answer).trial
    assert first is not None and "Train more" not in answer["outcome"]  # the engine here writes no checkpoint
    assert "is gone" in do.act(PAGE, "more", "40")[0]["message"]
    job = fake.jobs.get(fake.ended(first.job))
    folder, plan = fake.trainings.folder(job), Plan.load(job.payload["plan"])
    standing = Standing(plan.digest, "base", 10, 1.0, 1)
    Checkpoints(folder).write(Checkpoint(standing, {"generator": torch.zeros(1)}), FINISHED)
    answer = do.looked(PAGE)
    assert "Train more" in answer["outcome"] and 'data-value="40"' in answer["outcome"]
    assert "whole number" in do.act(PAGE, "more", "many")[0]["message"]
    do.act(PAGE, "more", "40")
    answer = settled(do, fake)
    longer = held(answer).trial
    assert longer is not None and longer.job != first.job and "no-star, 50 steps" in answer["outcome"]
    assert fake.jobs.get(longer.job).payload["plan"]["steps"] == 50
    do.open(PAGE, first.edit)
    assert "Train more" in settled(do, fake)["outcome"]  # found again by what it erased


def test_why_a_training_was_over_early_is_said(do: Handlers, fake: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    erased(do, fake)
    (entry,) = fake.edits.list()
    ended = {**entry.provenance, "ended": "Stopped after 90 of 160 steps: <as often>."}
    monkeypatch.setattr(making, "entry_of", lambda studio, trial: replace(entry, provenance=ended))
    monkeypatch.setattr(view, "entry_of", making.entry_of)
    assert "Stopped after 90 of 160 steps: &lt;as often&gt;." in do.looked(PAGE)["outcome"]


def test_a_time_limit_is_told_to_the_training(do: Handlers, fake: FakeStudio) -> None:
    choose(do, "ca", steps=10)
    assert "number above 0" in do.checked(replace(PAGE, fields={**FIELDS, "minutes": -1}))["note"]
    job = held(do.erase(replace(PAGE, fields={**FIELDS, "minutes": 2}))).trial.job  # type: ignore[union-attr]
    assert fake.jobs.get(fake.ended(job)).payload["limit_s"] == 120


def test_fields_of_a_browser_are_taken_as_far_as_they_can_be_held() -> None:
    assert stored_fields({**FIELDS, "protect": 2.5}) == {**FIELDS, "protect": 2.5}
    wrong = {"preserve": 3, "protect": 99, "completeness": "x", "untouched": 1, "edit_name": None, "seed": [], "x": 1}
    assert stored_fields(wrong) == {} and stored_fields(None) == {}
