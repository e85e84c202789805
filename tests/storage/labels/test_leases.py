"""Who is asked what: nobody twice, nobody what is somebody else's, and shares as they were set."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.storage.labels.leases import Lease
from studio.storage.labels.shares import chosen, is_chosen
from tests.storage.labels.setting import Setting


def everything(setting: Setting, campaign: int, alias: str, count: int = 4) -> list[Lease]:
    """Answer until there is nothing more; give what was asked, in order."""
    asked: list[Lease] = []
    while leases := setting.labels.lease(campaign, alias, count):
        for lease in leases:
            setting.vote(lease.token, Answer.thumb(True) if lease.mode == "thumb" else None)
            setting.clock.move(seconds=3)
        asked += leases
    return asked


def test_one_person_is_asked_each_item_once_in_the_order_of_the_queue(setting: Setting) -> None:
    campaign = setting.campaign()
    items = setting.items(campaign, 11)
    asked = everything(setting, campaign.id, setting.person())
    assert [lease.item for lease in asked] == items
    assert {lease.side_coin for lease in asked} == {True, False}
    assert all(lease.order == ((1, 0) if lease.side_coin else (0, 1)) for lease in asked)
    assert len({lease.token for lease in asked}) == 11


def test_what_is_in_hand_is_given_again_as_it_stood_until_the_page_says_it_has_it(setting: Setting) -> None:
    campaign, alias = setting.campaign(), setting.person()
    items = setting.items(campaign, 10)
    first = setting.labels.lease(campaign.id, alias, 3)
    again = setting.labels.lease(campaign.id, alias, 3)
    assert [(lease.token, lease.order) for lease in again] == [(lease.token, lease.order) for lease in first]
    held = [lease.token for lease in first]
    assert [lease.item for lease in setting.labels.lease(campaign.id, alias, 3, held)] == items[3:6]


def test_an_item_is_one_persons_until_it_expires_and_comes_back_then(setting: Setting) -> None:
    campaign = setting.campaign()
    items = setting.items(campaign, 4)
    ada, bob = setting.person("ada"), setting.person("bob")
    lost = setting.labels.lease(campaign.id, ada, 3)
    assert [lease.item for lease in setting.labels.lease(campaign.id, bob, 4)] == items[3:]
    setting.clock.move(minutes=9)
    assert len(setting.labels.lease(campaign.id, bob, 4)) == 1  # which prolongs what is in hand
    setting.clock.move(minutes=2)
    assert [lease.item for lease in setting.labels.lease(campaign.id, bob, 4)] == [items[3], *items[:3]]
    receipt = setting.vote(lost[0].token)  # late, and accepted
    assert receipt.item == items[0]
    assert setting.labels.lease(campaign.id, ada, 4) == []


def test_a_clock_that_is_set_back_locks_nothing_up(setting: Setting) -> None:
    campaign = setting.campaign()
    setting.items(campaign, 2)
    ada, bob = setting.person("ada"), setting.person("bob")
    held = setting.labels.lease(campaign.id, ada, 2)
    setting.clock.move(days=-400)
    assert len(setting.labels.lease(campaign.id, bob, 2)) == 2
    numbers = [setting.vote(lease.token).number for lease in held]
    assert numbers == sorted(numbers) and setting.labels.progress(campaign.id, ada).mine == 2


def test_as_many_different_people_as_are_wanted(setting: Setting) -> None:
    campaign = setting.campaign(target_per_item=2)
    items = setting.items(campaign, 6)
    for alias in ("ada", "bob", "cyd"):
        setting.person(alias)
        everything(setting, campaign.id, alias)
    labels = list(setting.labels.reader.read())
    assert Counter(label.item for label in labels) == dict.fromkeys(items, 2)
    assert {label.annotator for label in labels} == {"ada", "bob"}
    assert setting.labels.progress(campaign.id, "cyd").answered == 6


def test_the_overlap_is_asked_of_everybody(setting: Setting) -> None:
    campaign = setting.campaign(overlap_share=0.2)
    setting.items(campaign, 30)
    for alias in ("ada", "bob", "cyd"):
        setting.person(alias)
        everything(setting, campaign.id, alias)
    people = Counter(label.item for label in setting.labels.reader.read())
    assert Counter(people.values()) == {1: 24, 3: 6}
    assert setting.labels.progress(campaign.id, "ada").answered == 30


def test_checks_keep_their_share_are_never_two_in_a_row_and_each_is_asked_once(setting: Setting) -> None:
    campaign = setting.campaign(check_share=0.25)
    items = setting.items(campaign, 60)
    checks = setting.items(campaign, 30, purpose="check")
    asked = everything(setting, campaign.id, setting.person(), 3)
    purposes = [lease.purpose for lease in asked]
    assert ("check", "check") not in set(zip(purposes, purposes[1:], strict=False))
    assert purposes.count("check") == chosen(f"check:{campaign.id}:1", len(asked), 0.25) == len(asked) - 60
    assert set(items) < {lease.item for lease in asked} <= {*items, *checks}
    assert len({lease.item for lease in asked}) == len(asked)
    counts = setting.labels.counts(campaign.id)
    assert (counts.items, counts.answered, counts.checks) == (60, 60, 30)


def test_a_repeat_is_ones_own_earlier_item_with_its_sides_swapped(setting: Setting) -> None:
    campaign = setting.campaign(repeat_share=0.2)
    setting.items(campaign, 60)
    asked = everything(setting, campaign.id, setting.person())
    first = {lease.item: (place, lease) for place, lease in enumerate(asked)}
    repeats = [(place, lease) for place, lease in enumerate(asked) if lease.purpose == "repeat"]
    assert len(repeats) == pytest.approx(0.2 * len(asked), abs=2)
    origins = [setting.labels.items.get(lease.item).origin for _, lease in repeats]
    assert len(set(origins)) == len(origins)
    for origin, (place, lease) in zip(origins, repeats, strict=True):
        assert origin is not None
        earlier_place, earlier = first[origin]
        assert place - earlier_place >= 8 and earlier.purpose == "train"
        assert (lease.images, lease.order) == (earlier.images, earlier.order[::-1])
        assert lease.side_coin is not earlier.side_coin
    assert setting.labels.counts(campaign.id).items == 60


def test_the_coin_is_fair(setting: Setting) -> None:
    campaign = setting.campaign()
    setting.items(campaign, 400)
    coins = [lease.side_coin for lease in setting.labels.lease(campaign.id, setting.person(), 400)]
    assert abs(sum(map(bool, coins)) - 200) < 3 * 10  # three standard deviations of a fair coin


def test_leases_are_exclusive_under_eight_threads(setting: Setting) -> None:
    campaign = setting.campaign()
    items = setting.items(campaign, 40)
    people = [setting.person(f"person {number}") for number in range(8)]

    def take(alias: str) -> list[int]:
        held: list[str] = []
        leased: list[int] = []
        while leases := setting.labels.lease(campaign.id, alias, 2, held):
            held += [lease.token for lease in leases]
            leased += [lease.item for lease in leases]
        return leased

    with ThreadPoolExecutor(8) as pool:
        leased = [item for taken in pool.map(take, people) for item in taken]
    assert sorted(leased) == items


def test_nothing_is_given_of_a_campaign_that_is_paused_and_answers_are_still_accepted(setting: Setting) -> None:
    campaign, alias = setting.campaign(), setting.person()
    setting.items(campaign, 3)
    (lease,) = setting.labels.lease(campaign.id, alias, 1)
    setting.labels.campaigns.change(campaign.id, paused=True)
    with pytest.raises(BadInput, match="'c' is paused"):
        setting.labels.lease(campaign.id, alias, 1)
    setting.vote(lease.token)
    setting.labels.campaigns.change(campaign.id, paused=False)
    assert len(setting.labels.lease(campaign.id, alias, 5)) == 2


def test_what_is_retired_is_asked_no_more(setting: Setting) -> None:
    campaign, alias = setting.campaign(), setting.person()
    items = setting.items(campaign, 3)
    held = setting.labels.lease(campaign.id, alias, 1)
    assert setting.labels.items.retire(items[:2]) == 2
    assert [lease.item for lease in setting.labels.lease(campaign.id, alias, 3)] == items[2:]
    assert setting.vote(held[0].token).item == items[0]  # seen before it was retired: nothing is lost


def test_shares_are_exact_and_without_a_pattern() -> None:
    for share in (0.0, 0.05, 0.1, 0.37, 1.0):
        ordinals = [ordinal for ordinal in range(1000) if is_chosen("k", ordinal, share)]
        assert len(ordinals) == pytest.approx(1000 * share, abs=1e-9) == chosen("k", 1000, share)
        assert [chosen("k", count, share) for count in (1, 500)] == [
            sum(ordinal < count for ordinal in ordinals) for count in (1, 500)
        ]
    gaps = {ordinal % 10 for ordinal in range(1000) if is_chosen("k", ordinal, 0.1)}
    assert gaps == set(range(10))
