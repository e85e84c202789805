"""What guidance did at a step, as numbers per sample that mean the same for every method.

With c, u the conditional and unconditional predictions of the data, g the guided one, D = c - u. A number that needs u
is left out where u was not asked for. They come from the Gram matrix of c, g - c, D and the previous step's g - c, in
one product; nothing is computed unless `StepCtx.diagnose` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from studio.guidance.base import Guidance, Guided, Plan, Quantity, StepCtx
from studio.guidance.prediction import Pred
from studio.guidance.sum import Sum
from studio.guidance.vectors import wide
from studio.guidance.wrapper import Wrapped, followed

SHARED: Mapping[str, Quantity] = {
    "cos_cu": Quantity("Agreement of prompt and no prompt: cosine of c and u"),
    "gap": Quantity("Gap between prompt and no prompt: |c - u|/|c|"),
    "par_frac": Quantity("Share of the gap along the prediction, signed: <D,c>/(|D||c|)"),
    "w_eff": Quantity("Effective scale: <g - u,D>/<D,D>"),
    "rel_update": Quantity("How far guidance moved the prediction: |g - c|/|c|"),
    "norm_ratio": Quantity("Length of the guided prediction over the conditional: |g|/|c|"),
    "turn": Quantity("Cosine of this step's g - c and the last one's"),
    "x0_std": Quantity("Spread of the guided prediction"),
    "x0_absmax": Quantity("Largest value of the guided prediction"),
    "drift": Quantity("Drift of the channel means, over the spread of c"),
    "beyond": Quantity("Share of values outside the range of the conditional prediction", plot="bar"),
}


def quantities(guidance: Guidance) -> dict[str, Quantity]:
    """Everything that may stand in `diag` for this method and what is around it, in the order to show it."""
    return {**SHARED, **_declared(guidance)}


def observed(guidance: Guidance, ctx: StepCtx) -> Plan:
    """One step of a method, with the shared numbers added to its `diag` where ctx asks for them."""
    if not ctx.diagnose:
        return (yield from guidance.plan(ctx))
    guided, preds = yield from followed(guidance.plan(ctx))
    if "pos" not in preds:
        return guided
    uncond = preds.get(ctx.uncond, preds.get("empty"))
    if uncond is not None and uncond.x is not preds["pos"].x:
        uncond = None  # asked elsewhere than where c was: their difference says nothing
    push = guided.x0.to(preds["pos"].x0.dtype) - preds["pos"].x0
    shared = measure(preds["pos"], uncond, push, ctx.prev)
    return replace(guided, diag={**shared, **guided.diag}, push=push)


def measure(cond: Pred, uncond: Pred | None, push: Tensor, prev: Guided | None = None) -> dict[str, Tensor]:
    """The shared numbers, [B] each, in float64 (float32 on mps). push: g - c, [B, C, H, W]."""
    c = cond.x0
    rows = {"c": c, "push": push}
    if uncond is not None:
        rows["gap"] = c - uncond.x0
    if prev is not None and prev.push is not None:
        rows["before"] = prev.push
    flat = wide(torch.stack([row.flatten(1) for row in rows.values()], 1))  # [B, R, n]
    gram = (flat @ flat.transpose(1, 2)).flatten(1).unbind(1)
    place = {name: k for k, name in enumerate(rows)}

    def dot(p: str, q: str) -> Tensor:
        return gram[place[p] * len(rows) + place[q]]

    cc, pp, pc = dot("c", "c"), dot("push", "push"), dot("push", "c")
    length = cc.sqrt()
    # Numerator and denominator of each; divided all at once, for of tensors this small it is the calls that cost.
    parts: dict[str, tuple[Tensor, Tensor]] = {}
    if uncond is not None:
        dd, dc = dot("gap", "gap"), dot("gap", "c")
        uu = (cc - 2 * dc + dd).clamp(min=0)
        parts["cos_cu"] = cc - dc, (cc * uu).sqrt()
        parts["gap"] = dd.sqrt(), length
        parts["par_frac"] = dc, (dd * cc).sqrt()
        parts["w_eff"] = dot("push", "gap"), dd
    parts["rel_update"] = pp.sqrt(), length
    parts["norm_ratio"] = (cc + 2 * pc + pp).clamp(min=0).sqrt(), length
    if "before" in rows:
        parts["turn"] = dot("push", "before"), (pp * dot("before", "before")).sqrt()
    numbers = _ratios(parts)
    if uncond is not None:
        numbers["w_eff"] = 1 + numbers["w_eff"]
    return {**numbers, **_spread(c, push)}


def first_sample(diag: Mapping[str, Tensor]) -> dict[str, float]:
    """The numbers of the first sample as plain ones, in one transfer from the device."""
    if not diag:
        return {}
    device = next(iter(diag.values())).device
    values = torch.stack([value[0].to(device, torch.float32) for value in diag.values()])
    return {name: float(value) for name, value in zip(diag, values.cpu(), strict=True)}


def _spread(c: Tensor, push: Tensor) -> dict[str, Tensor]:
    g = c + push
    flat_g, flat_c = wide(g).flatten(1), wide(c).flatten(1)
    low, high = torch.aminmax(flat_c, dim=1, keepdim=True)
    shift = wide(push).flatten(2).mean(2).square().mean(1).sqrt()  # over H*W, then over channels
    return {
        "x0_std": flat_g.std(1),
        "x0_absmax": flat_g.abs().amax(1),
        "drift": _over(shift, flat_c.std(1)),
        "beyond": ((flat_g < low) | (flat_g > high)).to(flat_g.dtype).mean(1),
    }


def _over(p: Tensor, q: Tensor) -> Tensor:
    """p/q, 0 where q is 0."""
    return torch.where(q > 0, p / q.clamp(min=1e-30), 0.0)


def _ratios(parts: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    over = _over(torch.stack([p for p, _ in parts.values()]), torch.stack([q for _, q in parts.values()]))
    return dict(zip(parts, over, strict=True))


def _declared(guidance: Guidance) -> dict[str, Quantity]:
    if not isinstance(guidance, Wrapped):
        return dict(guidance.diagnostics)
    declared = _declared(guidance.inner)
    if isinstance(guidance.wrapper, Sum):
        declared |= {f"{name} (added)": quantity for name, quantity in _declared(guidance.wrapper.addend).items()}
    return declared
