"""Exports and imports against the programs they are for: peft and diffusers, on the shipped model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
from peft import LoraConfig, PeftModel, get_peft_model, inject_adapter_in_model
from peft.utils import get_peft_model_state_dict
from torch import Tensor, nn

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.engine.bench.reference import plain_pipeline
from studio.engine.edits.exporting import export
from studio.engine.edits.factoring import SVD_TOLERANCE, low_rank_form
from studio.engine.edits.format import Dense, Edit, LowRank
from studio.engine.edits.header import read_header
from studio.engine.edits.importing import read_lora
from studio.engine.edits.layout import Layout
from studio.engine.edits.manifest import EXPORT_KEY, is_ours
from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.order import Order
from studio.engine.sampler import sample
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.engine.edits.making import full_hash, make_edit
from tests.tolerance import rounding


@pytest.fixture(scope="module")
def room(stencil: EmbeddedModel) -> WeightRoom:
    return WeightRoom({"unet": stencil.unet, "text_encoder": stencil.text_encoder})


@pytest.fixture(scope="module")
def layout(room: WeightRoom) -> Layout:
    return room.layout()


@pytest.fixture
def another(stencil_dir: Path) -> EmbeddedModel:
    """A copy of the model for other programs to change."""
    return load_stencil(stencil_dir)


@contextmanager
def edited(room: WeightRoom, edit: Edit) -> Iterator[None]:
    room.use(EditStack.of([(edit, 1.0)]))
    try:
        yield
    finally:
        room.use(EMPTY)
        assert room.equals_base()


@torch.inference_mode()
def output(model: EmbeddedModel, unet: Any = None) -> Tensor:
    """The UNet's answer to two prompts, through the text encoder: both components' edits show."""
    noise = torch.randn(2, model.latent_channels, 16, 16, generator=torch.Generator().manual_seed(0))
    cond = torch.cat([model.encode_one(prompt).tokens for prompt in ("a red star", "a blue square on white")])
    return (unet or model.unet)(noise, torch.tensor([700.0, 100.0]), encoder_hidden_states=cond, return_dict=False)[0]


def everything(layout: Layout) -> Edit:
    """Convolutions and linear layers of the UNet, and the text encoder's; of several ranks and alphas."""
    unet, text = layout.components["unet"], layout.components["text_encoder"]
    attention = {path: shape for path, shape in unet.items() if ".attn" in path}
    others = {path: shape for path, shape in unet.items() if path not in attention}
    made = make_edit(attention, seed=1, rank=4, size=0.005).layers["unet"]
    more = make_edit(others, seed=2, rank=2, size=0.005).layers["unet"]
    words = make_edit(text, seed=3, rank=3, size=0.02, component="text_encoder").layers["text_encoder"]
    return Edit("Everything", "lora", {"unet": {**made, **more}, "text_encoder": words}, provenance={"seed": 1})


def put(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


# -- what peft and diffusers write, we read -------------------------------------------------------------------------


def randomised(module: nn.Module) -> None:
    """A trained adapter: peft begins with B = 0."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in module.named_parameters():
        if "lora_" in name:
            size = 0.02 if "lora_B" in name else 0.1
            parameter.data = torch.randn(parameter.shape, generator=generator) * size


TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv_in", "proj_in", "ff.net.0.proj", "time_emb_proj"]


@pytest.mark.parametrize("stabilised", [False, True])
def test_a_lora_of_peft_is_the_same_here(
    another: EmbeddedModel, stencil: EmbeddedModel, room: WeightRoom, layout: Layout, tmp_path: Path, stabilised: bool
) -> None:
    config = LoraConfig(
        r=4,
        lora_alpha=6,
        target_modules=TARGETS,
        use_rslora=stabilised,
        rank_pattern={"to_k": 2},
        alpha_pattern={"to_v": 9},
    )
    wrapped: Any = get_peft_model(another.unet, config)  # type: ignore[arg-type]
    randomised(wrapped)
    wrapped.save_pretrained(tmp_path)
    expected = output(another, wrapped)
    base = output(stencil)
    with edited(room, read_lora(tmp_path, layout, "by peft")):
        torch.testing.assert_close(output(stencil), expected, rtol=0, atol=rounding(torch.float32, 20, 4))
    assert float((expected - base).abs().mean()) > 0.01, "the adapter does something"


def test_a_lora_of_diffusers_is_the_same_here(
    another: EmbeddedModel, stencil: EmbeddedModel, room: WeightRoom, layout: Layout, tmp_path: Path, stencil_dir: Path
) -> None:
    """Trained, saved by diffusers' own means (UNet and text encoder), loaded by a fresh pipeline and by us: the same
    prediction to 1e-5 and the same pictures to 1/255."""
    inject_adapter_in_model(LoraConfig(r=4, lora_alpha=4, target_modules=TARGETS), another.unet)
    inject_adapter_in_model(LoraConfig(r=2, lora_alpha=2, target_modules=["q_proj", "fc1"]), another.text_encoder)
    randomised(another.unet)
    randomised(another.text_encoder)
    theirs = plain_pipeline(another, "ddim")
    theirs.save_lora_weights(
        tmp_path,
        # not converted too: with layers other than attention that gives two spellings in one file, of which
        # diffusers reads the one that comes first and drops the other's layers
        unet_lora_layers=get_peft_model_state_dict(another.unet),
        text_encoder_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(another.text_encoder)),
    )
    fresh = load_stencil(stencil_dir)
    pipeline = plain_pipeline(fresh, "ddim")
    pipeline.load_lora_weights(tmp_path, weight_name="pytorch_lora_weights.safetensors")
    edit = read_lora(tmp_path / "pytorch_lora_weights.safetensors", layout, "by diffusers")
    recipe = Recipe.load({"prompt": "a red star", "seed": 3, "steps": 4, "sampler": "ddim"})
    picture = pipeline(
        recipe.prompt,
        num_inference_steps=4,
        guidance_scale=7.5,
        generator=torch.Generator().manual_seed(3),
        output_type="np",
    ).images[0]
    with edited(room, edit):
        torch.testing.assert_close(output(stencil), output(fresh), rtol=0, atol=rounding(torch.float32, 20, 4))
        stencil.forget_prompts()
        recipe = recipe.model_copy(
            update={"guidance": recipe.guidance.model_copy(update={"params": {"guidance_scale": 7.5}})}
        )
        ((_, ours),) = sample(stencil, [Order(recipe)])
    stencil.forget_prompts()
    difference = np.abs(ours.astype(int) - (picture * 255).round().astype(int))
    assert difference.max() <= 1
    ((_, base),) = sample(stencil, [Order(recipe)])
    assert np.abs(ours.astype(int) - base.astype(int)).mean() > 1, "the adapter shows"


# -- what we write, they read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["diffusers", "kohya"])
def test_exports_load_in_a_plain_pipeline(
    another: EmbeddedModel, stencil: EmbeddedModel, room: WeightRoom, layout: Layout, tmp_path: Path, style: str
) -> None:
    edit = everything(layout)
    ((name, data),) = export(edit, style).files.items()
    put({name: data}, tmp_path)
    pipeline = plain_pipeline(another, "ddim")
    before = output(another)
    pipeline.load_lora_weights(tmp_path, weight_name=name)
    theirs = output(another)
    assert float((theirs - before).abs().mean()) > 0.01, "the edit does something"
    for one in (edit, read_lora(tmp_path / name, layout, "back")):
        with edited(room, one):
            torch.testing.assert_close(output(stencil), theirs, rtol=0, atol=rounding(torch.float32, 20, 4))
    header = read_header(tmp_path / name)
    assert json.loads(header.metadata[EXPORT_KEY])["sha256"] == edit.sha256 and not is_ours(header)
    assert export(edit, style).files[name] == data, "the same edit gives the same file"


def test_one_alpha_of_all_layers_is_left_as_it_is(layout: Layout, tmp_path: Path) -> None:
    attention = {path: shape for path, shape in layout.components["unet"].items() if "mid_block" in path}
    edit = make_edit(attention, seed=1, rank=4)  # and so alpha 2: one that float32, in which kohya keeps it, holds
    for style in ("kohya", "peft"):
        put(export(edit, style).files, tmp_path / style)
    for file in (tmp_path / "kohya" / "lora.safetensors", tmp_path / "peft" / "unet"):
        assert read_lora(file, layout, "back").sha256 == edit.sha256


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft's, of transformers
def test_exports_load_in_peft(
    another: EmbeddedModel, stencil: EmbeddedModel, room: WeightRoom, layout: Layout, tmp_path: Path
) -> None:
    edit = everything(layout)
    put(export(edit, "peft").files, tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["name"] == "Everything"
    unet: Any = another.unet
    unet = PeftModel.from_pretrained(unet, str(tmp_path / "unet")).eval()
    another.text_encoders = (PeftModel.from_pretrained(another.text_encoder, str(tmp_path / "text_encoder")).eval(),)
    with edited(room, edit):
        torch.testing.assert_close(output(another, unet), output(stencil), rtol=0, atol=rounding(torch.float32, 20, 4))
    for component in ("unet", "text_encoder"):
        back = read_lora(tmp_path / component, Layout({component: layout.components[component]}), "back")
        for path, layer in edit.layers[component].items():
            theirs = back.layers[component][path]
            assert isinstance(layer, LowRank) and isinstance(theirs, LowRank)
            assert torch.equal(layer.A, theirs.A) and torch.equal(layer.B, theirs.B) and layer.alpha == theirs.alpha


def test_a_text_encoder_alone_loads_too(
    another: EmbeddedModel, stencil: EmbeddedModel, room: WeightRoom, tmp_path: Path
) -> None:
    """Of its feed-forward alone: a spelling that diffusers cannot tell apart from others would be refused by it."""
    layers = {p: s for p, s in room.layout().components["text_encoder"].items() if p.endswith("fc2")}
    edit = make_edit(layers, seed=4, size=0.05, component="text_encoder")
    put(export(edit, "diffusers").files, tmp_path)
    pipeline = plain_pipeline(another, "ddim")
    pipeline.load_lora_weights(tmp_path, weight_name="pytorch_lora_weights.safetensors")
    with edited(room, edit):
        torch.testing.assert_close(output(another), output(stencil), rtol=0, atol=rounding(torch.float32, 20, 4))


# -- dense ----------------------------------------------------------------------------------------------------------


def low_rank_dense(rank: int) -> Dense:
    generator = torch.Generator().manual_seed(rank)
    d = torch.randn(12, rank, generator=generator) @ torch.randn(rank, 27, generator=generator) / 10
    return Dense(d.reshape(12, 3, 3, 3))


def test_a_dense_edit_goes_out_where_it_is_of_low_rank() -> None:
    edit = Edit("e", "dense", {"unet": {"linear": Dense(low_rank_dense(2).D.flatten(1)), "conv": low_rank_dense(3)}})
    layers = low_rank_form(edit, max_rank=4).layers["unet"]
    assert {path: layer.rank for path, layer in layers.items()} == {"linear": 2, "conv": 3}
    for path, layer in layers.items():
        d = dict(edit.layers["unet"][path].parts())["D"]
        assert float((layer.delta() - d).norm() / d.norm()) <= SVD_TOLERANCE
    assert set(export(edit, "kohya").files) == {"lora.safetensors"}
    zero = Edit("e", "dense", {"unet": {"a": Dense(torch.zeros(3, 3))}})
    assert low_rank_form(zero).layers["unet"]["a"].rank == 1


def test_what_would_be_lost_is_said() -> None:
    d = torch.diag(torch.tensor([3.0, 4.0, 0.0]))
    edit = Edit("Gone", "dense", {"unet": {"a": Dense(d)}})
    with pytest.raises(
        BadInput, match=r"'Gone' is not of low rank: rank 1 would lose 60 % of its change of unet\.a \(rank 2"
    ):
        export(edit, "diffusers", max_rank=1)
    assert export(edit, "diffusers", max_rank=2)


def test_what_no_lora_can_carry_is_refused() -> None:
    shapes = {"a": (4, 4)}
    with pytest.raises(BadInput, match="mask .* has no form as a LoRA"):
        export(make_edit(shapes, kind="mask"), "peft")
    with pytest.raises(BadInput, match="changes biases"):
        export(make_edit(shapes, biased=["a"]), "peft")
    with pytest.raises(BadInput, match="no export style 'onnx'; there are diffusers, kohya, peft, comfyui"):
        export(make_edit(shapes), "onnx")


def test_nothing_of_all_this_has_touched_the_base(stencil: EmbeddedModel, another: EmbeddedModel) -> None:
    assert full_hash(stencil.unet) == full_hash(another.unet)
    assert full_hash(stencil.text_encoder) == full_hash(another.text_encoder)
