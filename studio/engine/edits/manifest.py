"""What an edit says of itself, beside its tensors: read from the file's header alone, without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from studio.core import bounded_json
from studio.core.errors import AssetError, BadInput
from studio.core.params import Params, load
from studio.engine.edits.header import Header, read_header

EditKind = Literal["lora", "dense", "mask"]
DENOISERS = ("unet", "transformer")
TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
MAX_RANK = 4096  # of a low-rank layer
COMPONENTS = (*DENOISERS, *TEXT_ENCODERS)

KEY = "palimpsest_edit"  # of the file's metadata
EXPORT_KEY = "palimpsest_exported_edit"  # of a file for other programs, so that it is not taken for one of ours
FORMAT = 1
MAX_NAME_CHARS = 100
MAX_JSON_BYTES = 4 * 1024**2
_MAX_VALUES = 100_000  # of a manifest: an alpha for each of 20,000 layers, and how the edit was made


class Manifest(Params):
    """The part of an edit that is not tensors.

    base: component -> fingerprint of the weights the edit was made on, where that is known. provenance: how it was
    made, plain JSON. sha256: over what the edit does to weights (`Edit.sha256`). alphas: "component/path" -> alpha of a
    low-rank layer.
    """

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    version: int = Field(default=1, ge=1, le=1_000_000)
    kind: EditKind
    base: dict[str, str] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    sha256: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]*$")
    alphas: dict[str, float] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return checked_name(value)

    def to_json(self) -> str:
        """Give the one JSON text: sorted keys, no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def checked_name(value: str) -> str:
    """Give a name as it was given. Raises ValueError if it is blank, too long or not one line of printable text."""
    if not value.strip() or len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME_CHARS} printable characters")
    return value


def is_ours(header: Header) -> bool:
    """Whether a safetensors file is an edit in our own format."""
    return KEY in header.metadata


def manifest_of(header: Header, path: Path) -> Manifest:
    """Read the manifest out of a header. Raises AssetError naming the file if there is none, or it is not one."""
    text = header.metadata.get(KEY)
    if text is None:
        raise AssetError(f"The file {path} is not an edit of ours.", "Import it first.")
    if len(text) > MAX_JSON_BYTES:
        raise AssetError(f"The file {path} has a manifest of {len(text)} bytes, and at most {MAX_JSON_BYTES} are read.")
    try:
        values = bounded_json.loads(text, _MAX_VALUES)
        if not isinstance(values, dict):
            raise BadInput("The manifest is not a JSON object.")
        newer = values.get("format")
        if isinstance(newer, int) and newer > FORMAT:
            raise AssetError(f"The edit {path} is of format {newer}, and this program reads up to {FORMAT}.", _UPDATE)
        return load(Manifest, values, "edit's manifest")
    except (ValueError, RecursionError, BadInput) as error:
        reason = str(error) if isinstance(error, BadInput) else "it is not valid JSON."
        raise AssetError(f"The file {path} has a broken manifest: {reason}") from None


def exported_manifest(header: Header) -> Manifest | None:
    """What a file that was exported for other programs says of the edit it came from; None for any other file."""
    text = header.metadata.get(EXPORT_KEY, "")
    try:
        values = bounded_json.loads(text, _MAX_VALUES) if len(text) <= MAX_JSON_BYTES else None
        manifest_values = {name: value for name, value in dict(values or {}).items() if name in Manifest.model_fields}
        return load(Manifest, manifest_values, "exported edit's manifest") if manifest_values else None
    except (ValueError, TypeError, RecursionError, BadInput):
        return None  # it is only said: the file counts without it


_UPDATE = "Update Palimpsest to read it."


def read_manifest(path: Path) -> tuple[Manifest, Header]:
    """Read manifest and header of an edit's file. Raises AssetError."""
    header = read_header(path)
    return manifest_of(header, path), header


def tensor_name(component: str, path: str, part: str) -> str:
    """Name of one tensor in a file of ours: "unet/mid_block.attentions.0.proj_in/A"."""
    return f"{component}/{path}/{part}"


def layers_in(header: Header) -> Mapping[str, list[str]]:
    """Component -> module paths of the layers a file of ours has, in the file's order."""
    layers: dict[str, dict[str, None]] = {}
    for name in header.tensors:
        component, _, rest = name.partition("/")
        layers.setdefault(component, {})[rest.rpartition("/")[0]] = None
    return {component: list(paths) for component, paths in layers.items()}
