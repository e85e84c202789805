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
    Column("payload", Text, nullable=False),  # JSON: what the engine was asked for, as studio.storage.packing has it
    Column("digest", Text, nullable=False),  # sha256 of the payload: equal work has equal digests
    Column("error", Text),
    Column("worker_died", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("created_at", Text, nullable=False),  # ISO 8601, UTC, as every time here
    Column("finished_at", Text),
    Column("priority", Text, nullable=False, server_default="interactive"),
    Column("retry_of", Text, ForeignKey("jobs.id")),  # the job whose work this one does again
    Column("last_seq", Integer),  # number of its last event; not known of one that a dead program left
    Column("what", Text, nullable=False, server_default=""),  # the work in a few words, from the payload
    Column("dismissed", Boolean(create_constraint=False), nullable=False, server_default="0"),  # see Jobs.dismiss
    CheckConstraint(
        "status in ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')", name="jobs_status_known"
    ),
    Index("jobs_by_status", "status"),
    Index("jobs_by_digest", "digest"),
    Index("jobs_by_retry_of", "retry_of"),
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
    Column("place", Integer),  # of its recipe in the job, from 0
    Column("seq", Integer),  # number of the job's event that told of it
    Column("favourite", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("deleted_at", Text),  # out of sight, and still there until purged
    Column("words", Text, nullable=False, server_default=""),  # every prompt, casefolded
    Column("model", Text, nullable=False, server_default=""),  # from the recipe, like all below
    Column("sampler", Text, nullable=False, server_default=""),
    Column("method", Text, nullable=False, server_default=""),
    Column("seed", Text, nullable=False, server_default=""),  # as text: 2**64 - 1 does not fit into SQLite's integers
    Column("origin", Text, nullable=False, server_default="prompt"),  # what it was drawn for
    Index("generations_by_job", "job"),
    Index("generations_by_image", "image"),
    # The number beside each: a page is then read from the index in order, however deep in the history it lies.
    Index("generations_by_deleted_at", "deleted_at", "id"),
    Index("generations_by_favourite", "favourite", "id"),
    Index("generations_by_model", "model", "id"),
    Index("generations_by_sampler", "sampler", "id"),
    Index("generations_by_method", "method", "id"),
    Index("generations_by_seed", "seed", "id"),
    Index("generations_by_created_at", "created_at", "id"),
    Index("generations_by_origin", "origin", "id"),
    sqlite_autoincrement=True,
)

# Pictures that something refers to: a report, a training, a label. A purge leaves them.
picture_holds = Table(
    "picture_holds",
    metadata,
    Column("generation", Integer, ForeignKey("generations.id"), primary_key=True),
    Column("holder", Text, primary_key=True),  # what refers to it, such as "training:<run>"
    Index("picture_holds_by_holder", "holder"),
)

grids = Table(
    "grids",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan", Text, nullable=False),  # JSON: base recipe and axes
    Column("created_at", Text, nullable=False),
    sqlite_autoincrement=True,
)

# A cell is made when its job has a picture at its place: nothing is written twice, so nothing can disagree.
grid_cells = Table(
    "grid_cells",
    metadata,
    Column("grid", Integer, ForeignKey("grids.id"), primary_key=True),
    Column("cell", Integer, primary_key=True),  # from 0; x runs fastest, z slowest
    Column("recipe", Text, nullable=False),
    Column("job", Text, ForeignKey("jobs.id")),  # the last that was to make it
    Column("place", Integer),  # of its recipe in that job
    Index("grid_cells_by_job", "job"),
)
