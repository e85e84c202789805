"""A disk that is full: no answer is acknowledged that is not on it, and all goes on when there is room again."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import WorkspaceError
from studio.preference.answer import Answer
from studio.storage.labels.log import Circumstances
from tests.small_disk import fill
from tests.small_disk import small_disk as small_disk
from tests.storage.labels.setting import Setting
from tests.storage.labels.test_log import check_tallies


def test_answers_on_a_full_disk(small_disk: Path) -> None:
    setting = Setting(small_disk / "workspace")
    campaign, alias = setting.campaign(), setting.person()
    setting.items(campaign, 60)
    tokens = [lease.token for lease in setting.labels.lease(campaign.id, alias, 60)]
    long = Circumstances(comment="x" * 2000)
    filler = fill(small_disk)
    acknowledged: list[str] = []
    with pytest.raises(WorkspaceError, match="disk is full"):  # the journal may have room for a few more
        for number, token in enumerate(tokens):
            acknowledged.append(setting.labels.log.vote(f"v{number}", token, "overall", Answer.pair("first"), long).id)
    with pytest.raises(WorkspaceError, match="disk is full"):
        setting.labels.log.vote("once more", tokens[-1], "overall", Answer.pair("first"), long)
    assert [label.id for label in setting.labels.reader.read()] == acknowledged
    filler.unlink()
    refused = len(acknowledged)
    for number in range(refused, 60):  # what was refused is sent again, and the rest
        setting.labels.log.vote(f"v{number}", tokens[number], "overall", Answer.pair("first"), long)
        if number == refused + 21:
            break
    assert [label.id for label in setting.labels.reader.read()] == [f"v{number}" for number in range(refused + 22)]
    check_tallies(setting)
    setting.archive.close()
