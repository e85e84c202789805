"""Facilitated transport: an edit is in force as far as the prompt is about what it erases.

    s(p)     = max over erased texts c of max( cos(E(p), E(c)), |T(p) ∩ T(c)| / |T(c)| )
    share(p) = (s(p) - rest) / (1 - rest), within 0 and 1        rest = max over unrelated texts u of s(u)

with E the base's text encoding at all positions as one vector and T the set of a text's tokens, start, end and padding
not among them. Encodings of any two texts have a good deal in common (the start, the padding), so that s is seldom 0;
rest is what of s says nothing, and without unrelated texts it is 0, as in the paper. Below rest the edit drops out, and
the picture is the base's to the bit.

Source: SPM, arXiv:2312.16145, section 3.4, with the two measures of its code; rest is ours.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from studio.core.params import Params
from studio.models.bundle import ModelBundle


class FacilitatedTransport(Params):
    """A gate (edits/gates.py).

    prompts: what the edit erases, as words of their own: a sentence would share its small words with any other.
    unrelated: texts that do not call for the edit.
    measure: by which an erased text is found in a prompt; either is the larger of the two.
    """

    prompts: tuple[str, ...] = Field(min_length=1, max_length=200)
    unrelated: tuple[str, ...] = Field(default=(), max_length=200)
    measure: Literal["either", "encoding", "words"] = "either"

    def strength(self, prompt: str, bundle: ModelBundle) -> float:
        """The share of the edit's strength that this prompt has, 0 to 1."""
        rest = max((self._similarity(text, bundle) for text in self.unrelated), default=0.0)
        excess = self._similarity(prompt, bundle) - rest
        return min(1.0, excess / (1 - rest)) if excess > 0 and rest < 1 else 0.0

    def _similarity(self, prompt: str, bundle: ModelBundle) -> float:
        """s(p), at least 0."""
        similarities: list[float] = [0.0]
        for erased in self.prompts:
            if self.measure != "words":
                similarities.append(_cosine(prompt, erased, bundle))
            if self.measure != "encoding":
                similarities.append(_words_in_common(prompt, erased, bundle))
        return max(similarities)


@torch.inference_mode()
def _cosine(prompt: str, erased: str, bundle: ModelBundle) -> float:
    """Of both encodings; a shorter one is lengthened with what stands for no words."""
    first, second = bundle.encode((prompt, erased)).tokens.double().flatten(1)
    length = _length(first) * _length(second)
    return float(first @ second / length) if length else 0.0


def _words_in_common(prompt: str, erased: str, bundle: ModelBundle) -> float:
    """The share of the erased text's tokens that the prompt has too; 0 for one without tokens."""
    tokens = set(bundle.tokenizer.word_ids(erased))
    return len(tokens & set(bundle.tokenizer.word_ids(prompt))) / len(tokens) if tokens else 0.0


def _length(vector: Tensor) -> float:
    return float(vector.norm())
