"""ComfyUI's pictures: the graph of nodes that was run, read as far as it is the usual one.

One sampler, whose prompts are texts and whose model is a file, gives settings; any other node on the way is named as
left out. A graph that cannot be followed is refused. Source: nodes.py and execution.py of ComfyUI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from studio.core.errors import BadInput
from studio.prompts.infotext import Infotext, take_prompts
from studio.prompts.samplers import SPACINGS as WEB_UI_SPACINGS

# Its "beta" places times, where the web UI's places levels.
SPACINGS = dict(WEB_UI_SPACINGS) | {"beta": "beta"}
_SAMPLERS = ("KSampler", "KSamplerAdvanced")
_ENCODERS = ("CLIPTextEncode",)
_LATENTS = ("EmptyLatentImage", "EmptySD3LatentImage")
_CHECKPOINTS = ("CheckpointLoaderSimple", "CheckpointLoader")
_NO_SETTING = ("VAEDecode", "VAELoader", "SaveImage", "PreviewImage", "Note", "Reroute")
_HINT = "Type its settings in by hand."
MAX_HOPS = 32  # nodes on the way from the sampler to what is looked for

Nodes = Mapping[str, Mapping[str, Any]]


def is_graph(values: Mapping[str, Any]) -> bool:
    """Whether JSON is a graph of ComfyUI, as it was run or as it was edited."""
    edited = isinstance(values.get("nodes"), list) and ("links" in values or "last_node_id" in values)
    return edited or (bool(values) and all(isinstance(node, dict) and "class_type" in node for node in values.values()))


def read_graph(values: Mapping[str, Any]) -> tuple[Infotext, dict[str, str]]:
    """Prompts, taken over, and settings by the web UI's names.

    Raises BadInput for a graph as it was edited, which does not say what was run, for one with more samplers than one
    or none, and for prompts that are not plain texts.
    """
    if "nodes" in values:
        raise BadInput("It holds only the workflow that was edited in ComfyUI, not the one that was run.", _HINT)
    graph = _Graph(cast("Nodes", values))
    samplers = [id for id, node in values.items() if node["class_type"] in _SAMPLERS]
    if len(samplers) != 1:
        raise BadInput(f"Its workflow of ComfyUI has {len(samplers)} samplers; one of one sampler is read.", _HINT)
    inputs = graph.visit(samplers[0])
    infotext = Infotext()
    prompts = {"prompt": graph.prompt(inputs.get("positive")), "negative_prompt": graph.prompt(inputs.get("negative"))}
    take_prompts(infotext, {name: as_a1111(text) for name, text in prompts.items()})
    settings = graph.numbers(inputs)
    settings |= graph.model(inputs.get("model")) | graph.size(inputs.get("latent_image"))
    for kind in graph.unvisited():
        infotext.leave("Node", kind, "there is no such step here")
    return infotext, settings


class _Graph:
    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.visited: set[str] = set()

    def visit(self, id: str) -> Mapping[str, Any]:
        """The inputs of a node."""
        self.visited.add(id)
        inputs = self.nodes[id].get("inputs")
        return cast("Mapping[str, Any]", inputs) if isinstance(inputs, dict) else {}

    def linked(self, value: Any) -> tuple[str, str] | None:
        """Id and kind of the node that a link leads to."""
        if isinstance(value, list) and value and isinstance(value[0], str) and value[0] in self.nodes:
            return value[0], str(self.nodes[value[0]]["class_type"])
        return None

    def prompt(self, link: Any) -> str:
        """The text behind a sampler's prompt. Raises BadInput where there is something else."""
        node = self.linked(link)
        if node is None or node[1] not in _ENCODERS:
            node_type = node[1][:60] if node else "no node"
            raise BadInput(f"In its workflow of ComfyUI a prompt comes from {node_type}, not from a text.", _HINT)
        value = self.visit(node[0]).get("text")
        source = self.linked(value)
        if source is not None:
            texts = [item for item in self.visit(source[0]).values() if isinstance(item, str)]
            value = texts[0] if len(texts) == 1 else None
        if not isinstance(value, str):
            raise BadInput("In its workflow of ComfyUI a prompt is put together by other nodes.", _HINT)
        return value

    def numbers(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """A sampler's own settings; those that are linked from elsewhere, or have no place here, by their own names."""
        names = {"seed": "Seed", "noise_seed": "Seed", "steps": "Steps", "cfg": "CFG scale"}
        names |= {"sampler_name": "Sampler", "scheduler": "Schedule type"}
        settings: dict[str, str] = {}
        for name, value in inputs.items():
            if name in ("positive", "negative", "model", "latent_image") or (name == "denoise" and value == 1):
                continue
            source = self.linked(value)
            if source is not None:
                plain = [item for item in self.visit(source[0]).values() if isinstance(item, int | float | str)]
                value = plain[0] if len(plain) == 1 else f"from {source[1]}"
            settings[names.get(name, name)] = str(value)
        return settings

    def model(self, link: Any) -> dict[str, str]:
        """The file at the end of the chain of models; what stands on the way stays unvisited, and so is named."""
        for _ in range(MAX_HOPS):
            node = self.linked(link)
            if node is None:
                break
            if node[1] in _CHECKPOINTS:
                return {"Model": str(self.visit(node[0]).get("ckpt_name", ""))}
            inputs = self.nodes[node[0]].get("inputs")
            link = cast("dict[str, Any]", inputs).get("model") if isinstance(inputs, dict) else None
        return {}

    def size(self, link: Any) -> dict[str, str]:
        """Width and height of an empty latent; another stays unvisited, and so is named."""
        node = self.linked(link)
        if node is None or node[1] not in _LATENTS:
            return {}
        inputs = self.visit(node[0])
        return {"Size": f"{inputs.get('width')}x{inputs.get('height')}"}

    def unvisited(self) -> list[str]:
        """Kinds of nodes that nothing was taken from and that may have done something."""
        kinds = (str(node["class_type"]) for id, node in self.nodes.items() if id not in self.visited)
        return [kind for kind in dict.fromkeys(kinds) if kind not in _NO_SETTING]


def as_a1111(prompt: str) -> str:
    """A prompt in the web UI's dialect: of its signs, ComfyUI knows only (x:1.2) and the backslash."""
    escaped = re.sub(r"(\\.)|([\[\]|])", lambda sign: sign[1] or f"\\{sign[2]}", prompt)
    return re.sub(r"\b(?=(?:AND|BREAK)\b)", r"\\", escaped)
