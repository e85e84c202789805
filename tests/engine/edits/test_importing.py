"""Foreign files: every spelling gives the same edit, and what cannot be meant is refused in a sentence."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from studio.core.errors import AssetError, BadInput
from studio.engine.edits import files, importing
from studio.engine.edits.format import Edit, LowRank
from studio.engine.edits.importing import read_lora
from studio.engine.edits.inspection import inspect
from studio.engine.edits.keys import Finder, split_keys
from studio.engine.edits.layout import Layout
from studio.engine.edits.original import sgm_names
from studio.models.embedded import EmbeddedModel
from tests.engine.edits.foreign import STYLES, Tensors, diffusers_new, kohya, peft_bare, write
from tests.engine.edits.making import layout_of, make_edit
from tests.tolerance import rounding


@pytest.fixture(scope="module")
def layout(stencil: EmbeddedModel) -> Layout:
    return layout_of({"unet": stencil.unet, "text_encoder": stencil.text_encoder})


def some_edit(layout: Layout, style: str) -> Edit:
    """Whatever that style can carry: linear and convolution, UNet and text encoder."""
    unet = layout.components["unet"]
    wanted = {p: s for p, s in unet.items() if ".attn" in p and "mid_block" in p}
    if style != "processors":
        names = ("conv_in", "mid_block.resnets.0.conv1", "mid_block.attentions.0.proj_in", "time_embedding.linear_1")
        wanted |= {p: s for p, s in unet.items() if p in names or ".ff." in p}
    edit = make_edit(wanted, seed=1, rank=3)
    if style == "peft bare":
        return edit
    text = {p: s for p, s in layout.components["text_encoder"].items() if "layers.0" in p}
    text = text if style != "processors" else {p: s for p, s in text.items() if "self_attn" in p}
    other = make_edit(text, seed=2, rank=2, component="text_encoder")
    return Edit("both", "lora", {**edit.layers, **other.layers})


def assert_same_change(one: Edit, other: Edit) -> None:
    places = [(component, path) for component, path, _ in one.each()]
    assert places == [(component, path) for component, path, _ in other.each()]
    for (_, path, layer), (_, _, theirs) in zip(one.each(), other.each(), strict=True):
        assert isinstance(layer, LowRank) and isinstance(theirs, LowRank)
        torch.testing.assert_close(layer.delta(), theirs.delta(), rtol=1e-5, atol=rounding(torch.float32), msg=path)


@pytest.mark.parametrize("style", STYLES)
def test_every_spelling_is_read(layout: Layout, tmp_path: Path, style: str) -> None:
    edit = some_edit(layout, style)
    path = write(STYLES[style](edit), tmp_path / "x.safetensors", {"ss_note": "hello"})
    found = inspect(path, layout)
    count = len(list(edit.each()))
    assert (len(found.matched), found.total, found.missing, found.unknown) == (count, count, (), ())
    assert found.style == style.split()[0].replace("processors", "diffusers")
    back = read_lora(path, layout, "a name")
    assert_same_change(edit, back)
    assert back.name == "a name" and back.kind == "lora" and back.base == {}
    assert back.provenance["metadata"] == {"ss_note": "hello"} and back.provenance["layers"] == count


def test_unprefixed_keys_are_found(layout: Layout, tmp_path: Path) -> None:
    edit = some_edit(layout, "peft bare")
    tensors = {name.removeprefix("base_model.model."): tensor for name, tensor in peft_bare(edit).items()}
    assert_same_change(edit, read_lora(write(tensors, tmp_path / "x.safetensors"), layout, "e"))


def test_a_convolution_in_three_parts_is_their_product(layout: Layout, tmp_path: Path) -> None:
    shape = layout.components["unet"]["conv_in"]
    down, mid, up = torch.randn(2, shape[1], 1, 1), torch.randn(2, 2, 3, 3), torch.randn(shape[0], 2, 1, 1)
    parts = {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up, "alpha": torch.tensor(1.0)}
    path = write({f"lora_unet_conv_in.{name}": tensor for name, tensor in parts.items()}, tmp_path / "x.safetensors")
    (_, _, layer), *_ = read_lora(path, layout, "e").each()
    x = torch.randn(1, shape[1], 6, 6)
    step = torch.nn.functional.conv2d
    expected = step(step(step(x, down), mid), up) * 0.5  # as LyCORIS runs them, one after the other
    torch.testing.assert_close(step(x, layer.delta()), expected, rtol=1e-4, atol=1e-4)  # type: ignore[union-attr]


# -- alpha ----------------------------------------------------------------------------------------------------------


def linear(layout: Layout, rank: int = 4) -> tuple[str, Tensor, Tensor]:
    path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    out, inn = layout.components["unet"][path]
    return path, torch.randn(rank, inn) / 10, torch.randn(out, rank) / 10


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"lora_alpha": 8}, 2.0),
        ({"lora_alpha": 8, "use_rslora": True}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"attn1.to_q": 2}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"^attn1.to_q": 2, "1.to_q": 3}}, 2.0),
        ({"lora_alpha": 8, "alpha_pattern": {"^mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 2}}, 0.5),
        ({}, 1.0),
        (None, 1.0),
    ],
)
def test_alpha_comes_from_the_config(
    layout: Layout, tmp_path: Path, config: dict[str, Any] | None, scale: float
) -> None:
    path, a, b = linear(layout)
    tensors = {f"base_model.model.{path}.lora_A.weight": a, f"base_model.model.{path}.lora_B.weight": b}
    write(tensors, tmp_path / "adapter_model.safetensors")
    if config is not None:
        (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, **config}))
    (_, _, layer), *_ = read_lora(tmp_path, layout, "e").each()
    assert isinstance(layer, LowRank) and layer.scale == pytest.approx(scale)
    if config is not None:  # diffusers keeps the same in the file itself
        told = {f"unet.{key}": value for key, value in {"r": 4, **config}.items()}
        tensors = {f"unet.{path}.lora_A.weight": a, f"unet.{path}.lora_B.weight": b}
        within = tmp_path / "within"
        within.mkdir()
        file = write(tensors, within / "x.safetensors", {"lora_adapter_metadata": json.dumps(told)})
        (_, _, layer), *_ = read_lora(file, layout, "e").each()
        assert isinstance(layer, LowRank) and layer.scale == pytest.approx(scale)


def test_bias_of_peft_is_scaled_with_its_layer(layout: Layout, tmp_path: Path) -> None:
    a, b, bias = torch.randn(4, *layout.components["unet"]["conv_in"][1:]), torch.randn(64, 4, 1, 1), torch.randn(64)
    tensors = {"unet.conv_in.lora_A.weight": a, "unet.conv_in.lora_B.weight": b, "unet.conv_in.lora_B.bias": bias}
    file = write({**tensors, "unet.conv_in.alpha": torch.tensor(2.0)}, tmp_path / "x.safetensors")
    (_, _, layer), *_ = read_lora(file, layout, "e").each()
    torch.testing.assert_close(layer.bias, bias / 2)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is not a JSON object"),
        ('{"peft_type": "LOHA"}', "says 'LOHA'; this version reads LoRA alone"),
        ('{"use_dora": true}', "says DoRA"),
        ('{"lora_alpha": "8"}', "lora_alpha '8', which is no number"),
        ('{"lora_alpha": NaN}', "lora_alpha nan, which is no number"),
        ('{"alpha_pattern": {"(a+)+$": 1}}', "only plain paths are read"),
        ('{"alpha_pattern": {"a": true}}', "alpha_pattern that is no such thing"),
        ('{"lora_alpha": 1e9}', "alpha / rank up to 1000"),
    ],
)
def test_configs_that_cannot_be(layout: Layout, tmp_path: Path, config: str, said: str) -> None:
    path, a, b = linear(layout)
    write({f"{path}.lora_A.weight": a, f"{path}.lora_B.weight": b}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(config)
    with pytest.raises(AssetError, match=said):
        read_lora(tmp_path, layout, "e")


# -- refusals -------------------------------------------------------------------------------------------------------

Q = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


def change(name: str, value: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key: value(t) if key == name else t for key, t in tensors.items()}


def renamed(old: str, new: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key.replace(old, new): tensor for key, tensor in tensors.items()}


def filled(value: float) -> Callable[[Tensor], Tensor]:
    return lambda t: torch.full_like(t, value)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda tensors: {}, "holds no layer of a LoRA: it is empty"),
        (
            renamed("unet.", "transformer."),
            r"none of its 2 .*'transformer\.mid_block.* a model with a transformer, and this",
        ),
        (renamed("unet.", "lora_te2_"), r"It is for a model with a text_encoder_2, and this one has none"),
        (renamed("mid_block", "mid_blocks"), "Nothing in .* fits this model"),
        (
            renamed("to_q", "to_x"),
            r"Only 1 of the 2 layers in .* fit this model; 1 layer is left over, such as 'unet\.mid",
        ),
        (
            lambda tensors: {**tensors, "extra": torch.zeros(1)},
            "All 2 layers in .* would fit this model; besides there is 1 other tensor, such as 'extra', not part of",
        ),
        (
            change(f"{Q}.lora.down.weight", lambda t: t[:, :-1]),
            r"mid_block.*to_q has shape \(128, 128\), .*\(128, 127\)",
        ),
        (change(f"{Q}.lora.up.weight", lambda t: t[:-1]), r"has shape \(128, 128\), and the file is for \(127, 128\)"),
        (change(f"{Q}.lora.up.weight", lambda t: t[:, :-1]), "the file is for one that makes no sense"),
        (change(f"{Q}.lora.up.weight", lambda t: t[None]), "the file is for one that makes no sense"),
        (change(f"{Q}.lora.down.weight", lambda t: t[:0]), "to_q of rank 0, which changes nothing"),
        (
            lambda tensors: {k: t for k, t in tensors.items() if k != f"{Q}.lora.up.weight"},
            "only half of the layer unet.mid",
        ),
        (change(f"{Q}.lora.up.weight", filled(float("nan"))), "to_q holds values in B that are not numbers"),
        (change(f"{Q}.lora.down.weight", filled(float("-inf"))), "to_q holds values in A that are not numbers"),
        (change(f"{Q}.lora.up.weight", filled(1e9)), r"to_q by .*e\+0\d on average"),
        (change(f"{Q}.lora.up.weight", lambda t: t.int()), "as I32, which weights are not"),
        (lambda tensors: {**tensors, f"{Q}.alpha": torch.tensor(1e9)}, "alpha / rank up to 1000 and not 0, not 3.3"),
        (lambda tensors: {**tensors, f"{Q}.alpha": torch.tensor(0.0)}, "and not 0, not 0"),
        (lambda tensors: {**tensors, f"{Q}.alpha": torch.tensor(float("nan"))}, "not nan"),
        (lambda tensors: {**tensors, f"{Q}.alpha": torch.ones(2)}, "an alpha of the layer .* that is not one number"),
        (
            lambda tensors: {**tensors, f"{Q}.dora_scale": torch.ones(128)},
            "holds DoRA, .* this version reads LoRA alone",
        ),
        (lambda tensors: {**tensors, f"{Q}.lora_magnitude_vector": torch.ones(128)}, "holds DoRA"),
        (lambda tensors: {"lora_unet_conv_in.hada_w1_a": torch.ones(2, 2)}, "holds LoHa"),
        (lambda tensors: {"lora_unet_conv_in.lokr_w1": torch.ones(2, 2)}, "holds LoKr"),
        (lambda tensors: {"lora_unet_conv_in.oft_blocks": torch.ones(2, 2)}, "holds OFT"),
        (lambda tensors: {"lora_unet_conv_in.w_norm": torch.ones(2)}, "holds differences of norms"),
        (
            lambda tensors: {"lora_unet_conv_in.diff": torch.ones(2, 2)},
            r"conv_in has shape .* the file is for \(2, 2\)",
        ),
        (lambda tensors: {"lora_unet_conv_in.diff_b": torch.ones(64)}, "only half of the layer unet.conv_in"),
        (
            lambda tensors: {**tensors, f"{Q}.diff": torch.zeros(128, 128)},
            "to_q as a whole and in parts, such as 'unet.mid_block",
        ),
        (lambda tensors: {"conv_in.lora_embedding_A": torch.ones(2, 2)}, "holds LoRA on embeddings"),
        (
            lambda tensors: {
                **tensors,
                **{k.replace(".lora.down", ".lora_linear_layer.down"): t for k, t in tensors.items()},
            },
            r"has the layer unet\.mid_block.* twice",
        ),
        (
            lambda tensors: {**tensors, **{k.removeprefix("unet."): t for k, t in tensors.items()}},
            r"has the layer unet\.mid_block.* twice",
        ),
    ],
)
def test_refusals(layout: Layout, tmp_path: Path, damage: Callable[[Tensors], Tensors], said: str) -> None:
    attention = {p: s for p, s in layout.components["unet"].items() if p in (Q[5:], Q[5:-1] + "k")}
    tensors = diffusers_new(make_edit(attention, seed=1, rank=3))
    assert read_lora(write(tensors, tmp_path / "good.safetensors"), layout, "e")
    path = write(damage(tensors), tmp_path / "bad.safetensors")
    with pytest.raises(AssetError, match=said) as raised:
        read_lora(path, layout, "e")
    assert "bad.safetensors" in str(raised.value)


def test_what_fits_is_taken_when_asked_for(layout: Layout, tmp_path: Path) -> None:
    attention = {p: s for p, s in layout.components["unet"].items() if p in (Q[5:], Q[5:-1] + "k")}
    tensors = renamed("to_q", "to_x")(diffusers_new(make_edit(attention, seed=1)))
    edit = read_lora(write(tensors, tmp_path / "x.safetensors"), layout, "e", partial=True)
    assert [path for _, path, _ in edit.each()] == [Q[5:-1] + "k"]
    assert (edit.provenance["layers"], edit.provenance["layers_in_file"]) == (1, 2)


def test_files_that_are_none(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "pickle.safetensors").write_bytes(pickle.dumps({Q: 1}))
    with pytest.raises(AssetError, match="is a pickle"):
        read_lora(tmp_path / "pickle.safetensors", layout, "e")
    with pytest.raises(AssetError, match=r"has no adapter_model\.safetensors"):
        read_lora(tmp_path, layout, "e")
    with pytest.raises(AssetError, match="No such file"):
        inspect(tmp_path / "none.safetensors", layout)
    good = write(kohya(some_edit(layout, "kohya")), tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="1 to 100 printable"):
        read_lora(good, layout, "\n")
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:-1])
    with pytest.raises(AssetError, match="cut short"):
        read_lora(tmp_path / "cut.safetensors", layout, "e")


# -- names of the original code -------------------------------------------------------------------------------------


def sdxl_like() -> Any:
    library: Any = diffusers
    return library.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16, 16),
        layers_per_block=2,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=4,
        transformer_layers_per_block=(1, 1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=40,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )


def test_original_names_are_those_that_diffusers_maps_back() -> None:
    """The map is made from the layout; diffusers' own, of names to names, must lead every one of them home."""
    unet = sdxl_like()
    paths = layout_of({"unet": unet}).components["unet"]
    names = sgm_names(paths)
    assert set(names) == set(paths), "every layer of an SDXL UNet has an original name"
    assert len(set(names.values())) == len(names)
    assert names["down_blocks.1.attentions.0.proj_in"] == "input_blocks.4.1.proj_in"  # as known from SDXL files
    assert names["up_blocks.0.upsamplers.0.conv"] == "output_blocks.2.2.conv"
    numbered = {path: torch.tensor([float(number)]) for number, path in enumerate(names)}
    theirs: Tensors = {}
    for path, name in names.items():
        start = f"lora_unet_{name.replace('.', '_')}"
        theirs |= {f"{start}.lora_down.weight": numbered[path], f"{start}.lora_up.weight": numbered[path]}
    converted: Tensors = diffusers.StableDiffusionXLPipeline.lora_state_dict(theirs, unet_config=unet.config)[0]
    keys, unknown = split_keys(converted, "x")
    finder = Finder(Layout({"unet": paths}))
    assert {finder.find(key.layer): converted[key.name] for key in keys} == {
        ("unet", p): t for p, t in numbered.items()
    }
    assert not unknown


def test_a_kohya_file_of_sdxl_is_read(tmp_path: Path) -> None:
    unet = sdxl_like()
    text = torch.nn.ModuleDict({"text_model": torch.nn.ModuleDict({"fc1": torch.nn.Linear(4, 6)})})
    layout = layout_of({"unet": unet, "text_encoder": text, "text_encoder_2": text})
    names = sgm_names(layout.components["unet"])
    edit = make_edit(layout.components["unet"], seed=1)
    tensors = {}
    for _, path, layer in edit.each():
        assert isinstance(layer, LowRank)
        start = f"lora_unet_{names[path].replace('.', '_')}"
        tensors |= {f"{start}.lora_down.weight": layer.A, f"{start}.lora_up.weight": layer.B * layer.scale}
    for number in (1, 2):
        start = f"lora_te{number}_text_model_fc1"
        tensors |= {f"{start}.lora_down.weight": torch.ones(1, 4), f"{start}.lora_up.weight": torch.ones(6, 1) * number}
    back = read_lora(write(tensors, tmp_path / "x.safetensors"), layout, "e")
    assert_same_change(edit, Edit("e", "lora", {"unet": back.layers["unet"]}))
    for number, component in ((1, "text_encoder"), (2, "text_encoder_2")):
        (layer,) = back.layers[component].values()
        assert isinstance(layer, LowRank) and float(layer.delta()[0, 0]) == number


# -- what a file may cost -------------------------------------------------------------------------------------------

NARROW = Layout({"unet": {"to_q": (320, 320), "conv_in": (320, 4, 3, 3), "conv_out": (4, 320, 3, 3)}})


def announced(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A file of float16 zeros, which takes no room on the disk."""
    entries: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


def pair(layer: str, down: tuple[int, ...], up: tuple[int, ...], *mid: int) -> dict[str, tuple[int, ...]]:
    shapes = {f"unet.{layer}.lora_down.weight": down, f"unet.{layer}.lora_up.weight": up}
    return {**shapes, f"unet.{layer}.lora_mid.weight": mid} if mid else shapes


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (pair("to_q", (4096, 320), (320, 4096)), "has rank 4096 in the layer unet.to_q .*, where at most 320 is read"),
        (pair("to_q", (321, 320), (320, 321)), "has rank 321 .* larger than the weight. Reduce its rank with"),
        (pair("conv_in", (257, 4, 3, 3), (320, 257, 1, 1)), "where at most 256 is read"),
        (pair("conv_out", (2**14, 320, 3, 3), (4, 2**14, 1, 1)), "where at most 256 is read"),
        (pair("conv_in", (2000, 4, 1, 1), (320, 2000, 1, 1), 2000, 2000, 3, 3), "where at most 256 is read"),
        # of r x s the product would be r wide, however small the file
        (pair("conv_in", (1, 4, 1, 1), (320, 10**6, 1, 1), 10**6, 1, 3, 3), "is for one that makes no sense"),
        (pair("conv_in", (10**6, 4, 1, 1), (320, 1, 1, 1), 1, 10**6, 3, 3), "is for one that makes no sense"),
        ({**pair("to_q", (4, 320), (320, 4)), "unet.to_q.alpha": (10**6,)}, "an alpha .* that is not one number"),
        ({**pair("to_q", (4, 320), (320, 4)), "unet.to_q.lora_B.bias": (10**6,)}, "a bias .* that is not 320 numbers"),
        ({**pair("to_q", (4, 320), (320, 4)), "x": (10**9,)}, "besides there is 1 other tensor, such as 'x', not part"),
        ({f"lora_unet_{n}.alpha": () for n in range(10_001)}, "has 10001 tensors, and at most 10000 are read"),
    ],
)
def test_what_costs_too_much_is_refused_before_a_number_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: dict[str, tuple[int, ...]], said: str
) -> None:
    file = announced(tmp_path / "mine.safetensors", shapes)
    monkeypatch.setattr(importing, "read_tensors", lambda *args: pytest.fail("numbers were read"))
    with pytest.raises(AssetError, match=said) as raised:
        read_lora(file, NARROW, "e")
    assert "mine.safetensors" in str(raised.value)


@pytest.mark.parametrize("rank", [4, 64, 256])
def test_one_rank_for_all_layers_is_read_in_narrow_ones_too(tmp_path: Path, rank: int) -> None:
    """As trainers set it: 256 on conv_out, which has 4 channels."""
    tensors = {}
    for path, shape in NARROW.components["unet"].items():
        down, up = torch.randn(rank, *shape[1:]), torch.randn(shape[0], rank, *(1,) * (len(shape) - 2))
        tensors |= {f"unet.{path}.lora_down.weight": down / 100, f"unet.{path}.lora_up.weight": up / 100}
    edit = read_lora(write(tensors, tmp_path / "x.safetensors"), NARROW, "e")
    assert {path: layer.rank for _, path, layer in edit.each() if isinstance(layer, LowRank)} == dict.fromkeys(
        NARROW.components["unet"], rank
    )


@pytest.mark.parametrize(("rank", "size"), [(2, 1e3), (300, 1e2), (2, 1e200), (300, 1e200)])
def test_the_size_of_a_change_is_told_for_any_rank(tmp_path: Path, rank: int, size: float) -> None:
    tensors = {"unet.conv_out.lora_down.weight": torch.ones(min(rank, 256), 320, 3, 3)}
    tensors["unet.conv_out.lora_up.weight"] = torch.full((4, min(rank, 256), 1, 1), min(size, 3e38))
    with pytest.raises(AssetError, match="would change the weights of unet.conv_out by"):
        read_lora(write(tensors, tmp_path / "x.safetensors"), NARROW, "e")


def test_what_is_left_out_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sparse file of 2 GB only the layer's own bytes: the rest is read by nobody."""
    file = announced(tmp_path / "x.safetensors", {"x": (10**9,), **pair("to_q", (4, 320), (320, 4))})
    read: list[int] = []
    tensor = files._tensor
    monkeypatch.setattr(
        files, "_tensor", lambda file, at, info: (read.append(info.place[1] - info.place[0]), tensor(file, at, info))[1]
    )
    edit = read_lora(file, NARROW, "e", partial=True)
    assert edit.nbytes() == sum(read) == 2 * 2 * 4 * 320


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor has that is made within it."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.numbers = max(self.numbers, made.numel() if isinstance(made, Tensor) else 0)
        return made


@pytest.mark.parametrize(("rank", "width"), [(2, 300), (300, 2)])
def test_the_size_of_a_change_costs_no_more_than_its_factors(rank: int, width: int) -> None:
    layer = LowRank(torch.ones(rank, width), torch.ones(width, rank), alpha=float(rank))
    with Largest() as largest:
        assert importing._norm(layer) == rank * width
    assert largest.numbers == rank * width
