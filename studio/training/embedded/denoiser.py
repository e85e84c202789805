"""Stage `denoiser`: the UNet and, with it, the text encoder.

v-prediction on cosine betas (arXiv:2202.00512; arXiv:2102.09672). What makes it learn on a CPU: noise levels weighted
to where objects are decided, loss weighted to the cells objects cover, a pretrained text encoder, and alignment of an
inner feature map with what the scene holds at each cell (in the spirit of REPA, arXiv:2410.06940, with the world's own
truth instead of another network's features). Averaged weights are what ships.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from studio.diffusion.schedule import NoiseSchedule
from studio.training.embedded.group_norm import speed_up_group_norm
from studio.training.embedded.latents import CAPTIONS, LatentSet, shards_in
from studio.training.embedded.stage import Average, Stage, has_fast_bfloat16, mixed_precision, warm_cosine
from studio.training.embedded.text import HEADS, SceneHeads
from studio.world.scene import COLOUR_NAMES, OBJECTS

CHANNELS = (64, 96, 128)
START = "start"  # folder of the stage with a UNet to begin from
# How much oftener an object is met than the others: outlines that a small error breaks need more of the training.
EMPHASIS = {"circle": 2.0, "fish": 2.0, "ring": 1.75, "square": 1.5, "star": 1.25, "flower": 1.25}
HEADS_FIRST_STEPS = 200  # fresh read-outs learn before they teach


def build(latent_channels: int, text_width: int) -> UNet2DConditionModel:
    """The UNet with fresh weights: 16 x 16 latents, attention at 8 x 8 and 4 x 4, 5.6 M parameters."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        cross_attention_dim=text_width,
        attention_head_dim=4,  # in UNet2DConditionModel this is the number of heads
        norm_num_groups=16,
        use_linear_projection=True,
    )


class SceneAlignment(nn.Module):
    """Reads the scene back from inner features of the UNet: a loss while training, nothing afterwards.

    Cells (object and colour per cell) from the features after the second down block, style and background from the
    middle block. Hooks catch the features of the last forward.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.cells = nn.Conv2d(CHANNELS[1], len(OBJECTS) + 1 + len(COLOUR_NAMES) + 1, 1)
        self.whole = nn.Linear(CHANNELS[2], HEADS["style"] + HEADS["background"])
        self._caught: dict[str, Tensor] = {}
        unet.get_submodule("down_blocks.1.attentions.0").register_forward_hook(self._catch("cells"))
        unet.get_submodule("mid_block").register_forward_hook(self._catch("whole"))

    def _catch(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            self._caught[name] = output if isinstance(output, Tensor) else output[0]

        return hook

    def forward(self, objects: Tensor, colours: Tensor, labels: Tensor) -> Tensor:
        """objects, colours: [B, 16, 16] class per latent cell; labels: [B, len(HEADS)]. Gives the mean loss."""
        features = self._caught.pop("cells").float()
        step = objects.shape[-1] // features.shape[-1]
        object_said, colour_said = self.cells(features).split([len(OBJECTS) + 1, len(COLOUR_NAMES) + 1], 1)
        style_said, background_said = self.whole(self._caught.pop("whole").float().mean((2, 3))).split(
            [HEADS["style"], HEADS["background"]], 1
        )
        names = list(HEADS)
        corner = step // 2
        return (
            F.cross_entropy(object_said, objects[:, corner::step, corner::step].long())
            + F.cross_entropy(colour_said, colours[:, corner::step, corner::step].long())
            + 0.3 * F.cross_entropy(style_said, labels[:, names.index("style")].long())
            + 0.3 * F.cross_entropy(background_said, labels[:, names.index("background")].long())
        )


@dataclass(frozen=True)
class Plan:
    """Settings of a denoiser run. Learning rates are AdamW's; `batch` is per process.

    lr, text_lr: of the denoiser, and of the text encoder, which learns along.
    dropout: share of captions that are left out.
    foreground: weight of patches with an object, beyond 1.
    align, read: weights of the losses beside denoising: of the scene in the features, and of reading it in the text.
    ema: decay of the averaged weights.
    two_early, two_late: share of scenes with two objects, at the beginning and at the end.
    low_early, low_late: share of times at low noise, likewise.
    processes: that train together; their gradients are averaged.
    samples: the budget over runs together; None: the stage's time, in each run. With it no shard is added on the way,
        and a run that stopped before goes on to the same weights as one that did not stop.
    shards: how many of the shards are read; None: all there are.
    snapshot_every: samples between averaged weights that are kept.
    seed: of the first weights, and of the order of rows, noise and noise levels.
    """

    lr: float = 1e-3
    text_lr: float = 5e-4
    batch: int = 32
    dropout: float = 0.1
    foreground: float = 3.0
    align: float = 0.1
    read: float = 0.05
    ema: float = 0.9985
    two_early: float = 0.2
    two_late: float = 0.45
    low_early: float = 0.25
    low_late: float = 0.4
    processes: int = 1
    samples: int | None = None
    shards: int | None = None
    snapshot_every: int = 60_000
    seed: int = 0


def schedule() -> NoiseSchedule:
    """The noise schedule Stencil is trained and sampled on."""
    return NoiseSchedule.from_config("squaredcos_cap_v2", 1e-4, 0.02, 1000)


def draw_timesteps(rng: np.random.Generator, n: int, low_share: float = 0.25) -> np.ndarray:
    """low_share of n below 450 where edges are finished, the rest in 450-949 where objects are decided, one above."""
    low, high = rng.integers(0, 450, n), rng.integers(450, 950, n)
    t = np.where(rng.random(n) < low_share, low, high)
    t[0] = rng.integers(950, 1000)
    return t


class SceneDraw:
    """Draws scenes of a set: a share of pairs, the rest lone objects (or none), each as often as EMPHASIS says."""

    def __init__(self, data: LatentSet) -> None:
        is_pair = data.order[:, list(HEADS).index("layout")] >= 2
        weight_of = np.asarray([*(EMPHASIS.get(name, 1.0) for name in OBJECTS), 1.0])  # the last: no object
        slots = data.order[:, [list(HEADS).index("object_a"), list(HEADS).index("object_b")]]
        weights = weight_of[slots].max(1)
        rows = {"pairs": np.flatnonzero(is_pair), "others": np.flatnonzero(~is_pair)}
        self._rows = {kind: (numbers, np.cumsum(weights[numbers])) for kind, numbers in rows.items()}

    def _draw(self, kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
        numbers, up_to = self._rows[kind]
        return numbers[np.searchsorted(up_to, rng.random(n) * up_to[-1], side="right")]

    def __call__(self, rng: np.random.Generator, n: int, two: float) -> np.ndarray:
        """n row numbers; `two` is the chance of each to be of a pair."""
        want = rng.random(n) < two
        return np.where(want, self._draw("pairs", rng, n), self._draw("others", rng, n))


def _use_float32_attention() -> None:
    """bf16 attention is slow on CPUs: run it in float32 inside bf16 autocast."""
    plain = F.scaled_dot_product_attention

    def attention(q: Tensor, k: Tensor, v: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return plain(q.float(), k.float(), v.float(), *args, **kwargs)

    F.scaled_dot_product_attention = attention


class DenoiserTraining:
    """One process's share of a denoiser run: model, data, optimiser, step."""

    def __init__(self, stage: Stage, plan: Plan, text_folder: Path, latents: Path, eos: int, rank: int = 0) -> None:
        self.stage, self.plan, self.rank, self.eos, self.latents_folder = stage, plan, rank, eos, latents
        self.device = stage.device
        self._read_shards()
        torch.manual_seed(3 + 1000 * plan.seed)
        self.text: Any = CLIPTextModel.from_pretrained(text_folder, dtype=torch.float32)
        self.text.to(self.device)
        self.unet: Any = build(self.data.latents.shape[1], self.text.config.hidden_size)
        self.unet.to(self.device).to(memory_format=torch.channels_last)
        self.align = SceneAlignment(self.unet).to(self.device)
        self.heads = SceneHeads().to(self.device)
        if self.device == "cpu":
            speed_up_group_norm(self.unet)
            if has_fast_bfloat16(self.device):
                _use_float32_attention()
        self.model = nn.ModuleDict({"unet": self.unet, "text": self.text})
        self.average = Average(self.model, plan.ema)
        text_parameters = list(self.text.parameters())
        inner = [*self.unet.parameters(), *self.align.parameters(), *self.heads.parameters()]
        self.parameters = [*inner, *text_parameters]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": inner, "lr": plan.lr},
                {"params": text_parameters, "lr": plan.text_lr},
            ],
            betas=(0.9, 0.99),
            weight_decay=0.01,
        )
        alphas_bar = schedule().alphas_cumprod
        self.a = alphas_bar.sqrt().float().to(self.device)
        self.s = (1 - alphas_bar).sqrt().float().to(self.device)
        self.step, self.samples = 0, 0

    def _read_shards(self) -> None:
        self.data = LatentSet.read(self.latents_folder, self.plan.shards)
        self.shards = len(shards_in(self.latents_folder))
        self.scenes = SceneDraw(self.data)

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "align": self.align.state_dict(),
            "heads": self.heads.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "samples": self.samples,
        }

    def resume(self, checkpoint: dict[str, Any]) -> None:
        self.model.load_state_dict(checkpoint["model"])
        self.align.load_state_dict(checkpoint["align"])
        self.heads.load_state_dict(checkpoint["heads"])
        self.average.load(checkpoint["average"], checkpoint["step"])
        self.optimiser.load_state_dict(checkpoint["optimiser"])
        self.step, self.samples = checkpoint["step"], checkpoint["samples"]

    def begin_from(self, folder: Path) -> None:
        """Take up a UNet whose training state is gone (see `unpack`): fresh optimiser, average and alignment heads."""
        weights = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32).state_dict()
        self.unet.load_state_dict(weights)
        self.average = Average(self.model, self.plan.ema)

    def _reading_loss(self, context: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """How badly linear read-outs tell the scene from every end-of-text position of the encoder.

        context: [B, 32, 128] hidden states, ids: [B, 32], labels: [B, len(HEADS)]. Rows without a caption say nothing.
        """
        ended = ((ids == self.eos) & (ids[:, 1:2] != self.eos)).float()
        taught = context.float() if self.step >= HEADS_FIRST_STEPS else context.float().detach()
        loss = torch.zeros((), device=context.device)
        for i, logits in enumerate(self.heads(taught).values()):
            truth = labels[:, i, None].long().expand(-1, ids.shape[1])
            loss = loss + (F.cross_entropy(logits.transpose(1, 2), truth, reduction="none") * ended).sum()
        return loss / ended.sum().clamp_min(1)

    def loss(self, rng: np.random.Generator, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """Denoising, alignment and reading loss of one fresh batch."""
        plan, n = self.plan, self.plan.batch
        rows = self.scenes(rng, n, plan.two_early + (plan.two_late - plan.two_early) * min(1.0, share))

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        x0 = tensor(self.data.latents[rows]).float()
        ids = tensor(self.data.ids[rows, rng.integers(0, CAPTIONS, n)].astype(np.int64))
        ids[tensor(rng.random(n) < plan.dropout), 1:] = self.eos
        t = tensor(draw_timesteps(rng, n, plan.low_early + (plan.low_late - plan.low_early) * min(1.0, share)))
        noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(int(rng.integers(1 << 62))))
        noise = noise.to(self.device)
        a, s = self.a[t].view(-1, 1, 1, 1), self.s[t].view(-1, 1, 1, 1)
        x, target = a * x0 + s * noise, a * noise - s * x0
        objects = tensor(self.data.objects[rows])
        weight = 1 + plan.foreground * (objects != len(OBJECTS)).float().unsqueeze(1)
        weight = weight / weight.mean()
        with mixed_precision(self.device):
            context = self.text(input_ids=ids).last_hidden_state
            v = self.unet(x.contiguous(memory_format=torch.channels_last), t, context).sample
        denoise = (weight * (v.float() - target).pow(2)).mean()
        labels = tensor(self.data.labels[rows])
        align = self.align(objects, tensor(self.data.colours[rows]), labels)
        return denoise, align, self._reading_loss(context, ids, labels)

    def _average_gradients(self, share: float) -> float:
        """Mean of gradients over processes, in one message; the budget's clock of the first process rides along."""
        if self.plan.processes == 1:
            return share
        flat = torch.cat([*(p.grad.flatten() for p in self.parameters if p.grad is not None), torch.tensor([share])])
        dist.all_reduce(flat)
        flat /= self.plan.processes
        at = 0
        for p in self.parameters:
            if p.grad is not None:
                p.grad.copy_(flat[at : at + p.numel()].view_as(p.grad))
                at += p.numel()
        return float(flat[-1])

    def run(self, report: Callable[[DenoiserTraining], None]) -> None:
        """Train until the budget is spent. `report` is called by the first process whenever a checkpoint is due."""
        samples = self.plan.samples
        share, sums = self.samples / samples if samples else 0.0, np.zeros(3)
        while share < 1 and not (samples and self.stage.paused):
            rng = np.random.default_rng((41, self.plan.seed, self.rank, self.step))
            factor = (
                warm_cosine(max(0.0, share - 0.5) * 2, 0.0, 0.02) if share > 0.5 else min(1.0, (self.step + 1) / 200)
            )
            for group, rate in zip(self.optimiser.param_groups, (self.plan.lr, self.plan.text_lr), strict=True):
                group["lr"] = rate * factor
            denoise, align, read = self.loss(rng, share)
            self.optimiser.zero_grad(set_to_none=True)
            (denoise + self.plan.align * align + self.plan.read * read).backward()
            share = self._average_gradients(0.0 if samples else self.stage.share)
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimiser.step()
            self.average.update(self.model)
            self.step += 1
            self.samples += self.plan.batch * self.plan.processes
            share = self.samples / samples if samples else share
            sums += [float(term.detach()) for term in (denoise, align, read)]
            if self.rank == 0 and self.step % 200 == 0:
                self.stage.say(
                    step=self.step, samples=self.samples, loss=sums[0] / 200, align=sums[1] / 200, read=sums[2] / 200
                )
                sums[:] = 0
            if not samples and self.step % 500 == 0 and len(shards_in(self.latents_folder)) > self.shards:
                self._read_shards()
            every, before = self.plan.snapshot_every, self.samples - self.plan.batch * self.plan.processes
            if self.rank == 0 and (self.stage.due() or before // every < self.samples // every):
                report(self)
                self.stage.save(self.state())


def _process(
    rank: int,
    stage: Stage,
    plan: Plan,
    text_folder: Path,
    latents: Path,
    eos: int,
    report: Callable[[DenoiserTraining], None],
) -> None:
    torch.set_num_threads(1 if plan.processes > 1 else (torch.get_num_threads()))
    if plan.processes > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=os.environ.get("MASTER_PORT", "29517"))
        dist.init_process_group("gloo", rank=rank, world_size=plan.processes)
    training = DenoiserTraining(stage, plan, text_folder, latents, eos, rank)
    if (checkpoint := stage.load()) is not None:
        training.resume(checkpoint)
    elif (stage.folder / START).exists():
        training.begin_from(stage.folder / START)
    training.run(report)
    if rank == 0:
        stage.save(training.state())
        report(training)
    if plan.processes > 1:
        dist.destroy_process_group()


def train(
    stage: Stage, plan: Plan, text_folder: Path, latents: Path, eos: int, report: Callable[[DenoiserTraining], None]
) -> None:
    """Train (or go on training) for the stage's budget, on one process or several with averaged gradients."""
    if plan.processes == 1:
        _process(0, stage, plan, text_folder, latents, eos, report)
        return
    torch.multiprocessing.spawn(
        _process, (stage, plan, text_folder, latents, eos, report), nprocs=plan.processes, join=True
    )
