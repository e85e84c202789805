"""Families: what each tells its network, where edits may go, and that layouts and code agree."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from studio.core.errors import AssetError, BadInput
from studio.diffusion.grid import make_grid
from studio.models.card import LAYOUTS, read_card
from studio.models.families import FAMILIES, family_of
from studio.models.latent_diffusion import LatentDiffusion
from studio.models.loading import load_model
from studio.models.sdxl import StableDiffusionXL, time_ids
from tests.tiny_model import CONTEXT
from tests.tiny_sdxl import POOLED, WIDTHS, XL_SCALE, XL_SIZE_PX, build_xl, set_config
from tests.tolerance import rounding


@pytest.fixture(scope="module")
def xl_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("xl")
    build_xl(folder)
    return folder


@pytest.fixture(scope="module")
def sd(tiny_model: Path) -> LatentDiffusion:
    loaded = load_model(tiny_model, name="sd")
    assert isinstance(loaded, LatentDiffusion)
    return loaded


@pytest.fixture(scope="module")
def xl(xl_dir: Path) -> StableDiffusionXL:
    loaded = load_model(xl_dir, name="xl")
    assert isinstance(loaded, StableDiffusionXL)
    return loaded


@pytest.fixture(params=["sd", "xl"])
def model(request: pytest.FixtureRequest) -> LatentDiffusion:
    return request.getfixturevalue(request.param)


def test_every_layout_has_its_code(tiny_model: Path, xl_dir: Path) -> None:
    cards = [read_card(folder) for folder in (tiny_model, xl_dir)]
    assert [family_of(card) for card in cards] == [FAMILIES.get(card.pipeline) for card in cards]
    assert FAMILIES.names() == tuple(sorted(LAYOUTS))
    assert [card.family for card in cards] == ["sd", "sdxl"]


# -- prompts --------------------------------------------------------------------------------------------------------


def test_shapes_of_sdxl(xl: StableDiffusionXL) -> None:
    cond = xl.encode(["a red star", "a blue square", ""])
    assert cond.tokens.shape == (3, CONTEXT, sum(WIDTHS))
    assert {name: extra.shape for name, extra in cond.extras.items()} == {"pooled": (3, POOLED)}
    side = XL_SIZE_PX // XL_SCALE
    assert xl.predict(torch.zeros(3, 4, side, side), torch.tensor([999.0, 3.5, 0.0]), cond).shape == (3, 4, side, side)


def test_no_prompt_is_zeros_where_the_pipeline_says_so(xl: StableDiffusionXL, xl_dir: Path, tmp_path: Path) -> None:
    assert not xl.encode([""]).tokens.any() and not xl.encode([""]).extras["pooled"].any()
    assert xl.empty_chunk.tokens.any()
    build_xl(tmp_path / "said")
    set_config(tmp_path / "said", "model_index.json", force_zeros_for_empty_prompt=False)
    said = load_model(tmp_path / "said", name="said")
    assert torch.equal(said.encode([""]).tokens, xl.empty_chunk.tokens)


def test_embed_is_what_encode_does_of_words(model: LatentDiffusion) -> None:
    ids = torch.tensor([model.tokenizer.ids("a red star"), model.tokenizer.ids("")])
    with torch.no_grad():
        cond = model.embed(ids)
    assert torch.equal(cond.row(0).tokens, model.encode(["a red star"]).tokens)
    assert torch.equal(cond.row(1).tokens, model.empty_chunk.tokens)


def test_the_second_tokenizer_pads_as_its_own(xl: StableDiffusionXL) -> None:
    assert xl.tokenizer_2.pad_id != xl.tokenizer.pad_id
    for prompt in ("", "a red star", "a red star " * 9, "a <|endoftext|> star"):
        ids = torch.tensor([xl.tokenizer.ids(prompt)])
        assert xl._padded_for_second(ids).tolist() == [xl.tokenizer_2.ids(prompt)]


def test_a_cached_prompt_can_be_trained_on(model: LatentDiffusion) -> None:
    model.forget_prompts()
    with torch.inference_mode():
        model.encode(["a red star"])
    tokens = model.encode(["a red star"]).tokens
    weight = torch.ones(tokens.shape[-1], requires_grad=True)
    (tokens * weight).sum().backward()
    assert weight.grad is not None


def test_stack_lengthens_with_the_empty_chunk(model: LatentDiffusion) -> None:
    short = model.encode(["a red star"])
    long = type(short)(torch.cat([short.tokens, short.tokens], dim=1), short.extras)
    both = model.stack([short, long])
    assert torch.equal(both.tokens[0], torch.cat([short.tokens[0], model.empty_chunk.tokens[0]]))


# -- sizes told to the network --------------------------------------------------------------------------------------


def test_size_told_is_the_size_drawn_unless_said_otherwise(xl: StableDiffusionXL) -> None:
    x, t, cond = (
        torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(0)),
        torch.tensor([500.0]),
        xl.encode(["a"]),
    )
    drawn = (12 * XL_SCALE, 8 * XL_SCALE)
    base = xl.predict(x, t, cond)
    assert torch.equal(base, xl.predict(x, t, cond.with_extras(time_ids=time_ids(drawn))))
    told = cond.with_extras(time_ids=time_ids(drawn, original=(512, 1024), crop=(3, 5)))
    assert not torch.allclose(base, xl.predict(x, t, told), atol=1e-6)


def test_order_of_time_ids() -> None:
    """As diffusers: original height and width, crop top and left, target height and width."""
    assert time_ids((64, 32), original=(1024, 512), crop=(3, 5)).tolist() == [[512, 1024, 5, 3, 32, 64]]


def test_different_vocabularies_are_refused(xl_dir: Path, tmp_path: Path, tiny_model: Path) -> None:
    build_xl(tmp_path / "mixed")
    path = tmp_path / "mixed" / "tokenizer_2" / "tokenizer.json"
    path.write_text(path.read_text().replace('"star</w>"', '"stra</w>"'))
    with pytest.raises(AssetError, match="tokenizer"):
        load_model(tmp_path / "mixed", name="mixed")


# -- parts and edits ------------------------------------------------------------------------------------------------


def test_components_are_those_of_the_layout(model: LatentDiffusion) -> None:
    assert set(model.components()) == set(model.card.layout.parts)
    assert not any(p.requires_grad for module in model.components().values() for p in module.parameters())


def test_edit_targets_name_layers(model: LatentDiffusion) -> None:
    groups = {name: set(paths) for name, paths in model.edit_targets().items()}
    assert set(groups) == {"xattn_kv", "xattn", "noxattn", "attn", "ffn", "conv", "linear", "all"}
    assert groups["noxattn"] > groups["ffn"] | groups["conv"] and not groups["noxattn"] & groups["xattn"]
    assert groups["xattn_kv"] < groups["xattn"] < groups["attn"] < groups["all"]
    assert groups["ffn"] and groups["conv"] and not groups["ffn"] & (groups["attn"] | groups["conv"])
    assert groups["attn"] | groups["ffn"] | groups["conv"] < groups["all"]
    for path in groups["all"]:
        part, _, inner = path.partition(".")
        layer = model.components()[part].get_submodule(inner)
        assert isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
        if path in groups["xattn_kv"]:
            assert isinstance(layer, torch.nn.Linear) and layer.in_features == model.encode([""]).tokens.shape[-1]


def test_pictures_go_through_latents(model: LatentDiffusion) -> None:
    side = model.default_size_px
    pictures = torch.rand(2, 3, side, side)
    with torch.inference_mode():
        latents = model.encode_pictures(pictures)
        decoded = model.decode(latents)
    assert latents.shape == (2, model.latent_channels, side // model.latent_scale_px, side // model.latent_scale_px)
    assert decoded.shape == pictures.shape and 0 <= float(decoded.min()) and float(decoded.max()) <= 1


def test_statistics_of_latents_are_taken_out_and_put_back(xl_dir: Path, tmp_path: Path) -> None:
    build_xl(tmp_path / "xl")
    set_config(tmp_path / "xl", "vae/config.json", latents_mean=[0.5, -0.5, 0, 1], latents_std=[2, 1, 1, 0.5])
    plain, shifted = load_model(xl_dir, name="plain"), load_model(tmp_path / "xl", name="shifted")
    mean, std = (torch.tensor(v).view(1, 4, 1, 1) for v in ([0.5, -0.5, 0, 1], [2, 1, 1, 0.5]))
    pictures = torch.rand(1, 3, XL_SIZE_PX, XL_SIZE_PX)
    with torch.inference_mode():
        latents = plain.encode_pictures(pictures)  # scaled by 0.5
        again, near = shifted.encode_pictures(pictures), rounding(torch.float32, 20, 2)
        torch.testing.assert_close(again, (latents / 0.5 - mean) / std * 0.5, rtol=0, atol=near)
        torch.testing.assert_close(shifted.decode(again), plain.decode(latents), rtol=0, atol=near)


# -- grids and previews ---------------------------------------------------------------------------------------------


def test_leading_grids_begin_where_the_config_says(xl: StableDiffusionXL) -> None:
    assert xl.grid(20).timesteps == make_grid("leading", xl.schedule, 20, steps_offset=1).timesteps
    assert xl.grid(20).timesteps[-1] == 1 and xl.grid(1000).timesteps[0] == 999
    for steps in (0, 1001):
        with pytest.raises(BadInput, match="steps"):
            xl.grid(steps)


def test_preview_of_any_family(model: LatentDiffusion) -> None:
    side = model.default_size_px // model.latent_scale_px
    shown = model.preview_map(torch.zeros(1, model.latent_channels, side, side))
    assert shown.shape == (1, 3, side, side) and bool(torch.isfinite(shown).all())
