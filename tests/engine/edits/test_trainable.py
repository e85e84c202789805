"""Factors that learn equal the edit they become, reach no frozen row, and leave the network as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch import nn

from studio.core.errors import BadInput
from studio.engine.edits.format import LowRank
from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.trainable import TrainableEdit
from studio.models.embedded import load_stencil
from tests.engine.edits.making import full_hash, given, small
from tests.tolerance import rounding


def every(component: str, path: str) -> bool:
    return True


def trained(module: nn.Module, *, rank: int = 3, alpha: float = 2.0, seed: int = 0) -> TrainableEdit:
    """As it might be after a while: B is not zero any more."""
    learning = TrainableEdit.on({"unet": module}, every, rank=rank, alpha=alpha, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for factors in learning.factors.values():
            factors.B.copy_(torch.randn(factors.B.shape, generator=generator) * 0.1)
    return learning


def hooks(module: nn.Module) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in module.modules())


def test_fresh_factors_change_no_bit() -> None:
    module, (x, t) = small(), given(3)
    before = module(x, t)
    with TrainableEdit.on({"unet": module}, every, rank=4).applied():
        assert torch.equal(module(x, t), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("strength", [1.0, -0.7])
@pytest.mark.parametrize("rank", [1, 3, 64])  # 64 is more than any layer has sides
def test_what_they_add_is_what_their_edit_adds(dtype: torch.dtype, strength: float, rank: int) -> None:
    module, (x, t) = small(dtype=dtype), given(2, dtype=dtype)
    learning = trained(module, rank=rank)
    with learning.applied(strength):
        seen = module(x, t)
    room = WeightRoom({"unet": module})
    room.use(EditStack.of([(learning.edit("trained"), strength)]))
    expected = module(x, t)
    room.use(EMPTY)
    assert not torch.equal(expected, module(x, t))
    torch.testing.assert_close(seen, expected, rtol=0, atol=rounding(dtype, 40, float(expected.detach().abs().max())))


def test_values_and_gradients_are_those_of_peft() -> None:
    ours, theirs, (x, t) = small(), small(), given(2)
    learning = trained(ours)
    names = [path for _, path in learning.factors]
    config = peft.LoraConfig(r=3, lora_alpha=2, target_modules=names)
    model: Any = peft.get_peft_model(theirs, config)  # pyright: ignore[reportArgumentType]
    wrapped = {path: model.base_model.model.get_submodule(path) for path in names}
    with torch.no_grad():
        for (_, path), factors in learning.factors.items():
            wrapped[path].lora_A["default"].weight.copy_(factors.A)
            wrapped[path].lora_B["default"].weight.copy_(factors.B)
    expected = model(x, t)
    expected.square().sum().backward()
    with learning.applied():
        seen = ours(x, t)
        seen.square().sum().backward()
    torch.testing.assert_close(
        seen, expected, rtol=0, atol=rounding(torch.float32, 40, float(expected.detach().abs().max()))
    )
    for (_, path), factors in learning.factors.items():
        for mine, peft_s in ((factors.A, wrapped[path].lora_A), (factors.B, wrapped[path].lora_B)):
            reference = peft_s["default"].weight.grad
            allowed = rounding(torch.float32, 400, float(reference.abs().max()))
            torch.testing.assert_close(mine.grad, reference, rtol=0, atol=allowed)


def test_teacher_and_student_share_a_forward() -> None:
    module, (x, t) = small(), given(4)
    learning = trained(module)
    base = module(x, t)
    with learning.applied():
        student = module(x, t)
    with learning.applied(rows=[False, True, False, True]):
        mixed = module(x, t)
    allowed = rounding(torch.float32, 40, float(student.detach().abs().max()))
    torch.testing.assert_close(mixed[1::2], student[1::2], rtol=0, atol=allowed)
    assert torch.equal(mixed[::2], base[::2])
    mixed[::2].sum().backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in learning.parameters())


def test_no_row_is_the_student_s_and_all_are() -> None:
    module, (x, t) = small(), given(2)
    learning = trained(module)
    with learning.applied(rows=[False, False]):
        assert torch.equal(module(x, t), small()(x, t))
    with learning.applied():
        student = module(x, t)
    with learning.applied(rows=[True, True]):
        assert torch.equal(module(x, t), student)


def test_each_row_has_a_strength_of_its_own_turned_round_too() -> None:
    module, (x, t) = small(), given(5)
    learning, shares = trained(module), [1.0, -1.0, 0.0, 0.5, -1.0]
    with learning.applied(0.8, rows=shares):
        mixed = module(x, t)
    for row, share in enumerate(shares):
        with learning.applied(0.8 * share):
            alone = module(x, t)
        allowed = rounding(torch.float32, 40, float(alone.detach().abs().max()))
        torch.testing.assert_close(mixed[row], alone[row], rtol=0, atol=allowed)
    assert torch.equal(mixed[2], module(x, t)[2])
    assert not torch.equal(mixed[1], mixed[4]) and not torch.equal(mixed[0], mixed[1])


def test_another_number_of_rows_is_a_mistake() -> None:
    module, (x, t) = small(), given(3)
    with pytest.raises(RuntimeError, match="sees 3 rows"), trained(module).applied(rows=[True, False]):
        module(x, t)
    assert hooks(module) == 0


def test_nothing_is_left_whatever_happens_and_the_weights_are_never_touched() -> None:
    module, (x, t) = small(), given(2)
    before, learning = full_hash(module), trained(module)
    optimiser = torch.optim.AdamW(learning.parameters(), lr=0.1)
    for _ in range(3):
        with learning.applied():
            module(x, t).square().sum().backward()
        optimiser.step()
        assert hooks(module) == 0
    with pytest.raises(ZeroDivisionError), learning.applied():
        _ = 1 / 0
    assert hooks(module) == 0 and full_hash(module) == before
    assert all(weight.grad is None for weight in module.parameters())
    with learning.applied(), pytest.raises(RuntimeError, match="already"), learning.applied():
        pass


def test_learning_follows_a_target() -> None:
    module, (x, t) = small(), given(2)
    target = trained(module, seed=5)
    with torch.no_grad(), target.applied():
        wanted = module(x, t)
    learning = TrainableEdit.on({"unet": module}, every, rank=3, alpha=2.0, seed=1)
    optimiser = torch.optim.AdamW(learning.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        with learning.applied():
            loss = (module(x, t) - wanted).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 100


def test_a_state_taken_up_again_has_the_same_bits_and_a_copy_of_its_own() -> None:
    module = small()
    learning = trained(module)
    state = learning.state()
    again = TrainableEdit.on({"unet": module}, every, rank=3, alpha=2.0, seed=9)
    again.load(state)
    assert again.edit("a").sha256 == learning.edit("a").sha256
    with torch.no_grad():
        learning.parameters()[0].add_(1)
    assert again.edit("a").sha256 != learning.edit("a").sha256
    assert torch.equal(again.state()["unet/conv_in/A"], state["unet/conv_in/A"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("unet/to_q/B"), "it has nothing for unet/to_q/B"),
        (lambda state: state.update({"unet/other/A": torch.zeros(1)}), "nothing here is called unet/other/A"),
        (lambda state: state.update({"unet/time/A": torch.zeros(2, 5)}), r"unet/time/A has the shape \(2, 5\)"),
    ],
)
def test_a_state_of_another_edit_is_refused_and_changes_nothing(change: Any, said: str) -> None:
    learning = trained(small())
    before = learning.edit("a").sha256
    state = {name: value + 1 for name, value in learning.state().items()}
    change(state)
    with pytest.raises(BadInput, match=f"^The checkpoint is of another edit: {said}"):
        learning.load(state)
    assert learning.edit("a").sha256 == before


def test_averages_take_the_place_of_the_present_numbers() -> None:
    learning = trained(small())
    halves = {name: value / 2 for name, value in learning.state().items()}
    averaged = learning.edit("mean", values=halves, base={"unet": "abc"}, provenance={"steps": 3})
    layer = averaged.layers["unet"]["to_q"]
    assert isinstance(layer, LowRank) and torch.equal(layer.A, learning.factors["unet", "to_q"].A / 2)
    assert (averaged.base, averaged.provenance) == ({"unet": "abc"}, {"steps": 3})


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"rank": 0}, "rank of an edit is from 1 to 4096, not 0"),
        ({"rank": 5000}, "rank of an edit is from 1 to 4096, not 5000"),
        ({"alpha": 0.0}, "alpha of an edit is a positive number, not 0.0"),
        ({"alpha": float("nan")}, "alpha of an edit is a positive number, not nan"),
    ],
)
def test_what_cannot_be_is_refused(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        TrainableEdit.on({"unet": small()}, every, **wish)
    with pytest.raises(BadInput, match="no layer of that choice"):
        TrainableEdit.on({"unet": small()}, lambda component, path: False)


def test_a_resident_network_learns(tiny_model: Path) -> None:
    bundle = load_stencil(tiny_model, "cpu")
    unet = bundle.components()["unet"]
    attention = bundle.edit_targets()["attn"]
    conditioning = bundle.encode(["a red star"])
    conditioning = replace(conditioning, tokens=conditioning.tokens.clone())  # encoded where nothing learns
    learning = TrainableEdit.on({"unet": unet}, lambda name, path: f"{name}.{path}" in attention, rank=2)
    x = torch.randn(1, bundle.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    with learning.applied():
        bundle.predict(x, torch.tensor([500.0]), conditioning).square().mean().backward()
    gradients = [factors.B.grad for factors in learning.factors.values()]
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients)
    assert all(weight.grad is None for weight in unet.parameters())
