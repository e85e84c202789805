"""Files that commands write: checked before any work is done."""

from __future__ import annotations

from pathlib import Path

from studio.core.errors import BadInput


def png_paths(out: Path | None, count: int) -> list[Path]:
    """Where the pictures go; [] without --out. One: the file itself. Several: as `numbered`. Raises BadInput."""
    if out is None:
        return []
    return [checked_png(out)] if count == 1 else numbered(out, count)


def numbered(out: Path, count: int) -> list[Path]:
    """star.png -> star-1.png, star-2.png, ...; a folder -> 1.png, 2.png, ... in it."""
    if out.suffix:
        return [checked_png(out.with_name(f"{out.stem}-{i}{out.suffix}")) for i in range(1, count + 1)]
    return [checked_png(out / f"{i}.png") for i in range(1, count + 1)]


def checked_png(path: Path) -> Path:
    """Give the path. Raises BadInput for what cannot be a PNG's."""
    if path.suffix.lower() != ".png" or path.is_dir():
        raise BadInput(f"The picture is written as PNG: --out must be a file name ending in .png, not {path}.")
    return path


def write_file(path: Path, data: bytes) -> None:
    """Write a file where everybody can read it. Raises WorkspaceError."""
    from studio.storage.images import write_durably
    from studio.storage.workspace import workspace_error

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, data, private=False)
    except OSError as error:
        raise workspace_error(error, f"The file {path}") from None
