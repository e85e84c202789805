"""Stage `clip`: the world's small CLIP, which tells how well a picture and a sentence agree.

A transformers `CLIPModel` trained with the symmetric contrastive loss (arXiv:2103.00020, figure 3) on renders and
captions. Captions of the same scene with its colours, its relation or one word changed join the candidates of the
image -> text side (NegCLIP, arXiv:2210.01936): without them a contrastive model reads a caption as a bag of words. Two
things speed learning up: the text tower starts from the stage `text`, and while training, read-outs must tell the
scene from the picture's embedding, and what covers a patch from the patch's token. Pictures are shifted, blurred and
made noisy, so that a generator's are not foreign to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, CLIPTextModel, CLIPTokenizer

from studio.metrics.intervals import bootstrap
from studio.training.embedded.assemble import write_sums
from studio.training.embedded.autoencoder import PICTURES, to_tensor
from studio.training.embedded.data import HELD_OUT_SEED, Pictures, picture_set, render_all, scene_at
from studio.training.embedded.stage import Average, Stage, mixed_precision, warm_cosine
from studio.training.embedded.text import WIDTH, Codec, Ids, SceneHeads, labels
from studio.training.embedded.text import build as build_text
from studio.training.evaluate.rows import ReportRow, share_row
from studio.world.caption import canonical, caption, swapped
from studio.world.render import SIZE_PX, mask
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES, Scene
from studio.world.words import INVERSE

TWO_SHARE = 0.4  # as in the autoencoder's pictures, which serve here too
PATCH_PX = 16
PATCHES = SIZE_PX // PATCH_PX
CELL_CLASSES = (len(OBJECTS) + 1, len(COLOUR_NAMES) + 1)
NEGATIVES = 3
RARE = 0.1
SHIFT_PX, BLUR_PX, BLURRED_SHARE, MOST_NOISE = 4, 3, 0.6, 0.06  # noise on the [-1, 1] scale
LEAST_TOP1, CANDIDATES = 0.90, 64
ONE_WORD: dict[str, tuple[str, ...]] = {
    "object": OBJECTS,
    "colour": COLOUR_NAMES,
    "style": STYLE_NAMES,
    "background": BACKGROUND_NAMES,
}


def build(vocab_size: int, eos: int) -> CLIPModel:
    """The architecture with fresh weights: 128 px in patches of 16, both towers 128 wide, 1.4 M parameters."""
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": SIZE_PX,
        "patch_size": PATCH_PX,
    }
    text = build_text(vocab_size, eos).config.to_dict()
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


# -- pairs and hard negatives ---------------------------------------------------------------------------------------


def _another(rng: np.random.Generator, names: Sequence[str], *excluded: str) -> str:
    return str(rng.choice([name for name in names if name not in excluded]))


def with_swap(scene: Scene, swap: str, rng: np.random.Generator) -> Scene | None:
    """The scene with one thing changed that its caption tells, or None where it has no such thing.

    swap: "colours" or "relation" (of two objects, exchanged), or one word of ONE_WORD, drawn anew.
    """
    if swap == "colours":
        if len(scene.things) != 2 or scene.things[0].colour == scene.things[1].colour:
            return None
        a, b = scene.things
        return replace(scene, things=(replace(a, colour=b.colour), replace(b, colour=a.colour)))
    if swap == "relation":
        return replace(scene, relation=INVERSE[scene.relation]) if scene.relation else None
    if swap == "background":
        return replace(scene, background=_another(rng, BACKGROUND_NAMES, scene.background))
    if not scene.things:
        return None
    if swap == "style":
        return replace(scene, style=_another(rng, STYLE_NAMES, scene.style))
    excluded = [str(getattr(thing, swap)) for thing in scene.things]
    if swap == "colour":
        excluded = excluded[:1]
    which = int(rng.integers(len(scene.things)))
    if which == 1:  # `swapped` changes the first
        scene = replace(scene, things=scene.things[::-1], relation=INVERSE[scene.relation or "left of"])
        excluded = excluded if swap == "object" else [scene.things[0].colour]
    return swapped(scene, swap, _another(rng, ONE_WORD[swap], *excluded))


def _hard_scenes(scene: Scene, rng: np.random.Generator) -> list[Scene]:
    """NEGATIVES changed scenes: colours and relation exchanged where there are two objects, the rest by one word."""
    candidates = [with_swap(scene, swap, rng) for swap in ("colours", "relation")]
    words = rng.permutation(list(ONE_WORD) if scene.things else ["background"])
    candidates += [with_swap(scene, str(words[i % len(words)]), rng) for i in range(NEGATIVES)]
    return [candidate for candidate in candidates if candidate is not None][:NEGATIVES]


def captions_of(scene: Scene, rng: np.random.Generator) -> list[str]:
    """The scene's caption, then those of NEGATIVES changed scenes told in the same way.

    The same generator tells each of them, so that wording gives nothing away. A change that goes unsaid leaves the
    caption as it was; the loss leaves such a one out.
    """
    telling = int(rng.integers(1 << 62))
    return [
        caption(variant, np.random.default_rng(telling), rare=RARE) for variant in (scene, *_hard_scenes(scene, rng))
    ]


def augment(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift, blur and noise of random strength for each of [B, 3, H, W] in [-1, 1]; about what a generator adds."""
    n, side = len(x), x.shape[-1]
    x = F.pad(x, (SHIFT_PX,) * 4, mode="replicate")
    corners = rng.integers(0, 2 * SHIFT_PX + 1, (n, 2)).tolist()
    x = torch.stack([picture[:, r : r + side, c : c + side] for picture, (r, c) in zip(x, corners, strict=True)])
    blur = rng.uniform(0, 1, (n, 1, 1, 1)) * (rng.random((n, 1, 1, 1)) < BLURRED_SHARE)
    generator = torch.Generator(x.device).manual_seed(int(rng.integers(1 << 62)))
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    blur, amount = (torch.from_numpy(a).float().to(x.device) for a in (blur, rng.uniform(0, MOST_NOISE, (n, 1, 1, 1))))
    smooth = F.avg_pool2d(x, BLUR_PX, 1, BLUR_PX // 2, count_include_pad=False)
    return x.lerp(smooth, blur).addcmul_(noise, amount)


# -- loss and training ----------------------------------------------------------------------------------------------


def contrastive(image: Tensor, text: Tensor, extra: Tensor, same: Tensor, scale: Tensor) -> Tensor:
    """Symmetric contrastive loss with hard negatives on the image -> text side.

    image, text: [B, D] unit vectors, row i of one belonging to row i of the other.
    extra: [B, K, D], captions that contradict picture i.
    same: [B, K] bool, those that do not after all.
    scale: the inverse temperature.
    """
    n = len(image)
    logits = scale * image @ text.T  # [B, B]
    hard = scale * image @ extra.flatten(0, 1).T  # [B, B K]: those of other scenes are negatives as good as any
    own_captions = torch.eye(n, dtype=torch.bool, device=image.device).repeat_interleave(extra.shape[1], 1)
    hard = hard.masked_fill(own_captions & same.flatten()[None], float("-inf"))
    target = torch.arange(n, device=image.device)
    return (F.cross_entropy(torch.cat([logits, hard], 1), target) + F.cross_entropy(logits.T, target)) / 2


def look(model: CLIPModel, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors [B, 128] and patch tokens [B, 64, 128], float32, of pixels [B, 3, 128, 128] in [-1, 1]."""
    outputs: Any = model.get_image_features(pixel_values=pixels)
    return F.normalize(outputs.pooler_output.float(), dim=-1), outputs.last_hidden_state[:, 1:].float()


def image_features(model: CLIPModel, pixels: Tensor) -> Tensor:
    """Unit vectors [B, 128], float32, of pixels [B, 3, 128, 128] in [-1, 1]."""
    return look(model, pixels)[0]


def text_features(model: CLIPModel, ids: Tensor) -> Tensor:
    """Unit vectors [B, 128], float32, of token ids [B, L]."""
    read: Any = model.get_text_features(input_ids=ids)
    return F.normalize(read.pooler_output.float(), dim=-1)


def _move(module: nn.Module, to: str | torch.dtype) -> None:
    """In place; transformers' own `to` is one that type checkers cannot read."""
    module.to(to)


def covering(scene: Scene) -> npt.NDArray[np.uint8]:
    """Object and colour that cover each patch, [2, 64]; the last class of either is background."""
    cells = np.empty((2, PATCHES, PATCHES), dtype=np.uint8)
    cells[0], cells[1] = len(OBJECTS), len(COLOUR_NAMES)
    for thing in scene.things:
        inside = mask(thing, 64).reshape(PATCHES, 64 // PATCHES, PATCHES, 64 // PATCHES).mean((1, 3)) > 0.3
        cells[0, inside], cells[1, inside] = OBJECTS.index(thing.object), COLOUR_NAMES.index(thing.colour)
    return cells.reshape(2, -1)


class Readouts(nn.Module):
    """Reads the scene back from a picture's embedding and tokens; needed for training only."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = SceneHeads()
        self.cells = nn.Linear(WIDTH, sum(CELL_CLASSES))

    def forward(self, image: Tensor, tokens: Tensor, truth: Tensor, cells: Tensor) -> Tensor:
        """Mean cross-entropy.

        image: [B, 128] unit vectors.
        tokens: [B, 64, 128].
        truth: [B, len(HEADS)] as `labels` gives them.
        cells: [B, 2, 64] as `covering` does.
        """
        losses = [
            F.cross_entropy(logits, truth[:, i]) for i, logits in enumerate(self.scene(image * WIDTH**0.5).values())
        ]
        by_kind = self.cells(tokens).transpose(1, 2).split(CELL_CLASSES, 1)  # [B, classes, 64] of either kind
        dense = [F.cross_entropy(logits, cells[:, i]) for i, logits in enumerate(by_kind)]
        return torch.stack(losses).mean() + torch.stack(dense).mean()


def _trimmed(ids: Ids, eos: int) -> Ids:
    """Without the padding that no caption of the batch needs."""
    return ids[:, : int((ids != eos).sum(1).max()) + 1]


class ClipTraining:
    """Model, pictures and optimiser of a run, and one step of it."""

    def __init__(self, stage: Stage, codec: Codec, model: CLIPModel, batch: int, lr: float) -> None:
        self.stage, self.codec, self.model, self.batch, self.lr = stage, codec, model, batch, lr
        _move(model, stage.device)
        self.scenes = [scene_at(i, two=TWO_SHARE) for i in range(PICTURES)]
        self.pictures = picture_set(stage.work_dir / "pictures.npy", self.scenes)
        self.cells = np.stack([covering(scene) for scene in self.scenes])  # [N, 2, 64]
        self.readouts = Readouts().to(stage.device)
        self.average = Average(model, 0.998)
        self.parameters = [*model.parameters(), *self.readouts.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=lr, betas=(0.9, 0.98), weight_decay=0.05)
        self.step = 0

    def state(self) -> dict[str, Any]:
        """Everything a run can be taken up from."""
        return {
            "model": self.model.state_dict(),
            "readouts": self.readouts.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }

    def resume(self, checkpoint: Mapping[str, Any]) -> None:
        """Take up a run from its checkpoint."""
        self.model.load_state_dict(checkpoint["model"])
        self.readouts.load_state_dict(checkpoint["readouts"])
        self.average.load(checkpoint["average"], checkpoint["step"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.step = checkpoint["step"]

    def losses(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Contrastive loss and loss of reading the scene, on a fresh batch."""
        n, device = self.batch, self.stage.device
        rows = np.sort(rng.integers(0, len(self.pictures), n))
        scenes = [self.scenes[i] for i in rows]
        captions = [captions_of(scene, rng) for scene in scenes]
        ids = _trimmed(self.codec([text for variants in captions for text in variants]), self.codec.eos)
        same = torch.tensor([[text == variants[0] for text in variants[1:]] for variants in captions], device=device)
        pixels = augment(to_tensor(self.pictures[rows], device), rng)
        truth = torch.tensor([labels(scene) for scene in scenes], device=device)
        with mixed_precision(device):
            image, tokens = look(self.model, pixels)
            text = text_features(self.model, torch.from_numpy(ids).to(device)).view(n, 1 + NEGATIVES, -1)
        cells = torch.from_numpy(self.cells[rows].astype(np.int64)).to(device)
        loss = contrastive(image, text[:, 0], text[:, 1:], same, self.model.logit_scale.exp())
        return loss, self.readouts(image, tokens, truth, cells)

    def run(self, probe: Mapping[str, Any]) -> None:
        """Train until the budget is spent; log the gate's numbers on `probe` at every checkpoint."""
        rng = np.random.default_rng((71, self.step))
        sums, since = np.zeros(2), 0
        while self.stage.share < 1:
            for group in self.optimiser.param_groups:
                group["lr"] = self.lr * warm_cosine(self.stage.share, 0.04, 0.02)
            loss, reading = self.losses(rng)
            self.optimiser.zero_grad(set_to_none=True)
            (loss + reading).backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimiser.step()
            with torch.no_grad():
                self.model.logit_scale.clamp_(max=float(np.log(100)))
            self.average.update(self.model)
            self.step, since = self.step + 1, since + 1
            sums += (float(loss.detach()), float(reading.detach()))
            if self.step % 50 == 0:
                self.stage.say(
                    step=self.step,
                    pairs=self.step * self.batch,
                    loss=sums[0] / since,
                    reading=sums[1] / since,
                    scale=float(self.model.logit_scale.detach().exp()),
                )
                sums[:], since = 0, 0
            if self.stage.due():
                self.stage.save(self.state())
                rows = gate_rows(self.averaged(), self.codec, **probe)
                self.stage.say(step=self.step, **{row.name: row.value for row in rows})

    def averaged(self) -> CLIPModel:
        """A copy with the averaged weights, on the run's device, in float32."""
        copy = CLIPModel(self.model.config)
        _move(copy, self.stage.device)
        self.average.copy_to(copy)
        return copy.eval()


def train(
    stage: Stage, text_folder: Path, tokenizer_folder: Path, *, lr: float = 1e-3, batch: int = 128, threads: int = 2
) -> Path:
    """Train until the stage's budget is spent; resumes from its checkpoint. Returns the folder of the float32 model.

    text_folder: the text encoder of the stage `text`, which the text tower starts from. The pictures of the
    autoencoder's stage are used where they are there, and drawn otherwise (1 GB).
    """
    torch.set_num_threads(threads)
    torch.manual_seed(7)
    codec = Codec(CLIPTokenizer.from_pretrained(tokenizer_folder))
    start = CLIPTextModel.from_pretrained(text_folder, dtype=torch.float32)
    model = build(start.config.vocab_size, codec.eos)
    if stage.device == "cpu":
        model.set_attn_implementation("eager")  # bf16 attention in one kernel is slow on CPUs
    model.text_model.load_state_dict(start.state_dict())
    training = ClipTraining(stage, codec, model, batch, lr)
    if (checkpoint := stage.load()) is not None:
        training.resume(checkpoint)
    training.run(held_out(256))
    stage.save(training.state())
    final = training.averaged()
    _move(final, "cpu")
    final.save_pretrained(stage.folder / "model")
    stage.say(step=training.step, **{row.name: row.value for row in gate_rows(final, codec, **held_out())})
    return stage.folder / "model"


# -- the gate -------------------------------------------------------------------------------------------------------


def held_out(n: int = 1024) -> dict[str, Any]:
    """Scenes kept from training, no canonical caption twice, and their pictures: what the gate is measured on."""
    scenes: dict[str, Scene] = {}
    index = 0
    while len(scenes) < n:
        scene = scene_at(index, seed=HELD_OUT_SEED, two=TWO_SHARE, empty=0.0, biased=False, held_out=True)
        scenes.setdefault(canonical(scene), scene)
        index += 1
    return {"scenes": list(scenes.values()), "pictures": render_all(list(scenes.values()), workers=1)}


@torch.no_grad()
def _embed(model: CLIPModel, codec: Codec, texts: Sequence[str]) -> Tensor:
    ids = torch.from_numpy(codec(list(texts))).to(model.device)
    return torch.cat([text_features(model, block) for block in ids.split(256)]).cpu()


@torch.no_grad()
def _embed_pictures(model: CLIPModel, pictures: Pictures) -> Tensor:
    blocks = np.array_split(pictures, max(1, len(pictures) // 64))
    return torch.cat([image_features(model, to_tensor(block, str(model.device))) for block in blocks]).cpu()


def top1(
    queries: Tensor, answers: Tensor, *, candidates: int = CANDIDATES, rounds: int = 20, seed: int = 0
) -> npt.NDArray[np.float64]:
    """How often each query finds its own answer first among `candidates` drawn at random, [N].

    queries, answers: [N, D] unit vectors, N a multiple of `candidates`. In every round all are dealt into groups, so
    each query is tried `rounds` times against other company.
    """
    rng = np.random.default_rng((72, seed))
    hits = np.zeros(len(queries))
    for _ in range(rounds):
        groups = rng.permutation(len(queries)).reshape(-1, candidates)
        likeness = torch.einsum("gqd,gad->gqa", queries[groups], answers[groups])
        hits[groups] += (likeness.argmax(-1) == torch.arange(candidates)).numpy()
    return hits / rounds


def gate_rows(model: CLIPModel, codec: Codec, scenes: Sequence[Scene], pictures: Pictures) -> list[ReportRow]:
    """Top-1 of 64 both ways, and the share of pictures closer to their caption than to one with a swap."""
    image, text = _embed_pictures(model, pictures), _embed(model, codec, [canonical(s) for s in scenes])
    rows = []
    for name, queries, answers in (("image to text", image, text), ("text to image", text, image)):
        shares = torch.from_numpy(top1(queries, answers))
        rows.append(
            ReportRow(
                "top-1 of 64",
                name,
                len(shares),
                float(shares.mean()),
                *bootstrap(shares),
                hits=round(float(shares.sum())),
                gate=LEAST_TOP1,
            )
        )
    rng = np.random.default_rng(73)
    true = (image * text).sum(1)
    for swap in ("colours", "relation", *ONE_WORD):
        changed = [(i, variant) for i, s in enumerate(scenes) if (variant := with_swap(s, swap, rng)) is not None]
        at = torch.tensor([i for i, _ in changed], dtype=torch.long)
        wrong = (image[at] * _embed(model, codec, [canonical(variant) for _, variant in changed])).sum(1)
        rows.append(share_row("hard negative", swap, (true[at] > wrong).tolist()))
    return rows


def gate(folder: Path, tokenizer_folder: Path | None = None, n: int = 1024) -> dict[str, Any]:
    """The gate of a saved model, as plain values: `rows` and `passed`; gates.table prints it."""
    codec = Codec(CLIPTokenizer.from_pretrained(tokenizer_folder or folder))
    rows = gate_rows(load(folder), codec, **held_out(n))
    return {"passed": all(row.passed is not False for row in rows), "rows": [row.as_json() for row in rows]}


# -- on disk --------------------------------------------------------------------------------------------------------


def load(folder: Path) -> CLIPModel:
    """The model of a folder in float32, whatever it is stored in."""
    return CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()


def write(model_folder: Path, tokenizer_folder: Path, folder: Path) -> None:
    """Write the folder that ships: weights in fp16, tokenizer, image processor, checksums. A CLIPProcessor loads it.

    transformers loads weights in the dtype they are stored in: pass dtype=torch.float32, as `load` does.
    """
    model = load(model_folder)
    _move(model, torch.float16)
    model.save_pretrained(folder)
    CLIPTokenizer.from_pretrained(tokenizer_folder).save_pretrained(folder)
    size, half = {"height": SIZE_PX, "width": SIZE_PX}, [0.5] * 3
    # Written by hand: the class that would write it asks for torchvision.
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": size,
        "resample": 3,
        "do_center_crop": False,
        "crop_size": size,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": half,
        "image_std": half,
        "do_convert_rgb": True,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")
    write_sums(folder)
