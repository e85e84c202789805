"""The verbs `edits list | show | import | export | rename | remove` of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.answer import Answer, give
from studio.cli.grammar import add_actions, add_verb, settings_of
from studio.core.errors import BadInput

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry, EditLibrary

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
    importing = action("import", _import, "take a LoRA file, a peft folder or an edit of ours into the workspace")
    importing.add_argument("file", type=Path)
    importing.add_argument("--name", help="what to call it (the file's name)")
    importing.add_argument("--partial", action="store_true", help="take what fits the model where not all does")
    importing.add_argument("--check", action="store_true", help="only say how much of the file fits")
    importing.add_argument("--model-dir", help="folder of the model it is for")
    export = action("export", _export, "write an edit for other programs")
    rename = action("rename", _rename, "give an edit another name; recipes still find it")
    remove = action("remove", _remove, "delete an edit")
    for parser in (show, export, rename, remove):
        parser.add_argument("edit", help="its id, its hash, or its name where only one has it")
    export.add_argument("--style", default="diffusers", help="diffusers, kohya, peft or palimpsest")
    export.add_argument("--out", type=Path, required=True, metavar="PATH", help="a new .safetensors file; peft: folder")
    export.add_argument("--max-rank", metavar="N", help="of the low-rank form of a dense edit (128)")
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
        fit = library.inspect(args.file)
        answer = {
            "style": fit.style,
            "matched": fit.matched,
            "total": fit.total,
            "ranks": list(fit.ranks),
            "left": list(fit.left),
        }
        left = f" Left over: {', '.join(fit.left[:5])}." if fit.left else ""
        return answer, f"{fit.matched} of {fit.total} layers fit ({fit.style}).{left}"
    entry = library.import_file(args.file, args.name, partial=args.partial)
    return _plain(entry), entry.id


def _export(library: EditLibrary, args: argparse.Namespace) -> tuple[Answer, str]:
    rank = None
    if args.max_rank is not None:
        if not args.max_rank.isdecimal() or not 1 <= int(args.max_rank[:6]) <= 4096:
            raise BadInput(f"The rank is a whole number from 1 to 4096, not {args.max_rank!r}.", field="max_rank")
        rank = int(args.max_rank)
    files = [str(path) for path in library.export(args.edit, args.style, args.out, rank)]
    return {"files": files}, "\n".join(files)


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
    from studio.storage.workspace import Workspace

    settings = settings_of(args)
    workspace = Workspace.open(settings.workspace)
    try:
        yield EditLibrary(EditStore(workspace.root / "edits"), Sources(settings))
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
