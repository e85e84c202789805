"""What verbs that train an edit have in common: the flags of a training, the run, and the edit that comes of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from studio.cli.answer import Answer, follow, remark
from studio.cli.following import finish
from studio.cli.grammar import number

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.studio import Studio

# Flag -> what it says; each a field of studio.training.erase.plan.TrainingOptions, which brings pydantic.
OPTIONS = {
    "steps": "of a training (the method's own)",
    "lr": "its learning rate (the method's own)",
    "rank": "of its factors (the method's own)",
    "batch": "pictures of a step (4)",
    "way-steps": "steps of the ways it learns at (12)",
    "guidance-scale": "on these ways (1.5)",
    "budget": "drift allowed in nats, for --retention dual (0.02)",
}
CHOICES = {
    "source": ("own", "base"),
    "retention": ("distil", "pcgrad", "dual", "none"),
    "layers": ("xattn_kv", "xattn", "noxattn", "attn", "ffn", "conv", "linear", "all"),
}


def add_training(parser: argparse.ArgumentParser, title: str) -> argparse._ArgumentGroup:
    """Add the flags of a training; give their group."""
    parser.add_argument("--minutes", help="in all: refuse steps that take longer on this machine, end where looks do")
    group = parser.add_argument_group(title)
    for name, help_text in OPTIONS.items():
        group.add_argument(f"--{name}", metavar="N", help=help_text)
    for name, choices in CHOICES.items():
        group.add_argument(f"--{name}", choices=choices)
    return group


def said(args: argparse.Namespace, numbers: Iterable[str] = OPTIONS, words: Iterable[str] = CHOICES) -> Answer:
    """What was said of these flags, and nothing else: the rest is the method's own."""
    plain: Answer = {name: getattr(args, name) for name in words}
    for option in numbers:
        value = getattr(args, option.replace("-", "_"))
        plain[option.replace("-", "_")] = None if value is None else number(value)
    return {name: value for name, value in plain.items() if value is not None}


def limit_s(minutes: str | None) -> float | None:
    """What --minutes allows. Raises BadInput for what is no time."""
    from studio.training.lora.pace import seconds_of

    return None if minutes is None else seconds_of(number(minutes[:40]))


def remark_name(name: str, id: str) -> None:
    """Say where what was asked for is in the workspace already, and keeps another name.

    name: that was wanted. id: of the edit that is there.
    """
    from studio.storage.edits import slug

    if id and slug(name) != id.rpartition("-")[0]:
        remark(f"The very same edit is here already, as {id}, and keeps that name; `edits rename` gives it another.")


def make(studio: Studio, start: Callable[[], str], name: str, goes_on: bool) -> Answer:
    """Follow a job to the edit that comes of it: {"edit": id, "measures": its last}, and "parts": words -> id of those
    beside it, where there are any.

    name: asked for the edit.
    goes_on: whether it can be gone on with where it is interrupted, which is said then.
    """
    answer: Answer = {"edit": "", "measures": {}}

    def on_event(event: Event) -> None:
        follow(event)
        if event.kind == "measure":
            answer["measures"] = event.data["values"]
        if event.kind == "edit" and "part" in event.data:
            answer.setdefault("parts", {})[event.data["part"]] = event.data["edit"]
        elif event.kind == "edit":
            answer["edit"] = event.data["edit"]
            for name in ("ended", "outcome"):
                if sentence := event.data.get(name):
                    remark(sentence)

    job_id = start()
    try:
        finish(studio, job_id, on_event)
    except KeyboardInterrupt:
        if goes_on:
            remark(f"To go on: python3 launch.py train --resume {studio.jobs.get(job_id).number}")
        raise
    remark_name(name, str(answer["edit"]))
    return answer


def text_of(answer: Mapping[str, object]) -> str:
    """The edit, and its measures beneath it."""
    measures = answer["measures"]
    parts = answer.get("parts", {})
    assert isinstance(measures, Mapping) and isinstance(parts, Mapping), "as `make` gives them"
    lines: Sequence[str] = [f"  {name} {value:.3f}" for name, value in measures.items()]
    return "\n".join([str(answer["edit"]), *lines, *(f"  {words} alone: {edit}" for words, edit in parts.items())])
