"""A bare process that votes as fast as it can and says what was acknowledged, until it is killed.

python -m tests.storage.labels.voting DATABASE CAMPAIGN ALIAS PREFIX [ID TOKEN]

Lines on stdout: "send ID TOKEN" before an answer is sent, "ack ID NUMBER" when it is acknowledged, "undo ID NUMBER"
likewise. What was sent and not acknowledged to a process before is sent once more first, as a page does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from studio.preference.answer import Answer
from studio.storage.database import Database, DatabaseLocked
from studio.storage.labels.log import Circumstances
from studio.storage.labels.store import LabelStore

UNDO_EVERY = 7
T = TypeVar("T")


def main(database: str, campaign: str, alias: str, prefix: str, *pending: str) -> None:
    """Vote until there is nothing more."""
    store = LabelStore(Database.open(Path(database)))
    patiently(lambda: store.annotators.ensure(alias))
    if pending:
        vote(store, *pending)
    sent = 0
    while leases := patiently(lambda: store.lease(int(campaign), alias, 4)):
        for lease in leases:
            sent += 1
            id = f"{prefix}-{sent}"
            say(f"send {id} {lease.token}")
            vote(store, id, lease.token)
            if sent % UNDO_EVERY == 0:
                receipt, _ = patiently(lambda id=id: store.log.undo(f"{id}-undo", int(campaign), alias))
                say(f"undo {receipt.id} {receipt.number}")
    say("over")


def vote(store: LabelStore, id: str, token: str) -> None:
    """Send an answer, and say that it is acknowledged."""
    receipt = patiently(lambda: store.log.vote(id, token, "overall", Answer.pair("first"), Circumstances()))
    say(f"ack {receipt.id} {receipt.number}")


def patiently(call: Callable[[], T]) -> T:
    """Once more where another process has held the database for too long, as a page does."""
    while True:
        try:
            return call()
        except DatabaseLocked:
            continue


def say(line: str) -> None:
    """In one write, so that no line is cut off by a kill."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
