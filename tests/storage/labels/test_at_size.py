"""A hundred thousand labels: what a question, an answer and a glance cost, in instructions of the database's machine.

No load changes those; times are printed beside them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert

from studio.preference.answer import Answer
from studio.storage.labels.campaigns import Campaign
from studio.storage.schema import (
    campaign_people,
    generations,
    item_pictures,
    items,
    labels,
    leases,
    prompts,
    standing_labels,
)
from tests.storage.labels.setting import Setting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LABELS, LEFT_OVER, PEOPLE = 100_000, 1000, 4
LEFT = '{"mode":"pair","ranks":[1,2]}'


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """As many items as labels, a tenth of which everybody is to answer, and a thousand that nobody has."""
    made = Setting(tmp_path_factory.mktemp("large"))
    campaign = made.campaign(overlap_share=0.1, repeat_share=0.05, check_share=0.05)
    for number in range(PEOPLE):
        made.person(f"person {number}")
    numbers = range(1, LABELS + LEFT_OVER + 1)
    now, before = made.clock().isoformat(), (made.clock() - timedelta(days=3)).isoformat()
    recipe = json.dumps({"prompt": "a star", "seed": 1})
    drawn = {"recipe": recipe, "prompt": "a star", "negative_prompt": "", "made_by": "{}", "created_at": now}
    with made.archive._database.write() as connection:
        rows: list[dict[str, object]] = [{"id": number, "text": f"prompt {number}"} for number in range(1, 1001)]
        connection.execute(insert(prompts), rows)
        connection.execute(insert(generations), [{"id": n, "image": f"{n:064x}", **drawn} for n in range(1, 2001)])
        connection.execute(insert(items), [item(campaign, number, now) for number in numbers])
        pictures = [
            {"item": number, "place": place, "generation": 1 + (2 * number + place) % 2000}
            for number in numbers
            for place in (0, 1)
        ]
        connection.execute(insert(item_pictures), pictures)
        answered = numbers[:LABELS]
        connection.execute(insert(leases), [lease(number, now) for number in answered])
        connection.execute(insert(labels), [label(number, now) for number in answered])
        connection.execute(insert(standing_labels), [stands(number, before) for number in answered])
        connection.execute(insert(campaign_people), [people(number) for number in range(1, PEOPLE + 1)])
    made.items(campaign, 200, purpose="check")
    yield made
    made.archive.close()


def item(campaign: Campaign, number: int, now: str) -> dict[str, object]:
    is_shared, is_answered = number % 10 == 0, number <= LABELS
    return {
        "id": number,
        "campaign": campaign.id,
        "prompt": 1 + number % 1000,
        "kind": "pair",
        "purpose": "train",
        "status": "done" if is_answered and not is_shared else "queued",
        "wanted": None if is_shared else 1,
        "answers": int(is_answered),
        "created_at": now,
    }


def person(number: int) -> int:
    """Who answered an item: the first has answered more than all others."""
    return 1 if number % 5 else 2 + number // 5 % (PEOPLE - 2)


def lease(number: int, now: str) -> dict[str, object]:
    fixed = {"campaign": 1, "from_queue": True, "purpose": "train", "shown_order": "[0, 1]", "side_coin": False}
    own = {"item": number, "annotator": person(number), "token": f"token {number}", "turn": number}
    return {**own, **fixed, "expires_at": now, "answered": True}


def label(number: int, now: str) -> dict[str, object]:
    fixed = {"digest": "", "campaign": 1, "question": "overall", "answer": LEFT, "shown_order": "[0, 1]"}
    own = {"number": number, "id": f"label {number}", "item": number, "annotator": person(number)}
    return {**own, **fixed, "created_at": now}


def stands(number: int, now: str) -> dict[str, object]:
    own = {"item": number, "annotator": person(number), "label": number}
    return {**own, "question": "overall", "campaign": 1, "created_at": now}


def people(number: int) -> dict[str, object]:
    answers = sum(person(item) == number for item in range(1, LABELS + 1))
    return {"campaign": 1, "annotator": number, "answers": answers}


def cost(setting: Setting, work: Callable[[], object]) -> tuple[int, float]:
    """Instructions of SQLite's virtual machine that some work takes, in hundreds; and milliseconds."""
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    with setting.archive._database.read() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
    raw.set_progress_handler(tick, 100)  # the pool gives this one connection to whoever asks next
    start = time.perf_counter()
    try:
        work()
    finally:
        raw.set_progress_handler(None, 0)
    return ticks, 1000 * (time.perf_counter() - start)


def worst(costs: list[tuple[int, float]]) -> tuple[int, str]:
    ticks = max(count for count, _ in costs)
    times = sorted(milliseconds for _, milliseconds in costs)
    return ticks, f"{times[len(times) // 2]:.1f} ms, p95 {times[int(0.95 * len(times))]:.1f} ms, {ticks} hundred"


@pytest.mark.parametrize("alias", ["person 0", "person 1", "person 3"])
def test_a_question_an_answer_and_a_glance_cost_what_they_cost_with_few(setting: Setting, alias: str) -> None:
    """Of somebody who has answered four fifths of everything, of one who has a tenth, of one who has nothing."""
    store = setting.labels
    asking, answering, looking, undoing = [], [], [], []
    for _ in range(60):
        held: list[object] = []
        asking.append(cost(setting, lambda held=held: held.extend(store.lease(1, alias, 4))))
        for given in held[:2]:
            token = given.token  # type: ignore[attr-defined]
            answering.append(cost(setting, lambda token=token: setting.vote(token, Answer.pair("first"))))
        undoing.append(cost(setting, lambda: store.log.undo(setting.id(), 1, alias)))
        looking.append(cost(setting, lambda: store.progress(1, alias)))
    report = {"lease": asking, "vote": answering, "undo": undoing, "progress": looking}
    for name, costs in report.items():
        print(f"{alias}, {name}: {worst(costs)[1]}")
    assert worst(answering)[0] < 30 and worst(undoing)[0] < 60
    assert worst(asking)[0] < 400
    assert worst(looking)[0] < 30


def test_counts_come_out_of_indices(setting: Setting) -> None:
    ticks, milliseconds = cost(setting, lambda: setting.labels.counts(1))
    print(f"counts: {milliseconds:.0f} ms, {ticks} hundred")
    assert ticks < 10 * LABELS / 100  # the log, once
    assert sum(setting.labels.counts(1).by_annotator.values()) >= LABELS


def test_all_labels_are_read_one_by_one(setting: Setting) -> None:
    start = time.perf_counter()
    count = sum(1 for _ in setting.labels.reader.read(with_recipes=False))
    print(f"{count} labels read in {time.perf_counter() - start:.1f} s, without recipes")
    start = time.perf_counter()
    assert sum(1 for _ in setting.labels.reader.read()) == count >= LABELS
    print(f"with recipes: {time.perf_counter() - start:.1f} s")


def test_a_snapshot_of_everything(setting: Setting) -> None:
    start = time.perf_counter()
    readable = (label for label in setting.labels.reader.read(with_recipes=False) if label.trainable)
    snapshot = setting.labels.snapshots.take("all", ["c"], readable, 0, 0.2)
    print(f"a snapshot of {len(snapshot.training) + len(snapshot.held_out)}: {time.perf_counter() - start:.1f} s")
    assert len(snapshot.training) > 3 * len(snapshot.held_out)
