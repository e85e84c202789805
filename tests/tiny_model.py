"""A random StableDiffusionPipeline folder, small enough for tests of everything that only needs *a* model.

32 px pictures, 3 latent channels, 12 tokens: none of them the embedded model's numbers, so that nothing can rely on
those unseen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SIZE_PX, CHANNELS, CONTEXT, SCALE = 32, 3, 12, 4
WORDS = ("a", "red", "blue", "star", "square", "on", "white", "background", ",")


def build_once(factory: pytest.TempPathFactory) -> Path:
    """Give the folder, made the first time it is asked for in a run."""
    folder = factory.getbasetemp() / "tiny-model"
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        build(unfinished)
        unfinished.rename(folder)  # a build that fails must fail for every test, not leave half a model for the rest
    return folder


def build(folder: Path, prediction_type: str = "v_prediction") -> None:
    """Write the folder, its SHA256SUMS included. The weights are random, from a fixed seed."""
    import diffusers
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    from studio.models.checksums import SUMS_NAME, file_sha256

    library: Any = diffusers  # its annotations are narrower than what it takes
    tokenizer = write_tokenizer(folder / "vocabulary")
    size = len(tokenizer.get_vocab())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = library.UNet2DConditionModel(
            sample_size=SIZE_PX // SCALE,
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=16,
            attention_head_dim=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
        vae = library.AutoencoderKL(
            block_out_channels=(4, 8, 8),
            norm_num_groups=4,
            latent_channels=CHANNELS,
            sample_size=SIZE_PX,
            scaling_factor=0.7,
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
        )
        text_encoder: Any = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=size,
                hidden_size=16,
                intermediate_size=32,
                projection_dim=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=CONTEXT,
                bos_token_id=size - 2,
                eos_token_id=size - 1,
                pad_token_id=size - 1,
            )
        )
        with torch.no_grad():  # as initialised, text hardly matters; so that a wrong embedding shows in the picture
            text_encoder.get_input_embeddings().weight.mul_(50)
    scheduler = library.DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction_type,
        timestep_spacing="trailing",
        steps_offset=1,  # without effect on this spacing; the pipeline insists
    )
    pipeline = library.StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    for path in (folder / "vocabulary").iterdir():
        path.unlink()
    (folder / "vocabulary").rmdir()
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in files)
    (folder / SUMS_NAME).write_text(sums, encoding="utf-8")


def write_tokenizer(folder: Path) -> Any:
    """A CLIP tokenizer in which each of WORDS is one token and every other word falls into letters."""
    from transformers import CLIPTokenizer

    # CLIP writes each byte as a printable letter: printable ones as themselves, the rest from 256 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            merges += [] if pair in merges else [pair]
            pieces = ["".join(pair), *pieces[2:]]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *dict.fromkeys("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    rules = "#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in merges)
    (folder / "merges.txt").write_text(rules, encoding="utf-8")
    tokenizer = CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=CONTEXT
    )
    tokenizer.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)
