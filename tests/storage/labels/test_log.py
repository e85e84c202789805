"""The log of answers: written before it is acknowledged, once, and never changed."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from studio.core.errors import BadInput, NotFound, WorkspaceError
from studio.preference.answer import Answer
from studio.preference.label import Label, standing
from studio.storage.database import Database
from studio.storage.labels.log import AlreadyAnswered, Circumstances, Receipt
from studio.storage.schema import campaign_people, campaigns, items, label_snapshots, labels, leases, standing_labels
from tests.storage.labels.setting import Setting

LEFT, RIGHT, BAD = (Answer.pair(outcome) for outcome in ("first", "second", "both_bad"))


@pytest.fixture
def tokens(setting: Setting) -> list[str]:
    """Of the questions that ada was given, of a campaign of thirty."""
    campaign = setting.campaign()
    setting.items(campaign, 30)
    return [lease.token for lease in setting.labels.lease(1, setting.person(), 25)]


def vote(setting: Setting, id: str, token: str, answer: Answer = LEFT, **values: Any) -> Receipt:
    return setting.labels.log.vote(id, token, "overall", answer, Circumstances(**values))


def count(setting: Setting) -> int:
    with setting.archive._database.read() as connection:
        return connection.execute(select(func.count()).select_from(labels)).scalar_one()


def check_tallies(setting: Setting) -> None:
    """What is written beside the log says what the log says."""
    with setting.archive._database.read() as connection:
        stands = set(connection.execute(select(labels.c.id).join(standing_labels)).scalars())
        people = select(func.count()).where(leases.c.item == items.c.id, leases.c.answered).scalar_subquery()
        rows = connection.execute(select(items.c.answers, people, items.c.status, items.c.wanted)).all()
        in_queue = select(func.count()).where(
            items.c.campaign == campaigns.c.id, items.c.status.in_(("queued", "done"))
        )
        done = in_queue.where(items.c.answers >= campaigns.c.target_per_item)
        tallied = select(
            campaigns.c.queue_items, in_queue.scalar_subquery(), campaigns.c.done_items, done.scalar_subquery()
        )
        assert all(first == second and third == fourth for first, second, third, fourth in connection.execute(tallied))
        answers = select(standing_labels.c.campaign, standing_labels.c.annotator, func.count()).group_by(
            "campaign", "annotator"
        )
        people_columns = campaign_people.c.campaign, campaign_people.c.annotator, campaign_people.c.answers
        kept = select(*people_columns).where(campaign_people.c.answers != 0)
        assert set(connection.execute(kept)) == set(connection.execute(answers))
    everything = list(setting.labels.reader.read(only_standing=False))
    assert stands == {label.id for label in standing(everything)}
    assert stands == {label.id for label in setting.labels.reader.read()}
    for answers, counted, status, wanted in rows:
        assert answers == counted
        assert status in ("aside", "retired") or (status == "done") == (wanted is not None and answers >= wanted)


def test_the_same_id_again_is_the_same_receipt_and_nothing_else(setting: Setting, tokens: list[str]) -> None:
    receipt = vote(setting, "a", tokens[0], latency_ms=400.0)
    setting.clock.move(hours=2)
    assert vote(setting, "a", tokens[0], latency_ms=900.0) == receipt  # sent once more, after a while
    with pytest.raises(BadInput, match="Something else was sent under the id 'a' before"):
        vote(setting, "a", tokens[0], RIGHT)
    with pytest.raises(BadInput, match="Something else"):
        vote(setting, "a", tokens[1])
    with pytest.raises(BadInput, match="Something else"):
        setting.labels.log.undo("a", 1, "ada")
    assert count(setting) == 1 and next(setting.labels.reader.read()).answer == LEFT


def test_a_question_is_answered_once_by_each(setting: Setting, tokens: list[str]) -> None:
    vote(setting, "a", tokens[0])
    with pytest.raises(AlreadyAnswered, match="You have answered this already"):
        vote(setting, "b", tokens[0], RIGHT)
    assert count(setting) == 1


@pytest.mark.parametrize(
    ("answer", "question", "sentence"),
    [
        (Answer.thumb(True), "overall", "asked as pair, and the answer is one of thumb"),
        (Answer.best(0, 4), "overall", "asked as pair"),
        (LEFT, "look", "does not ask 'look'"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(
    setting: Setting, tokens: list[str], answer: Answer, question: Any, sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        setting.labels.log.vote("a", tokens[0], question, answer, Circumstances())
    assert count(setting) == 0


def test_ranks_of_another_number_of_pictures_are_refused(setting: Setting) -> None:
    campaign, alias = setting.campaign(mode="best"), setting.person()
    setting.items(campaign, 1, pictures=4)
    (lease,) = setting.labels.lease(campaign.id, alias, 1)
    with pytest.raises(BadInput, match="has 4 pictures, and the answer ranks 3"):
        setting.vote(lease.token, Answer.best(0, 3))
    setting.vote(lease.token, Answer.best(3, 4))


def test_nobodys_question_is_refused(setting: Setting, tokens: list[str]) -> None:
    with pytest.raises(NotFound, match="No question 'x' was given to anybody"):
        vote(setting, "a", "x")
    with pytest.raises(NotFound, match="no annotator 'bob'"):
        setting.labels.lease(1, "bob", 1)
    with pytest.raises(NotFound, match="no campaign number 7"):
        setting.labels.lease(7, "ada", 1)


def test_twenty_answers_are_taken_back_one_by_one_and_asked_again_in_their_order(
    setting: Setting, tokens: list[str]
) -> None:
    for number, token in enumerate(tokens):
        vote(setting, f"vote {number}", token)
    back = [setting.labels.log.undo(f"undo {number}", 1, "ada") for number in range(20)]
    assert [lease.token for _, lease in back] == tokens[:4:-1]
    assert setting.labels.log.undo("undo 3", 1, "ada") == back[3]  # sent once more
    with pytest.raises(BadInput, match="20 answers in a row were taken back"):
        setting.labels.log.undo("undo 20", 1, "ada")
    check_tallies(setting)
    assert [lease.token for lease in setting.labels.lease(1, "ada", 20)] == tokens[5:]
    vote(setting, "vote again", tokens[5], RIGHT)
    assert setting.labels.log.undo("undo 21", 1, "ada")[1].token == tokens[5]
    assert count(setting) == 25 + 20 + 2 and setting.labels.progress(1, "ada").mine == 5
    check_tallies(setting)


def test_what_never_arrived_takes_nothing_back(setting: Setting, tokens: list[str]) -> None:
    vote(setting, "a", tokens[0])
    vote(setting, "b", tokens[1])
    with pytest.raises(NotFound, match="does not stand"):
        setting.labels.log.undo("u", 1, "ada", "lost")
    assert setting.labels.log.undo("u", 1, "ada", "a")[1].token == tokens[0]
    assert [label.id for label in setting.labels.reader.read()] == ["b"]
    with pytest.raises(NotFound, match="does not stand"):
        setting.labels.log.undo("v", 1, "ada", "a")
    check_tallies(setting)


def test_nothing_to_take_back(setting: Setting, tokens: list[str]) -> None:
    with pytest.raises(BadInput, match="no answer to take back"):
        setting.labels.log.undo("a", 1, "ada")


def test_an_answer_that_is_taken_back_is_asked_of_its_person_and_nobody_else(setting: Setting) -> None:
    campaign = setting.campaign()
    setting.items(campaign, 1)
    ada, bob = setting.person("ada"), setting.person("bob")
    (lease,) = setting.labels.lease(campaign.id, ada, 1)
    setting.vote(lease.token)
    assert setting.labels.lease(campaign.id, bob, 1) == []
    setting.clock.move(hours=1)
    setting.labels.log.undo("back", campaign.id, ada)
    assert setting.labels.lease(campaign.id, bob, 1) == []
    setting.clock.move(minutes=11)
    assert len(setting.labels.lease(campaign.id, bob, 1)) == 1


def test_each_question_of_a_campaign_is_answered_and_the_item_done_with_the_last(setting: Setting) -> None:
    campaign, alias = setting.campaign(questions=("overall", "prompt")), setting.person()
    setting.items(campaign, 2)
    first, second = setting.labels.lease(campaign.id, alias, 2)
    setting.labels.log.vote("a", first.token, "overall", LEFT, Circumstances())
    assert setting.labels.progress(campaign.id, alias).answered == 0
    again = setting.labels.lease(campaign.id, alias, 2)
    assert [(lease.token, lease.questions) for lease in again] == [
        (first.token, ("prompt",)),
        (second.token, ("overall", "prompt")),
    ]
    setting.labels.log.vote("b", first.token, "prompt", RIGHT, Circumstances())
    assert setting.labels.progress(campaign.id, alias).answered == 1
    check_tallies(setting)
    setting.labels.log.undo("c", campaign.id, alias)
    assert setting.labels.lease(campaign.id, alias, 1)[0].questions == ("prompt",)
    check_tallies(setting)


def test_no_statement_changes_a_row_of_the_log(setting: Setting, tokens: list[str]) -> None:
    vote(setting, "a", tokens[0])
    setting.labels.snapshots.take("s", ["c"], setting.labels.reader.read(), 0, 0.0)
    statements = [
        update(labels).values(comment="better"),
        delete(labels),
        update(label_snapshots).values(training="[]"),
    ]
    for statement in statements:
        with pytest.raises(IntegrityError, match="only ever added to"), setting.archive._database.write() as connection:
            connection.execute(statement)
    with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(setting.archive.workspace.database) as raw:
        raw.execute("INSERT OR REPLACE INTO labels SELECT * FROM labels")
    raw.close()
    assert next(setting.labels.reader.read()).comment == ""
    assert count(setting) == 1


def test_a_full_disk_acknowledges_nothing_and_the_answer_can_be_sent_again(
    setting: Setting, tokens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Database) -> Any:
        raise WorkspaceError("The database cannot be written: the disk is full.", "Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", full)
        with pytest.raises(WorkspaceError, match="disk is full"):
            vote(setting, "a", tokens[0])
    assert count(setting) == 0
    vote(setting, "a", tokens[0])
    assert count(setting) == 1


def test_labels_from_elsewhere_come_in_once_and_are_not_asked_again(setting: Setting) -> None:
    campaign = setting.campaign()
    first, second = setting.items(campaign, 2)
    ada = setting.person()
    brought = [
        Label("x1", first, "", "eve", "", (), LEFT, order=(1, 0), confidence=0.5),
        Label("x2", first, "", "eve", "", (), RIGHT, supersedes="x1"),
        Label("x3", second, "", "eve", "", (), LEFT),
        Label("x4", second, "", "eve", "", (), LEFT, supersedes="x3", is_withdrawn=True),
    ]
    assert setting.labels.log.record(brought, campaign.id) == 4
    assert setting.labels.log.record(brought, campaign.id) == 0
    assert [(label.id, label.annotator, label.answer) for label in setting.labels.reader.read()] == [
        ("x2", "eve", RIGHT)
    ]
    check_tallies(setting)
    assert [lease.item for lease in setting.labels.lease(campaign.id, ada, 4)] == [second]
    with pytest.raises(AlreadyAnswered, match="eve has answered overall about item 1 already"):
        setting.labels.log.record(
            [Label("x5", second, "", "eve", "", (), LEFT), brought[0], Label("x6", first, "", "eve", "", (), LEFT)], 1
        )
    assert count(setting) == 4  # all or none
    late = [Label("x7", first, "", "eve", "", (), LEFT, supersedes="x1", is_withdrawn=True)]
    setting.labels.log.record(late, campaign.id)  # takes back what stood no more
    check_tallies(setting)


def test_many_labels_from_elsewhere_are_written_at_once_as_they_are_one_by_one(setting: Setting) -> None:
    together, apart = setting.campaign("together", target_per_item=2), setting.campaign("apart", target_per_item=2)
    brought: list[Label] = []
    for record in (together, apart):
        for place, item in enumerate(setting.items(record, 6)):
            for alias in ("eve", "ada", "bob")[: place % 4]:
                order = (1, 0) if place % 2 else ()
                brought.append(Label(f"{record.name} {place} {alias}", item, "", alias, "", (), RIGHT, order=order))
    assert setting.labels.log.record([label for label in brought if "together" in label.id], together.id) == 7
    assert sum(setting.labels.log.record([label], apart.id) for label in brought if "apart" in label.id) == 7
    check_tallies(setting)
    first, second = (setting.labels.counts(record.id) for record in (together, apart))
    assert first == second and first.answered == 2 and first.by_annotator == {"eve": 4, "ada": 2, "bob": 1}
    orders = [label.order for label in setting.labels.reader.read([together.id])]
    assert orders == [label.order for label in setting.labels.reader.read([apart.id])]
    setting.person("ada")
    asked = [setting.labels.lease(record.id, "ada", 9) for record in (together, apart)]
    assert len(asked[0]) == len(asked[1]) == 4  # of those that need another answer, not those ada has answered


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"item": 99}, "no item number 99"),
        ({"question": "look"}, "does not ask 'look'"),
        ({"annotator": "\t"}, "An annotator's name"),
        ({"order": (0, 2)}, "stand the item's 2 pictures"),
        ({"answer": Answer.best(0, 4)}, "ranks 4"),
        ({"supersedes": "lost"}, "supersedes 'lost', which is not there"),
    ],
)
def test_a_label_from_elsewhere_that_cannot_be_is_refused_with_its_company(
    setting: Setting, values: dict[str, Any], sentence: str
) -> None:
    campaign = setting.campaign()
    first, second = setting.items(campaign, 2)
    wrong = Label(**{**vars(Label("b", second, "", "eve", "", (), LEFT)), **values})
    with pytest.raises(BadInput, match=sentence):
        setting.labels.log.record([Label("a", first, "", "eve", "", (), LEFT), wrong], campaign.id)
    assert count(setting) == 0 and setting.labels.annotators.list() == []
