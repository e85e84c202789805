"""What campaigns draw: planned items and their pictures, from which follows what is missing."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables of planned items."""
    op.create_table(
        "campaign_designs",
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("design", sa.Text, nullable=False),
    )
    op.create_table(
        "planned_items",
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("arms", sa.Text, nullable=False),
        sa.Column("wrong", sa.Integer),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.CheckConstraint("state in ('open', 'asked', 'alike')", name="planned_items_state_known"),
    )
    op.create_index("planned_items_by_state", "planned_items", ["campaign", "state", "number"])
    op.create_table(
        "planned_pictures",
        sa.Column("campaign", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("job", sa.Text, sa.ForeignKey("jobs.id")),
        sa.Column("job_place", sa.Integer),
        sa.ForeignKeyConstraint(["campaign", "number"], ["planned_items.campaign", "planned_items.number"]),
    )
    op.create_index("planned_pictures_by_job", "planned_pictures", ["job"])
