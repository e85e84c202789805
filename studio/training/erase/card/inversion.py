"""The concept sought again by concept inversion: the embeddings of its own words are learned anew, all else stays.

The network is as it is under the edit. What is learned are the vectors that the text encoder reads where it reads the
concept's words, from a few of the base's own pictures of it, by the ordinary loss of diffusion. Where they bring the
concept back, the edit has turned its words aside, and left it in the network. The same on the base says how well this
finds what is there; on a model that never met the concept, how much of it can be put together from all else.

Source: Circumventing Concept Erasure Methods, arXiv:2308.01508, section 3; the loss is equation 2 of textual inversion,
arXiv:2208.01618. Prompts there are templates and the word a new one; ours are the pictures' own, and the word is the
concept's, whose vectors nothing else reads.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.core.recipe import Recipe
from studio.diffusion.parameterisation import to_eps
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.encoding import PromptEncoder
from studio.engine.kinds import going_on, heed
from studio.engine.order import Order, SampleOptions
from studio.engine.resident import room_of
from studio.engine.sampler import Picture, sample_in_turns
from studio.models.bundle import Conditioning, ModelBundle
from studio.prompts import Dialect
from studio.prompts.plan import Encodable
from studio.training.erase.card.inverting import BATCH, LR
from studio.training.lora.states import States

ROWS = 32  # of one network evaluation, as where an evaluation draws


@dataclass(frozen=True, eq=False)
class LearnedWords:
    """Vectors in the place of some tokens' own.

    ids: of the tokens.
    vectors: [len(ids), d] float32, on the model's device.
    """

    ids: tuple[int, ...]
    vectors: Tensor

    @contextmanager
    def read_by(self, bundle: ModelBundle) -> Iterator[None]:
        """Within it the text encoder reads them where it reads these tokens. No weight of it is written to."""

        def put(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
            for place, id in enumerate(self.ids):
                output = torch.where((inputs[0] == id)[..., None], self.vectors[place].to(output.dtype), output)
            return output

        hook = _embeddings(bundle).register_forward_hook(put)
        try:
            yield
        finally:
            hook.remove()


def own_words(bundle: ModelBundle, words: Sequence[str]) -> LearnedWords:
    """The tokens of some words, with the vectors that they have."""
    ids = tuple(dict.fromkeys(id for word in words for id in bundle.tokenizer.word_ids(word)))
    with torch.inference_mode(False), torch.no_grad():
        return LearnedWords(ids, _embeddings(bundle).weight[list(ids)].detach().float().clone())


def learned(
    bundle: ModelBundle,
    stack: EditStack,
    words: LearnedWords,
    texts: Sequence[str],
    states: States,
    seed: int,
    steps: int,
    should_stop: Callable[[], bool] = going_on,
) -> Generator[float, None, LearnedWords]:
    """Learn vectors, from those of `words`; gives the loss of each step, where something more urgent may be done.

    stack: in force in each step, and nowhere else. texts: of the pictures, which say the words. states: of the
    pictures, a row for each text, of which the noise is known.
    """
    vectors = words.vectors.clone().requires_grad_()
    optimiser = torch.optim.AdamW([vectors], lr=LR, weight_decay=0.0)
    generator = torch.Generator().manual_seed(seed)
    token_ids = torch.tensor([bundle.tokenizer.ids(text) for text in texts], device=bundle.device)
    for _ in range(steps):
        heed(should_stop)
        rows = torch.randint(len(texts), (BATCH,), generator=generator)
        drawn = states.draw(rows, generator)
        assert drawn.noise is not None, "states of pictures know their noise"
        x, t, noise = (part.to(bundle.device) for part in (drawn.x, drawn.t, drawn.noise))
        a, s = (part.float().view(-1, 1, 1, 1) for part in bundle.schedule.at(t.double()))
        room_of(bundle).use(stack)
        try:
            with torch.enable_grad(), LearnedWords(words.ids, vectors).read_by(bundle):
                raw = bundle.predict(x, t, bundle.embed(token_ids[rows.to(bundle.device)]))
                loss = (to_eps(bundle.parameterisation, raw, x, a, s) - noise).square().mean()
                (vectors.grad,) = torch.autograd.grad(loss, [vectors])
        finally:
            room_of(bundle).use(EMPTY)
        optimiser.step()
        yield float(loss.detach())
    return LearnedWords(words.ids, vectors.detach())


def drawing(
    bundle: ModelBundle, stack: EditStack, words: LearnedWords, should_stop: Callable[[], bool] = going_on
) -> Callable[[Sequence[Recipe]], Iterator[tuple[int, Picture] | None]]:
    """What draws recipes (studio.training.evaluate.drawing.Draw), under a stack and with these words."""
    options = SampleOptions(max_rows=ROWS, encoder=_Encoder(bundle, words))

    def draw(recipes: Sequence[Recipe]) -> Iterator[tuple[int, Picture] | None]:
        orders = [Order(recipe, stack) for recipe in recipes]
        return sample_in_turns(bundle, orders, should_stop=should_stop, options=options)

    return draw


class _Encoder(PromptEncoder):
    """The model's prompts with learned words, beside those that are encoded without."""

    def __init__(self, bundle: ModelBundle, words: LearnedWords) -> None:
        super().__init__(bundle, room_of(bundle))
        self._words = words

    def encode(
        self,
        item: Encodable,
        dialect: Dialect,
        stack: EditStack = EMPTY,
        should_stop: Callable[[], bool] = going_on,
    ) -> Conditioning:
        with self._words.read_by(self._bundle):
            return super().encode(item, dialect, stack, should_stop)


def _embeddings(bundle: ModelBundle) -> Any:
    """The table of the first text encoder's tokens."""
    encoder: Any = bundle.components()["text_encoder"]
    return encoder.get_input_embeddings()
