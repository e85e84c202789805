"""What the pictures of a job have in common stands in the ledger once, and its work in a few words beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the words for each job's work, and pack the payloads that are there."""
    op.execute("ALTER TABLE jobs ADD COLUMN what TEXT NOT NULL DEFAULT ''")
    # Of today's program, not of the time of this migration: what it writes, the same program reads.
    from studio.storage.jobs import describe, digest_of
    from studio.storage.packing import pack, unpack

    connection = op.get_bind()
    numbers = connection.execute(sa.text("SELECT number FROM jobs")).scalars().all()
    read = sa.text("SELECT payload FROM jobs WHERE number = :number")
    write = sa.text("UPDATE jobs SET payload = :payload, what = :what, digest = :digest WHERE number = :number")
    for number in numbers:  # one at a time: a single payload can be 100 MB
        try:
            payload = unpack(connection.execute(read, {"number": number}).scalar_one())
            packed = pack(payload)
            values = {"payload": packed, "what": describe(payload), "digest": digest_of(packed), "number": number}
            connection.execute(write, values)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue  # it costs itself: the row stays as it is, and is told when it is asked for
