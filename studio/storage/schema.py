"""The tables as they are today. migrations/ brings older databases here; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Table, Text

metadata = MetaData()

# Numbers are given by AUTOINCREMENT and never used twice, so order does not depend on the clock.
jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("payload", Text, nullable=False),  # JSON: what the engine was asked for
    Column("digest", Text, nullable=False),  # sha256 of the payload: equal work has equal digests
    Column("error", Text),
    Column("worker_died", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("created_at", Text, nullable=False),  # ISO 8601, UTC, as every time here
    Column("finished_at", Text),
    CheckConstraint(
        "status in ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')", name="jobs_status_known"
    ),
    Index("jobs_by_status", "status"),
    Index("jobs_by_digest", "digest"),
    sqlite_autoincrement=True,
)

generations = Table(
    "generations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", Text, ForeignKey("jobs.id")),
    Column("image", Text, nullable=False),  # sha256 of the PNG file
    Column("recipe", Text, nullable=False),  # canonical JSON
    Column("prompt", Text, nullable=False),  # from the recipe, for the search
    Column("negative_prompt", Text, nullable=False),
    Column("made_by", Text, nullable=False),  # JSON: model hash, versions, device
    Column("created_at", Text, nullable=False),
    Index("generations_by_job", "job"),
    Index("generations_by_image", "image"),
    sqlite_autoincrement=True,
)
