"""Stage `text`: the tokenizer, and a text encoder that knows what a caption says before the denoiser listens to it.

The tokenizer is CLIP's byte-level BPE with merges that make every word of the world one token; any other word falls
into letters. The encoder is trained on captions alone to tell the scene: from the end-of-text token and the padding
after it (the tokens that have seen the whole sentence) heads predict object and colour by slot (left or upper first),
layout, style, background, size and place. A caption and the one with its colours or its relation swapped have
different scenes, so swaps are the hard negatives. Rare words are met here and nowhere else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from studio.training.embedded.data import scene_at
from studio.training.embedded.exclusion import Exclusion, say
from studio.training.embedded.stage import Stage, warm_cosine
from studio.world.caption import caption
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, PLACES, SIZES, STYLE_NAMES, Scene
from studio.world.words import WORD, vocabulary

CONTEXT = 32
WIDTH = 128
LAYOUTS = ("empty", "one", "horizontal", "vertical")
HEADS: dict[str, int] = {
    "object_a": len(OBJECTS) + 1,
    "colour_a": len(COLOUR_NAMES) + 1,
    "object_b": len(OBJECTS) + 1,
    "colour_b": len(COLOUR_NAMES) + 1,
    "layout": len(LAYOUTS),
    "style": len(STYLE_NAMES),
    "background": len(BACKGROUND_NAMES),
    "size": len(SIZES),
    "place": len(PLACES),
}
Ids = npt.NDArray[np.int64]


def _byte_letters() -> list[str]:
    """The 256 stand-ins of byte-level BPE, printable bytes first (the order of GPT-2's and CLIP's vocabularies)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable]
    return letters + [chr(256 + i) for i in range(256 - len(printable))]


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def byte_pair_merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Byte-pair encoding (arXiv:1508.07909, algorithm 1) run until every word is one token; ties by spelling."""
    split = [[*word[:-1], word[-1] + "</w>"] for word in words]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for pieces in split for pair in pairwise(pieces))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = [_merge(pieces, best) for pieces in split]


def write_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write vocab.json, merges.txt and what CLIPTokenizer needs; every word of the world becomes one token."""
    letters = _byte_letters()
    merges = byte_pair_merges(vocabulary())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocab, rules = folder / "vocab.json", folder / "merges.txt"
    vocab.write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False), encoding="utf-8")
    rules.write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n", encoding="utf-8")
    tokenizer = CLIPTokenizer(vocab=str(vocab), merges=str(rules), model_max_length=CONTEXT)
    tokenizer.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def build(vocab_size: int, eos: int) -> CLIPTextModel:
    """Three layers of width 128, causal as CLIP's, about 0.8 M parameters."""
    config = CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        bos_token_id=eos - 1,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    return CLIPTextModel(config)


class Codec:
    """Lower-case sentences to token ids, by words: much faster than the tokenizer, and equal to it.

    Words of the world are one token. Others are split by the tokenizer, once each.
    """

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        vocab = tokenizer.get_vocab()
        self.tokenizer = tokenizer
        self.eos = vocab["<|endoftext|>"]
        self.bos = vocab["<|startoftext|>"]
        self.words = {word: (vocab[f"{word}</w>"],) for word in (*vocabulary(), ",")}

    def tokens(self, text: str) -> list[int]:
        """The tokens of a sentence between start and end of text, however many."""
        words = WORD.findall(text)
        for word in words:
            if word not in self.words:
                self.words[word] = tuple(self.tokenizer(word, add_special_tokens=False)["input_ids"])
        return [token for word in words for token in self.words[word]]

    def fits(self, text: str) -> bool:
        """Whether start, sentence and end fit the encoder's 32 positions."""
        return len(self.tokens(text)) <= CONTEXT - 2

    def __call__(self, texts: list[str]) -> Ids:
        """[N, 32] int64, padded with the end-of-text token; what does not fit is cut, as the pipeline cuts it."""
        ids = np.full((len(texts), CONTEXT), self.eos, dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            tokens = [self.bos, *self.tokens(text)][: CONTEXT - 1]
            row[: len(tokens)] = tokens
        return ids


def labels(scene: Scene) -> list[int]:
    """What the heads should say of a scene, in the order of HEADS. Slot a is the left or upper object."""
    things = sorted(scene.things, key=lambda t: t.x + t.y)
    slots: list[int] = []
    for i in range(2):
        thing = things[i] if i < len(things) else None
        slots.append(len(OBJECTS) if thing is None else OBJECTS.index(thing.object))
        slots.append(len(COLOUR_NAMES) if thing is None else COLOUR_NAMES.index(thing.colour))
    horizontal = scene.relation in ("left of", "right of")
    layout = len(things) if len(things) < 2 else 2 if horizontal else 3
    return [
        *slots,
        layout,
        STYLE_NAMES.index(scene.style),
        BACKGROUND_NAMES.index(scene.background),
        tuple(SIZES).index(scene.size),
        tuple(PLACES).index(scene.place),
    ]


class SceneHeads(nn.Module):
    """Linear read-outs of a scene from a hidden state [..., 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.readouts = nn.ModuleDict({name: nn.Linear(WIDTH, classes) for name, classes in HEADS.items()})

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        return {name: readout(hidden) for name, readout in self.readouts.items()}


def _batch(
    codec: Codec, rng: np.random.Generator, size: int, rare: float, without: Exclusion | None = None
) -> tuple[Tensor, Tensor]:
    scenes, texts = [], []
    for number in map(int, rng.integers(0, 1 << 40, size)):
        scene = scene_at(number, seed=21, two=0.5, without=without)
        speaker = np.random.default_rng((23, number))  # of its own, so that a sentence drawn anew leaves the others
        texts.append(say(partial(caption, scene, rare=rare), speaker, without))
        scenes.append(scene)
    return torch.from_numpy(codec(texts)), torch.tensor([labels(scene) for scene in scenes])


def _hidden(encoder: CLIPTextModel, ids: Tensor, length: int) -> Tensor:
    return encoder(input_ids=ids[:, :length]).last_hidden_state


@torch.no_grad()
def accuracy(
    encoder: CLIPTextModel, heads: SceneHeads, codec: Codec, *, rare: float, n: int = 1024
) -> dict[str, float]:
    """Share of fully stated held-out captions read right, per head, from the first end-of-text token."""
    rng = np.random.default_rng(31)
    scenes = [scene_at(i, seed=32, two=0.5, held_out=True) for i in range(n)]
    ids = torch.from_numpy(codec([caption(s, rng, rare=rare, full=True) for s in scenes]))
    truth = torch.tensor([labels(s) for s in scenes])
    hidden = _hidden(encoder, ids, CONTEXT)
    first = (ids == codec.eos).int().argmax(1)
    logits = heads(hidden[torch.arange(n), first])
    return {name: float((logits[name].argmax(-1) == truth[:, i]).float().mean()) for i, name in enumerate(HEADS)}


def train(
    stage: Stage,
    *,
    lr: float = 2e-3,
    threads: int = 2,
    steps: int | None = None,
    seed: int = 0,
    without: Exclusion | None = None,
) -> Path:
    """Train until the budget is spent. Returns the folder that holds `tokenizer/` and `text_encoder/`.

    steps: the budget in steps, over runs together; None: the stage's time, in each run.
    seed: of the first weights and of the order of captions.
    without: what no caption says. Its words keep the tokens they have and the vectors they began with.
    A run that stopped before its steps were done goes on to the same weights as one that did not stop.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(1 + 1000 * seed)
    tokenizer = write_tokenizer(stage.folder / "tokenizer")
    codec = Codec(tokenizer)
    encoder: Any = build(len(tokenizer), codec.eos)
    encoder.to(stage.device)
    heads = SceneHeads().to(stage.device)
    step = 0
    if (checkpoint := stage.load()) is not None:
        encoder.load_state_dict(checkpoint["encoder"])
        heads.load_state_dict(checkpoint["heads"])
        step = checkpoint["step"]
    else:
        checkpoint = {}
    parameters = [*encoder.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    if "optimiser" in checkpoint:
        optimiser.load_state_dict(checkpoint["optimiser"])

    def state() -> dict[str, Any]:
        parts = {"encoder": encoder, "heads": heads, "optimiser": optimiser}
        return {"step": step, **{name: part.state_dict() for name, part in parts.items()}}

    while (share := stage.progress(step, steps)) < 1 and not (steps and stage.paused):
        for group in optimiser.param_groups:
            group["lr"] = lr * warm_cosine(share, 0.05, 0.02)
        rng = np.random.default_rng((22, seed, step))
        ids, truth = (t.to(stage.device) for t in _batch(codec, rng, 256, rare=0.12, without=without))
        longest = int((ids != codec.eos).sum(1).max())
        length = min(CONTEXT, longest + 3)
        hidden = _hidden(encoder, ids, length)
        # every end-of-text position must tell the scene: the denoiser attends to all of them
        ended = (ids[:, :length] == codec.eos).float()
        loss = torch.zeros((), device=stage.device)
        for i, logits in enumerate(heads(hidden).values()):
            losses = F.cross_entropy(logits.transpose(1, 2), truth[:, i, None].expand(-1, length), reduction="none")
            loss = loss + (losses * ended).sum() / ended.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        if step % 100 == 0:
            stage.say(step=step, loss=float(loss.detach()))
        if stage.due():
            stage.save(state())
    stage.save(state())
    if steps and step < steps:
        return stage.folder
    for rare in (0.0, 1.0):
        stage.say(step=step, rare=rare, **accuracy(encoder, heads, codec, rare=rare))
    encoder.save_pretrained(stage.folder / "text_encoder")
    return stage.folder
