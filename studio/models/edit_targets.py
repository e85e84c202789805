"""Which layers of a UNet an edit may change, in the groups the literature speaks of."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

# Erasing by cross-attention alone, by its keys and values alone, or by everything else: arXiv:2303.07345, section 4.1.
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_GROUPS: dict[str, Callable[[str, nn.Module], bool]] = {
    "xattn_kv": lambda path, layer: path.endswith((".attn2.to_k", ".attn2.to_v")),
    "xattn": lambda path, layer: ".attn2." in path and path.endswith(_ATTENTION),
    "attn": lambda path, layer: (".attn1." in path or ".attn2." in path) and path.endswith(_ATTENTION),
    "ffn": lambda path, layer: ".ff.net." in path,
    "noxattn": lambda path, layer: ".attn2." not in path,
    "conv": lambda path, layer: isinstance(layer, nn.Conv2d) and ".attentions." not in path,
    "linear": lambda path, layer: isinstance(layer, nn.Linear),
    "all": lambda path, layer: True,
}


def of_unet(unet: nn.Module, prefix: str) -> dict[str, tuple[str, ...]]:
    """Name the Linear and Conv2d layers of each group, in the network's own order, as "<prefix>.<path>".

    xattn_kv: keys and values of cross-attention, which see the prompt alone. xattn, attn: all projections of
    cross-attention; of it and self-attention. ffn: the feed-forward layers. noxattn: all layers but those of
    cross-attention. conv: convolutions outside the transformers. linear: every layer with a weight matrix, those of
    the noise level too. all: every layer with a weight matrix or kernel.
    """
    layers = [(path, layer) for path, layer in unet.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return {
        group: tuple(f"{prefix}.{path}" for path, layer in layers if belongs(path, layer))
        for group, belongs in _GROUPS.items()
    }
