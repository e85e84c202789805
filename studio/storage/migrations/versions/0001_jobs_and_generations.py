"""Jobs and generations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of jobs and generations."""
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("worker_died", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
        sa.CheckConstraint(
            "status in ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')", name="jobs_status_known"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("jobs_by_status", "jobs", ["status"])
    op.create_index("jobs_by_digest", "jobs", ["digest"])
    op.create_table(
        "generations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job", sa.Text, sa.ForeignKey("jobs.id")),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("negative_prompt", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("generations_by_job", "generations", ["job"])
    op.create_index("generations_by_image", "generations", ["image"])
