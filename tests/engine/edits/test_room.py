"""The room: what fits, where an edit is from, memory, moves, and training beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from studio.core.errors import AssetError, BadInput, NotFound
from studio.core.recipe import EditRef
from studio.engine.edits.files import to_bytes
from studio.engine.edits.fingerprint import fingerprint
from studio.engine.edits.layout import layout_of_folder
from studio.engine.edits.room import WeightRoom
from studio.engine.edits.shelf import EditShelf
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.targets import targets
from studio.models.bundle import Conditioning
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.engine.edits.making import Shapes, full_hash, given, layout_of, make_edit, shapes_of, small
from tests.tolerance import rounding


def one(shapes: Shapes, **values: Any) -> EditStack:
    return EditStack.of([(make_edit(shapes, **values), 1.0)])


# -- what fits ------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    module = small()
    before = full_hash(module)
    room = WeightRoom({"unet": module})
    fitting = {"to_q": (8, 8)}
    for stack, said in [
        (one({**fitting, "to_x": (8, 8)}), "'an edit' does not fit: this model has no layer unet.to_x"),
        (one({**fitting, "time": (8, 6)}), r"this model's unet.time has shape \(8, 5\), and the edit is for \(8, 6\)"),
        (one({**fitting, "shortcut": (8, 8)}), r"shape \(8, 8, 1, 1\), and the edit is for \(8, 8\)"),
        (one({"a": (2, 2)}, component="text_encoder"), "this model has no text_encoder"),
        (one(fitting, biased=["to_q"]), "this model's unet.to_q has no bias"),
        (one({"norm": (8, 8)}), "no layer unet.norm"),
    ]:
        for use in (lambda stack=stack: room.use(stack), lambda stack=stack: room.rows([EMPTY, stack]).__enter__()):
            with pytest.raises(BadInput, match=said):
                use()
    assert full_hash(module) == before and sum(room.table().values()) == 0


def test_components_follow_their_own_part() -> None:
    unet, text = small(1), small(2)
    room = WeightRoom({"unet": unet, "text_encoder": text})
    both = EditStack.of(
        [
            (make_edit(shapes_of(unet), seed=1), 1.0),
            (make_edit(shapes_of(text), seed=2, component="text_encoder"), 1.0),
        ]
    )
    hashes = full_hash(unet), full_hash(text)
    room.use(both, ["text_encoder", "text_encoder_2"])
    assert full_hash(unet) == hashes[0] and full_hash(text) != hashes[1]
    with room.rows([both, EMPTY]):  # denoisers alone
        assert full_hash(unet) == hashes[0] and full_hash(text) != hashes[1]
    room.use(both)
    assert full_hash(unet) != hashes[0]
    room.close()
    assert (full_hash(unet), full_hash(text)) == hashes and sum(room.table().values()) == 0


# -- where an edit is from ------------------------------------------------------------------------------------------


def test_origin_and_masks_of_other_weights() -> None:
    room = WeightRoom({"unet": small(1)})
    room.use(one({"to_q": (8, 8)}))
    print_here = room.fingerprint("unet")
    assert print_here == fingerprint(small(1)), "of the base, whatever is applied"
    made = make_edit({"to_q": (8, 8)}, kind="mask")
    made_here = replace(made, base={"unet": print_here})
    made_there = replace(make_edit({"to_q": (8, 8)}, seed=9, kind="mask"), base={"unet": fingerprint(small(2))})
    assert room.origin(made) == {"unet": "unknown"}
    assert room.origin(made_here) == {"unet": "same"} and room.origin(made_there) == {"unet": "other"}
    room.use(EditStack.of([(made_here, 1.0)]))
    with pytest.raises(BadInput, match="a mask is of the weights it was made on, not of this model's unet"):
        room.use(EditStack.of([(made_there, 1.0)]))


def test_fingerprint_sees_any_weight_and_config_but_not_the_dtype() -> None:
    base = small(1)
    assert fingerprint(base) == fingerprint(small(1)) != fingerprint(small(2))
    assert fingerprint(base) == fingerprint(small(1, torch.bfloat16))
    changed = small(1)
    changed.norm.bias[0] = 0.5
    assert fingerprint(changed) != fingerprint(base)
    assert full_hash(changed) != full_hash(base) and full_hash(small(1, torch.bfloat16)) != full_hash(base)


def test_the_same_file_is_one_base_in_every_precision(stencil: EmbeddedModel, stencil_dir: Path) -> None:
    half = load_stencil(stencil_dir, dtype=torch.bfloat16)
    assert fingerprint(half.unet) == fingerprint(stencil.unet)
    assert fingerprint(half.text_encoder) == fingerprint(stencil.text_encoder)
    early = load_stencil(stencil_dir)
    early.unet.config["norm_eps"] = 0.1
    assert fingerprint(early.unet) != fingerprint(stencil.unet)


# -- bytes ----------------------------------------------------------------------------------------------------------


def test_equality_is_of_bytes() -> None:
    module = small()
    module.to_q.weight[0, 0] = 0.0
    module.to_q.weight[0, 1] = float("nan")
    room = WeightRoom({"unet": module})
    room.use(one({"to_q": (8, 8)}))
    room.use(EMPTY)
    assert room.equals_base(), "a NaN of the base equals itself"
    module.to_q.weight[0, 0] = -0.0
    assert not room.equals_base(), "and -0 is not 0"


# -- moves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swap", [False, True])
def test_a_moved_module_gets_its_base_back_where_it_is(swap: bool) -> None:
    module = small()
    room = WeightRoom({"unet": module})
    stack = one(shapes_of(module))
    room.use(stack, swap=swap)
    with room.rows([EMPTY, one(shapes_of(module), seed=5)]):
        module(*given(2))
    room.use(stack, swap=swap)
    module.to(torch.bfloat16)
    room.use(EMPTY)
    assert full_hash(module) == full_hash(small(dtype=torch.bfloat16))
    room.use(stack)
    with room.rows([EMPTY, one(shapes_of(module), seed=5)]):
        assert module(*given(2, dtype=torch.bfloat16)).dtype == torch.bfloat16
    room.use(EMPTY)
    assert full_hash(module) == full_hash(small(dtype=torch.bfloat16))
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as its documentation has it
    room.use(stack)
    room.use(EMPTY)
    assert full_hash(module) == full_hash(small(dtype=torch.bfloat16))


# -- training beside it ---------------------------------------------------------------------------------------------


def test_training_goes_on_after_edits_in_inference_mode() -> None:
    """Tensors made in inference mode can never be saved for backward; none may end up in the model."""
    module = small()
    room = WeightRoom({"unet": module})
    stack = one(shapes_of(module))
    with torch.inference_mode():
        room.use(stack)
        room.use(stack, swap=True)
        with room.rows([EMPTY, stack]):
            module(*given(2))
        room.use(stack, swap=True)
    module.time.weight.requires_grad_(True)
    module(*given(1)).sum().backward()
    assert module.time.weight.grad is not None
    module.time.weight.requires_grad_(False)
    room.use(EMPTY)
    assert room.equals_base()


def test_layers_that_peft_has_wrapped_keep_their_names() -> None:
    plain, module = small(), small()
    room = WeightRoom({"unet": module})
    config = LoraConfig(r=2, target_modules=["to_q", "conv_in"], init_lora_weights=False)
    inject_adapter_in_model(config, module)
    assert list(targets(module)) == list(targets(plain)) and fingerprint(module) == fingerprint(plain)
    late = WeightRoom({"unet": module})
    stack = one(shapes_of(plain), seed=3)
    expected = small()
    WeightRoom({"unet": expected}).use(stack)
    for either in (room, late):
        either.use(stack)
        assert torch.equal(module.get_parameter("to_q.base_layer.weight"), expected.to_q.weight)
        either.use(EMPTY)
    assert fingerprint(module) == fingerprint(plain)


# -- the shipped model ----------------------------------------------------------------------------------------------


def test_layout_of_files_is_that_of_modules(stencil: EmbeddedModel, stencil_dir: Path) -> None:
    live = layout_of({"unet": stencil.unet, "text_encoder": stencil.text_encoder})
    assert layout_of_folder(stencil_dir) == live
    assert {name: len(shapes) for name, shapes in live.components.items()} == {"unet": 133, "text_encoder": 18}
    assert WeightRoom({"unet": stencil.unet}).layout().components["unet"] == live.components["unet"]


def test_a_folder_without_weights_has_no_layout(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    with pytest.raises(AssetError, match="has no safetensors weights"):
        layout_of_folder(tmp_path)


@torch.inference_mode()
def test_rows_on_stencil_under_guidance_equal_separate_runs(stencil: EmbeddedModel) -> None:
    """Base and three edits of all layers, each with its prompt and its unconditional row, in one forward of eight."""
    every = shapes_of(stencil.unet)
    attention = {path: shape for path, shape in every.items() if ".attn" in path}
    lora = make_edit(every, seed=1, rank=4, size=0.004)
    kv = make_edit(
        {p: s for p, s in attention.items() if p.endswith(("to_k", "to_v"))}, seed=2, kind="dense", size=0.02
    )
    stacks = [
        EMPTY,
        EditStack.of([(lora, 1.0)]),
        EditStack.of([(make_edit(attention, seed=3, rank=8, size=0.01), 0.7), (kv, 1.0)]),
        EditStack.of([(kv, -1.0), (lora, 0.5)]),
    ]
    before = full_hash(stencil.unet)
    room = WeightRoom({"unet": stencil.unet, "text_encoder": stencil.text_encoder})
    noise = torch.randn(1, stencil.latent_channels, 16, 16, generator=torch.Generator().manual_seed(0)).expand(
        8, -1, -1, -1
    )
    t = torch.full((8,), 600.0)
    cond = stencil.encode(["a red star"] * 4 + [""] * 4)
    separately = torch.empty_like(noise)
    for row, stack in enumerate(stacks):
        room.use(stack)
        pair = torch.tensor([row, row + 4])
        separately[pair] = stencil.predict(noise[pair], t[pair], Conditioning(cond.tokens[pair]))
    with room.rows(stacks * 2):
        together = stencil.predict(noise, t, cond)
    torch.testing.assert_close(together, separately, rtol=0, atol=rounding(torch.float32, 20, 4))
    for row in (1, 2, 3):
        assert float((together[row] - together[0]).abs().mean()) > 0.01, "the edits do something"
    assert full_hash(stencil.unet) == before, "rows leave the base"
    room.use(stacks[1])
    room.close()
    assert full_hash(stencil.unet) == before


@torch.inference_mode()
def test_edits_on_the_text_encoder_change_what_prompts_mean(stencil: EmbeddedModel) -> None:
    room = WeightRoom({"unet": stencil.unet, "text_encoder": stencil.text_encoder})
    stack = one(shapes_of(stencil.text_encoder), component="text_encoder", size=0.05)
    plain = stencil.encode_one("a red star").tokens
    room.use(stack, ["text_encoder"])
    assert not torch.allclose(stencil.encode_one("a red star").tokens, plain, atol=1e-2)
    room.use(EMPTY, ["text_encoder"])
    assert torch.equal(stencil.encode_one("a red star").tokens, plain)


# -- the shelf ------------------------------------------------------------------------------------------------------


def test_the_shelf_reads_each_file_once_and_sees_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edits = [make_edit({"a": (4, 4)}, seed=seed, name=f"e{seed}") for seed in range(3)]
    paths = {}
    for edit in edits:
        (tmp_path / f"{edit.name}.safetensors").write_bytes(to_bytes(edit))
        paths[edit.name] = str(tmp_path / f"{edit.name}.safetensors")
    shelf = EditShelf(max_bytes=100)  # room for one of 64 bytes
    refs = [EditRef(edit="e0"), EditRef(edit="e1", strength=0.5), EditRef(edit="e2", strength=0)]
    assert shelf.stack(refs, paths, 1) == EditStack.of([(edits[0], 1.0), (edits[1], 0.5)])
    (again,) = shelf.stack(refs[2:], paths, 1).whole.entries or [None]
    assert again is None
    first = shelf.stack([refs[0]], paths, 1).whole.entries[0][0]
    assert shelf.stack([refs[0]], paths, 1).whole.entries[0][0] is first
    (tmp_path / "e0.safetensors").write_bytes(to_bytes(make_edit({"a": (4, 4, 3, 3)}, seed=8)))
    assert shelf.stack([refs[0]], paths, 1).whole.entries[0][0].sha256 != first.sha256
    with pytest.raises(NotFound, match="no edit named 'e9'"):
        shelf.stack([EditRef(edit="e9")], paths, 1)
    (tmp_path / "e1.safetensors").unlink()
    with pytest.raises(NotFound, match="'e1' has no file any more"):
        shelf.stack([refs[1]], paths, 1)
    shelf.hold("training", lambda: edits[2])
    assert shelf.stack([EditRef(edit="training")], {}, 1) == EditStack.of([(edits[2], 1.0)])
    shelf.release("training")
    shelf.release("training")
    with pytest.raises(NotFound):
        shelf.stack([EditRef(edit="training")], {}, 1)


def test_targets_leave_out_what_no_edit_can_change() -> None:
    module = nn.ModuleDict(
        {
            "grouped": nn.Conv2d(4, 4, 3, groups=2),
            "circular": nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
            "embedding": nn.Embedding(4, 4),
            "linear": nn.Linear(4, 4),
        }
    )
    assert list(targets(module)) == ["linear"]
