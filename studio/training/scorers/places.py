"""Where a scorer's weights are within the models folder, and what to put there: told without loading anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.training.features.extractors import own_clips

PICK_SCORE, IMAGE_REWARD, VOCABULARY = "PickScore_v1", "ImageReward", "vocab.txt"
_HPS = ("HPS_v2.1_compressed", "HPS_v2_compressed")  # the newer first
_IMAGE_REWARD_FILES = ("ImageReward.safetensors", "ImageReward.pt")


@dataclass(frozen=True)
class Place:
    """The weights of one scorer. path: None where they are not there, and then `lacking` says what to put where."""

    path: Path | None
    lacking: str = ""


def shipped(models_dir: Path | None) -> Place:
    """Of a scorer that comes along."""
    return Place(Path())


def clip_score(models_dir: Path | None) -> Place:
    """The first CLIP of the models folder that is no other scorer's."""
    lacking = (
        "CLIPScore needs a CLIP: put a folder such as openai/clip-vit-base-patch32, with model.safetensors, into the "
        "models folder (--models-dir)."
    )
    return Place(next((path for path in own_clips(models_dir) if path.name != PICK_SCORE), None), lacking)


def pick_score(models_dir: Path | None) -> Place:
    """The folder of PickScore."""
    lacking = (
        f"PickScore's weights are not there: put the folder {PICK_SCORE} of yuvalkirstain/{PICK_SCORE}, with its "
        "model.safetensors, into the models folder (--models-dir)."
    )
    folder = None if models_dir is None else models_dir / PICK_SCORE
    return Place(folder if folder is not None and (folder / "model.safetensors").is_file() else None, lacking)


def hps_v2(models_dir: Path | None) -> Place:
    """The file of HPS v2, the newest version of those there are."""
    lacking = (
        f"HPS v2's weights are not there: put {_HPS[0]}.pt of xswu/HPSv2 into the models folder (--models-dir); it is "
        "read without being unpickled."
    )
    return Place(_first(models_dir, [name + ending for name in _HPS for ending in (".safetensors", ".pt")]), lacking)


def image_reward(models_dir: Path | None) -> Place:
    """The file of ImageReward, beside the vocabulary of its words."""
    lacking = (
        f"ImageReward's weights are not there: put {_IMAGE_REWARD_FILES[1]} of THUDM/ImageReward and {VOCABULARY} of "
        f"bert-base-uncased into the folder {IMAGE_REWARD} of the models folder (--models-dir)."
    )
    folder = None if models_dir is None else models_dir / IMAGE_REWARD
    has_words = folder is not None and (folder / VOCABULARY).is_file()
    return Place(_first(folder, _IMAGE_REWARD_FILES) if has_words else None, lacking)


def _first(folder: Path | None, names: list[str] | tuple[str, ...]) -> Path | None:
    if folder is None:
        return None
    return next((path for name in names if (path := folder / name).is_file()), None)
