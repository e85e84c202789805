"""Settings in other programs' forms: read by their own names, or refused by the program's name; never a prompt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.prompts.infotext import Infotext
from studio.prompts.programs import parse_settings

READ = {"prompt": "a red star", "negative_prompt": "blue", "seed": 41, "steps": 12, "width": 128, "height": 64}
SWARM = {
    "sui_image_params": {
        "prompt": "a red star",
        "negativeprompt": "blue",
        "model": "x/Stencil.safetensors",
        "seed": 41,
        "steps": 12,
        "cfgscale": 4.5,
        "width": 128,
        "height": 64,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "swarm_version": "1",
    },
    "sui_extra_data": {"date": "2026-01-01"},
}
FOOOCUS = {
    "prompt": "a red star",
    "negative_prompt": "blue",
    "steps": 12,
    "resolution": "(128, 64)",
    "guidance_scale": 4.5,
    "sampler": "dpmpp_2m",
    "scheduler": "karras",
    "seed": "41",
    "base_model": "stencil",
    "version": "Fooocus v2.5.5",
    "styles": "['Fooocus V2']",
    "loras": [],
}
INVOKE = {
    "positive_prompt": "a red star",
    "negative_prompt": "blue",
    "seed": 41,
    "steps": 12,
    "cfg_scale": 4.5,
    "width": 128,
    "height": 64,
    "scheduler": "dpmpp_2m_k",
    "model": {"name": "stencil", "hash": "x"},
    "app_version": "5.0",
}
DRAW_THINGS = {
    "c": "a red star",
    "uc": "blue",
    "seed": 41,
    "steps": 12,
    "scale": 4.5,
    "size": "128x64",
    "sampler": "DPM++ 2M Karras",
    "model": "stencil",
    "mask_blur": 1.5,
}
NOVEL = {
    "prompt": "a red star",
    "uc": "blue",
    "seed": 41,
    "steps": 12,
    "scale": 4.5,
    "width": 128,
    "height": 64,
    "sampler": "k_dpmpp_2m",
    "noise_schedule": "karras",
    "n_samples": 1,
}
DIFFUSERS = {
    "prompt": "a red star",
    "negative_prompt": "blue",
    "seed": 41,
    "num_inference_steps": 12,
    "guidance_scale": 4.5,
    "width": 128,
    "height": 64,
    "scheduler": "DPMSolverMultistepScheduler",
    "model_id": "stencil",
}


def read(values: Any, models: list[str] | None = None) -> Infotext:
    infotext = parse_settings(json.dumps(values), models)
    assert infotext is not None
    return infotext


@pytest.mark.parametrize(
    ("values", "syntax", "spacing", "named"),
    [
        (SWARM, "a1111", "karras", set()),
        (FOOOCUS, "a1111", "karras", {"styles"}),
        (INVOKE, "compel", "karras", set()),
        (DRAW_THINGS, "a1111", "karras", {"mask_blur"}),
        (NOVEL, "plain", "karras", {"n_samples"}),
        (DIFFUSERS, "plain", "auto", set()),
    ],
)
def test_settings_are_read_by_their_own_names(values: Any, syntax: str, spacing: str, named: set[str]) -> None:
    infotext = read(values, ["stencil"])
    recipe = Recipe.load(infotext.values)
    assert {name: getattr(recipe, name) for name in READ} == READ
    assert (recipe.model, recipe.sampler, recipe.spacing, recipe.syntax) == ("stencil", "dpmpp_2m", spacing, syntax)
    assert recipe.guidance.params == {"guidance_scale": 4.5}
    assert {item.name for item in infotext.left_out} == named


def test_prompts_keep_their_meaning() -> None:
    swarm = read({"sui_image_params": {"prompt": r"a [red|blue] (star:1.2) \(x\) AND BREAK"}})
    assert swarm.values["prompt"] == r"a \[red\|blue\] (star:1.2) \(x\) \AND \BREAK"
    novel = read(NOVEL | {"prompt": "{{a}} red 1.3::star::"})
    assert novel.values["prompt"] == "{{a}} red 1.3::star::" and "NovelAI's weights" in novel.left_out[0].reason


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "x"},
        {"steps": 99999},
        {"width": 7},
        {"seed": 1e999},
        {"sampler": "heun"},
        {"scheduler": "turbo"},
        {"seed": []},
    ],
)
def test_what_is_out_of_range_or_unknown_is_named(change: dict[str, Any]) -> None:
    infotext = read({"sui_image_params": SWARM["sui_image_params"] | change}, ["stencil"])
    assert len(infotext.left_out) == (0 if change == {"seed": []} else 1)
    Recipe.load(infotext.values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "not known here"),
        ('{"a": 1}', "not known here"),
        ('[{"prompt": "a"}]', "of no known form"),
        (json.dumps(SWARM)[:-5], "damaged"),
        ('{"prompt": ' + "[" * 100_000, "damaged"),
        ('{"nodes": [], "links": []}', "ComfyUI"),
        ('{"1": {"class_type": "SaveImage"}}', "ComfyUI has 0 samplers"),
    ],
)
def test_json_that_is_not_read_is_refused_and_no_prompt(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse_settings(text)


@pytest.mark.parametrize(
    "text", ["{red|blue} star", "[a:b:3] star", "{{x}}", '{"a": "b"}\nSteps: 5, Seed: 1, Size: 64x64']
)
def test_prompts_that_look_a_little_like_json(text: str) -> None:
    infotext = parse_settings(text)
    assert infotext is not None and infotext.values["prompt"] == text.split("\n")[0]


@pytest.mark.parametrize("text", ["Created with GIMP", "", "a, b: c", '{"note": 1}', "<x:xmpmeta/>"])
def test_a_remark_is_no_setting(text: str) -> None:
    assert parse_settings(text, remark=True) is None


# -- ComfyUI --------------------------------------------------------------------------------------------------------


def graph(**changes: dict[str, Any]) -> dict[str, Any]:
    """The graph ComfyUI begins with; changes: inputs of a node, by kind, over its own."""
    nodes: dict[str, Any] = {
        "3": (
            "KSampler",
            {
                "seed": 41,
                "steps": 12,
                "cfg": 4.5,
                "sampler_name": "dpmpp_2m",
                "scheduler": "karras",
                "denoise": 1,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        ),
        "4": ("CheckpointLoaderSimple", {"ckpt_name": "stencil.safetensors"}),
        "5": ("EmptyLatentImage", {"width": 128, "height": 64, "batch_size": 1}),
        "6": ("CLIPTextEncode", {"text": "a red star", "clip": ["4", 1]}),
        "7": ("CLIPTextEncode", {"text": "blue", "clip": ["4", 1]}),
        "8": ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
        "9": ("SaveImage", {"images": ["8", 0]}),
    }
    return {id: {"class_type": kind, "inputs": inputs | changes.get(kind, {})} for id, (kind, inputs) in nodes.items()}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def test_the_usual_graph_is_read_whole() -> None:
    infotext = read(graph(), ["stencil"])
    recipe = Recipe.load(infotext.values)
    assert {name: getattr(recipe, name) for name in READ} == READ and infotext.left_out == []
    assert (recipe.model, recipe.sampler, recipe.spacing) == ("stencil", "dpmpp_2m", "karras")


def test_what_stands_on_the_way_is_named() -> None:
    nodes = graph(KSampler={"model": ["10", 0], "denoise": 0.5, "seed": ["11", 0]})
    nodes |= {"10": node("LoraLoader", lora_name="x", model=["4", 0]), "11": node("Seed", seed=7)}
    infotext = read(nodes, ["stencil"])
    assert (infotext.values["seed"], infotext.values["model"]) == (7, "stencil")
    assert [(item.name, item.value) for item in infotext.left_out] == [("Node", "LoraLoader"), ("denoise", "0.5")]


def test_a_prompt_from_a_node_of_text_is_followed() -> None:
    nodes = graph() | {"6": node("CLIPTextEncode", text=["10", 0]), "10": node("Text", value="a [red] star")}
    assert read(nodes).values["prompt"] == r"a \[red\] star"


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (graph() | {"10": node("KSampler")}, "2 samplers"),
        (graph() | {"6": node("ConditioningCombine")}, "comes from ConditioningCombine"),
        (graph(KSampler={"positive": None}), "comes from no node"),
        (graph(KSampler={"positive": ["99", 0]}), "comes from no node"),
        (graph() | {"6": node("CLIPTextEncode", text=["10", 0]), "10": node("Concat", a="x", b="y")}, "put together"),
        (graph() | {"3": {"class_type": "KSampler", "inputs": []}}, "comes from no node"),
    ],
)
def test_a_graph_that_cannot_be_followed_is_refused(nodes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(nodes)


def test_models_that_lead_in_a_circle() -> None:
    nodes = graph(KSampler={"model": ["10", 0]}) | {"10": node("A", model=["11", 0]), "11": node("B", model=["10", 0])}
    assert "model" not in read(nodes).values
