"""Scorers: one contract for those that ship, and the published ones on small weights of their own architectures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertTokenizer

from studio.core.errors import AssetError, NotFound
from studio.models import clip_vocabulary
from studio.training.features.extractors import WORLD_CLIP
from studio.training.scorers import hps_v2, image_reward
from studio.training.scorers.base import KINDS, kind
from studio.training.scorers.clip_score import on_scale
from studio.world.render import render_uint8
from studio.world.scene import one_object
from tests.tolerance import rounding

SCENES = [one_object("star", "red"), one_object("moon", "blue", style="neon")]
IMAGES = torch.from_numpy(np.stack([render_uint8(scene) for scene in SCENES])).permute(0, 3, 1, 2).float() / 255
PROMPTS = ["a red star", "a neon blue moon"]


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's CLIP under the names of those that score with one, and random weights of the others."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("PickScore_v1", "a-clip"):
        shutil.copytree(WORLD_CLIP, folder / name)
    torch.save({"epoch": 7, "state_dict": open_clip_like(0).state_dict()}, folder / "HPS_v2.1_compressed.pt")
    (folder / "ImageReward").mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "star", "blue", "moon", "neon", "[DEC]", "[ENC]"]
    (folder / "ImageReward" / "vocab.txt").write_text("\n".join(words))
    torch.save(image_reward_state(len(words)), folder / "ImageReward" / "ImageReward.pt")
    return folder


@pytest.mark.parametrize("name", [scorer.name for scorer in KINDS])
def test_every_scorer_scores_each_picture_alone_and_gives_gradients(models_dir: Path, name: str) -> None:
    scorer = kind(name).load(models_dir)
    assert scorer.name == name and len(scorer.id) == 64
    images = IMAGES.clone().requires_grad_()
    scores = scorer.score(images, PROMPTS)
    assert scores.shape == (2,) and scores.dtype == torch.float32
    for place in range(2):
        alone = scorer.score(IMAGES[place : place + 1], PROMPTS[place : place + 1])
        assert torch.allclose(alone[0], scores[place], atol=rounding(torch.float32, 100, 20))
    scores.sum().backward()
    assert images.grad is not None and float(images.grad.abs().sum()) > 0
    with pytest.raises(ValueError, match="a prompt each"):
        scorer.score(IMAGES, PROMPTS[:1])


@pytest.mark.parametrize("name", [scorer.name for scorer in KINDS if not scorer.of_world])
def test_without_its_weights_a_scorer_says_which_it_needs(tmp_path: Path, name: str) -> None:
    for folder in (None, tmp_path):
        assert "--models-dir" in kind(name).missing(folder)
        with pytest.raises(NotFound, match="--models-dir"):
            kind(name).load(folder)
    with pytest.raises(NotFound, match="no scorer named"):
        kind("taste of somebody else")


def test_scales_are_those_published(models_dir: Path) -> None:
    world = kind("world_clip").load(None).score(IMAGES, PROMPTS)
    assert float(world[0]) > float(kind("world_clip").load(None).score(IMAGES[:1], PROMPTS[1:])[0])
    pick = kind("pick_score").load(models_dir)
    assert torch.allclose(pick.score(IMAGES, PROMPTS) / world, torch.full((2,), pick.clip.scale), rtol=1e-4)  # type: ignore[attr-defined]
    assert torch.equal(on_scale(torch.tensor([-0.5, 0.4])), torch.tensor([0.0, 1.0]))
    clip_score = kind("clip_score").load(models_dir)
    prefixed = [f"A photo depicts {prompt}" for prompt in PROMPTS]
    assert torch.allclose(
        clip_score.score(IMAGES, PROMPTS), on_scale(kind("world_clip").load(None).score(IMAGES, prefixed)), atol=1e-5
    )


def test_broken_pictures_are_less_whole() -> None:
    scorer = kind("whole").load(None)
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    whole, broken = scorer.score(torch.cat([IMAGES[:1], noise]), ["", ""]).tolist()
    assert whole > 0 > broken


# -- HPS v2 ---------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """A transformer's block as open_clip has it, with torch's own attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 2 * width), "c_proj": nn.Linear(2 * width, width)})

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Half(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([Block(width, heads) for _ in range(2)])


class Visual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 128, 32, 32, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(128))
        self.positional_embedding = nn.Parameter(torch.randn(17, 128))
        self.ln_pre, self.ln_post = nn.LayerNorm(128), nn.LayerNorm(128)
        self.transformer = Half(128, 2)
        self.proj = nn.Parameter(torch.randn(128, 32))


class OpenClip(nn.Module):
    """The same architecture, small, written from open_clip's description: what a state dict's names and forms mean."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.visual, self.transformer = Visual(), Half(64, 1)
        self.token_embedding = nn.Embedding(vocabulary, 64)
        self.positional_embedding = nn.Parameter(torch.randn(77, 64))
        self.ln_final = nn.LayerNorm(64)
        self.text_projection = nn.Parameter(torch.randn(64, 32))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))

    def cosines(self, pixels: Tensor, ids: Tensor) -> Tensor:
        visual = self.visual
        x = visual.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], 1) + visual.positional_embedding
        x = visual.ln_pre(x)
        for block in visual.transformer.resblocks:
            x = block(x, None)
        image = visual.ln_post(x[:, 0]) @ visual.proj
        y = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        mask = torch.full((ids.shape[1],) * 2, float("-inf")).triu(1)
        for block in self.transformer.resblocks:
            y = block(y, mask)
        text = self.ln_final(y)[torch.arange(len(y)), ids.argmax(1)] @ self.text_projection
        return (F.normalize(image, dim=-1) * F.normalize(text, dim=-1)).sum(-1)


def open_clip_like(seed: int) -> OpenClip:
    torch.manual_seed(seed)
    return OpenClip(49408).eval()


def test_hps_is_the_open_clip_model_of_its_state_dict(models_dir: Path) -> None:
    reference, scorer = open_clip_like(0), kind("hps_v2").load(models_dir)
    tokenizer = clip_vocabulary.build(*clip_vocabulary.shipped())
    rows = [tokenizer.encode(prompt).ids for prompt in PROMPTS]
    ids = torch.tensor([row + [0] * (77 - len(row)) for row in rows])  # as open_clip pads
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        expected = reference.cosines((IMAGES - mean) / std, ids)
    assert torch.allclose(scorer.score(IMAGES, PROMPTS), expected, atol=rounding(torch.float32, 1000))


def test_a_state_dict_of_something_else_is_refused(tmp_path: Path) -> None:
    state = open_clip_like(1).state_dict()
    with pytest.raises(AssetError, match="not the state dict of an open_clip model"):
        hps_v2.model_of({name: tensor for name, tensor in state.items() if "ln_final" not in name}, tmp_path)
    with pytest.raises(AssetError, match="not the state dict of an open_clip model"):
        hps_v2.model_of({"weight": torch.zeros(3)}, tmp_path)
    with pytest.raises(AssetError, match="not the state dict of ImageReward"):
        image_reward.scorer_of(state, None, "", tmp_path)  # type: ignore[arg-type]


# -- ImageReward ----------------------------------------------------------------------------------------------------


def image_reward_state(vocabulary: int) -> dict[str, Tensor]:
    """Random weights under the authors' names: a ViT of timm's, BERT with eyes, five linear layers among dropouts."""
    generator = torch.Generator().manual_seed(3)
    shapes: dict[str, tuple[int, ...]] = {
        "blip.visual_encoder.cls_token": (1, 1, 128),
        "blip.visual_encoder.pos_embed": (1, 17, 128),
        "blip.visual_encoder.patch_embed.proj.weight": (128, 3, 32, 32),
        "blip.visual_encoder.patch_embed.proj.bias": (128,),
        "blip.text_encoder.embeddings.word_embeddings.weight": (vocabulary, 64),
        "blip.text_encoder.embeddings.position_embeddings.weight": (40, 64),
    }

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    for name, width in (("visual_encoder.norm", 128), ("text_encoder.embeddings.LayerNorm", 64)):
        shapes[f"blip.{name}.weight"] = shapes[f"blip.{name}.bias"] = (width,)
    for number in range(2):
        start = f"blip.visual_encoder.blocks.{number}."
        for norm in ("norm1", "norm2"):
            shapes[f"{start}{norm}.weight"] = shapes[f"{start}{norm}.bias"] = (128,)
        linear(f"{start}attn.qkv", 384, 128)
        linear(f"{start}attn.proj", 128, 128)
        linear(f"{start}mlp.fc1", 256, 128)
        linear(f"{start}mlp.fc2", 128, 256)
        start = f"blip.text_encoder.encoder.layer.{number}."
        for kind_, inputs in (("attention", 64), ("crossattention", 128)):
            linear(f"{start}{kind_}.self.query", 64, 64)
            linear(f"{start}{kind_}.self.key", 64, inputs)
            linear(f"{start}{kind_}.self.value", 64, inputs)
            linear(f"{start}{kind_}.output.dense", 64, 64)
            shapes[f"{start}{kind_}.output.LayerNorm.weight"] = (64,)
            shapes[f"{start}{kind_}.output.LayerNorm.bias"] = (64,)
        linear(f"{start}intermediate.dense", 128, 64)
        linear(f"{start}output.dense", 64, 128)
        shapes[f"{start}output.LayerNorm.weight"] = shapes[f"{start}output.LayerNorm.bias"] = (64,)
    for number, outputs, inputs in ((0, 48, 64), (2, 32, 48), (4, 16, 32), (6, 8, 16), (7, 1, 8)):
        linear(f"mlp.layers.{number}", outputs, inputs)
    return {name: torch.randn(shape, generator=generator) / 8 for name, shape in shapes.items()}


def test_image_reward_looks_at_picture_and_prompt_and_is_standardised(models_dir: Path) -> None:
    scorer = kind("image_reward").load(models_dir)
    assert isinstance(scorer, image_reward.ImageReward)
    scores = scorer.score(IMAGES, PROMPTS)
    assert not torch.allclose(scores, scorer.score(IMAGES, PROMPTS[::-1]))
    assert not torch.allclose(scores, scorer.score(IMAGES.flip(0), PROMPTS))
    long = ["star " * 100] * 2
    assert torch.equal(scorer.score(IMAGES, long), scorer.score(IMAGES, ["star " * 33] * 2))  # 35 with both ends
    state = image_reward_state(13)
    for number in (0, 2, 4, 6, 7):
        state[f"mlp.layers.{number}.weight"] = torch.zeros_like(state[f"mlp.layers.{number}.weight"])
    state["mlp.layers.7.bias"] = torch.tensor([image_reward.MEAN + 2 * image_reward.STD])
    tokenizer = BertTokenizer(vocab_file=str(models_dir / "ImageReward" / "vocab.txt"))
    flat = image_reward.scorer_of(state, tokenizer, "", models_dir)
    assert torch.allclose(flat.score(IMAGES, PROMPTS), torch.full((2,), 2.0), atol=1e-5)
