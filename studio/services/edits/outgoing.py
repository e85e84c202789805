"""Edits that go out: as files of other programs, as our own, or within the whole model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.engine.edits.layout import layout_at
from studio.services.edits.incoming import OWN_STYLE
from studio.services.sources import EMBEDDED
from studio.storage.images import write_durably
from studio.storage.workspace import workspace_error

MERGED = "merged"
STYLES = ("diffusers", "kohya", "comfyui", "peft", OWN_STYLE, MERGED)
OF_MODEL = ("comfyui", MERGED)  # styles that need to know the model


@dataclass(frozen=True)
class Export:
    """What was written of an edit.

    files: in the order of their names.
    error: |D - B A| / |D| over all dense layers that went out as factors; 0 where nothing is left out.
    errors: the same layer by layer, "component/path" -> share.
    """

    files: list[Path]
    error: float = 0.0
    errors: Mapping[str, float] = field(default_factory=dict)


def made_of(provenance: Mapping[str, Any]) -> str:
    """Which model an edit was made of, as far as it says."""
    origin = provenance.get("origin")
    for values in (provenance, *(provenance.get(section) for section in ("erasure", "training")), origin):
        if isinstance(values, Mapping) and isinstance(values.get("model"), str):
            return values["model"]
    return made_of(origin) if isinstance(origin, Mapping) else EMBEDDED


def write(
    path: Path,
    style: str,
    out: Path,
    place: Path | None,
    max_rank: int | None = None,
    energy: float | None = None,
    *,
    strength: float = 1.0,
    report: Mapping[str, Any] | None = None,
) -> Export:
    """Write an edit where other programs read it. Nothing is overwritten.

    path: of the edit's file.
    style: diffusers, kohya or comfyui (out: a .safetensors file), peft (out: a folder), palimpsest (our own file),
    merged (the model with the edit in its weights; out: as the model is).
    place: of the model, for those styles that need it.
    max_rank, energy: of the low-rank form of a dense edit (`studio.engine.edits.factoring`).
    strength: of the edit within a merged model.
    report: what was measured of it, which goes out within.
    Raises AssetError, BadInput for a place that is taken or an edit that the style cannot carry, WorkspaceError.
    """
    if style not in STYLES:
        raise BadInput(f"There is no export style {style[:60]!r}; there are {', '.join(STYLES)}.", field="style")
    is_folder = style == "peft" or (style == MERGED and place is not None and place.is_dir())
    if is_folder == (out.suffix == ".safetensors"):
        sort = "a folder" if is_folder else "a .safetensors file"
        raise BadInput(f"An export for {style} goes to {sort}, not {out}.", field="out")
    if out.exists():
        raise BadInput(f"There is something at {out} already.", "Name another place.", field="out")
    from studio.engine.edits import exporting, files

    edit = files.read_edit(path)
    if style == OWN_STYLE:
        return Export(_write({out: files.to_bytes(edit)}))
    if style == MERGED:
        assert place is not None
        from studio.engine.edits.whole_model import write_merged

        try:
            note = exporting.manifest_text(edit, style, report, strength=strength)
            return Export(write_merged(edit, place, out, strength, note))
        except OSError as error:
            raise workspace_error(error, f"The model {out}") from None
    exported = exporting.export(
        edit,
        style,
        exporting.MAX_EXPORT_RANK if max_rank is None else max_rank,
        exporting.ENERGY if energy is None else energy,
        layout=None if place is None else layout_at(place),
        report=report,
    )
    files_out = {out / name if is_folder else out: data for name, data in exported.files.items()}
    return Export(_write(files_out), exported.error, exported.errors)


def _write(files: Mapping[Path, bytes]) -> list[Path]:
    """Write all of them or none, and leave no folder behind that was not there."""
    written: list[Path] = []
    folders: list[Path] = []
    for path, data in files.items():
        folders += [folder for folder in reversed(path.parents) if not folder.exists()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, data, private=False)
            written.append(path)
        except OSError as error:
            for earlier in written:
                earlier.unlink(missing_ok=True)
            for folder in reversed(folders):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise workspace_error(error, f"The file {path}") from None
    return sorted(written)
