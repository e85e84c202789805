"""The tables as they are today. migrations/ brings older databases here; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

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

# -- labels: see studio.storage.labels ---------------------------------------------------------------------------------

prompts = Table(
    "prompts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
    Column("category", Text, nullable=False, server_default=""),
    Column("source", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("plan", Text, nullable=False),  # JSON: prompts, recipes, seeds, as studio.services.labels.plan has it
    Column("mode", Text, nullable=False),
    Column("questions", Text, nullable=False),  # JSON: in the order they are asked
    Column("purpose", Text, nullable=False),  # of its items: train, or eval
    Column("guideline", Text, nullable=False),
    Column("target_per_item", Integer, nullable=False),  # answers by different people
    Column("overlap_share", Float, nullable=False),  # of the items that everybody is given
    Column("repeat_share", Float, nullable=False),  # of one's own earlier items, among what one is given
    Column("check_share", Float, nullable=False),  # of attention checks, among what one is given
    Column("created_at", Text, nullable=False),
    Column("paused", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("archived", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("queue_items", Integer, nullable=False, server_default="0"),  # see studio.storage.labels.tallies
    Column("done_items", Integer, nullable=False, server_default="0"),  # of these, with as many answers as are needed
    Column("reveal", Text, nullable=False, server_default="never"),  # when it is told what each picture was
    sqlite_autoincrement=True,
)

annotators = Table(
    "annotators",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alias", Text, nullable=False, unique=True),
    Column("key_set", Text, nullable=False, server_default="{}"),  # JSON: which key answers what
    Column("created_at", Text, nullable=False),
    sqlite_autoincrement=True,
)

campaign_people = Table(
    "campaign_people",
    metadata,
    Column("campaign", Integer, ForeignKey("campaigns.id"), primary_key=True),
    Column("annotator", Integer, ForeignKey("annotators.id"), primary_key=True),
    Column("answers", Integer, nullable=False),  # that stand
    Column("revealed", Boolean(create_constraint=False), nullable=False, server_default="0"),  # told what all was
)

# Pictures that no job here has made. Their files are in the image store like the others, of their own format.
foreign_pictures = Table(
    "foreign_pictures",
    metadata,
    Column("image", Text, primary_key=True),  # sha256 of the file
    Column("width", Integer, nullable=False),  # in pixels
    Column("height", Integer, nullable=False),
    Column("model", Text, nullable=False, server_default=""),  # what drew it, as far as known
    Column("recipe", Text),  # canonical JSON, where the file itself says
    Column("source", Text, nullable=False, server_default=""),  # where it comes from, as its file's name
    Column("facts", Text, nullable=False, server_default="{}"),  # JSON: what else came with it
    Column("created_at", Text, nullable=False),
)

# Questions, each about pictures of one prompt. status: queued, for whoever comes next; done, with all answers it needs;
# aside, given by rule and not from the queue (checks, repeats, rounds of a ranking); retired, not asked any more.
items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("prompt", Integer, ForeignKey("prompts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("wanted", Integer),  # answers by different people; NULL: by everybody
    Column("answers", Integer, nullable=False, server_default="0"),  # people who answered all its questions
    Column("chosen_by", Text, nullable=False, server_default="random"),
    Column("score", Float),  # acquisition's
    Column("expected", Text),  # JSON: the answer to an attention check
    Column("origin", Integer, ForeignKey("items.id")),  # what a repeat repeats; the list that a round ranks
    Column("round", Integer),  # of a ranking, from 0
    Column("created_at", Text, nullable=False),
    CheckConstraint("kind in ('pair', 'list', 'single')", name="items_kind_known"),
    CheckConstraint("purpose in ('train', 'check', 'repeat', 'eval')", name="items_purpose_known"),
    CheckConstraint("status in ('queued', 'done', 'aside', 'retired')", name="items_status_known"),
    Index("items_by_status", "campaign", "status", "id"),
    Index("items_by_answers", "campaign", "status", "answers"),
    Index("items_by_purpose", "campaign", "purpose", "id"),
    Index("items_by_origin", "origin"),
    Index("items_by_prompt", "prompt"),
    sqlite_autoincrement=True,
)

item_pictures = Table(
    "item_pictures",
    metadata,
    Column("item", Integer, ForeignKey("items.id"), primary_key=True),
    Column("place", Integer, primary_key=True),  # in the item's own order, from 0
    Column("generation", Integer, ForeignKey("generations.id")),
    Column("foreign_image", Text, ForeignKey("foreign_pictures.image")),
    CheckConstraint("(generation is null) <> (foreign_image is null)", name="item_pictures_of_one_source"),
    Index("item_pictures_by_generation", "generation"),
    Index("item_pictures_by_foreign_image", "foreign_image"),
)

# Who is asked what, and how it stands on the screen: a row for each person and item, whether or not it was answered.
leases = Table(
    "leases",
    metadata,
    Column("item", Integer, ForeignKey("items.id"), primary_key=True),
    Column("annotator", Integer, ForeignKey("annotators.id"), primary_key=True),
    Column("token", Text, nullable=False, unique=True),  # random: what a page knows the question by
    Column("campaign", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("turn", Integer, nullable=False),  # rises with everything this person is given in the campaign
    Column("from_queue", Boolean(create_constraint=False), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("shown_order", Text, nullable=False),  # JSON: places of the pictures, from the left
    Column("side_coin", Boolean(create_constraint=False)),  # of a pair: whether its second picture stands on the left
    Column("expires_at", Text, nullable=False),
    Column("answered", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Index("leases_by_turn", "campaign", "annotator", "turn"),
    Index("leases_by_item", "campaign", "annotator", "from_queue", "item"),
    Index("leases_by_purpose", "campaign", "annotator", "purpose"),
    Index("leases_open", "campaign", "annotator", "answered", "turn"),
)

# Answers. Only ever added to, which triggers hold: what is taken back or changed is another row.
labels = Table(
    "labels",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # given by who asked
    Column("digest", Text, nullable=False),  # sha256 of what came under that id
    Column("campaign", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("item", Integer, ForeignKey("items.id"), nullable=False),
    Column("annotator", Integer, ForeignKey("annotators.id"), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),  # JSON
    Column("shown_order", Text, nullable=False),  # JSON, [] where not known
    Column("side_coin", Boolean(create_constraint=False)),
    Column("shown_at", Text),  # by the page's clock, as the next two
    Column("first_paint_at", Text),  # all pictures painted
    Column("answered_at", Text),
    Column("created_at", Text, nullable=False),  # by ours
    Column("latency_ms", Float),
    Column("device", Text, nullable=False, server_default=""),
    Column("ui_version", Text, nullable=False, server_default=""),
    Column("guideline_version", Text, nullable=False, server_default=""),
    Column("confidence", Float),
    Column("comment", Text, nullable=False, server_default=""),
    Column("flagged", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("is_blind", Boolean(create_constraint=False), nullable=False, server_default="1"),
    Column("supersedes", Text, ForeignKey("labels.id")),
    Column("is_withdrawn", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Index("labels_by_campaign", "campaign", "number"),
    Index("labels_by_item", "item", "number"),
    Index("labels_by_annotator", "campaign", "annotator", "number"),
    Index("labels_by_supersedes", "supersedes"),
    sqlite_autoincrement=True,
)

# The labels that hold, which the log alone would say too: it is what lets nobody answer a question twice.
standing_labels = Table(
    "standing_labels",
    metadata,
    Column("item", Integer, ForeignKey("items.id"), primary_key=True),
    Column("annotator", Integer, ForeignKey("annotators.id"), primary_key=True),
    Column("question", Text, primary_key=True),
    Column("campaign", Integer, ForeignKey("campaigns.id"), nullable=False),
    Column("label", Integer, ForeignKey("labels.number"), nullable=False),
    Column("created_at", Text, nullable=False),
    Index("standing_labels_by_label", "label", unique=True),
    Index("standing_labels_by_campaign", "campaign", "annotator", "label"),
    Index("standing_labels_by_time", "campaign", "annotator", "created_at"),
)

# What a training learns from, as it was when it began.
label_snapshots = Table(
    "label_snapshots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("campaigns", Text, nullable=False),  # JSON: their names
    Column("seed", Integer, nullable=False),  # of the split
    Column("held_out_share", Float, nullable=False),  # of the prompts
    Column("training", Text, nullable=False),  # JSON: numbers of labels, as the next
    Column("held_out", Text, nullable=False),
    Column("digest", Text, nullable=False),  # sha256 of the labels' ids, answers and sides of the split
    Column("created_at", Text, nullable=False),
    sqlite_autoincrement=True,
)

# -- what campaigns draw: see studio.storage.planned -------------------------------------------------------------------

campaign_designs = Table(
    "campaign_designs",
    metadata,
    Column("campaign", Integer, ForeignKey("campaigns.id"), primary_key=True),
    Column("design", Text, nullable=False),  # JSON, as studio.services.labels.design has it
)

# An item before it is one: it becomes one when all its pictures are drawn. state: open, asked (it is an item of the
# campaign), alike (left out, for its pictures were nearly equal).
planned_items = Table(
    "planned_items",
    metadata,
    Column("campaign", Integer, ForeignKey("campaigns.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # from 0, in the order they are asked
    Column("prompt", Text, nullable=False),  # as labellers read it
    Column("arms", Text, nullable=False),  # JSON: which of the design's recipes each picture is of
    Column("wrong", Integer),  # of an attention check, the picture that cannot be the better one
    Column("attempt", Integer, nullable=False, server_default="0"),  # others were taken, for they came out alike
    Column("state", Text, nullable=False, server_default="open"),
    CheckConstraint("state in ('open', 'asked', 'alike')", name="planned_items_state_known"),
    Index("planned_items_by_state", "campaign", "state", "number"),
)

planned_pictures = Table(
    "planned_pictures",
    metadata,
    Column("campaign", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),  # of the item
    Column("place", Integer, primary_key=True),  # in the item's own order, from 0
    Column("recipe", Text, nullable=False),
    Column("job", Text, ForeignKey("jobs.id")),  # the last that was to draw it
    Column("job_place", Integer),  # of its recipe in that job
    ForeignKeyConstraint(["campaign", "number"], ["planned_items.campaign", "planned_items.number"]),
    Index("planned_pictures_by_job", "job"),
)
