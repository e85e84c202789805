"""A member of the family is trained by one command, and one that was broken off ends with the same weights."""

import json
import signal
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput
from studio.core.settings import Settings
from studio.models.embedded import load_stencil
from studio.services.sources import Sources
from studio.training.embedded import autoencoder, denoiser, family, run, snapshots, text
from studio.training.embedded.exclusion import Exclusion
from studio.training.embedded.member import Member
from studio.training.embedded.stage import Stage

MEMBER = Member(samples=16, without=Exclusion("object", "star"), shards=1, batch=4, text_steps=3)


class Unasked:
    """In place of the diagnostic of words, which tests/training/test_denoiser.py tries."""

    @classmethod
    def make(cls, *parts: Any) -> "Unasked":
        return cls()

    def score(self, *parts: Any) -> dict[str, float]:
        return {}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stages report on the way is not what is tried."""
    batch = text._batch
    monkeypatch.setattr(text, "_batch", lambda codec, rng, size, **given: batch(codec, rng, size // 32, **given))
    monkeypatch.setattr(text, "accuracy", partial(text.accuracy, n=8))
    monkeypatch.setattr(snapshots, "SwapProbe", Unasked)


class Interrupted(Stage):
    """Is asked to stop after its first step, in the stage of that name."""

    where = ""
    looks = 0

    @property
    def paused(self) -> bool:
        self.looks += 1
        if self.name == self.where and self.looks == 2:
            signal.raise_signal(signal.SIGINT)
        return super().paused


class InText(Interrupted):
    where = "text"


class InDenoiser(Interrupted):
    where = "denoiser"


def _train(
    work_dir: Path, member: Member = MEMBER, kind: type[Stage] = Stage, out: Path | None = None
) -> dict[str, Any]:
    vae = work_dir / "vae"
    if not vae.exists():
        torch.manual_seed(0)
        autoencoder.build().save_pretrained(vae)
    stage = kind("denoiser", family.home_of(work_dir, member), float("inf"), save_every_s=1e9)
    return family.train(work_dir, member, stage, vae, out, shard_size=12)


def _weights(answer: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    bundle = load_stencil(Path(answer["model"]))
    return {
        f"{name}.{key}": value for name, part in bundle.components().items() for key, value in part.state_dict().items()
    }


def test_a_member_broken_off_at_every_stage_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    whole = _train(tmp_path / "whole")
    assert whole["finished"] and whole["samples"] == 16
    broken = [_train(tmp_path / "broken", kind=kind) for kind in (InText, InDenoiser)]
    assert [(part["finished"], part["samples"]) for part in broken] == [(False, 0), (False, 4)]
    resumed = _train(tmp_path / "broken", out=tmp_path / "models" / "no-star")
    assert resumed["finished"]
    settings = Settings(models_dir=tmp_path / "models")
    assert Sources(settings).is_of_world("no-star"), "a model like any other, which the oracle reads"
    expected, actual = _weights(whole), _weights(resumed)
    assert expected.keys() == actual.keys()
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []

    about = json.loads((Path(resumed["model"]) / "member.json").read_text(encoding="utf-8"))
    assert about["without"] == "object:star" and about["trained_samples"] == 16
    with pytest.raises(BadInput, match="was begun with samples 16"):
        _train(tmp_path / "broken", replace(MEMBER, samples=32))


@pytest.mark.slow
def test_members_share_scenes_and_words_that_are_left_out_keep_the_vectors_they_began_with(tmp_path: Path) -> None:
    base = replace(MEMBER, without=None, samples=4)
    models = [
        _train(tmp_path, member) for member in (base, replace(base, without=MEMBER.without), replace(base, seed=1))
    ]
    assert len({model["member"] for model in models}) == 3
    folders = sorted(path.name for path in (tmp_path / family.FOLDER / "latents").iterdir())
    assert folders == ["all", "without-object-star"]
    assert all(model["finished"] for model in models)
    first, star, second = (_weights(model) for model in models)
    vae = [name for name in first if name.startswith("vae.")]
    assert vae and all(torch.equal(first[name], other[name]) for name in vae for other in (star, second))
    (table,) = (name for name in first if name.endswith("token_embedding.weight"))
    codec = text.Codec(text.CLIPTokenizer.from_pretrained(Path(models[0]["model"]) / "tokenizer"))
    ids = [codec.words[word][0] for word in ("pentagram", "star")]
    torch.manual_seed(1)
    fresh = text.build(len(codec.tokenizer), codec.eos).state_dict()["embeddings.token_embedding.weight"]
    # weight decay shrinks them by a ten-thousandth; a step of AdamW would move them by its whole rate
    torch.testing.assert_close(star[table][ids], fresh[ids], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--without", "object:star"], "Say its budget with --samples"),
        (["--seed", "1"], "Say its budget with --samples"),
        (["--samples", "0"], "--samples must be 1 or more"),
        (["--samples", "8", "--without", "object:dog"], "'dog' is no object"),
        (["--samples", "8", "--processes", "2"], "leave them out"),
    ],
)
def test_what_says_no_member_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        run.main(["denoiser", "--work-dir", str(tmp_path), *arguments])
    assert not list(tmp_path.iterdir())


def test_the_budget_in_time_is_as_before(tmp_path: Path) -> None:
    assert denoiser.Plan().samples is None and Stage("x", tmp_path, 1.0).progress(3, None) < 1
