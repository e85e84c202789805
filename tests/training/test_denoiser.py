"""The denoiser's stage: it learns, resumes, averages and assembles into a pipeline plain diffusers loads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from studio.training.embedded import assemble, autoencoder, denoiser, latents, run, snapshots, text
from studio.training.embedded.diagnose import SwapProbe
from studio.training.embedded.stage import Stage
from tests.training.counted import Counted


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with an untrained autoencoder and text encoder and one small shard of latents."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("work")
    autoencoder.build().save_pretrained(folder / "autoencoder" / "standard")
    tokenizer = text.write_tokenizer(folder / "text" / "tokenizer")
    codec = text.Codec(tokenizer)
    text.build(len(tokenizer), codec.eos).save_pretrained(folder / "text" / "text_encoder")
    vae = autoencoder.build().eval()
    latents.write_shard(folder / "latents", 0, vae, codec, size=48, two=0.5, workers=1)
    return folder


def _training(work: Path, stage: Stage) -> denoiser.DenoiserTraining:
    plan = denoiser.Plan(batch=8)
    eos = 924
    return denoiser.DenoiserTraining(stage, plan, work / "text" / "text_encoder", work / "latents", eos)


def test_a_batch_gives_finite_losses_and_gradients_everywhere(work: Path, tmp_path: Path) -> None:
    training = _training(work, Stage("denoiser", tmp_path, minutes=1))
    denoise, align, read = training.loss(np.random.default_rng(0), 0.0)
    (denoise + 0.1 * align + 0.05 * read).backward()
    assert torch.isfinite(torch.stack([denoise, align, read])).all()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in training.unet.parameters())
    assert training.text.get_input_embeddings().weight.grad is not None


def test_a_run_resumes_where_it_stopped_and_assembles(work: Path, tmp_path: Path) -> None:
    stage = Counted("denoiser", tmp_path, minutes=1, save_every_s=1e9)
    training = _training(work, stage)
    training.run(lambda _: None)
    assert training.step > 0
    stage.save(training.state())
    again = _training(work, stage)
    kept = stage.load()
    assert kept is not None
    again.resume(kept)
    assert again.samples == training.samples
    for a, b in zip(again.unet.parameters(), training.unet.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)

    unet, encoder = snapshots.averaged(training)
    tokenizer = text.CLIPTokenizer.from_pretrained(work / "text" / "tokenizer")
    vae = autoencoder.AutoencoderKL.from_pretrained(work / "autoencoder" / "standard")
    probe = SwapProbe.make(vae, text.Codec(tokenizer), n=4)
    scores = probe.score(unet, encoder, training.a, training.s)
    assert set(scores) == {f"{w}@{t}" for w in ("object", "colour", "style", "background") for t in (300, 600, 850)}

    assemble.write(tmp_path / "model", vae, encoder, unet, tokenizer)
    pipeline: Any = StableDiffusionPipeline.from_pretrained(tmp_path / "model")
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red star", num_inference_steps=2, generator=torch.Generator().manual_seed(1)).images[0]
    assert picture.size == (128, 128)
    assert "unet/diffusion_pytorch_model.safetensors" in (tmp_path / "model" / assemble.SUMS).read_text()


def test_timesteps_are_drawn_where_objects_are_decided() -> None:
    t = np.concatenate([denoiser.draw_timesteps(np.random.default_rng(i), 64) for i in range(200)])
    assert t.min() >= 0 and t.max() < 1000
    assert 0.68 < ((t >= 450) & (t < 950)).mean() < 0.80
    assert (t >= 950).mean() == pytest.approx(1 / 64, abs=1e-9)


def test_training_goes_on_from_the_shipped_model(work: Path, tmp_path: Path) -> None:
    """`unpack` and `begin_from`: the weights in training are the shipped ones, to float16."""
    first = _training(work, Stage("denoiser", tmp_path, minutes=1))
    unet, encoder = snapshots.averaged(first)
    vae = autoencoder.AutoencoderKL.from_pretrained(work / "autoencoder" / "standard")
    tokenizer = text.CLIPTokenizer.from_pretrained(work / "text" / "tokenizer")
    assemble.write(tmp_path / "model", vae, encoder, unet, tokenizer)
    again = tmp_path / "again"
    assert run.main(["unpack", "--model-dir", str(tmp_path / "model"), "--work-dir", str(again)]) == 0
    latents.write_shard(again / "latents", 0, vae.float(), text.Codec(tokenizer), size=8, two=0.5, workers=1)
    training = _training(again, Stage("denoiser", again, minutes=1))
    training.begin_from(again / "denoiser" / denoiser.START)
    for (name, a), b in zip(first.unet.named_parameters(), training.unet.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-3, atol=1e-4, msg=name)
    shipped = training.average.state_dict()["unet.conv_in.weight"]
    torch.testing.assert_close(shipped, training.unet.conv_in.weight.detach())
