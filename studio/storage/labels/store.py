"""All that a workspace keeps of labels, on one database."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from random import Random, SystemRandom

from studio.core.errors import BadInput
from studio.storage.database import Database
from studio.storage.labels import counts
from studio.storage.labels import leases as table
from studio.storage.labels.annotators import Annotators, annotator_of
from studio.storage.labels.campaigns import Campaigns, campaign_of
from studio.storage.labels.counts import Counts, Progress
from studio.storage.labels.foreign import ForeignPictures
from studio.storage.labels.items import Items
from studio.storage.labels.leases import Clock, Lease
from studio.storage.labels.log import Log
from studio.storage.labels.pool import Pools
from studio.storage.labels.queue import Turn
from studio.storage.labels.reading import LabelReader
from studio.storage.labels.reveals import Reveals
from studio.storage.labels.snapshots import Snapshots


def utc_now() -> datetime:
    """The time of the machine, UTC."""
    return datetime.now(UTC)


class LabelStore:
    """Campaigns, items, annotators, the log of answers and what is taken from it. Thread-safe.

    clock: gives the time, UTC; it may jump.
    chance: of coins, checks and repeats.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime] = utc_now, chance: Random | None = None
    ) -> None:
        self._database = database
        self.clock = clock
        self.chance = chance or SystemRandom()
        self.campaigns = Campaigns(database)
        self.annotators = Annotators(database)
        self.items = Items(database)
        self.foreign = ForeignPictures(database)
        self.log = Log(database, lambda: self.clock())
        self.reader = LabelReader(database)
        self.snapshots = Snapshots(database)
        self.pools = Pools(database)
        self.reveals = Reveals(database)

    def lease(self, campaign: int, alias: str, count: int, holding: Collection[str] = ()) -> list[Lease]:
        """Give a person the next questions of a campaign, all in one transaction.

        holding: tokens that are in hand and need not be given again; they are prolonged.
        Raises NotFound; BadInput for a campaign that is paused or archived.
        """
        with self._database.write() as connection:
            record = campaign_of(connection, campaign)
            annotator = annotator_of(connection, alias).id
            if record.paused or record.archived:
                state = "archived" if record.archived else "paused"
                raise BadInput(f"The campaign {record.name!r} is {state}.", "What was answered is kept.")
            turn = Turn(connection, record, annotator, Clock(self.clock()), self.chance)
            return turn.take(count, holding)

    def lease_of(self, token: str) -> Lease:
        """Give the question of a token, answered or not. Raises NotFound."""
        with self._database.read() as connection:
            row = table.lease_of(connection, token)
            return table.lease_for(connection, campaign_of(connection, row.campaign), row.annotator, row.item)

    def progress(self, campaign: int, alias: str) -> Progress:
        """Say how far a campaign is, and one of its annotators. Raises NotFound."""
        with self._database.read() as connection:
            return counts.progress(connection, campaign_of(connection, campaign), alias, self.clock())

    def counts(self, campaign: int) -> Counts:
        """Say what a campaign has. Raises NotFound."""
        with self._database.read() as connection:
            return counts.counts(connection, campaign_of(connection, campaign))
