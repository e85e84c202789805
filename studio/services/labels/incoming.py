"""Pictures people already have: read from files, with the prompts they carry, sorted, without near-duplicates.

Whatever program wrote them: a prompt is read as `studio.services.dropped` reads settings, else from a text beside the
picture under its name (picture.png, picture.txt). What cannot be read is named with its reason, and costs nothing else.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from studio.core.errors import BadInput
from studio.core.recipe import MAX_PROMPT_CHARS, Recipe
from studio.services.dropped import Dropped, read_dropped
from studio.services.labels.alikeness import Look, alike_groups, look_of
from studio.storage.picture_pixels import read_pixels

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
MAX_FILES = 5_000
THUMBNAIL_PX = 96
_NAME_CHARS = 120


@dataclass(frozen=True, eq=False)
class Incoming:
    """A picture that was brought along.

    path: of its file.
    file_sha256: of that file as it came.
    prompt: what it was to show; "" where nothing says so.
    width, height: in pixels, upright.
    look: by which near-duplicates are known.
    thumbnail: a WebP of at most THUMBNAIL_PX a side.
    recipe: of a picture of this program's, that it was made with.
    model: what drew it, "" where the file does not say.
    settings: what the file says of its making besides, name -> value in words.
    remarks: what was done to its pixels.
    """

    path: Path
    file_sha256: str
    prompt: str
    width: int
    height: int
    look: Look
    thumbnail: bytes
    recipe: Recipe | None = None
    model: str = ""
    settings: dict[str, str] = field(default_factory=dict[str, str])
    remarks: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Name of its file."""
        return self.path.name[:_NAME_CHARS]

    def png(self) -> bytes:
        """What is stored and shown: its pixels as a PNG without a word in it. Raises BadInput if its file is gone."""
        file = io.BytesIO()
        read_pixels(self.path, f"The file {self.source}")[0].image.save(file, "PNG")
        return file.getvalue()


@dataclass(frozen=True)
class Refused:
    """A file that was not taken. reason: a sentence."""

    source: str
    reason: str


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures of one prompt and one size, which may be compared."""

    prompt: str
    width: int
    height: int
    pictures: tuple[Incoming, ...]


@dataclass(frozen=True, eq=False)
class Collection:
    """What came of some files.

    groups: by prompt and size, the largest first.
    duplicates: (picture left out, the one it is nearly equal to).
    refused: files that were not taken.
    """

    groups: tuple[Group, ...]
    duplicates: tuple[tuple[Incoming, Incoming], ...]
    refused: tuple[Refused, ...]

    @property
    def pictures(self) -> list[Incoming]:
        """All that were taken."""
        return [picture for group in self.groups for picture in group.pictures]


def files_in(folder: Path) -> list[Path]:
    """The pictures of a folder and those within it, by name; hidden ones and links are passed over.

    Raises BadInput for no folder, one that cannot be read, none or too many.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {str(folder)[:200]}.", field="folder")
    files = sorted(_walk(folder))
    if not files:
        raise BadInput(f"The folder {folder.name[:80]} holds no {', '.join(ENDINGS)}.", field="folder")
    return checked_count(files)


def checked_count(files: Sequence[Path]) -> list[Path]:
    """Raise BadInput for too many files."""
    if len(files) > MAX_FILES:
        message = f"At most {MAX_FILES:,} pictures are taken at once, not {len(files):,}."
        raise BadInput(message, "Take them in several times.", field="files")
    return list(files)


def collect(files: Iterable[Path]) -> Collection:
    """Read pictures and sort them by prompt and size; near-duplicates within a group are left out and named.

    Texts among the files are captions of the pictures of the same name. A file that cannot be read is named.
    """
    listed = list(files)
    captions = {file.with_suffix("").name: file for file in listed if file.suffix.lower() == ".txt"}
    pictures: list[Incoming] = []
    refused: list[Refused] = []
    for file in listed:
        if file.suffix.lower() == ".txt":
            continue
        try:
            pictures.append(read_incoming(file, captions.get(file.with_suffix("").name)))
        except BadInput as error:
            refused.append(Refused(file.name[:_NAME_CHARS], str(error)))
    groups, duplicates = _grouped(pictures)
    return Collection(groups, duplicates, tuple(refused))


def read_incoming(path: Path, caption: Path | None = None) -> Incoming:
    """Read one picture. caption: a text beside it, for one that carries no prompt. Raises BadInput."""
    name = f"The file {path.name[:80]}"
    pixels, _ = read_pixels(path, name)
    settings = _settings(path)
    prompt = settings.recipe.prompt if settings is not None else ""
    if not prompt:
        prompt = _caption(caption or path.with_suffix(".txt"))
    thumbnail = io.BytesIO()
    small = pixels.image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    small.save(thumbnail, "WEBP", quality=80)
    return Incoming(
        path=path,
        file_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        prompt=" ".join(prompt.split()) if settings is None else prompt,
        width=pixels.image.width,
        height=pixels.image.height,
        look=look_of(pixels.image),
        thumbnail=thumbnail.getvalue(),
        recipe=settings.recipe if settings is not None and settings.ours else None,
        model=settings.recipe.model if settings is not None and settings.recipe.model != _UNNAMED else "",
        settings={} if settings is None else _in_words(settings),
        remarks=pixels.remarks,
    )


_UNNAMED = "model not named"  # in place of a default: of a file that does not say what drew it


def _settings(path: Path) -> Dropped | None:
    try:
        return read_dropped(path, None, Recipe(model=_UNNAMED))
    except BadInput:
        return None


def _in_words(settings: Dropped) -> dict[str, str]:
    recipe = settings.recipe
    words = {"negative prompt": recipe.negative_prompt, "seed": str(recipe.seed), "steps": str(recipe.steps)}
    return {name: value for name, value in words.items() if value} | {
        name: value for line in settings.left_out for name, _, value in [line.partition(": ")]
    }


def _caption(path: Path) -> str:
    """The text of a caption; "" where there is none that can be read."""
    try:
        if path.stat().st_size > 4 * MAX_PROMPT_CHARS:
            return ""
        return path.read_text(encoding="utf-8-sig").strip()[:MAX_PROMPT_CHARS]
    except (OSError, UnicodeDecodeError):
        return ""


def _grouped(
    pictures: Sequence[Incoming],
) -> tuple[tuple[Group, ...], tuple[tuple[Incoming, Incoming], ...]]:
    by_key: dict[tuple[str, int, int], list[Incoming]] = {}
    for picture in pictures:
        by_key.setdefault((picture.prompt, picture.width, picture.height), []).append(picture)
    groups: list[Group] = []
    duplicates: list[tuple[Incoming, Incoming]] = []
    for (prompt, width, height), members in by_key.items():
        alike = alike_groups([member.look for member in members])
        for first, *copies in alike:
            duplicates += [(members[copy], members[first]) for copy in copies]
        groups.append(Group(prompt, width, height, tuple(members[first] for first, *_ in alike)))
    groups.sort(key=lambda group: len(group.pictures), reverse=True)
    return tuple(groups), tuple(duplicates)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise BadInput(f"A folder cannot be read: {error.strerror or error}.", field="folder") from None

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root) / name
            if path.suffix.lower() in ENDINGS and not name.startswith(".") and not path.is_symlink():
                yield path
