"""Which words of a prompt a CLIP misses in a picture: what each word's attention adds to their cosine, or takes away.

With A_l the text encoder's attention of layer l [heads, S, S] and y the cosine of picture and sentence,

    R = mean over the last 3 layers of mean over heads of (dy/dA_l * A_l),   a word's score = mean of R[end, its tokens]

without cutting off what is negative: a word that pulls the sentence away from the picture is one it does not show.
Source: CLIP4DM, arXiv:2412.18404, and its code (Apache-2.0): layers, sign, what stands before the prompt. Articles and
the like are passed over, which is ours: nothing shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from studio.models.clip import Clip

PREFIX = "A photo depicts "
LAYERS = 3  # the last ones
PASSED_OVER = frozenset(("a", "an", "the", "of", "and", "on", "in", "at", "to", "is", "with"))
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


@dataclass(frozen=True)
class WordScore:
    """A word of a prompt, in its order, and what it adds to the cosine; below 0 it takes away."""

    word: str
    score: float


def word_scores(clip: Clip, images: Tensor, prompts: Sequence[str]) -> list[list[WordScore]]:
    """Of each picture the words of its prompt; those beyond what the encoder reads are left out.

    images: [B, 3, H, W] in 0..1; prompts: one for each. In float32. Raises ValueError for other numbers.
    """
    if images.dim() != 4 or len(images) != len(prompts):
        raise ValueError(f"pictures are [B, 3, H, W] with a prompt each, not {tuple(images.shape)}, {len(prompts)}")
    with torch.no_grad():
        pictures = clip.pictures(images)
    scores: list[list[WordScore]] = []
    for picture, prompt in zip(pictures, prompts, strict=True):
        ids, spans = clip.tokens(PREFIX + prompt)
        relevance = _relevance(clip, picture, torch.tensor([ids], device=clip.device))
        scores.append(_of_words(prompt, spans, relevance.tolist()))
    return scores


def _relevance(clip: Clip, picture: Tensor, ids: Tensor) -> Tensor:
    """R[end, :], [S]. picture: unit vector [width]; ids: [1, S], the last of them the end."""
    with torch.enable_grad(), _attentions(clip) as attentions:
        cosine = (clip.sentence_vectors(ids, torch.ones_like(ids)) @ picture).sum()
        gradients = torch.autograd.grad(cosine, attentions)
    products = [(gradient * attention).mean(1) for gradient, attention in zip(gradients, attentions, strict=True)]
    return torch.stack(products).mean(0)[0, -1].detach()


@contextmanager
def _attentions(clip: Clip) -> Iterator[list[Tensor]]:
    """Collects the attention of the last layers, [1, heads, S, S] each, of what is encoded within it."""
    model: Any = clip.model.text_model
    collected: list[Tensor] = []
    before = model.config._attn_implementation
    model.config._attn_implementation = "eager"  # the others never have the attention as a tensor

    def collect(module: Any, inputs: Any, output: Any) -> None:
        collected.append(output[1])

    def differentiable(module: Any, inputs: Any, output: Tensor) -> Tensor:
        return output.detach().requires_grad_()  # the weights are frozen: without it nothing would have a gradient

    hooks = [layer.self_attn.register_forward_hook(collect) for layer in model.encoder.layers[-LAYERS:]]
    hooks.append(model.embeddings.register_forward_hook(differentiable))
    try:
        yield collected
    finally:
        model.config._attn_implementation = before
        for hook in hooks:
            hook.remove()


def _of_words(prompt: str, spans: Sequence[tuple[int, int]], relevance: Sequence[float]) -> list[WordScore]:
    """spans: of each token in the sentence, (0, 0) of those that stand for no letters."""
    scores: list[WordScore] = []
    for match in _WORD.finditer(prompt):
        if match[0].lower() in PASSED_OVER:
            continue
        start, stop = (len(PREFIX) + place for place in match.span())
        mine = [
            value
            for (a, b), value in zip(spans, relevance, strict=True)
            if a < b and a >= start - 1 and b <= stop and b > start
        ]
        if mine:
            scores.append(WordScore(match[0].lower(), sum(mine) / len(mine)))
    return scores
