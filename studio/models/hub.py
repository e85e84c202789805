"""Models of the Hugging Face hub: found in the cache on this machine, never fetched by the studio.

A hub id is "organisation/name", with "@revision" behind it for another branch, tag or commit than "main". Looking into
the cache needs no torch and no network; its layout is the one huggingface_hub documents: refs/<revision> names the
commit, snapshots/<commit> holds the files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from studio.core.errors import AssetError, BadInput

_ID = re.compile(r"([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9][\w.-]{0,95})(?:@([A-Za-z0-9][\w./-]{0,95}))?")


def is_hub_id(name: str) -> bool:
    """Whether a model's name is of the form organisation/name or organisation/name@revision."""
    return _ID.fullmatch(name) is not None and ".." not in name


def cached(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of a hub model that is on this machine. Raises BadInput for no hub id, AssetError if it is not.

    Whether it is whole is for `open_model` to say.
    """
    organisation, repository, revision = _split(name)
    folder = cache_folder(environ) / f"models--{organisation}--{repository}"
    try:
        commit = (folder / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        commit = revision  # a commit has no entry under refs
    snapshot = folder / "snapshots" / commit
    if not re.fullmatch(r"[\w.-]+", commit) or not (snapshot / "model_index.json").is_file():
        of_revision = "" if revision == "main" else f" --revision {revision}"
        command = f"hf download {organisation}/{repository}{of_revision}"
        hint = f"Fetch it where there is a network ({command}), or put its folder into the models folder."
        raise AssetError(f"The model {name} is not on this machine.", hint)
    return snapshot


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's libraries keep what they fetched."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    home = environ.get("HF_HOME") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return Path(home).expanduser() / "hub"


def _split(name: str) -> tuple[str, str, str]:
    match = _ID.fullmatch(name)
    if match is None or ".." in name:
        raise BadInput(f"A hub model is named organisation/name, not {name[:60]!r}.")
    return match[1], match[2], match[3] or "main"
