"""What trainings from preferences get wrong unnoticed, each with what shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from studio.core.errors import BadInput, Cancelled
from studio.engine.runner import Engine
from studio.services.sources import LOSSES
from studio.training.features.extractors import load
from studio.training.features.job import kept_under, read_picture
from studio.training.lora import files
from studio.training.lora.checkpoints import Checkpoint, Checkpoints
from studio.training.lora.held_out import HeldOut
from studio.training.lora.losses import build_loss
from studio.training.lora.plan import Plan
from studio.training.lora.policies import AutoPlan
from studio.training.lora.strength import DECAY, Strength
from studio.training.lora.training import Training
from tests.training.align.test_objectives import Run, engine_for, paths_of, small


def training_of(engine: Engine, model: str, plan: dict[str, Any], paths: dict[str, str], folder: Path) -> Training:
    """Prepared, apart from any job."""
    checked = Plan.load(plan)
    loss = build_loss(checked.loss, checked.loss_params, LOSSES)
    training = Training(checked, loss, engine.bundle(model))
    for _ in training.prepare(Checkpoints(folder), paths):
        pass
    return training


def stepped(training: Training, steps: int) -> Training:
    for _ in range(steps):
        for _ in training.advance():
            pass
    return training


@pytest.fixture
def sd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, str]:
    return engine_for("sd", tmp_path_factory)


@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_a_caption_is_left_out_once_for_all_sides_of_a_row(sd: tuple[Engine, str], tmp_path: Path, name: str) -> None:
    plan = {**small(name, sd[1]), "batch": 64}
    paths = paths_of(plan, tmp_path)
    without = training_of(*sd, plan, paths, tmp_path / "without")
    dropping = training_of(*sd, {**plan, "caption_dropout": 0.5}, paths, tmp_path / "dropping")
    columns = set(plan["prompts"][0])
    assert {need.condition for need in dropping.loss.needs} == columns
    batch = dropping.batches.draw()
    texts = list(zip(*(batch.prompts[column] for column in columns), strict=True))
    assert all(all(row) or not any(row) for row in texts), "one side would be drawn to what the other is drawn from"
    left_out = sum(not any(row) for row in texts)
    assert 16 < left_out < 48  # 32 of 64, within four standard deviations
    assert all(batch.prompts["prompt"][k] for k in range(64) if texts[k][0]) and batch.prompts[""] == [""] * 64
    assert all(without.batches.draw().prompts["prompt"]), "without it nothing is left out"
    held_out = dropping.batches.placed(torch.arange(4, 6), torch.Generator().manual_seed(0))
    assert all(held_out.prompts["prompt"]), "what is held out is tried whole"
    assert Plan.load({**plan, "caption_dropout": 0.0}).digest == Plan.load(plan).digest


def test_the_reference_is_the_base_also_after_a_training_was_gone_on_with(
    sd: tuple[Engine, str], tmp_path: Path
) -> None:
    plan = {**small("dpo", sd[1]), "steps": 8, "lr": 0.05}
    paths = paths_of(plan, tmp_path)
    fresh = training_of(*sd, plan, paths, tmp_path / "run")
    batch = fresh.batches.placed(torch.tensor([4, 5]), torch.Generator().manual_seed(1))
    base = fresh.tried(batch, is_base=True)
    stepped(fresh, 4)
    Checkpoints(tmp_path / "run").write(fresh.checkpoint())
    again = training_of(*sd, plan, paths, tmp_path / "run")
    stored = Checkpoints(tmp_path / "run").read(again.plan.digest, again.base)
    assert stored is not None
    again.resume(stored)
    for training in (fresh, again):
        assert training.tried(batch, is_base=True) == base
        tried = training.tried(batch)
        assert tried["winner error"] != base["winner error"]
        assert tried["winner error of the base"] == base["winner error"]


def test_what_is_held_out_is_tried_to_the_same_bits_whenever_it_is_looked_at(
    sd: tuple[Engine, str], tmp_path: Path
) -> None:
    plan = small("dpo", sd[1])
    paths = paths_of(plan, tmp_path)
    training = stepped(training_of(*sd, plan, paths, tmp_path / "run"), 1)

    def look() -> dict[str, float]:
        held_out = HeldOut(training)
        for _ in held_out.take(1):
            pass
        return held_out.measures()

    first = look()
    torch.randn(100, generator=training.generator)  # what else the training draws
    torch.manual_seed(7)
    assert look() == first and first["held-out winner error"] != first["held-out winner error of the base"]


def test_sdxl_is_told_the_size_of_every_row_of_a_doubled_batch(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine, model = engine_for("sdxl", tmp_path_factory)
    plan = small("dpo", model)
    paths = paths_of(plan, tmp_path)
    training = training_of(engine, model, plan, paths, tmp_path / "run")
    seen: list[tuple[int, torch.Tensor, int]] = []

    def note(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        beside = kwargs["added_cond_kwargs"]
        seen.append((len(args[0]), beside["time_ids"], len(beside["text_embeds"])))

    hook = engine.bundle(model).components()["unet"].register_forward_pre_hook(note, with_kwargs=True)
    try:
        stepped(training, 1)
    finally:
        hook.remove()
    assert [rows for rows, _, _ in seen] == [2 * plan["batch"]] * 2  # both sides by the base, both by the student
    for rows, sizes, pooled in seen:
        assert len(sizes) == pooled == rows and len(sizes.unique(dim=0)) == 1
        assert sizes[0].tolist() == [32, 32, 0, 0, 32, 32]


def test_a_beta_that_is_found_is_taken_back_once_in_a_step_and_by_pictures(
    sd: tuple[Engine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = Strength.step
    monkeypatch.setattr(Strength, "step", lambda self, measures: (steps.append(1), step(self, measures))[1])
    plan = {**small("dpo", sd[1]), "auto": {"scale": 13.0}, "steps": 3}
    often = {**plan, "held_out": {**plan["held_out"], "every": 1}}
    paths = paths_of(plan, tmp_path)
    run = Run(sd[0], tmp_path / "run", paths, often).finish()
    assert len(steps) == 3, "looks, the probe and the base's rows step nothing"
    points = [point["values"] for point in run.of("measure")]
    base = next(point["held-out winner error of the base"] for point in points if "held-out loss" in point)
    beta = next(point["beta"] for point in points if "beta" in point)
    assert beta == pytest.approx(13 / base, rel=0.5)  # found on other rows and noise

    strength = Strength(AutoPlan(scale=13.0, content=1.0, change=4.0))
    with pytest.raises(BadInput, match="tells no 'winner error of the base'"):
        strength.find({"winner error": 0.1})
    strength.find({"winner error of the base": 0.13})
    assert strength.value == pytest.approx(100)
    strength.step({"margin": 1.0})  # log odds of 5, before anything was looked at
    assert strength.value == pytest.approx(100)
    strength.see(5.0)  # pictures change enough
    strength.step({"margin": 1.0})
    assert strength.value == pytest.approx(100)
    strength.see(0.3)
    margin = 1 - DECAY**3
    strength.step({"margin": -1.0})  # its size counts
    assert strength.value == pytest.approx(100 * max(0.5, 1 / (50 * margin)))
    copy = Strength(AutoPlan(scale=1.0))
    copy.load(strength.state())
    copy.step({"margin": 1.0})
    strength.step({"margin": 1.0})
    assert copy.value == strength.value < 50


def test_what_was_kept_by_another_version_or_other_weights_is_not_taken_for_ones_own(
    sd: tuple[Engine, str], tmp_path: Path
) -> None:
    plan = small("sft", sd[1], held_out=0)
    paths = paths_of(plan, tmp_path)
    folder = tmp_path / "run"
    whole = training_of(*sd, plan, paths, folder)
    checkpoints, digest, base = Checkpoints(folder), whole.plan.digest, whole.base

    def of_format(name: str, number: int) -> None:
        with safe_open(folder / name, "pt") as file:
            standing = json.loads(file.metadata()["standing"]) | {"format": number}
            tensors = {key: file.get_tensor(key) for key in file.keys()}
        save_file(tensors, folder / name, {"standing": json.dumps(standing)})

    assert checkpoints.read(digest, base, files.BANK) is not None
    of_format(files.BANK, 1)
    assert checkpoints.read(digest, base, files.BANK) is None
    checkpoints.write(Checkpoint(whole.standing, {"generator": torch.zeros(1)}))
    of_format(files.CHECKPOINT, 0)
    with pytest.raises(BadInput, match="another version of this program"):
        checkpoints.read(digest, base)
    extractor = load("tones")
    assert kept_under(extractor.id) != extractor.id and kept_under("a") != kept_under("b")


def test_latents_of_other_weights_under_the_same_name_are_not_learned_from(
    sd: tuple[Engine, str], tmp_path: Path
) -> None:
    from studio.engine.latents import latents_file

    engine, model = sd
    plan = small("sft", model, held_out=0)
    paths = paths_of(plan, tmp_path)
    bundle = engine.bundle(model)
    side = 32 // bundle.latent_scale_px
    latents: dict[str, str] = {}
    for number, name in enumerate(paths):
        random = torch.randn((1, bundle.latent_channels, side, side), generator=torch.Generator().manual_seed(number))
        (path := tmp_path / f"{number}.npy").write_bytes(latents_file(random))
        latents[name] = str(path)

    def sha(name: str, **job: Any) -> str:
        return Run(engine, tmp_path / name, paths, plan, **job).finish().of("edit")[0]["sha256"]

    encoded, own = sha("encoded"), sha("own", latents=latents, latents_of=dict.fromkeys(latents, bundle.model_hash))
    others = sha("others", latents=latents, latents_of=dict.fromkeys(latents, "0" * 64))
    assert others == encoded != own


def test_a_picture_that_lies_on_its_side_is_learned_from_upright(sd: tuple[Engine, str], tmp_path: Path) -> None:
    plan = small("sft", sd[1], held_out=0)
    paths = paths_of(plan, tmp_path)
    turned: dict[str, str] = {}
    for name, path in paths.items():
        with Image.open(path) as picture:
            lying = picture.transpose(Image.Transpose.ROTATE_90)
            exif = Image.Exif()
            exif[0x0112] = 6  # to be turned right by 90°
            lying.save(turned_path := tmp_path / f"turned-{Path(path).name}", exif=exif)
        turned[name] = str(turned_path)
    upright, lying_down = (
        Run(sd[0], tmp_path / folder, which, plan).finish().of("edit")[0]["sha256"]
        for folder, which in (("upright", paths), ("turned", turned))
    )
    assert upright == lying_down
    first = next(iter(paths))
    pictures = [read_picture(Path(which[first])) for which in (paths, turned)]
    assert pictures[0] is not None and pictures[1] is not None and (pictures[0] == pictures[1]).all()


def test_a_base_that_was_changed_under_a_stopped_run_is_told(sd: tuple[Engine, str], tmp_path: Path) -> None:
    plan = small("dpo", sd[1])
    paths = paths_of(plan, tmp_path)
    run = Run(sd[0], tmp_path / "run", paths, plan)
    with pytest.raises(Cancelled):
        for _ in run.steps:
            if run.of("progress"):
                run.steps.throw(Cancelled("stopped"))
    bundle = sd[0].bundle(sd[1])
    before = bundle.model_hash
    bundle.model_hash = "0" * 64
    try:
        with pytest.raises(BadInput, match="other weights than this model has now"):
            Run(sd[0], tmp_path / "run", paths, plan).finish()
    finally:
        bundle.model_hash = before
