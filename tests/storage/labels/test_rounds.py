"""Lists that are ranked in rounds of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from studio.preference.answer import Answer
from studio.storage.labels.leases import Lease
from tests.storage.labels.setting import Setting
from tests.storage.labels.test_log import check_tallies

FOUR = 4


@pytest.fixture
def campaign(setting: Setting) -> int:
    """Of rankings of four pictures, which ada answers; the later a picture was drawn, the better it is."""
    record = setting.campaign(mode="ranking")
    setting.items(record, 2, pictures=FOUR)
    setting.person()
    return record.id


def later(lease: Lease) -> Answer:
    """The picture that was drawn later is the better one."""
    return Answer.pair("first" if lease.images[0] > lease.images[1] else "second")


def lists(setting: Setting, leases: Sequence[Lease]) -> set[int | None]:
    """The lists that these pairs are of."""
    return {setting.labels.items.get(lease.item).origin for lease in leases}


def test_a_list_is_asked_in_rounds_of_pairs(setting: Setting, campaign: int) -> None:
    first = setting.labels.lease(campaign, "ada", 2)
    assert [lease.mode for lease in first] == ["pair", "pair"]
    assert len({image for lease in first for image in lease.images}) == FOUR  # each picture once
    for lease in first:
        setting.vote(lease.token, later(lease))
    second = setting.labels.lease(campaign, "ada", 2)
    assert setting.labels.progress(campaign, "ada").answered == 0
    for lease in second:
        setting.vote(lease.token, later(lease))
    assert setting.labels.progress(campaign, "ada").answered == 1
    labels = list(setting.labels.reader.read())
    assert [label.answer.mode for label in labels] == ["pair"] * 4 and all(label.trainable for label in labels)
    check_tallies(setting)


def test_another_list_is_begun_while_a_round_is_in_hand(setting: Setting, campaign: int) -> None:
    leases = setting.labels.lease(campaign, "ada", 4)
    assert len(lists(setting, leases)) == 2
    held = [lease.token for lease in leases]
    assert setting.labels.lease(campaign, "ada", 4, held) == []
    for lease in leases[2:]:  # the second list's first round
        setting.vote(lease.token, later(lease))
    assert lists(setting, setting.labels.lease(campaign, "ada", 4, held)) == lists(setting, leases[2:3])


def test_a_list_in_rounds_is_one_persons(setting: Setting, campaign: int) -> None:
    bob = setting.person("bob")
    mine, other = (setting.labels.lease(campaign, alias, 2) for alias in ("ada", bob))
    assert lists(setting, mine) != lists(setting, other)
    setting.vote(mine[0].token, later(mine[0]))
    setting.clock.move(minutes=11)
    left = setting.labels.lease(campaign, "ada", 1)
    assert [lease.token for lease in left] == [mine[1].token]  # what was begun is gone on with first
    more = setting.labels.lease(campaign, bob, 4)
    assert lists(setting, more) == lists(setting, other[:1])
    setting.vote(left[0].token, later(left[0]))
    for lease in setting.labels.lease(campaign, "ada", 2):
        setting.vote(lease.token, later(lease))
    assert setting.labels.progress(campaign, "ada").answered == 1
    check_tallies(setting)


def test_an_answer_of_a_round_taken_back_takes_back_what_was_built_on_it(setting: Setting, campaign: int) -> None:
    setting.labels.items.retire([2])
    first = setting.labels.lease(campaign, "ada", 2)
    for lease in first:
        setting.vote(lease.token, later(lease))
    second = setting.labels.lease(campaign, "ada", 2)
    setting.labels.log.undo("u1", campaign, "ada")
    (again,) = setting.labels.lease(campaign, "ada", 2)
    assert again.token == first[1].token
    assert again.token not in {lease.token for lease in second}
    setting.vote(again.token, later(again))
    for lease in setting.labels.lease(campaign, "ada", 2):
        setting.vote(lease.token, later(lease))
    assert setting.labels.progress(campaign, "ada").answered == 1
    setting.labels.log.undo("u2", campaign, "ada")
    assert setting.labels.progress(campaign, "ada").answered == 0
    check_tallies(setting)
    (last,) = setting.labels.lease(campaign, "ada", 2)
    setting.vote(last.token, later(last))
    assert setting.labels.progress(campaign, "ada").answered == 1
    check_tallies(setting)
