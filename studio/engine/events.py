"""What a job tells while it runs: numbered events, kept so that any reader can come late or come again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

EventKind = Literal[
    "queued", "started", "progress", "preview", "image", "measure", "edit", "done", "failed", "cancelled", "interrupted"
]

# The last event of a job is one of these, and only the last.
FINAL: frozenset[str] = frozenset({"done", "failed", "cancelled", "interrupted"})
# Of these only the newest is kept: what a reader missed of them is of no use to him.
FLEETING: frozenset[str] = frozenset({"progress", "preview"})


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job. seq: 1, 2, ... within the job. data: plain values (numbers, text, bytes).

    queued       {"ahead": jobs before it}
    started      {"images": how many}
    progress     {"image": 0.., "images", "step": 1..steps, "steps", "left_s": estimate for the whole job,
                 "done": share of the whole job, 0..1}; of work other than pictures without the first two
    preview      {"image": 0.., "png": bytes}
    image        {"image": 0.., "recipe": dict, "made_by": dict, "seconds": float} and either
                 {"rgb": bytes, "width", "height"} from an engine, with "account" and "latents" (files, as bytes) where
                 the job asks for them, or {"path": str, "generation": int, "sha256"} from the studio, which has stored
                 it
    measure      {"step": 1.., "values": name -> number}: of a training, at most four times a second
    edit         {"name", "sha256", "steps", "final": whether the training is over with it} and either {"path": str}
                 from an engine, or {"edit": its id in the workspace} from the studio, which has taken it over;
                 "ended": why a training was over before its last step, a sentence, where it was
    done         {"images": how many, "seconds": float}; "png": bytes, of frames
    cancelled    {"images": how many were kept}
    failed, interrupted   {"error": one sentence, with what to try next, "type": name of the error's class}
    """

    seq: int
    job_id: str
    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether the job is over with this event."""
        return self.kind in FINAL
