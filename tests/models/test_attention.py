"""The blocks read from a config are those of the network that diffusers builds from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput
from studio.engine.perturb import BlockFinder
from studio.models.attention import EMBEDDED, MIDDLE, blocks_at, blocks_of
from studio.models.bundle import ModelBundle
from studio.models.embedded import EmbeddedModel
from studio.models.single_file import SHIPPED

import diffusers  # isort: skip

SMALL: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 16,
    "attention_head_dim": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
ALL_ATTEND: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "small": {},
    "no mid": {"mid_block_type": None},
    "plain mid": {"mid_block_type": "UNetMidBlock2D"},
    "more layers": {"layers_per_block": (1, 2), **ALL_ATTEND},
    "deeper": {"transformer_layers_per_block": (1, 3), **ALL_ATTEND},
    "lopsided": {
        "transformer_layers_per_block": [[1, 2], [2, 1]],
        "reverse_transformer_layers_per_block": [[1, 1, 2], [2, 1, 1]],
        "layers_per_block": 2,
        **ALL_ATTEND,
    },
    "cross alone": {"only_cross_attention": True, **ALL_ATTEND},
    "cross alone at one level": {"only_cross_attention": (True, False), **ALL_ATTEND},
    "cross alone in the middle": {"mid_block_only_cross_attention": True},
    "attention without transformers": {
        "down_block_types": ("AttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D"),
    },
    "none": {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2, "mid_block_type": None},
}


def blocks_within(config: dict[str, Any]) -> set[str]:
    library: Any = diffusers
    with torch.device("meta"):
        return set(BlockFinder(library.UNet2DConditionModel.from_config(config), (), "it").blocks)


@pytest.mark.parametrize("name", VARIANTS)
def test_of_small_networks_of_every_kind(name: str) -> None:
    config = {**SMALL, **VARIANTS[name]}
    found = blocks_of(config)
    assert found is not None and set(found) == blocks_within(config) and len(set(found)) == len(found)
    # As a folder has it, with every default written out and tuples as lists.
    library: Any = diffusers
    with torch.device("meta"):
        written = json.loads(library.UNet2DConditionModel.from_config(config).to_json_string())
    assert blocks_of(written) == found


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_of_the_architectures_as_published(name: str) -> None:
    config = json.loads((SHIPPED / name / "unet" / "config.json").read_text())
    found = blocks_of(config)
    assert found is not None and set(found) == blocks_within(config)
    assert blocks_at(found, MIDDLE, name)


def test_classes_that_are_not_known_are_left_to_the_network() -> None:
    assert blocks_of({**SMALL, "down_block_types": ("KCrossAttnDownBlock2D", "DownBlock2D")}) is None
    assert blocks_of({**SMALL, "dual_cross_attention": True}) is None


def test_the_layers_meant_by_none_are_the_bundles() -> None:
    assert (ModelBundle.perturbed_layers, EmbeddedModel.perturbed_layers) == (MIDDLE, EMBEDDED)


def test_a_path_without_a_block_is_named_with_those_that_have_some() -> None:
    found = blocks_of({**SMALL, "mid_block_type": None}) or ()
    assert blocks_at(found, ["down_blocks.0.attentions.0.transformer_blocks.0.attn1"], "m") == found[:1]
    with pytest.raises(BadInput, match=r"'mid_block'; it has some at down_blocks\.0, up_blocks\.1\."):
        blocks_at(found, ["up_blocks", "mid_block"], "m")
    with pytest.raises(BadInput, match="it has some at no layer"):
        blocks_at((), MIDDLE, "m")
