"""Guidance presets to choose from: those that ship, and the user's own, which lie in the workspace.

Listing them reads the files as they are, without the methods, which bring torch; `load` checks one against its method.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.bounded_json import read_settings
from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.core.recipe import GuidanceSpec
from studio.storage.images import write_durably
from studio.storage.workspace import PRIVATE_FOLDER, workspace_error

SHIPPED = Path(__file__).resolve().parents[2] / "presets" / "guidance"
MAX_OWN = 200
MAX_NOTE_CHARS = 500
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _.-]{0,58}[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # of Windows, whatever the ending
_BEFORE = ".before"  # the version of a preset before the last saving


@dataclass(frozen=True)
class PresetEntry:
    """One preset of the list.

    name: by which it is taken.
    is_own: whether it is of the workspace.
    note: when to take it.
    problem: why it cannot be, "" if it can.
    title: what a menu calls it.
    """

    name: str
    is_own: bool
    note: str = ""
    problem: str = ""
    title: str = ""

    @property
    def label(self) -> str:
        """Its title, and in one line what it does."""
        title = self.title or self.name
        if self.is_own:
            return f"{title} (yours)"
        line, _, _ = self.note.partition(". ")
        return f"{title}: {line[:1].lower()}{line[1:].rstrip('.')}" if line else title


@dataclass(frozen=True)
class LoadedPreset:
    """A preset that its method accepts.

    warning: a sentence if not all is as it should be, else "".
    """

    name: str
    spec: GuidanceSpec
    source: str
    note: str
    warning: str = ""


class GuidancePresets:
    """The presets of one workspace. Every method may be called from any thread."""

    def __init__(self, workspace: Path, shipped: Path = SHIPPED) -> None:
        self.own_folder = workspace.absolute() / "presets" / "guidance"
        self.shipped_folder = shipped

    def listing(self) -> list[PresetEntry]:
        """Give all presets by name, those that ship first; a broken one with its problem."""
        return [
            _entry(path, is_own)
            for folder, is_own in ((self.shipped_folder, False), (self.own_folder, True))
            for path in sorted(folder.glob("*.json"))[: MAX_OWN if is_own else None]
        ]

    def load(self, name: str) -> LoadedPreset:
        """Give one preset, checked against its method. Of a broken one of the user's own, the version before.

        Raises NotFound, and BadInput for one that cannot be read.
        """
        # Not from its module: while another thread is importing the package, only its own name waits for the whole.
        from studio.guidance import read_preset

        path = self._find(name)
        try:
            preset, warning = read_preset(path), ""
        except (StudioError, OSError) as error:
            previous_version = path.with_suffix(_BEFORE)
            if not previous_version.is_file():
                if isinstance(error, StudioError):
                    raise
                raise workspace_error(error, f"The preset {name}") from None
            preset, warning = read_preset(previous_version), f"{error} The version before it was taken."
        return LoadedPreset(name, preset.spec, preset.source, preset.note, warning)

    def save(self, name: str, spec: GuidanceSpec, note: str = "") -> PresetEntry:
        """Keep settings under a name of the user's own; what was kept under it stays beside it as the version before.

        Raises BadInput or NotFound for the name or for settings that the method refuses, WorkspaceError.
        """
        from studio.guidance import build

        path = self.own_folder / f"{self._checked(name)}.json"
        build(spec)
        if len(note) > MAX_NOTE_CHARS:
            raise BadInput(f"A preset's note has at most {MAX_NOTE_CHARS} characters, not {len(note)}.", field="note")
        values = {**spec.model_dump(mode="json"), "source": "saved in this workspace", "note": note}
        try:
            # The workspace itself is not made anew: one that was moved away would come back as an empty one.
            self.own_folder.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            self.own_folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
            if path.is_file():
                _keep(path)
            write_durably(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
        except OSError as error:
            raise workspace_error(error, f"The preset {name}") from None
        return _entry(path, is_own=True)

    def remove(self, name: str) -> None:
        """Delete a preset of the user's own. Raises NotFound for another, WorkspaceError."""
        path = self.own_folder / f"{name}.json"
        if path not in self.own_folder.glob("*.json"):
            raise NotFound(f"There is no preset of your own named {shown(name)}.")
        try:
            path.unlink(missing_ok=True)
            path.with_suffix(_BEFORE).unlink(missing_ok=True)
        except OSError as error:
            raise workspace_error(error, f"The preset {name}") from None

    def _find(self, name: str) -> Path:
        # Looked for among what there is: whatever the name holds, no path is made of it.
        for folder in (self.own_folder, self.shipped_folder):
            for path in folder.glob("*.json"):
                if path.stem == name:
                    return path
        raise NotFound(f"There is no guidance preset named {shown(name)}.")

    def _checked(self, name: str) -> str:
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            allowed = "1 to 60 letters, digits, spaces, dots, dashes and underscores, the first a letter or digit"
            raise BadInput(f"A preset's name is {allowed}; it cannot be {shown(name)}.", field="name")
        for entry in self.listing():
            if entry.name.casefold() == name.casefold() and not (entry.is_own and entry.name == name):
                owner = "one of your own" if entry.is_own else "one that ships"
                raise BadInput(
                    f"There is a preset {entry.name!r} already, {owner}.", "Take another name.", field="name"
                )
        return name


def _entry(path: Path, is_own: bool) -> PresetEntry:
    try:
        _, values = read_settings(path)
        note, title = (_text(values, key) for key in ("note", "title"))
        problem = "" if isinstance(values, dict) and isinstance(values.get("method"), str) else "it names no method"
    except (OSError, ValueError) as error:
        note, title, problem = "", "", f"it cannot be read: {str(error).rstrip('.')}"
    return PresetEntry(path.stem, is_own, note, problem, title)


def _text(values: Any, key: str) -> str:
    return values[key] if isinstance(values, dict) and isinstance(values.get(key), str) else ""


def _keep(path: Path) -> None:
    """Let the present version be the one before, unless it is broken: the last good one is kept."""
    from studio.guidance import read_preset

    try:
        read_preset(path)
    except StudioError:
        return
    write_durably(path.with_suffix(_BEFORE), path.read_bytes())
