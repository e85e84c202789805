"""Models of the Hugging Face hub: found in the cache on this machine, fetched only when asked to.

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
_YES = ("1", "on", "yes", "true")


def is_hub_id(name: str) -> bool:
    """Whether a model's name is of the form organisation/name or organisation/name@revision."""
    return _ID.fullmatch(name) is not None and ".." not in name


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    return environ.get("HF_HUB_OFFLINE", "").lower() in _YES


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
        hint = "Fetch it where there is a network, or put its folder into the models folder."
        raise AssetError(f"The model {name} is not on this machine.", hint)
    return snapshot


def fetch(name: str) -> Path:
    """Download what is missing of a hub model, safetensors alone, and give its folder.

    Not for the page's process: it brings diffusers. Raises BadInput for no hub id, AssetError if the network is
    forbidden by HF_HUB_OFFLINE, out of reach, or the model has no safetensors.
    """
    organisation, repository, revision = _split(name)
    if is_offline():
        return cached(name)
    from diffusers import DiffusionPipeline

    try:
        folder = DiffusionPipeline.download(
            f"{organisation}/{repository}",
            revision=revision,
            use_safetensors=True,
            # Named, so that their files are left where they are.
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
        )
    except Exception as error:  # OSError, ValueError, several of requests': the libraries' choice
        reason = " ".join(str(error).split()).rstrip(".")[:300]
        raise AssetError(f"The model {name} cannot be fetched: {reason}.") from None
    return Path(folder)


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
