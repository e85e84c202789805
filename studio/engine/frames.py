"""A kind of job: decode what the model had in mind at each step, from the account of a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from studio.core.errors import BadInput, NotFound
from studio.engine.kinds import JobContext, Steps, heed

MAX_FRAMES = 40
_SIDE_PX = 192  # of a frame, at most: the strip is looked at, not kept


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Decode and tell them as one picture, left to right, with the end: a "preview" is forgotten once a job is over.

    job: "model", "account" (path of the file), "places" (steps, counted from 0). Raises NotFound, BadInput.
    """
    path, places = Path(str(job["account"])), [int(place) for place in job["places"]]
    if not 1 <= len(places) <= MAX_FRAMES:
        raise BadInput(f"A strip has 1 to {MAX_FRAMES} steps, not {len(places)}.", field="places")
    try:
        with np.load(path, allow_pickle=False) as file:
            x0 = file["x0"]
    except (OSError, ValueError, KeyError):
        raise NotFound("This picture has no account of its steps.") from None
    if not all(0 <= place < len(x0) for place in places):
        raise BadInput(f"The steps of this picture are 0 to {len(x0) - 1}.", field="places")
    context.tell("started", {"images": 0})
    frames: list[Image.Image] = []
    with context.engine.store.lease(str(job["model"]), context.should_stop) as bundle:
        for place in places:
            heed(context.should_stop)
            with torch.inference_mode():
                latents = torch.from_numpy(x0[place : place + 1]).to(bundle.device, torch.float32)
                pixels = bundle.decode(latents)[0].clamp(0, 1)  # [3, H, W]
            if not bool(torch.isfinite(pixels).all()):
                pixels = torch.zeros_like(pixels)
            frames.append(Image.fromarray(pixels.permute(1, 2, 0).mul(255).round().to(torch.uint8).cpu().numpy()))
            yield
    context.tell("done", {"images": 0, "seconds": 0.0, "png": _strip(frames)})


def _strip(frames: list[Image.Image]) -> bytes:
    for frame in frames:
        frame.thumbnail((_SIDE_PX, _SIDE_PX))
    width, height = frames[0].size
    strip = Image.new("RGB", (width * len(frames), height))
    for place, frame in enumerate(frames):
        strip.paste(frame, (place * width, 0))
    file = io.BytesIO()
    strip.save(file, "PNG")
    return file.getvalue()
