"""The history can be searched, marked and tidied; jobs know what they repeat; grids."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what history, queue and grids need, and fill it for the rows that are there."""
    # Reads better as SQL, and SQLite takes a foreign key with a new column in no other way.
    for line in (
        "jobs ADD COLUMN priority TEXT NOT NULL DEFAULT 'interactive'",
        "jobs ADD COLUMN retry_of TEXT REFERENCES jobs (id)",
        "jobs ADD COLUMN last_seq INTEGER",
        "generations ADD COLUMN place INTEGER",
        "generations ADD COLUMN seq INTEGER",
        "generations ADD COLUMN favourite BOOLEAN NOT NULL DEFAULT 0",
        "generations ADD COLUMN deleted_at TEXT",
        "generations ADD COLUMN words TEXT NOT NULL DEFAULT ''",
        "generations ADD COLUMN model TEXT NOT NULL DEFAULT ''",
        "generations ADD COLUMN sampler TEXT NOT NULL DEFAULT ''",
        "generations ADD COLUMN method TEXT NOT NULL DEFAULT ''",
        "generations ADD COLUMN seed TEXT NOT NULL DEFAULT ''",
    ):
        op.execute(f"ALTER TABLE {line}")
    _fill()
    op.create_index("jobs_by_retry_of", "jobs", ["retry_of"])
    for column in ("deleted_at", "favourite", "model", "sampler", "method", "seed", "created_at"):
        op.create_index(f"generations_by_{column}", "generations", [column, "id"])
    op.create_table(
        "grids",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "grid_cells",
        sa.Column("grid", sa.Integer, sa.ForeignKey("grids.id"), primary_key=True),
        sa.Column("cell", sa.Integer, primary_key=True),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("job", sa.Text, sa.ForeignKey("jobs.id")),
        sa.Column("place", sa.Integer),
    )
    op.create_index("grid_cells_by_job", "grid_cells", ["job"])


def _fill() -> None:
    """What rows that are there already say of their recipe; as `studio.storage.generations` did at the time."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, recipe, prompt, negative_prompt FROM generations")).all()
    fill = sa.text(
        "UPDATE generations SET words = :words, model = :model, sampler = :sampler, method = :method, seed = :seed "
        "WHERE id = :id"
    )
    for row in rows:
        try:
            recipe = json.loads(row.recipe)
            negatives = [negative["prompt"] for negative in recipe.get("more_negatives", [])]
            values = {
                "id": row.id,
                "words": "\n".join([row.prompt, row.negative_prompt, *negatives]).casefold(),
                "model": recipe["model"],
                "sampler": recipe["sampler"],
                "method": recipe["guidance"]["method"],
                "seed": str(recipe["seed"]),
            }
            connection.execute(fill, values)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue  # a row that cannot be read costs itself: the others are found by what they say
