"""A step of Diffusion-DPO: ours against the recipe of diffusers' LoRA script, on the same layers, ranks and batches."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from studio.alignment.columns import LOSER, PROMPT
from studio.engine.bench.cases import CASES, Bench
from studio.engine.bench.edits import their_pipeline
from studio.engine.bench.pairs import time_pairs
from studio.engine.bench.results import BenchResult
from studio.models.embedded import EmbeddedModel
from studio.training.bench.recipe import Recipe
from studio.training.lora.checkpoints import Checkpoints
from studio.training.lora.losses import build_loss
from studio.training.lora.plan import Plan
from studio.training.lora.training import Training
from studio.world.caption import canonical
from studio.world.render import render_uint8
from studio.world.scene import random_scene

PAIRS, BATCH, RANK, LR = 8, 4, 8, 2e-3
LOSS = {"dpo": "studio.alignment.dpo:DiffusionDPO"}
BETA = 100.0  # with the half in front of it


@CASES.register("align")
def align(bench: Bench) -> BenchResult:
    """One step of the optimiser on four pairs, from stored pictures."""
    prompts, pictures = drawn_pairs(bench.bundle.default_size_px)
    training = our_training(bench.bundle, prompts, pictures)
    layers = [path for _, path in training.edit.factors]
    recipe = Recipe(their_pipeline(bench), layers, prompts, pictures, BATCH, RANK, LR, BETA)

    def ours() -> None:
        for _ in training.advance():
            pass

    return BenchResult(
        case="align",
        work=f"a step of Diffusion-DPO, {BATCH} pairs, LoRA of rank {RANK} on all linear layers",
        **time_pairs(ours, recipe.step, bench.pairs, bench.on_pair),
        goal=1.3,
        limit="the network: 16 rows and 8 gradients on both sides; theirs encodes pictures and prompts each time",
        made_by=bench.bundle.made_by(),
    )


def drawn_pairs(side_px: int) -> tuple[list[str], np.ndarray]:
    """Prompts, and of each two pictures of scenes of the world, uint8 [PAIRS, 2, H, W, 3]."""
    rng = np.random.default_rng(5)
    scenes = [[random_scene(rng, two=0.0, empty=0.0) for _ in range(2)] for _ in range(PAIRS)]
    pictures = np.stack([[render_uint8(scene, side_px) for scene in pair] for pair in scenes])
    return [canonical(winner) for winner, _ in scenes], pictures


def our_training(bundle: EmbeddedModel, prompts: list[str], pictures: np.ndarray) -> Training:
    """Ready for its first step; its pictures were encoded once, as they are in every training."""
    with tempfile.TemporaryDirectory() as place:
        files: dict[str, str] = {}
        names: list[list[str]] = []
        for number, pair in enumerate(pictures):
            names.append([])
            for side, pixels in enumerate(pair):
                Image.fromarray(pixels).save(path := Path(place) / f"{number}-{side}.png")
                names[-1].append(sha256(path.read_bytes()).hexdigest())
                files[names[-1][-1]] = str(path)
        plan = Plan.load(
            {
                "name": "bench",
                "model": bundle.name,
                "loss": "dpo",
                "loss_params": {"beta": BETA},
                "prompts": [{PROMPT: prompt} for prompt in prompts],
                "pictures": {
                    "images": [[winner] for winner, _ in names],
                    "partners": {LOSER: [[loser] for _, loser in names]},
                },
                "layers": "linear",
                "rank": RANK,
                "alpha": float(RANK),
                "batch": BATCH,
                "lr": LR,
                "steps": 1_000_000,
            }
        )
        training = Training(plan, build_loss(plan.loss, plan.loss_params, LOSS), bundle)
        for _ in training.prepare(Checkpoints(Path(place) / "bench"), files):
            pass
    return training
