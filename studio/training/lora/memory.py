"""What a training must have of memory, before it takes any: its own step, run on the meta device.

There, a step makes every tensor it would make, and none has any memory; what is alive at once is counted. That is a
floor: kernels may want room of their own.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from studio.core.errors import OutOfMemory
from studio.diffusion.predictions import Loss
from studio.engine.edits.trainable import TrainableEdit
from studio.engine.memory import memory_of
from studio.engine.residency import ModelStore
from studio.models.bundle import Conditioning, ModelBundle
from studio.models.files import ModelFiles
from studio.models.loading import hollow
from studio.training.lora.plan import Plan
from studio.training.lora.pool import way_needs

_COPIES = 4  # of the factors: themselves, their gradient, and AdamW's two moments


@dataclass(frozen=True)
class TrainingDemand:
    """Bytes a training must have at its peak.

    weights: of the model.
    factors: with gradient, moments and averages.
    activations: alive at once within a step, which grow with its rows.
    """

    weights: int
    factors: int
    activations: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.factors + self.activations


class Living(TorchDispatchMode):
    """Counts the bytes of storages that live at once while it is on. peak: the most there were."""

    def __init__(self, weights: Iterable[torch.Tensor] = ()) -> None:
        """weights: are not counted, nor are views of them."""
        super().__init__()
        self._sizes = {weight.untyped_storage()._cdata: 0 for weight in weights}
        self.bytes = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and (key := tensor.untyped_storage()._cdata) not in self._sizes:
                self._sizes[key] = tensor.untyped_storage().nbytes()
                self.bytes += self._sizes[key]
                self.peak = max(self.peak, self.bytes)
                weakref.finalize(tensor.untyped_storage(), self._end, key)
        return out

    def _end(self, key: int) -> None:
        self.bytes -= self._sizes.pop(key)


class _FusedAttention(TorchFunctionMode):
    """Attention as devices have it, which never hold its whole matrix; the meta device alone would write it out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        return _fused(*args, **(kwargs or {}))


def _fused(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **options: Any,
) -> torch.Tensor:
    kernel: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return kernel(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]


def training_demand(files: ModelFiles, plan: Plan, loss: Loss, dtype: str) -> TrainingDemand:
    """Count what a plan takes. dtype: "fp32", "bf16" or "fp16", of the network. Raises AssetError, BadInput."""
    bundle = hollow(plan.model, files, dtype)
    chosen = set(bundle.edit_targets().get(plan.layers, ()))
    edit = TrainableEdit.on(
        {name: module for name, module in bundle.components().items() if _has_weights(module)},
        lambda component, path: f"{component}.{path}" in chosen,
        rank=plan.rank,
        alpha=plan.alpha,
    )
    frozen, student = rows_of(plan, loss)
    weights = [*bundle.components()["unet"].parameters(), *edit.parameters()]
    with torch.no_grad(), _FusedAttention(), Living(weights) as evaluation:
        _predict(bundle, max(1, frozen))
    with torch.enable_grad(), edit.applied(), _FusedAttention(), Living(weights) as step:
        prediction = _predict(bundle, student)  # alive with all that its gradient needs
        peak = step.peak
        del prediction
    factors = edit.nbytes() * (_COPIES + bool(plan.ema))
    return TrainingDemand(files.bytes_in(dtype), factors, max(evaluation.peak, peak))


def rows_of(plan: Plan, loss: Loss) -> tuple[int, int]:
    """Rows of a step's two evaluations: without a gradient (the frozen network's, above all) and with one."""
    retained = plan.retention.batch if plan.retention is not None else 0
    by = [need.by for need in loss.needs]
    without_gradient = by.count("frozen") + len(way_needs(plan.pool, loss.needs))
    return plan.batch * without_gradient + retained, plan.batch * by.count("student") + retained


def check_memory(store: ModelStore, plan: Plan, loss: Loss) -> None:
    """Raise OutOfMemory, with a batch that fits, for a training that this device can never hold.

    Raises NotFound, AssetError, BadInput.
    """
    total = memory_of(store.device).total_bytes
    if total is None:
        return
    needs = training_demand(store.files(plan.model), plan, loss, store.dtype_of(plan.model))
    if needs.total <= total:
        return
    room = total - needs.weights - needs.factors
    share = max(0.0, room / needs.activations)
    batch = int(plan.batch * share)
    retained = plan.retention.batch if plan.retention is not None else 0
    smaller = f"Take a batch of {batch}" if batch else "Take fp16, or a smaller model"
    also = f" and a retention batch of {max(1, int(retained * share))}." if batch and retained else "."
    raise OutOfMemory(
        f"Training {plan.model} in batches of {plan.batch} needs {needs.total / 1e9:.1f} GB; {store.device.type} has "
        f"{total / 1e9:.1f} GB.",
        smaller + also,
    )


def _predict(bundle: ModelBundle, rows: int) -> torch.Tensor:
    side = bundle.default_size_px // bundle.latent_scale_px
    config: Any = bundle.components()["unet"].config
    with torch.device("meta"):
        x, t = torch.empty(rows, bundle.latent_channels, side, side), torch.empty(rows)
        tokens = torch.empty(rows, bundle.context, config.cross_attention_dim, dtype=bundle.dtype)
        extras: dict[str, torch.Tensor] = {}
        if config.addition_embed_type is not None:  # SDXL's; its six sizes take the rest of what is projected
            pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
            extras = {"pooled": torch.empty(rows, pooled, dtype=bundle.dtype)}
    return bundle.predict(x, t, Conditioning(tokens, extras))


def _has_weights(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None
