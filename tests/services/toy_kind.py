"""A kind of job of one file, as a newcomer would write it: by its address it is there.

It counts a number up by its own rule, keeps what it goes on from, and is told of by progress and measures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.engine.kinds import JobContext, Steps
from studio.storage.images import write_durably
from studio.training.lora.measures import Measures

MODULUS = 2**31


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """job: "steps", "seed", "folder" (the same for every try at it). Tells the last number with "done"."""
    folder, steps = Path(job["folder"]), int(job["steps"])
    folder.mkdir(exist_ok=True)
    state = folder / "state.json"
    step, value = json.loads(state.read_bytes()) if state.exists() else (0, int(job["seed"]))
    measures = Measures(folder, context.tell, step)
    context.tell("started", {"images": 0})
    yield
    while step < steps:
        step, value = step + 1, (1103515245 * value + 12345) % MODULUS
        write_durably(state, json.dumps([step, value]).encode())
        measures.add(step, {"value": value / MODULUS}, last=True)
        measures.write()
        context.tell("progress", {"step": step, "steps": steps, "left_s": 0.0, "done": step / steps})
        yield
    context.tell("done", {"images": 0, "value": value})
