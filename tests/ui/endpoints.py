"""What of the page is open to programs: this list and nothing else. A new endpoint is written here first."""

ENDPOINTS = (
    "generate",
    "job",
    "jobs",
    "job_events",
    "stop",
    "replay",
    "compare",
    "history",
    "picture",
    "recipe_of",
    "campaigns",
    "campaign",
    "make_campaign",
    "draw_campaign",
    "edits",
    "import_edit",
    "export_edit",
    "models",
    "status",
)
