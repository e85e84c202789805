"""The command line: `palimpsest VERB ...`.

Answers go to stdout (with --json: one JSON object), progress and remarks to stderr. Exit codes: 0, 1 the work failed,
2 bad input or an unfit machine, 130 interrupted. What is wrong with the input is said in one sentence.

Heavy imports are inside the verbs: asking for help or the recipe's schema must not wait for torch.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import studio
from studio.cli import claims, edits, methods, recipe
from studio.cli.recipe import number
from studio.core.errors import BadInput, StudioError
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.threads import wait_politely

if TYPE_CHECKING:
    from studio.models.tokens import TokenReport

Answer = dict[str, Any]


class _Parser(argparse.ArgumentParser):
    """argparse without its usage dump: what is wrong is a BadInput like any other."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"See: {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; give the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    wait_politely()
    try:
        if arguments[:1] == ["train-embedded"]:
            from studio.training.embedded import run  # has a parser of its own

            return run.main(arguments[1:])
        args = parser().parse_args(arguments)
        return int(args.run(args))
    except StudioError as error:
        sys.stderr.write(f"{error}\n")
        if as_json:
            _print({"error": str(error), "type": type(error).__name__, "exit_code": error.exit_code})
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has gone; say nothing more, not even on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a bug: whoever reads the JSON is told, and the trace is for us
        traceback.print_exc()
        if as_json:
            _print({"error": f"Something went wrong inside: {error!r}", "type": type(error).__name__, "exit_code": 1})
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line. Numbers arrive as text: the recipe says what is wrong with them."""
    top = _Parser(prog="palimpsest", description="A studio for text-to-image diffusion models.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"Palimpsest {studio.__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)

    def verb(name: str, run: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help, description=help, allow_abbrev=False)
        made.set_defaults(run=run)
        made.add_argument("--json", action="store_true", help="print one JSON object")
        return made

    serve = verb("serve", _serve, "open the studio's page")
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", help="port to listen on (7860; 0 takes a free one)")
    serve.add_argument("--patience", help="seconds without progress after which the engine is started again (600)")

    generate = verb("generate", _generate, "make pictures from a prompt")
    generate.add_argument("prompt", nargs="?", help='what to draw; "" is unconditional')
    recipe.add_flags(generate)
    generate.add_argument("--count", default="1", help="how many, with seeds counting up")
    generate.add_argument("--recipe", type=Path, metavar="FILE", help="begin from a recipe: JSON, or a PNG of ours")
    generate.add_argument("--out", type=Path, metavar="PNG", help="write the picture here too; several are numbered")
    generate.add_argument("--no-history", action="store_true", help="with --out: leave the workspace alone")

    replay = verb("replay", _replay, "make a picture again from its own recipe and compare the pixels")
    replay.add_argument("image", type=Path, help="a PNG of ours")

    jobs = verbs.add_parser("jobs", help="what the studio has done and is doing", allow_abbrev=False)
    deeds = jobs.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    listing = deeds.add_parser("list", help="the newest jobs; also beside a running studio", allow_abbrev=False)
    listing.add_argument("--limit", default="20", help="how many (20)")
    show = deeds.add_parser("show", help="one job with its pictures; also beside a running studio", allow_abbrev=False)
    watch = deeds.add_parser("watch", help="wait until a running studio's job is over", allow_abbrev=False)
    retry = deeds.add_parser("retry", help="run a finished job again, here and now", allow_abbrev=False)
    for made, run in ((listing, _jobs_list), (show, _jobs_show), (watch, _jobs_watch), (retry, _jobs_retry)):
        made.set_defaults(run=run)
        made.add_argument("--json", action="store_true", help="print one JSON object")
        if made is not listing:
            made.add_argument("job", help="its number or id")

    world = verbs.add_parser("world", help="pictures of the procedural world", allow_abbrev=False)
    actions = world.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    render = actions.add_parser("render", help="render scenes", allow_abbrev=False)
    render.set_defaults(run=_world_render)
    render.add_argument("--json", action="store_true", help="print one JSON object")
    for name in ("object", "colour", "style", "background", "size", "place", "second-object", "second-colour"):
        render.add_argument(f"--{name}")
    render.add_argument("--relation", help="of the first object to the second")
    render.add_argument("--random", metavar="N", help="N scenes drawn at random instead")
    render.add_argument("--seed", default="0", help="of the random scenes")
    render.add_argument("--pixels", default="128", help="side of the picture")
    render.add_argument("--out", type=Path, required=True, metavar="PNG", help="file, or folder for --random")

    edits.add(verbs)
    methods.add(verbs)
    reproduce = claims.add(verbs)

    verb("doctor", _doctor, "check that this machine is fit")
    verb("recipe-schema", _recipe_schema, "print the JSON schema of recipes")
    verb("docs", _docs, "write the reference pages of docs/ from the code")

    bench = verb("bench", _bench, "time the studio against plain diffusers on the same work")
    bench.add_argument("case", nargs="?", help="one case alone; without it all")
    bench.add_argument("--out", type=Path, metavar="FILE", help="write the table here too, as a page")
    bench.add_argument("--pairs", default="7", help="how many timings of each side, at least 7")
    bench.add_argument("--prompt", default="a red star on a white background")
    recipe.add_flags(bench)

    verbs.add_parser("train-embedded", help="train the embedded model", add_help=False)
    for made in (serve, generate, replay, verbs.choices["doctor"], bench, reproduce, listing, show, watch, retry):
        _add_settings_flags(made)
    return top


def _add_settings_flags(made: argparse.ArgumentParser) -> None:
    settings = made.add_argument_group("settings", "each also as an environment variable PALIMPSEST_<NAME>")
    settings.add_argument("--workspace", help="folder of the history (./workspace)")
    settings.add_argument("--model-dir", help="folder of the model")
    settings.add_argument("--models-dir", help="folder of further models")
    settings.add_argument("--device", help="auto, cpu, cuda or mps")
    settings.add_argument("--dtype", help="auto, fp32, bf16 or fp16")
    settings.add_argument("--threads", help="CPU threads of the arithmetic")
    settings.add_argument("--memory-budget", help="GB that resident models may take (60 %% of what is free)")


# -- verbs ----------------------------------------------------------------------------------------------------------


def _serve(args: argparse.Namespace) -> int:
    from studio.ui import app

    app.serve(_settings(args))
    return 0


def _generate(args: argparse.Namespace) -> int:
    from studio.services.sources import Sources
    from studio.services.studio import Studio

    settings = _settings(args)
    sources = Sources(settings)
    if args.prompt is None and args.recipe is None:
        raise BadInput('Give a prompt, or "" for an unconditional picture.', field="prompt")
    if args.no_history and args.out is None:
        raise BadInput("With --no-history, --out must say where the picture goes.", field="out")
    values = recipe.from_file(args.recipe) if args.recipe else {}
    recipes = recipe.recipes(args, values, sources.card(str(values.get("model", "stencil"))), settings)
    outs = _out_paths(args.out, recipes)
    report = sources.tokenizer(recipes[0].model).report(recipes[0].prompt)
    _remark(report)
    images: list[Answer] = []
    drawn: list[Recipe] = []  # with every parameter in them
    if args.no_history:
        from studio.services.direct import generate_unrecorded

        for picture, out in zip(generate_unrecorded(settings, recipes, _progress), outs, strict=True):
            _write(out, picture.png())
            images.append({"path": str(out), "seed": picture.recipe.seed, "made_by": picture.made_by})
            drawn.append(picture.recipe)
    else:
        with Studio(settings, backend="inline") as made:
            found = made.pictures.draw(recipes, lambda event: _progress(event.kind, event.data))
        for index, one in enumerate(found):
            if outs:
                _write(outs[index], one.image_path.read_bytes())
            path = outs[index] if outs else one.image_path
            images.append(
                {"path": str(path), "seed": one.recipe.seed, "made_by": one.made_by, "generation": one.id,
                 "sha256": one.sha256}
            )  # fmt: skip
            drawn.append(one.recipe)
    tokens = {"tokens": report.tokens, "limit": report.limit, "cut": report.cut, "unknown": list(report.unknown_words)}
    answer = {"images": images, "recipe": drawn[0].model_dump(mode="json"), "prompt": tokens}
    _print(answer if args.json else "\n".join(image["path"] for image in images))
    return 0


def _replay(args: argparse.Namespace) -> int:
    from studio.services.replay import replay

    result = replay(_settings(args), args.image, _progress)
    answer = {
        "identical": result.identical,
        "pixels": result.pixels,
        "different_pixels": result.different_pixels,
        "max_difference": result.max_difference,
        "causes": list(result.causes),
        "recipe": result.recipe.model_dump(mode="json"),
    }
    _print(answer if args.json else result.sentence())
    return 0 if result.identical else 1


def _jobs_list(args: argparse.Namespace) -> int:
    from studio.services.ledger import Ledger

    limit = number(args.limit)
    if not isinstance(limit, int) or not 1 <= limit <= 200:
        raise BadInput(f"The number of jobs must be a whole number from 1 to 200, not {args.limit!r}.", field="limit")
    with Ledger(_settings(args)) as ledger:
        jobs = ledger.page(limit)
    _print({"jobs": jobs} if args.json else "\n".join(_job_line(job) for job in jobs) or "No job yet.")
    return 0


def _jobs_show(args: argparse.Namespace) -> int:
    from studio.services.ledger import Ledger

    with Ledger(_settings(args)) as ledger:
        job = ledger.show(args.job)
    _print(job if args.json else "\n".join([_job_line(job), *job["pictures"]]))
    return 0


def _jobs_watch(args: argparse.Namespace) -> int:
    from studio.services.ledger import Ledger

    with Ledger(_settings(args)) as ledger:
        job = ledger.watch(args.job, lambda now: _line(f"{now['status']}, {len(now['pictures'])} pictures"))
    _line("")
    _print(job if args.json else "\n".join([_job_line(job), *job["pictures"]]))
    return 0 if job["status"] == "done" else 1


def _jobs_retry(args: argparse.Namespace) -> int:
    from studio.services.ledger import Ledger
    from studio.services.studio import Studio

    settings = _settings(args)
    with Studio(settings, backend="inline") as made:
        made.jobs.wait(made.jobs.retry(made.jobs.find(args.job).id), lambda event: _progress(event.kind, event.data))
        newest = str(made.jobs.newest(1)[0].number)
    with Ledger(settings) as ledger:
        job = ledger.show(newest)
    _print(job if args.json else "\n".join([_job_line(job), *job["pictures"]]))
    return 0


def _job_line(job: Answer) -> str:
    why = f"  {job['error']}" if job["error"] else ""
    return f"{job['number']:>5}  {job['status']:<11}  {(job['created_at'] or '')[:19]:<19}  {job['what']}{why}"


def _world_render(args: argparse.Namespace) -> int:
    from studio.services.world import CHOICES, render_random, render_scene

    pixels = number(args.pixels)
    if args.random is None:
        rendered = [render_scene({name: getattr(args, name) for name in CHOICES}, pixels)]
        outs = [_checked_png(args.out)]
    else:
        rendered = render_random(number(args.random), number(args.seed), pixels)
        outs = _numbered(args.out, len(rendered))
    images: list[Answer] = []
    for out, one in zip(outs, rendered, strict=True):
        _write(out, one.png())
        images.append({"path": str(out), "caption": one.caption, **one.words})
    _print({"images": images} if args.json else "\n".join(f"{one['path']}  {one['caption']}" for one in images))
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from studio.services.doctor import examine

    checks = examine(_settings(args))
    ok = all(check.ok for check in checks)
    if args.json:
        rows = [{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks]
        _print({"ok": ok, "checks": rows})
    else:
        lines = (f"{'ok' if c.ok else 'PROBLEM':<8} {c.name:<10} {c.detail} {c.hint}".rstrip() for c in checks)
        _print("\n".join(lines))
    return 0 if ok else 1


def _recipe_schema(args: argparse.Namespace) -> int:
    _print(Recipe.model_json_schema())
    return 0


def _docs(args: argparse.Namespace) -> int:
    from studio.evidence import record
    from studio.services import reference

    root = Path(__file__).resolve().parents[2]
    written = reference.write(root / "docs", root / "presets" / "guidance")
    written += [path.name for path in record.render(root / record.RESULTS)]
    _print({"written": written} if args.json else "\n".join(written) or "Every page is fresh.")
    return 0


def _bench(args: argparse.Namespace) -> int:
    from studio.services.checks import check_recipes
    from studio.services.sources import Sources

    sources = Sources(_settings(args))
    args.count = "1"
    args.seed = args.seed or "7"
    recipes = recipe.recipes(args, {}, sources.card("stencil"), sources.settings)
    check_recipes(recipes, sources)
    from dataclasses import asdict

    from studio.engine.bench import CASES, Bench, page, table
    from studio.engine.bench.pairs import check_pairs

    pairs = number(args.pairs)
    if not isinstance(pairs, int):
        raise BadInput(f"The number of pairs must be a whole number, not {args.pairs!r}.", field="pairs")
    check_pairs(pairs)  # before anything is loaded or drawn
    config = sources.engine_config(previews=False)
    results = []
    for name in [args.case] if args.case else CASES.names():
        bench = Bench.of(config, recipes[0], pairs, lambda pair, name=name: _line(f"{name}: pair {pair} of {pairs}"))
        results.append(CASES.get(name)(bench))
    _line("")
    if args.out:
        _write(args.out, page(results).encode())
    cases = [{**asdict(result), "reached": result.reached} for result in results]
    _print({"cases": cases} if args.json else table(results))
    return 0


# -- from text to values --------------------------------------------------------------------------------------------


def _settings(args: argparse.Namespace) -> Settings:
    flags = {name: getattr(args, name, None) for name in Settings.model_fields}
    return Settings.resolve(flags, os.environ)


# -- files ----------------------------------------------------------------------------------------------------------


def _out_paths(out: Path | None, recipes: Sequence[Recipe]) -> list[Path]:
    """Where the pictures go, checked before any work is done; [] without --out."""
    if out is None:
        return []
    return [_checked_png(out)] if len(recipes) == 1 else _numbered(out, len(recipes))


def _numbered(out: Path, count: int) -> list[Path]:
    """star.png -> star-1.png, star-2.png, ...; a folder -> 1.png, 2.png, ... in it."""
    if out.suffix:
        return [_checked_png(out.with_name(f"{out.stem}-{i}{out.suffix}")) for i in range(1, count + 1)]
    return [_checked_png(out / f"{i}.png") for i in range(1, count + 1)]


def _checked_png(path: Path) -> Path:
    if path.suffix.lower() != ".png" or path.is_dir():
        raise BadInput(f"The picture is written as PNG: --out must be a file name ending in .png, not {path}.")
    return path


def _write(path: Path, data: bytes) -> None:
    from studio.storage.images import write_durably
    from studio.storage.workspace import workspace_error

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, data, private=False)
    except OSError as error:
        raise workspace_error(error, f"The file {path}") from None


# -- to the terminal ------------------------------------------------------------------------------------------------


def _print(answer: Any) -> None:
    # ASCII only in JSON: stdout may be of any encoding.
    sys.stdout.write((answer if isinstance(answer, str) else json.dumps(answer)) + "\n")
    sys.stdout.flush()


def _remark(report: TokenReport) -> None:
    if report.unknown_words:
        sys.stderr.write(f"The model has no word for: {', '.join(report.unknown_words)}.\n")
    if report.is_cut:
        sys.stderr.write(f"The prompt has {report.tokens} tokens of {report.limit}; this is cut: {report.cut}\n")


def _progress(kind: str, data: Answer) -> None:
    if kind == "progress":
        picture = f"picture {data['image'] + 1} of {data['images']}, " if "images" in data else ""
        _line(f"{picture}step {data['step']} of {data['steps']}")
    elif kind in ("done", "failed", "cancelled", "interrupted"):
        _line("")


def _line(text: str) -> None:
    """Rewrite the last line of a terminal; in a file or pipe it would be noise."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
