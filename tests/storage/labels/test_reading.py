"""Reading labels: as they were given, in parts, with pictures that no purge removes."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import text

from studio.core.errors import BadInput, NotFound, WorkspaceError
from studio.core.recipe import Recipe
from studio.preference.answer import Answer
from studio.preference.label import Picture
from studio.storage.images import ending_of
from studio.storage.labels import reading
from studio.storage.labels.counts import pace
from studio.storage.labels.foreign import ForeignPicture
from studio.storage.labels.items import NewItem
from studio.storage.labels.log import Circumstances
from studio.storage.labels.snapshots import held_out_prompts
from studio.storage.png import encode_png
from tests.storage.labels.setting import Setting


def test_a_label_says_all_that_is_known_of_it(setting: Setting) -> None:
    campaign, alias = setting.campaign("mine"), setting.person()
    numbers = setting.pictures(2, "a star")
    (item,) = setting.labels.items.add(campaign.id, [NewItem("a star", tuple(numbers), None, "bald", 0.7)])
    (lease,) = setting.labels.lease(campaign.id, alias, 1)
    shown_at = setting.clock.now - timedelta(seconds=3)
    circumstances = Circumstances(
        shown_at=shown_at,
        first_paint_at=shown_at + timedelta(milliseconds=80),
        answered_at=shown_at + timedelta(seconds=1),
        latency_ms=920.5,
        device="mouse",
        ui_version="2",
        confidence=0.5,
        comment="the left one is ⭐",
        flagged=True,
        is_blind=False,
    )
    setting.labels.log.vote("a", lease.token, "overall", Answer.pair("both_good"), circumstances)
    (label,) = setting.labels.reader.read()
    assert (label.id, label.item, label.campaign, label.annotator, label.prompt) == ("a", item, "mine", "ada", "a star")
    assert (label.answer.outcome, label.order, label.answered_at) == (
        "both_good",
        lease.order,
        circumstances.answered_at,
    )
    assert (label.latency_ms, label.confidence, label.comment, label.flagged) == (
        920.5,
        0.5,
        "the left one is ⭐",
        True,
    )
    assert (label.purpose, label.chosen_by, label.is_blind, label.trainable) == ("train", "bald", False, False)
    recipes = [Recipe(prompt="a star", seed=number) for number in numbers]
    assert label.pictures == tuple(
        Picture(f"{number:064x}", recipe, False, 128, 128, "stencil")
        for number, recipe in zip(numbers, recipes, strict=True)
    )
    (plain,) = setting.labels.reader.read(with_recipes=False)
    assert [picture.recipe for picture in plain.pictures] == [None, None] and plain.answer == label.answer


def test_labels_are_read_in_parts_and_what_comes_in_meanwhile_is_not_among_them(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PART", 3)
    campaign, other = setting.campaign("one"), setting.campaign("two")
    alias = setting.person()
    for record in (campaign, other):
        setting.items(record, 8)
    leases = [lease for record in (campaign, other) for lease in setting.labels.lease(record.id, alias, 8)]
    for lease in leases[:-1]:
        setting.vote(lease.token)
    labels = setting.labels.reader.read([campaign.id, other.id])
    first = next(labels)
    setting.vote(leases[-1].token)
    assert [label.id for label in (first, *labels)] == [f"vote-{number}" for number in range(1, 16)]
    assert len(list(setting.labels.reader.read([other.id]))) == 8
    assert list(setting.labels.reader.read([])) == []


def test_a_row_that_cannot_be_read_costs_itself(setting: Setting) -> None:
    campaign, alias = setting.campaign(), setting.person()
    setting.items(campaign, 3)
    for lease in setting.labels.lease(campaign.id, alias, 3):
        setting.vote(lease.token)
    with setting.archive._database.write() as connection:
        connection.execute(text("DROP TRIGGER labels_no_update"))
        connection.execute(text('UPDATE labels SET answer = \'{"mode": "duel"}\' WHERE number = 2'))
    assert [label.id for label in setting.labels.reader.read()] == ["vote-1", "vote-3"]
    with pytest.raises(WorkspaceError, match="Label 2 of the log cannot be read"):
        list(setting.labels.reader.by_numbers([1, 2, 3]))


def test_a_purge_leaves_every_picture_that_is_asked_about(setting: Setting) -> None:
    archive, campaign = setting.archive, setting.campaign()
    records = [
        archive.keep_picture(
            encode_png(Image.new("RGB", (8, 8), (seed, 0, 0)), Recipe(seed=seed), {}),
            job=None,
            recipe=Recipe(seed=seed),
            made_by={},
            place=None,
            seq=None,
        )
        for seed in range(3)
    ]
    jpeg = b"\xff\xd8\xff" + bytes(40)
    image = hashlib.sha256(jpeg).hexdigest()
    archive.keep_foreign(jpeg, ForeignPicture(image, 8, 8, "somebody's model", source="photo.jpg", facts={"rating": 4}))
    archive.keep_foreign(jpeg, ForeignPicture(image, 8, 8))  # once more: the first stays
    pictures = (records[0].id, image)
    setting.labels.items.add(campaign.id, [NewItem("p", pictures), NewItem("p", (records[0].id, records[1].id))])
    archive.generations.set_deleted([record.id for record in records], True)
    assert archive.purge() == (1, 1)
    path = archive.images.find(image)
    assert path is not None and path.suffix == ".jpg" and path.read_bytes() == jpeg
    assert archive.images.find(records[2].image) is None and archive.images.find(records[0].image) is not None
    (lease, _) = setting.labels.lease(campaign.id, setting.person(), 2)
    setting.vote(lease.token)
    (label,) = setting.labels.reader.read()
    assert label.pictures[1] == Picture(image, None, True, 8, 8, "somebody's model")
    assert setting.labels.foreign.get(image).facts == {"rating": 4}
    with pytest.raises(NotFound, match="among those brought along"):
        setting.labels.foreign.get("ab" * 32)

    # What nothing asks about goes, but not while items are about to be made of it.
    leftover = jpeg + b"x"
    other = hashlib.sha256(leftover).hexdigest()
    with archive.bringing():
        archive.keep_foreign(leftover, ForeignPicture(other, 8, 8))
        assert archive.purge() == (0, 0) and archive.images.find(other) is not None
    assert archive.purge() == (0, 1) and archive.images.find(other) is None
    assert setting.labels.foreign.images() == {image} and archive.images.find(image) is not None


@pytest.mark.parametrize(
    ("data", "ending"),
    [(b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff\xe0", ".jpg"), (b"RIFF\0\0\0\0WEBPVP8 ", ".webp")],
)
def test_a_picture_goes_by_what_it_begins_with(data: bytes, ending: str) -> None:
    assert ending_of(data) == ending
    with pytest.raises(BadInput, match="PNG, JPEG or WebP"):
        ending_of(b"GIF89a" + data)


def test_the_pace_leaves_pauses_and_jumps_of_the_clock_out(setting: Setting) -> None:
    start = setting.clock.now
    seconds = [0, 10, 20, 20 + 3600, 20 + 3610, 5, 15]
    assert pace([start + timedelta(seconds=second) for second in seconds]) == pytest.approx(6.0)
    assert pace([start, start]) is None


def test_a_split_is_drawn_from_its_seed_and_leaves_something_on_either_side() -> None:
    prompts = [f"prompt {number}" for number in range(50)]
    splits = [held_out_prompts(prompts, seed, 0.2) for seed in range(5)]
    assert all(len(split) == 10 for split in splits) and len({frozenset(split) for split in splits}) == 5
    assert held_out_prompts(prompts[::-1] * 2, 3, 0.2) == splits[3]
    assert len(held_out_prompts(["a", "b"], 0, 0.1)) == len(held_out_prompts(["a", "b"], 0, 0.9)) == 1
    assert held_out_prompts(["a"], 0, 0.5) == set() == held_out_prompts(prompts, 0, 0.0)


def test_what_is_not_to_be_learned_from_is_in_no_snapshot(setting: Setting) -> None:
    """Checks, repeats, blind tests, what was seen through, taken back or skipped; and no prompt is on both sides."""
    campaign = setting.campaign("train", repeat_share=0.2, check_share=0.2)
    test = setting.campaign("test", purpose="eval")
    setting.items(campaign, 40, prompts=8)
    setting.items(campaign, 12, purpose="check")
    setting.items(test, 5)
    alias = setting.person()
    wanted: set[str] = set()
    purposes: set[str] = set()
    for record in (campaign, test):
        while leases := setting.labels.lease(record.id, alias, 4):
            for lease in leases:
                place = setting.sent % 10
                answer = Answer.pair("skip" if place == 0 else "second")
                id, circumstances = setting.id(), Circumstances(is_blind=place != 1)
                setting.labels.log.vote(id, lease.token, "overall", answer, circumstances)
                purposes.add(lease.purpose)
                if lease.purpose == "train" and place > 1:
                    wanted.add(id)
    setting.labels.log.undo("u", campaign.id, alias)
    wanted -= {label.supersedes for label in setting.labels.reader.read(only_standing=False) if label.supersedes}
    assert purposes == {"train", "check", "repeat", "eval"}
    trainable = (label for label in setting.labels.reader.read() if label.trainable)
    snapshot = setting.labels.snapshots.take("s", ["train", "test"], trainable, 5, 0.25)
    sides = [list(setting.labels.reader.by_numbers(numbers)) for numbers in (snapshot.training, snapshot.held_out)]
    assert {label.id for side in sides for label in side} == wanted
    prompts = [{label.prompt for label in side} for side in sides]
    assert len(prompts[1]) == 2 and not prompts[0] & prompts[1]
