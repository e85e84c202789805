"""Concept inversion: what is learned are the vectors of some tokens, and nothing else of the model ever changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.diffusion.parameterisation import to_eps
from studio.engine.edits.stack import EMPTY
from studio.engine.resident import room_of
from studio.models.bundle import ModelBundle
from studio.models.loading import load_model
from studio.services.studio import Studio
from studio.training.erase.card.inversion import LearnedWords, drawing, learned, own_words
from studio.training.lora.states import Drawn
from tests.tiny_model import build_once

TEXTS = ["a red star", "a blue star"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return load_model(build_once(tmp_path_factory), "cpu", torch.float32, name="tiny")


def elsewhere(words: LearnedWords, by: float) -> LearnedWords:
    noise = torch.randn(words.vectors.shape, generator=torch.Generator().manual_seed(7))
    return LearnedWords(words.ids, words.vectors + by * words.vectors.std() * noise)


def embedded(bundle: ModelBundle, text: str) -> Tensor:
    with torch.no_grad():
        return bundle.embed(torch.tensor([bundle.tokenizer.ids(text)])).tokens.clone()


@dataclass(frozen=True)
class Answered:
    """States of which the noise is what the model itself predicts with some words: there the loss is 0."""

    bundle: ModelBundle
    words: LearnedWords

    def draw(self, rows: Tensor, generator: torch.Generator) -> Drawn:
        bundle = self.bundle
        side = bundle.default_size_px // bundle.latent_scale_px
        x = torch.randn((len(rows), bundle.latent_channels, side, side), generator=generator)
        t = torch.randint(100, 900, rows.shape, generator=generator)
        a, s = (part.float().view(-1, 1, 1, 1) for part in bundle.schedule.at(t.double()))
        ids = torch.tensor([bundle.tokenizer.ids(TEXTS[row]) for row in rows.tolist()])
        with torch.no_grad(), self.words.read_by(bundle):
            raw = bundle.predict(x, t, bundle.embed(ids))
        return Drawn(x, t, to_eps(bundle.parameterisation, raw, x, a, s))


def run(steps: Iterator[float]) -> tuple[list[float], LearnedWords]:
    losses: list[float] = []
    while True:
        try:
            losses.append(next(steps))
        except StopIteration as end:
            return losses, end.value


def test_learned_words_are_read_in_their_tokens_place_alone_and_no_weight_is_written(bundle: ModelBundle) -> None:
    before = {name: room_of(bundle).fingerprint(name) for name in ("text_encoder", "unet")}
    star, plain = embedded(bundle, "a red star"), embedded(bundle, "a red square")
    words = own_words(bundle, ["star"])
    assert words.ids == tuple(bundle.tokenizer.word_ids("star"))
    with words.read_by(bundle):
        assert torch.equal(embedded(bundle, "a red star"), star), "its own vectors change nothing"
    other = elsewhere(words, 1.0)
    with pytest.raises(RuntimeError, match="in the middle"), other.read_by(bundle):
        assert torch.equal(embedded(bundle, "a red square"), plain), "who does not say the word hears nothing of it"
        assert not torch.equal(embedded(bundle, "a red star"), star)
        raise RuntimeError("in the middle")
    assert torch.equal(embedded(bundle, "a red star"), star)
    recipe = Recipe(model="tiny", prompt="a red star", seed=3, steps=2, width=32, height=32, batching="isolated")
    drawn = [
        next(turn[1] for turn in drawing(bundle, EMPTY, chosen)([recipe]) if turn is not None)
        for chosen in (words, other, words)
    ]
    assert (drawn[0] == drawn[2]).all() and (drawn[0] != drawn[1]).any()
    assert torch.equal(embedded(bundle, "a red star"), star)
    assert {name: room_of(bundle).fingerprint(name) for name in before} == before


def test_at_its_optimum_the_loss_is_0_and_nothing_moves_and_from_elsewhere_it_falls(bundle: ModelBundle) -> None:
    words = own_words(bundle, ["star"])
    losses, same = run(learned(bundle, EMPTY, words, TEXTS, Answered(bundle, words), 0, 3))
    assert losses == [0.0] * 3 and torch.equal(same.vectors, words.vectors)
    start = elsewhere(words, 0.5)
    losses, found = run(learned(bundle, EMPTY, start, TEXTS, Answered(bundle, words), 0, 40))
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert not torch.equal(found.vectors, start.vectors) and not found.vectors.requires_grad
    again, _ = run(learned(bundle, EMPTY, start, TEXTS, Answered(bundle, words), 0, 5))
    assert again == losses[:5], "the same seed learns the same"


@pytest.mark.slow
def test_a_star_that_was_turned_aside_is_found_again_in_stencil(stencil_dir: Path, tmp_path: Path) -> None:
    """24 pictures of each arm: three standard deviations of a share of a half are .31, of .95 .13."""
    settings = Settings(workspace=tmp_path, model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as studio:
        plan = {"name": "no-star", "model": "stencil", "concepts": [{"words": "star", "substitute": "heart"}]}
        job = studio.erasures.start(plan)
        studio.jobs.wait(job)
        (edit,) = (event.data["edit"] for event in studio.jobs.events(job) if event.kind == "edit")
        studio.jobs.wait(studio.cards.start(edit, "full"))
        card = studio.cards.card(edit)
        assert card is not None
        lines = {line["key"]: line for line in card["lines"]}
        assert lines["back_inverted"]["beside"]["value"] > 0.7, "in the base it is found"
        assert lines["ua_valid"]["edit"]["value"] > 0.8 and lines["back_inverted"]["edit"]["hits"] > 0
