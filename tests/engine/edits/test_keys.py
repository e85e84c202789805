"""Names in other programs' files: what wraps them, the component, the path and the role are read in every spelling."""

from __future__ import annotations

import itertools

import pytest

from studio.core.errors import AssetError
from studio.engine.edits.keys import Finder, component_of, is_embedding, kohya_name, split_keys, style_of
from studio.engine.edits.layout import Layout

ATTENTION = "transformer_blocks.0.attn1"
TEXT = "encoder.layers.0"
# As SDXL has them, with one block a side. By our path: the original one.
UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "down_blocks.0.resnets.0.conv1": "input_blocks.1.0.in_layers.2",
    f"down_blocks.0.attentions.0.{ATTENTION}.to_q": f"input_blocks.1.1.{ATTENTION}.to_q",
    f"down_blocks.0.attentions.0.{ATTENTION}.to_out.0": f"input_blocks.1.1.{ATTENTION}.to_out.0",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "mid_block.attentions.0.proj_in": "middle_block.1.proj_in",
    "up_blocks.0.resnets.0.conv_shortcut": "output_blocks.0.0.skip_connection",
    f"up_blocks.0.attentions.0.{ATTENTION}.to_q": f"output_blocks.0.1.{ATTENTION}.to_q",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.0.2.conv",
}
CLIP = {
    f"{TEXT}.mlp.fc1": "resblocks.0.mlp.c_fc",
    f"{TEXT}.self_attn.q_proj": None,
    f"{TEXT}.self_attn.out_proj": "resblocks.0.attn.out_proj",
}
SD1 = Layout({"unet": dict.fromkeys(UNET, (2, 2)), "text_encoder": dict.fromkeys(CLIP, (2, 2))})
SDXL = Layout({**SD1.components, "text_encoder_2": dict.fromkeys([*CLIP, "text_projection"], (2, 2))})

UNET_STARTS = [
    "",
    *"""
    unet. diffusion_model. model.diffusion_model. base_model.model. base_model.model.unet. lora_unet_
    lycoris_unet_ lycoris_ unet.base_model.model.
""".split(),
]
FIRST_STARTS = """
    text_encoder. text_encoder.text_model. text_encoder_1.text_model. te.text_model. te1.text_model.
    lora_te_text_model_ lora_te1_text_model_ lora_te_ lora_te1_ lora_text_encoder_ lycoris_te_text_model_
    clip_l. clip_l.text_model. text_encoders.clip_l.transformer.text_model. clip_l.transformer.text_model.
    cond_stage_model.transformer.text_model. conditioner.embedders.0.transformer.text_model.
    text_encoder.base_model.model.text_model. base_model.model.text_model. transformer.text_model. text_model.
""".split()
SECOND_STARTS = """
    text_encoder_2. text_encoder_2.text_model. te2.text_model. te_2.text_model. lora_te2_text_model_ lora_te2_
    lora_text_encoder_2_ lycoris_te2_text_model_ clip_g. clip_g.text_model.
    text_encoders.clip_g.transformer.text_model. text_encoder_2.base_model.model.text_model.
""".split()


def spellings(start: str, path: str) -> set[str]:
    """Dotted and flat, in any case."""
    names = {start + path, start + path.replace(".", "_"), (start + path).replace(".", "_")}
    return names | {name.upper() for name in names}


@pytest.mark.parametrize("start", UNET_STARTS)
def test_every_name_of_a_unet(start: str) -> None:
    finder = Finder(SDXL)
    for ours, theirs in UNET.items():
        for name in spellings(start, ours) | spellings(start, theirs):
            assert finder.find(name) == ("unet", ours), name


@pytest.mark.parametrize(
    ("component", "start"),
    [*(("text_encoder", start) for start in FIRST_STARTS), *(("text_encoder_2", start) for start in SECOND_STARTS)],
)
def test_every_name_of_a_text_encoder(component: str, start: str) -> None:
    finder = Finder(SDXL)
    for path in CLIP:
        for name in spellings(start, path):
            assert finder.find(name) == (component, path), name
            if component == "text_encoder_2":
                assert Finder(SD1).find(name) is None, "SD 1.x has no second text encoder"


def test_names_of_open_clip_are_the_second_text_encoder() -> None:
    for path, theirs in CLIP.items():
        for start in (
            "conditioner.embedders.1.model.transformer.",
            "text_encoder_2.transformer.",
            "clip_g.transformer.",
        ):
            if theirs is not None:
                assert Finder(SDXL).find(start + theirs) == ("text_encoder_2", path)
    assert Finder(SDXL).find("clip_g.text_projection") == ("text_encoder_2", "text_projection")


@pytest.mark.parametrize("start", ["unet.", "", "base_model.model.", "diffusion_model."])
def test_attention_within_its_processor(start: str) -> None:
    block = f"down_blocks.0.attentions.0.{ATTENTION}"
    assert Finder(SD1).find(f"{start}{block}.processor.to_q") == ("unet", f"{block}.to_q")
    assert Finder(SD1).find(f"{start}{block}.processor.to_out") == ("unet", f"{block}.to_out.0")
    for start, ours in (("text_encoder.text_model.", "text_encoder"), ("text_encoder_2.", "text_encoder_2")):
        assert Finder(SDXL).find(f"{start}{TEXT}.self_attn.to_out") == (ours, f"{TEXT}.self_attn.out_proj")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "unet",
        "unet.",
        "unet.conv",
        "unet.conv_in.0",
        "unet.time_embed",
        "transformer.conv_in",
        "lora_transformer_conv_in",
        "text_encoder.conv_in",
        "unet.text_encoder.conv_in",
        f"unet.{TEXT}.mlp.fc1",
        "lora_prior_unet_conv_in",
        "controlnet.conv_in",
        "lora_" * 200 + "unet_conv_in" + "x" * 100,
        "unet.output_blocks.1.0.skip_connection",
    ],
)
def test_a_name_of_something_else_is_no_layer(name: str) -> None:
    assert Finder(SDXL).find(name) is None


def test_a_component_is_named_where_the_model_has_none() -> None:
    names = {
        "transformer.transformer_blocks.0.attn.to_q": "transformer",
        "lora_transformer_single_blocks_0": "transformer",
        "lora_te2_text_model_encoder": "text_encoder_2",
        "clip_g.text_model": "text_encoder_2",
        "text_encoder_3.encoder": "text_encoder_3",
        "base_model.model.unet.conv_in": "unet",
        "transformer.text_model.encoder": None,
        "down_blocks.0": None,
    }
    assert {name: component_of(name) for name in names} == names


LAYER = "unet.mid_block.attentions.0.to_q"
DOWN_ENDINGS = """
    .lora_down.weight .lora_down .lora.down.weight .down.weight .down _lora.down.weight .LORA_DOWN.WEIGHT
    .lora_linear_layer.down.weight .lora_A.weight .lora_A .lora_A.default.weight .lora_A.my_words .lora_a.weight
""".split()


@pytest.mark.parametrize("down", DOWN_ENDINGS)
def test_every_ending_of_the_two_factors(down: str) -> None:
    up = down
    for other in (("down", "up"), ("DOWN", "UP"), ("lora_A", "lora_B"), ("lora_a", "lora_b")):
        up = up.replace(*other)
    keys, unknown = split_keys([LAYER + down, LAYER + up, f"{LAYER}.alpha"], "x")
    assert [(key.layer, key.role) for key in keys] == [(LAYER, "down"), (LAYER, "up"), (LAYER, "alpha")] and not unknown


def test_the_other_roles_and_what_is_none() -> None:
    names = [
        f"{LAYER}.lora_B.bias",
        f"{LAYER}.lora_B.default.bias",
        f"{LAYER}.lora_mid.weight",
        f"{LAYER}.lora_alpha",
        f"{LAYER}_lora.alpha",
    ]
    keys, unknown = split_keys([*names, f"{LAYER}.weight", f"{LAYER}.lora_A.bias", "alpha", ".lora_up.weight"], "x")
    assert [key.role for key in keys] == ["bias", "bias", "mid", "alpha", "alpha"]
    assert {key.layer for key in keys} == {LAYER} and len(unknown) == 4


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("dora_scale", "DoRA"),
        ("hada_w1_a", "LoHa"),
        ("LOKR_W1", "LoKr"),
        ("oft_blocks", "OFT"),
        ("boft_R", "OFT"),
        ("ia3_l", "other than LoRA"),
        ("on_input", r"\(IA\)\^3"),
        ("a1.weight", "GLoRA"),
        ("w_norm", "differences of norms"),
    ],
)
def test_what_is_no_lora_is_refused_by_its_name(ending: str, kind: str) -> None:
    with pytest.raises(AssetError, match=f"The file x holds .*{kind}"):
        split_keys([f"lora_unet_conv_in.{ending}"], "x")


def test_embeddings_are_known_from_other_tensors() -> None:
    names = ["bundle_emb.myword.clip_l", "bundle_emb.my.word.clip_g", "emb_params", "clip_g", "string_to_param.*"]
    assert all(map(is_embedding, names))
    assert not any(map(is_embedding, ["clip_l.text_model.x", "extra", "lora_te_text_model_embeddings", "bundle_emb."]))


def test_styles_and_our_own_names() -> None:
    for component, path in itertools.product(("unet", "text_encoder", "text_encoder_2"), (*UNET, *CLIP)):
        if path in SDXL.components[component]:
            assert Finder(SDXL).find(kohya_name(component, path)) == (component, path)
    for name, style in (
        ("lora_unet_conv_in.lora_down.weight", "kohya"),
        ("lycoris_conv_in.lora_down.weight", "kohya"),
        ("unet.conv_in.lora_A.weight", "peft"),
        ("unet.conv_in.lora_down.weight", "diffusers"),
    ):
        assert style_of(split_keys([name], "x")[0]) == style
