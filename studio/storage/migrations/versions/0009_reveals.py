"""Campaigns may tell what each picture was; who was told is written down, for what they answer from then on."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add when a campaign tells, and who was told."""
    op.execute("ALTER TABLE campaigns ADD COLUMN reveal TEXT NOT NULL DEFAULT 'never'")
    op.execute("ALTER TABLE campaign_people ADD COLUMN revealed BOOLEAN NOT NULL DEFAULT 0")
