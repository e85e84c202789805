"""Rows: one forward with a stack per row equals separate runs with the weights merged, and leaves nothing behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studio.engine.edits import rows as rows_module
from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EMPTY, EditStack
from tests.engine.edits.making import Small, full_hash, given, make_edit, shapes_of, small
from tests.tolerance import rounding


def hooks(module: nn.Module) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in module.modules())


def stacks_of(module: nn.Module) -> dict[str, EditStack]:
    every, few = shapes_of(module), shapes_of(module, ["to_q", "down", "time"])
    lora, other = make_edit(every, seed=1, rank=3), make_edit(few, seed=2, rank=1, biased=["time"])
    dense = make_edit(every, seed=3, kind="dense", biased=["conv_in", "shortcut"])
    mask = make_edit(few, seed=4, kind="mask")
    return {
        "base": EMPTY,
        "lora": EditStack.of([(lora, 1.0)]),
        "weak": EditStack.of([(lora, 0.3)]),
        "few": EditStack.of([(other, -1.0)]),
        "two": EditStack.of([(lora, 0.5), (other, 1.5)]),
        "dense": EditStack.of([(dense, 0.8)]),
        "mask": EditStack.of([(mask, 0.6)]),
        "all": EditStack.of([(lora, 1.0), (other, 0.5), (dense, 0.5), (mask, 1.0)]),
    }


def separately(
    module: Small, room: WeightRoom, stacks: list[EditStack], x: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    found = []
    for row, stack in enumerate(stacks):
        room.use(stack)
        found.append(module(x[row : row + 1], t[row : row + 1]))
    room.use(EMPTY)
    return torch.cat(found)


@pytest.mark.parametrize(
    "names",
    [
        ["base", "lora", "few", "two"],
        ["lora", "base", "lora", "base"],  # comparisons under guidance: prompts first, then the unconditional rows
        ["base", "lora", "few", "base", "lora", "few"],
        ["weak", "lora", "two", "few"],
        ["base", "dense", "mask", "dense"],
        ["all", "base", "mask", "two", "all", "dense"],
        ["few"],
        ["lora", "lora"],
    ],
)
@torch.no_grad()
def test_rows_equal_separate_runs(names: list[str]) -> None:
    module = small()
    stacks = [stacks_of(module)[name] for name in names]
    room = WeightRoom({"unet": module})
    x, t = given(len(names))
    x = x + torch.arange(len(names))[:, None, None, None] / 10  # rows of their own: a mix-up of rows shows
    before = full_hash(module)
    expected = separately(module, room, stacks, x, t)
    with room.rows(stacks):
        together = module(x, t)
    torch.testing.assert_close(together, expected, rtol=0, atol=rounding(torch.float32, 20, 4))
    assert float(expected.abs().max()) > 0.1
    assert hooks(module) == 0
    room.use(EMPTY)
    assert full_hash(module) == before


@torch.no_grad()
def test_base_rows_are_those_of_the_base() -> None:
    module = small()
    stacks = stacks_of(module)
    x, t = given(3)
    alone = module(x, t)
    room = WeightRoom({"unet": module})
    with room.rows([EMPTY, stacks["lora"], EMPTY]):
        together = module(x, t)
    assert torch.equal(together[0], alone[0]) and torch.equal(together[2], alone[2])
    assert not torch.allclose(together[1], alone[1], atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_half_precision_is_as_near_as_its_rounding(dtype: torch.dtype) -> None:
    module = small(dtype=dtype)
    room = WeightRoom({"unet": module})
    stacks = [stacks_of(module)[name] for name in ("base", "lora", "all", "mask")]
    x, t = given(4, dtype=dtype)
    expected = separately(module, room, stacks, x, t)
    with room.rows(stacks):
        together = module(x, t)
    assert together.dtype == dtype
    torch.testing.assert_close(together, expected, rtol=0, atol=16 * torch.finfo(dtype).eps)


def test_nothing_is_left_after_an_exception_and_rows_do_not_nest() -> None:
    module = small()
    before = full_hash(module)
    room = WeightRoom({"unet": module})
    stacks = [stacks_of(module)[name] for name in ("base", "lora")]
    with pytest.raises(ZeroDivisionError), room.rows(stacks):
        assert hooks(module) > 0
        raise ZeroDivisionError
    assert hooks(module) == 0
    with room.rows(stacks):
        with pytest.raises(RuntimeError, match="applied already"), room.rows(stacks[::-1]):
            pass
        with pytest.raises(RuntimeError, match="sees 3 rows, and edits are set for 2"):
            module(*given(3))
    assert hooks(module) == 0 and full_hash(module) == before
    with pytest.raises(ValueError, match="at least one row"), room.rows([]):
        pass


def test_a_failing_hook_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    module = small()
    room = WeightRoom({"unet": module})
    made = rows_module._hook

    def fail(rows: object, batch: int, path: str) -> object:
        if path == "time":
            raise MemoryError
        return made(rows, batch, path)  # type: ignore[arg-type]

    monkeypatch.setattr(rows_module, "_hook", fail)
    stacks = [stacks_of(module)[name] for name in ("base", "lora")]
    with pytest.raises(MemoryError), room.rows(stacks):
        pass
    assert hooks(module) == 0
    monkeypatch.undo()
    with room.rows(stacks):
        pass


@torch.no_grad()
def test_plans_are_kept_and_their_memory_is_used_again() -> None:
    module = small()
    room = WeightRoom({"unet": module})
    edit = make_edit(shapes_of(module), seed=1)

    def memory(strength: float) -> set[int]:
        with room.rows([EMPTY, EditStack.of([(edit, strength)])]):
            plan = next(reversed(room._components["unet"]._rows._plans.values()))
            return {t.data_ptr() for layer in plan.layers.values() for t in layer.tensors()}

    first = memory(1.0)
    assert memory(1.0) == first
    for strength in (0.9, 0.8, 0.7):
        assert not memory(strength) & first
    assert memory(0.6) == first  # the plan that went gave its memory to the one that came
    held = room.table()["rows"]
    memory(0.5)
    assert room.table()["rows"] == held > 0
    room.close()
    assert room.table()["rows"] == 0


@torch.no_grad()
def test_equal_stacks_need_no_rows() -> None:
    module = small()
    room = WeightRoom({"unet": module})
    stack = stacks_of(module)["lora"]
    with room.rows([stack, stack]):
        assert hooks(module) == 0 and not room.equals_base()
        merged = module(*given(2))
    room.use(stack)
    assert torch.equal(module(*given(2)), merged)
