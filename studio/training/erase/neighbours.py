"""Which words a text encoder has near a concept: what an erasure may harm, and so what to keep, and to look at.

A kind of job. Words are encoded, and nothing is drawn or changed. A word is the mean of its text's vectors, end
included; all words of a kind share most of that, so nearness is the cosine after their mean is taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from studio.engine.edits.stack import EMPTY
from studio.engine.kinds import JobContext, Steps
from studio.engine.resident import room_of
from studio.models.bundle import ModelBundle


def run(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Tell how near each word is.

    job: "model", "concept" (its word) and "words", all as a prompt says them.
    Tells "started", "measure" (word -> cosine, -1 to 1) and "done". Raises NotFound.
    """
    words = [str(word) for word in job["words"]]
    context.tell("started", {"steps": 1})
    with context.engine.lease(str(job["model"]), context.should_stop, False) as bundle:
        room_of(bundle).use(EMPTY)
        vectors = means(bundle, [str(job["concept"]), *words])
        yield
    values = cosines(vectors[0], vectors[1:])
    context.tell("measure", {"step": 1, "values": dict(zip(words, values, strict=True))})
    context.tell("done", {"images": 0})


def means(bundle: ModelBundle, words: Sequence[str]) -> Tensor:
    """The mean vector of each word's tokens and the end behind them, [n, width], float64."""
    tokenizer = bundle.tokenizer
    ids = torch.tensor([tokenizer.ids(word) for word in words], device=bundle.device)
    with torch.inference_mode():
        tokens = bundle.embed(ids).tokens.double().cpu()
    ends = [1 + min(len(tokenizer.word_ids(word)), tokenizer.limit) for word in words]
    return torch.stack([tokens[k, 1 : end + 1].mean(0) for k, end in enumerate(ends)])


def cosines(concept: Tensor, words: Tensor) -> list[float]:
    """Of a vector [width] with each of several [n, width], around their common mean."""
    mean = torch.cat([concept[None], words]).mean(0)
    return torch.nn.functional.cosine_similarity((concept - mean)[None], words - mean).tolist()
