"""`palimpsest train-embedded STAGE`: run one stage, or print the gates."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers import UNet2DConditionModel as UNet
from transformers import CLIPTextModel, CLIPTokenizer

from studio.core.errors import BadInput
from studio.models.embedded import load_stencil
from studio.training.embedded import (
    assemble,
    autoencoder,
    clip,
    denoiser,
    family,
    gates,
    judge,
    judge_gates,
    latents,
    record,
    sheets,
    text,
    typed,
    world_docs,
)
from studio.training.embedded.exclusion import Exclusion
from studio.training.embedded.member import Member
from studio.training.embedded.snapshots import Reporter
from studio.training.embedded.stage import Stage
from studio.world.oracle import Oracle

Answer = dict[str, Any]
PARTS = ("stencil", "oracle", "clip")
MINUTES = 20.0
ASSETS = Path(__file__).resolve().parents[3] / "assets" / "models"


def _latents(args: argparse.Namespace) -> Answer:
    vae: Any = AutoencoderKL.from_pretrained(latents.standard_vae(args.work_dir))
    vae.to(args.device).to(memory_format=torch.channels_last)
    codec = text.Codec(CLIPTokenizer.from_pretrained(args.work_dir / "text" / "tokenizer"))
    torch.set_num_threads(args.threads)
    for number in range(args.first_shard, args.first_shard + args.shards):
        started = time.monotonic()
        latents.write_shard(args.work_dir / "latents", number, vae, codec, args.device, workers=args.threads)
        print(f"shard {number}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return {"latents": str(args.work_dir / "latents")}


def _member(args: argparse.Namespace) -> Answer:
    """A member of the family, from its captions to its model folder."""
    if args.processes != 1 or args.two is not None:
        raise BadInput("--processes and --two are of a training by --minutes; leave them out with --samples.")
    member = Member(
        samples=args.samples,
        seed=args.seed,
        without=Exclusion.read(args.without) if args.without else None,
        shards=args.shards,
        batch=args.batch,
        lr=args.lr,
        align=args.align,
    )
    stage = Stage(
        "denoiser", family.home_of(args.work_dir, member), args.minutes or math.inf, args.device, args.save_every
    )
    return family.train(args.work_dir, member, stage, ASSETS / "stencil" / "vae", args.out, args.threads)


def _denoiser(args: argparse.Namespace) -> Answer:
    if args.samples is not None:
        return _member(args)
    if args.without or args.seed or args.out:
        raise BadInput("--without, --seed and --out are of a member of the family.", "Say its budget with --samples.")
    tokenizer_folder = args.work_dir / "text" / "tokenizer"
    torch.set_num_threads(args.threads)
    stage = _stage(args)
    plan = denoiser.Plan(batch=args.batch, lr=args.lr, align=args.align, processes=args.processes)
    if (stage.folder / denoiser.START).exists():  # taken up from a model that has the coarse of it behind it
        two = plan.two_late if args.two is None else args.two
        plan = replace(plan, two_early=two, two_late=two, low_early=plan.low_late)
    denoiser.train(
        stage,
        plan,
        args.work_dir / "text" / "text_encoder",
        args.work_dir / "latents",
        text.Codec(CLIPTokenizer.from_pretrained(tokenizer_folder)).eos,
        Reporter(latents.standard_vae(args.work_dir), tokenizer_folder),
    )
    return {"denoiser": str(stage.folder / "latest")}


def _assemble(args: argparse.Namespace) -> Answer:
    latest = args.work_dir / "denoiser" / (args.snapshot or "latest")
    assemble.write(
        args.out,
        AutoencoderKL.from_pretrained(latents.standard_vae(args.work_dir)),
        CLIPTextModel.from_pretrained(latest / "text_encoder"),
        UNet.from_pretrained(latest / "unet"),
        CLIPTokenizer.from_pretrained(args.work_dir / "text" / "tokenizer"),
    )
    answer = {"model": str(args.out), "bytes": _bytes_of(args.out)}
    if args.early:
        early = args.out.with_name(f"{args.out.name}-early")
        weak = args.work_dir / "denoiser" / args.early
        assemble.write_weak(
            early, UNet.from_pretrained(weak / "unet"), CLIPTextModel.from_pretrained(weak / "text_encoder")
        )
        answer |= {"early": str(early), "early_bytes": _bytes_of(early)}
    return answer


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _unpack(args: argparse.Namespace) -> Answer:
    """Fill a work folder from the shipped model, so that training can go on where its own checkpoints are gone."""
    if (args.work_dir / "denoiser" / "checkpoint.pt").exists():
        raise BadInput(f"{args.work_dir} has a denoiser in training already; unpack into another --work-dir.")
    targets = {
        "vae": "autoencoder/standard",
        "text_encoder": "text/text_encoder",
        "tokenizer": "text/tokenizer",
        "unet": f"denoiser/{denoiser.START}",
    }
    for part, target in targets.items():
        shutil.copytree(args.model_dir / part, args.work_dir / target, dirs_exist_ok=True)
    return {"work_dir": str(args.work_dir)}


def _autoencoder(args: argparse.Namespace) -> Answer:
    vae_folder = autoencoder.train(_stage(args), decoder_only=args.decoder_only, threads=args.threads)
    shutil.rmtree(args.work_dir / "autoencoder" / "standard", ignore_errors=True)
    return {"vae": str(vae_folder), "standard": str(latents.standard_vae(args.work_dir))}


def _text(args: argparse.Namespace) -> Answer:
    return {"text": str(text.train(_stage(args), threads=args.threads))}


def _oracle(args: argparse.Namespace) -> Answer:
    vae = args.work_dir / "autoencoder" / "standard"
    trained = judge.train(_stage(args), vae if vae.exists() else None, threads=args.threads)
    return {"oracle": str(trained), **_ship(trained, args.out)}


def _clip(args: argparse.Namespace) -> Answer:
    text_folder, tokenizer = args.work_dir / "text" / "text_encoder", args.work_dir / "text" / "tokenizer"
    trained = clip.train(_stage(args), text_folder, tokenizer, lr=args.lr, batch=args.batch, threads=args.threads)
    if args.out:
        clip.write(trained, tokenizer, args.out)
    return {"clip": str(args.out or trained)}


def _sheets(args: argparse.Namespace) -> Answer:
    paths = sheets.all_sheets(load_stencil(args.model_dir, args.device), args.out or Path("docs/images"))
    return {"sheets": [str(path) for path in paths]}


def _world_docs(args: argparse.Namespace) -> Answer:
    folder = args.out or Path("docs/world")
    world_docs.write(folder, Oracle.load(), args.work_dir / "judge", args.model_dir / "vae")
    return {"pages": str(folder)}


def _evaluate(args: argparse.Namespace) -> Answer:
    """The gates of the parts asked for: what the model draws, the oracle that reads it, the world's CLIP."""
    torch.set_num_threads(args.threads)
    answer: Answer = {}
    oracle = Oracle.load()
    if "stencil" in args.parts:
        bundle = load_stencil(args.model_dir, args.device)
        result = gates.evaluate(bundle, oracle, one_n=args.one, two_n=args.two, progress=_count_to_stderr)
        rows = typed.rows(
            bundle, oracle, open_n=args.open, each_n=args.each, seeds=args.phrasings, progress=_count_to_stderr
        )
        result["rows"] += [row.as_json() for row in rows]
        result["passed"] = result["passed"] and all(row.passed is not False for row in rows)
        answer["stencil"] = result
        print("", file=sys.stderr)
    if "oracle" in args.parts:
        rows = judge_gates.evaluate(oracle, args.work_dir / "judge", args.model_dir / "vae")
        answer["oracle"] = {"passed": all(row.passed is not False for row in rows), "rows": [r.as_json() for r in rows]}
    if "clip" in args.parts:
        answer["clip"] = clip.gate(ASSETS / "clip")
    if args.record:
        record.write(ASSETS.parents[1], answer)
    if not args.json:
        for part, part_result in answer.items():
            print(f"\n{part}\n{gates.table(part_result)}")
    answer["passed"] = all(part["passed"] for part in answer.values())
    return answer


def _ship(folder: Path, out: Path | None) -> Answer:
    if out is None:
        return {}
    shutil.copytree(folder, out, dirs_exist_ok=True)
    return {"shipped": str(out)}


def _count_to_stderr(picture_count: int, total: int) -> None:
    if picture_count % 10 == 0 or picture_count == total:
        print(f"\r{picture_count} of {total} pictures", end="", file=sys.stderr, flush=True)


def _stage(args: argparse.Namespace) -> Stage:
    return Stage(args.stage, args.work_dir, args.minutes or MINUTES, args.device, save_every_s=args.save_every)


def parser() -> argparse.ArgumentParser:
    """Arguments of the verb: one sub-command per stage."""
    out = argparse.ArgumentParser(prog="palimpsest train-embedded", description=__doc__)
    stages = out.add_subparsers(dest="stage", required=True, metavar="STAGE")

    def stage(name: str, run: Callable[[argparse.Namespace], Answer], help: str) -> argparse.ArgumentParser:
        verb = stages.add_parser(name, help=help, description=help)
        verb.set_defaults(run=run)
        verb.add_argument("--work-dir", type=Path, default=Path("workspace/training"), help="checkpoints and data")
        verb.add_argument("--minutes", type=float, help=f"wall-clock budget ({MINUTES:g}); a second run goes on")
        verb.add_argument("--save-every", type=float, default=240.0, help="seconds between checkpoints")
        verb.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        verb.add_argument("--threads", type=int, default=2)
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        return verb

    verb = stage("autoencoder", _autoencoder, "pictures to latents and back")
    verb.add_argument("--decoder-only", action="store_true", help="freeze the encoder: latents stay as they are")
    stage("text", _text, "the tokenizer and the text encoder")
    verb = stage("judge", _oracle, "the oracle that reads pictures")
    verb.add_argument("--out", type=Path, help="where to ship it, such as assets/models/oracle")
    verb = stage("latents", _latents, "render, encode and caption the denoiser's scenes")
    verb.add_argument("--shards", type=int, default=8, help="how many shards of 5000 scenes")
    verb.add_argument("--first-shard", type=int, default=0)
    verb = stage("denoiser", _denoiser, "the UNet, and the text encoder with it")
    verb.add_argument("--processes", type=int, default=1, help="processes with averaged gradients, one thread each")
    verb.add_argument("--batch", type=int, default=32, help="per process")
    verb.add_argument("--lr", type=float, default=1e-3)
    verb.add_argument("--two", type=float, help="share of two-object scenes when training is taken up again (0.45)")
    verb.add_argument("--align", type=float, default=0.1, help="weight of the scene alignment loss")
    verb.add_argument(
        "--samples", type=int, help="train a member of the family for so many samples, text encoder first"
    )
    verb.add_argument("--seed", type=int, default=0, help="of a member: its first weights and the order of its data")
    verb.add_argument("--without", metavar="KIND:NAME", help="of a member: what it never meets, such as object:star")
    verb.add_argument("--shards", type=int, default=8, help="of a member: shards of 5000 scenes")
    verb.add_argument("--out", type=Path, help="of a member: its model folder (in the work folder)")
    verb = stage("clip", _clip, "the world's CLIP")
    verb.add_argument("--out", type=Path, help="where to ship it, such as assets/models/clip")
    verb.add_argument("--batch", type=int, default=128, help="pairs per step; more are more contrast (512 on CUDA)")
    verb.add_argument("--lr", type=float, default=1e-3)
    verb = stage("assemble", _assemble, "write the pipeline folder that ships")
    verb.add_argument("--snapshot", help="name of a denoiser snapshot instead of the latest")
    verb.add_argument("--early", metavar="SNAPSHOT", help="ship this half-trained snapshot too, for autoguidance")
    verb.add_argument("--out", type=Path, default=ASSETS / "stencil")
    verb = stage("unpack", _unpack, "fill a work folder from the shipped model, to train it further")
    verb.add_argument("--model-dir", type=Path, default=ASSETS / "stencil")
    verb = stage("sheets", _sheets, "contact sheets of the shipped model")
    verb.add_argument("--out", type=Path, help="folder (docs/images)")
    verb.add_argument("--model-dir", type=Path, default=ASSETS / "stencil")
    verb = stage("world-docs", _world_docs, "sheets of the world, and what the oracle confuses")
    verb.add_argument("--out", type=Path, help="folder (docs/world)")
    verb.add_argument("--model-dir", type=Path, default=ASSETS / "stencil")
    verb = stage("evaluate", _evaluate, "print every gate with its n and interval")
    verb.add_argument("--model-dir", type=Path, default=ASSETS / "stencil")
    verb.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="whose gates to measure")
    verb.add_argument("--record", action="store_true", help="write the numbers into assets/ and the READMEs")
    verb.add_argument("--one", type=int, default=600, help="one-object prompts")
    verb.add_argument("--two", type=int, default=300, help="two-object prompts")
    verb.add_argument("--open", type=int, default=300, help="prompts of each kind that leave most unsaid")
    verb.add_argument("--each", type=int, default=60, help="full prompts of each object")
    verb.add_argument("--phrasings", type=int, default=4, help="seeds of each wording outside the grammar")
    return out


def main(argv: Sequence[str]) -> int:
    """Run the stage that the arguments name; 0 when done, 1 when a gate of `evaluate` failed."""
    args = parser().parse_args(list(argv))
    if args.minutes is not None and not args.minutes > 0:
        raise BadInput(f"--minutes must be above 0, not {args.minutes}.", field="minutes")
    answer = args.run(args)
    if args.json:
        print(json.dumps(answer))
    return 0 if answer.get("passed", True) else 1
