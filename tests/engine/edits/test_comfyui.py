"""Exports under ComfyUI's own names, read by what its loader looks for in a model of the family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers

from studio.core.errors import BadInput
from studio.engine.edits.comfyui import comfyui_names
from studio.engine.edits.exporting import export
from studio.engine.edits.format import Dense, Edit, LowRank
from studio.engine.edits.importing import read_lora
from studio.engine.edits.layout import Layout, layout_of_folder
from studio.models.single_file import SHIPPED
from tests.engine.edits import comfyui_keys
from tests.engine.edits.comfyui_keys import FAMILIES, Shape
from tests.engine.edits.making import layout_of, make_edit

# Stencil is no family of ComfyUI's; its UNet is one of latent diffusion, and has the names of those.
STENCIL = {
    **comfyui_keys.unet((64, 96, 128), 1, (0, 1, 1), 128, 8, linear=True),
    **comfyui_keys.clip("l", 128, 3, wide=3),
}


@pytest.fixture(scope="module", params=["sd1", "sdxl", "stencil"])
def family(request: pytest.FixtureRequest, stencil_dir: Path) -> tuple[Layout, dict[str, Shape]]:
    """The layout of a real model of the family, and its modules as ComfyUI has them."""
    if request.param == "stencil":
        return layout_of_folder(stencil_dir), STENCIL
    library: Any = diffusers
    folder = SHIPPED / request.param
    with torch.device("meta"):  # shapes without numbers
        unet = library.UNet2DConditionModel.from_config(library.UNet2DConditionModel.load_config(folder / "unet"))
        modules = {"unet": unet}
        for name, kind in (("text_encoder", "CLIPTextModel"), ("text_encoder_2", "CLIPTextModelWithProjection")):
            if (folder / name).is_dir():
                config: Any = transformers.CLIPTextConfig.from_pretrained(folder / name)
                modules[name] = getattr(transformers, kind)(config)
    return layout_of(modules), FAMILIES[request.param]


def test_every_layer_has_the_name_that_the_family_has(family: tuple[Layout, dict[str, Shape]]) -> None:
    layout, modules = family
    names = comfyui_names(layout)
    assert set(names) == {(component, path) for component, paths in layout.components.items() for path in paths}
    assert {name: layout.components[component][path] for (component, path), name in names.items()} == modules


def test_a_file_is_loaded_whole_and_adds_what_the_edit_adds(
    family: tuple[Layout, dict[str, Shape]], tmp_path: Path
) -> None:
    """With factors that each have their own rank and alpha, and again with whole differences."""
    layout, modules = family
    names = comfyui_names(layout)
    places = {name: place for place, name in names.items()}
    chosen = [places[name] for name in comfyui_keys.some_of(modules)]
    made: dict[str, dict[str, Any]] = {}
    for number, (component, path) in enumerate(chosen):
        shape = {path: layout.components[component][path]}
        edit = make_edit(shape, seed=number, rank=1 + number % 4, biased=shape if number % 2 else ())
        made.setdefault(component, {}).update(edit.layers["unet"])
    edit = Edit("mixed", "lora", made)
    dense = Edit("dense", "dense", {c: {p: Dense(v.delta(), v.bias) for p, v in ls.items()} for c, ls in made.items()})
    for change in (edit, dense):
        ((name, data),) = export(change, "comfyui", layout=layout).files.items()
        (tmp_path / name).write_bytes(data)
        loaded = comfyui_keys.patches(tmp_path / name, modules)
        assert set(loaded) == {names[component, path] for component, path, _ in edit.each()}
        for component, path, layer in edit.each():
            assert isinstance(layer, LowRank)
            weight, bias = loaded[names[component, path]]
            torch.testing.assert_close(weight, layer.delta(), rtol=1e-5, atol=1e-6)
            assert (bias is None) == (layer.bias is None)
            assert bias is None or layer.bias is None or torch.equal(bias, layer.bias)
        back = read_lora(tmp_path / name, layout, change.name)
        assert (back.sha256, back.provenance) == (change.sha256, dict(change.provenance)), "nothing is lost"


def test_a_layer_without_a_name_there_is_refused() -> None:
    edit = make_edit({"block.to_q": (4, 4)}, component="transformer")
    with pytest.raises(BadInput, match=r"ComfyUI's name for the layer transformer\.block\.to_q is not known"):
        export(edit, "comfyui", layout=Layout({"transformer": {"block.to_q": (4, 4)}}))


def test_the_text_encoder_of_sd2_is_told_by_its_width() -> None:
    layout = Layout({"text_encoder": {"encoder.layers.0.self_attn.q_proj": (1024, 1024)}})
    assert list(comfyui_names(layout).values()) == [
        "text_encoders.clip_h.transformer.text_model.encoder.layers.0.self_attn.q_proj"
    ]
