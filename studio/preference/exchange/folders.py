"""Sets of labels that are folders: a list in a file, and pictures it names by paths within the folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from studio.core.errors import BadInput
from studio.preference.exchange.picture_files import file_within


def list_file(source: Path, *names: str) -> list[Path]:
    """The file of the list: `source` itself, or those of the names that are in it as a folder. Raises BadInput."""
    if not source.is_dir():
        return [source]
    paths = [source / name for name in names if (source / name).is_file() and not (source / name).is_symlink()]
    if not paths:
        raise BadInput(f"There is no {' or '.join(names)} in {source.name}.")
    return paths


def picture_files(folder: Path, names: Iterable[object], *within: str) -> tuple[bytes, ...]:
    """Files of pictures that a list names.

    within: folders of `folder` in which they may be as well, if they are not in it.
    Raises BadInput with a clause.
    """
    return tuple(_picture(folder, name, within) for name in names)


def _picture(folder: Path, name: object, within: tuple[str, ...]) -> bytes:
    try:
        path = file_within(folder, name)
    except BadInput as error:
        path = _elsewhere(folder, name, within)
        if path is None:
            raise error from None
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"the file {path.name[:60]} cannot be read: {error.strerror or error}") from None


def _elsewhere(folder: Path, name: object, within: tuple[str, ...]) -> Path | None:
    for place in within:
        try:
            return file_within(folder / place, name)
        except BadInput:
            continue
    return None


def one_line_caption(prompt: str) -> str:
    """A prompt on one line: trainers take every line of a caption's file for a caption of its own."""
    return " ".join(prompt.split())
