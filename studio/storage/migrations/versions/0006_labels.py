"""Labels: campaigns, what they ask, what people answered, and what of it a training learned from."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables of labels, and triggers that hold the log of answers to its word: nothing in it changes."""
    op.create_table(
        "prompts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False, unique=True),
        sa.Column("category", sa.Text, nullable=False, server_default=""),
        sa.Column("source", sa.Text, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("questions", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("guideline", sa.Text, nullable=False),
        sa.Column("target_per_item", sa.Integer, nullable=False),
        sa.Column("overlap_share", sa.Float, nullable=False),
        sa.Column("repeat_share", sa.Float, nullable=False),
        sa.Column("check_share", sa.Float, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("paused", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
        sa.Column("archived", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "annotators",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("alias", sa.Text, nullable=False, unique=True),
        sa.Column("key_set", sa.Text, nullable=False, server_default="{}"),
        sa.Column("created_at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "foreign_pictures",
        sa.Column("image", sa.Text, primary_key=True),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("model", sa.Text, nullable=False, server_default=""),
        sa.Column("recipe", sa.Text),
        sa.Column("source", sa.Text, nullable=False, server_default=""),
        sa.Column("facts", sa.Text, nullable=False, server_default="{}"),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("prompt", sa.Integer, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("wanted", sa.Integer),
        sa.Column("answers", sa.Integer, nullable=False, server_default="0"),
        sa.Column("chosen_by", sa.Text, nullable=False, server_default="random"),
        sa.Column("score", sa.Float),
        sa.Column("expected", sa.Text),
        sa.Column("origin", sa.Integer, sa.ForeignKey("items.id")),
        sa.Column("round", sa.Integer),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("kind in ('pair', 'list', 'single')", name="items_kind_known"),
        sa.CheckConstraint("purpose in ('train', 'check', 'repeat', 'eval')", name="items_purpose_known"),
        sa.CheckConstraint("status in ('queued', 'done', 'aside', 'retired')", name="items_status_known"),
        sqlite_autoincrement=True,
    )
    op.create_index("items_by_status", "items", ["campaign", "status", "id"])
    op.create_index("items_by_answers", "items", ["campaign", "status", "answers"])
    op.create_index("items_by_purpose", "items", ["campaign", "purpose", "id"])
    op.create_index("items_by_origin", "items", ["origin"])
    op.create_index("items_by_prompt", "items", ["prompt"])
    op.create_table(
        "item_pictures",
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("generation", sa.Integer, sa.ForeignKey("generations.id")),
        sa.Column("foreign_image", sa.Text, sa.ForeignKey("foreign_pictures.image")),
        sa.CheckConstraint("(generation is null) <> (foreign_image is null)", name="item_pictures_of_one_source"),
    )
    op.create_index("item_pictures_by_generation", "item_pictures", ["generation"])
    op.create_index("item_pictures_by_foreign_image", "item_pictures", ["foreign_image"])
    op.create_table(
        "leases",
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("annotator", sa.Integer, sa.ForeignKey("annotators.id"), primary_key=True),
        sa.Column("token", sa.Text, nullable=False, unique=True),
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("from_queue", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("shown_order", sa.Text, nullable=False),
        sa.Column("side_coin", sa.Boolean(create_constraint=False)),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("answered", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    )
    op.create_index("leases_by_turn", "leases", ["campaign", "annotator", "turn"])
    op.create_index("leases_by_item", "leases", ["campaign", "annotator", "from_queue", "item"])
    op.create_index("leases_by_purpose", "leases", ["campaign", "annotator", "purpose"])
    op.create_index("leases_open", "leases", ["campaign", "annotator", "answered", "turn"])
    op.create_table(
        "labels",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), nullable=False),
        sa.Column("annotator", sa.Integer, sa.ForeignKey("annotators.id"), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("shown_order", sa.Text, nullable=False),
        sa.Column("side_coin", sa.Boolean(create_constraint=False)),
        sa.Column("shown_at", sa.Text),
        sa.Column("first_paint_at", sa.Text),
        sa.Column("answered_at", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("latency_ms", sa.Float),
        sa.Column("device", sa.Text, nullable=False, server_default=""),
        sa.Column("ui_version", sa.Text, nullable=False, server_default=""),
        sa.Column("guideline_version", sa.Text, nullable=False, server_default=""),
        sa.Column("confidence", sa.Float),
        sa.Column("comment", sa.Text, nullable=False, server_default=""),
        sa.Column("flagged", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
        sa.Column("is_blind", sa.Boolean(create_constraint=False), nullable=False, server_default="1"),
        sa.Column("supersedes", sa.Text, sa.ForeignKey("labels.id")),
        sa.Column("is_withdrawn", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_index("labels_by_campaign", "labels", ["campaign", "number"])
    op.create_index("labels_by_item", "labels", ["item", "number"])
    op.create_index("labels_by_annotator", "labels", ["campaign", "annotator", "number"])
    op.create_index("labels_by_supersedes", "labels", ["supersedes"])
    op.create_table(
        "standing_labels",
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("annotator", sa.Integer, sa.ForeignKey("annotators.id"), primary_key=True),
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("campaign", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("label", sa.Integer, sa.ForeignKey("labels.number"), nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_index("standing_labels_by_label", "standing_labels", ["label"], unique=True)
    op.create_index("standing_labels_by_campaign", "standing_labels", ["campaign", "annotator", "label"])
    op.create_index("standing_labels_by_time", "standing_labels", ["campaign", "annotator", "created_at"])
    op.create_table(
        "label_snapshots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("campaigns", sa.Text, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("held_out_share", sa.Float, nullable=False),
        sa.Column("training", sa.Text, nullable=False),
        sa.Column("held_out", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    for table, events in (("labels", ("UPDATE", "DELETE")), ("label_snapshots", ("UPDATE",))):
        for event in events:
            op.execute(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} are only ever added to'); END"
            )
    # To replace a row is to delete it, of which that trigger is not told.
    op.execute(
        "CREATE TRIGGER labels_no_replace BEFORE INSERT ON labels "
        "WHEN EXISTS (SELECT 1 FROM labels WHERE id = NEW.id OR number = NEW.number) "
        "BEGIN SELECT RAISE(ABORT, 'labels are only ever added to'); END"
    )
