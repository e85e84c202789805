"""A job that ended early can be cleared from the list of those, and stays cleared."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Say of every job whether it was cleared; none was so far."""
    op.execute("ALTER TABLE jobs ADD COLUMN dismissed BOOLEAN NOT NULL DEFAULT 0")
