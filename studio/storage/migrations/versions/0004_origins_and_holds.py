"""Pictures know what they were drawn for, and what refers to one keeps it from being purged."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add origins, and the table of what holds a picture."""
    op.execute("ALTER TABLE generations ADD COLUMN origin TEXT NOT NULL DEFAULT 'prompt'")
    op.create_index("generations_by_origin", "generations", ["origin", "id"])
    op.create_table(
        "picture_holds",
        sa.Column("generation", sa.Integer, sa.ForeignKey("generations.id"), primary_key=True),
        sa.Column("holder", sa.Text, primary_key=True),
    )
    op.create_index("picture_holds_by_holder", "picture_holds", ["holder"])
