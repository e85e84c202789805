"""How far a campaign and its people are is counted as answers come in: a glance costs the same of any number."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tallies, and count what is there."""
    for column in ("queue_items", "done_items"):
        op.execute(f"ALTER TABLE campaigns ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    op.create_table(
        "campaign_people",
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("annotator", sa.Integer, sa.ForeignKey("annotators.id"), primary_key=True),
        sa.Column("answers", sa.Integer, nullable=False),
    )
    in_queue = "SELECT count(*) FROM items WHERE campaign = campaigns.id AND status IN ('queued', 'done')"
    op.execute(
        f"UPDATE campaigns SET queue_items = ({in_queue}), done_items = ({in_queue} AND answers >= target_per_item)"
    )
    op.execute(
        "INSERT INTO campaign_people SELECT campaign, annotator, count(*) FROM standing_labels "
        "GROUP BY campaign, annotator"
    )
