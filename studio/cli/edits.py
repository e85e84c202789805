"""The verbs `edits list | show | import | export | merge | rename | remove` of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give
from studio.cli.grammar import add_actions, add_verb, number, settings_of
from studio.cli.trained import remark_name
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry, EditLibrary

EMBEDDED = "stencil"
Run = Callable[["EditLibrary", argparse.Namespace], "tuple[Answer, str]"]


def add(verbs: Any) -> None:
    """Add the verb `edits` to argparse's subparsers. Each action answers in JSON with --json, else in lines."""
    actions = add_actions(verbs, "edits", "the workspace's edits")

    def action(name: str, run: Run, help: str) -> argparse.ArgumentParser:
        parser = add_verb(actions, name, lambda args: _answer(run, args), help)
        parser.add_argument("--workspace", help="folder of the edits (./workspace)")
        return parser

    action("list", _list, "list all edits")
    show = action("show", _show, "say everything about one edit")
    importing = action(
        "import", _import, "take a LoRA, erased weights (ESD, UCE) or an edit of ours into the workspace"
    )
    importing.add_argument("file", type=Path, help=".safetensors, .pt, or a peft folder")
    importing.add_argument("--name", help="what to call it (the file's name)")
    importing.add_argument("--partial", action="store_true", help="take what fits the model where not all does")
    importing.add_argument("--check", action="store_true", help="only say how much of the file fits")
    export = action("export", _export, "write an edit for other programs")
    merging = action("merge", _merge, "make one edit of several")
    merging.add_argument("edits", nargs="+", metavar="EDIT", help="NAME or NAME=STRENGTH, two or more")
    merging.add_argument("--name", required=True, help="what to call it")
    merging.add_argument(
        "--method",
        default="concatenate",
        help="concatenate (exact, the usual one), linear, svd, ties, dare or darex (docs/guide/edits.md)",
    )
    merging.add_argument("--rank", metavar="N", help="of its factors (svd: 8; else it is not factored)")
    merging.add_argument("--density", metavar="SHARE", help="of ties: of each layer's numbers that stays (0.2)")
    merging.add_argument("--drop", metavar="SHARE", help="of dare and darex: that is left out (0.9)")
    merging.add_argument("--q", help="of darex: what the rest is divided by (the change keeps its strength)")
    merging.add_argument("--seed", help="of dare and darex (0)")
    rename = action("rename", _rename, "give an edit another name; recipes still find it")
    remove = action("remove", _remove, "delete an edit")
    for parser in (show, export, rename, remove):
        parser.add_argument("edit", help="its id, its hash, or its name where only one has it")
    export.add_argument(
        "--format", default="diffusers", help="diffusers, kohya, comfyui, peft, palimpsest or merged (diffusers)"
    )
    export.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="a new .safetensors file; of peft, a new folder"
    )
    export.add_argument("--max-rank", metavar="N", help="of the low-rank form of a dense edit (128)")
    export.add_argument("--energy", metavar="SHARE", help="of a dense layer's change, kept at least (0.99)")
    export.add_argument("--strength", metavar="S", help="of the edit within a merged model (1)")
    for parser in (importing, export):
        parser.add_argument("--model", help="which model it is for (stencil; of an export, the one it was made of)")
        parser.add_argument("--model-dir", help="folder of stencil")
        parser.add_argument("--models-dir", help="folder of further models")
    rename.add_argument("name")


# -- actions --------------------------------------------------------------------------------------------------------


def _list(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    entries = library.list()
    lines = [f"{entry.id}  {entry.kind or 'broken'}  {entry.name}  {entry.problem}".rstrip() for entry in entries]
    return {"edits": [_plain(entry) for entry in entries]}, "\n".join(lines) or "There are no edits yet."


def _show(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    answer = _plain(library.show(args.edit))
    return answer, "\n".join(f"{key}: {value}" for key, value in answer.items())


def _import(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    if args.check:
        fit = library.inspect(args.file, args.model or EMBEDDED)
        answer = {
            "style": fit.style,
            "matched": fit.matched,
            "total": fit.total,
            "ranks": list(fit.ranks),
            "left": list(fit.left),
        }
        left = f" Left over: {', '.join(fit.left[:5])}." if fit.left else ""
        return answer, f"{fit.matched} of {fit.total} layers fit ({fit.style}).{left}"
    entry = library.import_file(args.file, args.name, args.model or EMBEDDED, partial=args.partial)
    if args.name is not None:
        remark_name(args.name, entry.id)
    return _plain(entry), entry.id


def _export(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    rank = None
    if args.max_rank is not None:
        if not args.max_rank.isdecimal() or not 1 <= int(args.max_rank[:6]) <= 4096:
            raise BadInput(f"The rank is a whole number from 1 to 4096, not {args.max_rank!r}.", field="max_rank")
        rank = int(args.max_rank)
    energy = None if args.energy is None else _number(args.energy, "energy", 1.0)
    strength = 1.0 if args.strength is None else _number(args.strength, "strength", 10.0)
    export = library.export(args.edit, args.format, args.out, rank, energy, model=args.model, strength=strength)
    files = [str(path) for path in export.files]
    lines = list(files)
    if export.error > _NOTHING:
        worst = max(export.errors, key=lambda address: export.errors[address])
        lines.append(
            f"Left out: {100 * export.error:.2g} % of the change, "
            f"at most {100 * export.errors[worst]:.2g} % of a layer ({worst})."
        )
    return {"files": files, "error": export.error, "errors": dict(export.errors)}, "\n".join(lines)


def _number(text: str, field: str, most: float) -> float:
    value = number(text)
    if not isinstance(value, int | float) or not 0 < value <= most:
        raise BadInput(f"The {field} is a number above 0 and up to {most:g}, not {text[:40]!r}.", field=field)
    return float(value)


def _merge(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    strengths: dict[str, float] = {}
    for text in args.edits:
        name, equals, strength = text.rpartition("=")
        value = number(strength) if equals else 1.0
        if isinstance(value, str):
            raise BadInput(f"A strength is a number, unlike {value[:40]!r}.", field="strength")
        id = library.show(name if equals else text).id
        if id in strengths:
            raise BadInput(f"The edit {id} is there twice; give it one strength.", field="edits")
        strengths[id] = float(value)
    flags = ("method", "rank", "density", "drop", "q", "seed")
    options = {flag: getattr(args, flag) for flag in flags if getattr(args, flag) is not None}
    options |= {flag: number(value) for flag, value in options.items() if flag != "method"}
    entry, energy = library.merge(strengths, args.name, options)
    remark_name(args.name, entry.id)
    lost = f" Its factors hold {100 * energy:.1f} % of the squared change." if energy < 1 - _NOTHING**2 else ""
    return {**_plain(entry), "energy": energy}, f"{entry.id}{lost}"


_NOTHING = 1e-4  # where float32 rounding ends


def _rename(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    entry = library.rename(args.edit, args.name)
    return _plain(entry), entry.id


def _remove(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    gone = library.remove(args.edit)
    return {"removed": gone}, f"{gone} is gone."


# -- around them ----------------------------------------------------------------------------------------------------


def _answer(run: Run, args: argparse.Namespace) -> int:
    with _library(args) as library:
        answer, text = run(library, args)
    give(args, answer, text)
    return 0


@contextmanager
def _library(args: argparse.Namespace) -> Iterator[EditLibrary]:
    """The workspace's edits; the workspace is ours meanwhile. Raises WorkspaceError if a running studio has it."""
    from studio.services.edits.library import EditLibrary
    from studio.services.sources import Sources
    from studio.storage.edits import EditStore
    from studio.storage.reports import ReportStore
    from studio.storage.workspace import Workspace

    settings = settings_of(args)
    workspace = Workspace.open(settings.workspace)
    try:
        reports = ReportStore(workspace.root / "reports", workspace.check)
        yield EditLibrary(EditStore(workspace.root / "edits"), Sources(settings), reports)
    finally:
        workspace.close()


def _plain(entry: EditEntry) -> Answer:
    return {
        "id": entry.id,
        "name": entry.name,
        "version": entry.version,
        "kind": entry.kind,
        "path": str(entry.path),
        "bytes": entry.nbytes,
        "changed_at": entry.changed_at.isoformat(),
        "sha256": entry.sha256,
        "layers": entry.layers,
        "base": entry.base,
        "provenance": entry.provenance,
        "problem": entry.problem,
    }
