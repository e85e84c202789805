"""Where edits meet a model: one object per loaded model, which alone writes to its weights.

    room = WeightRoom({"unet": unet, "text_encoder": text_encoder})
    room.use(stack)                        # one stack for everything, until the next call
    with room.rows([EMPTY, a, b]):         # base and edits in one forward of three rows
        unet(...)
    room.use(EMPTY)                        # the base, bit for bit

Its memory: a copy of touched weights, deltas, weight sets, row factors; nothing before the first edit. Not thread-safe:
the engine's one thread owns all weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal

from torch import nn

from studio.core.errors import BadInput
from studio.engine.edits import pointer
from studio.engine.edits.component import EditedComponent
from studio.engine.edits.deltas import MAX_BYTES, DeltaCache
from studio.engine.edits.format import Edit
from studio.engine.edits.layout import Layout
from studio.engine.edits.manifest import DENOISERS
from studio.engine.edits.stack import EditStack

Origin = Literal["same", "other", "unknown"]


class WeightRoom:
    """The weights of one model. components: by the names edits use. max_*_bytes: most memory for deltas, for sets of
    pointers per component; what is over it is computed again.
    """

    def __init__(
        self,
        components: Mapping[str, nn.Module],
        max_delta_bytes: int = MAX_BYTES,
        max_set_bytes: int = pointer.MAX_BYTES,
    ) -> None:
        self._deltas = DeltaCache(max_delta_bytes)
        self._components = {
            name: EditedComponent(name, module, self._deltas, max_set_bytes) for name, module in components.items()
        }
        self._fitting: set[tuple[object, ...]] = set()

    def use(self, stack: EditStack, components: Iterable[str] | None = None, *, swap: bool = False) -> None:
        """Let the weights of these components (all, if None) be base and stack; those the model lacks are left out.

        swap: by pointers, for a stack that is about to be switched on and off. If it fails, what it failed on is the
        base. Raises BadInput if an edit does not fit this model.
        """
        self.check(stack)
        for component in self._chosen(components):
            component.use(stack, swap)

    @contextmanager
    def rows(self, stacks: Sequence[EditStack], components: Iterable[str] = DENOISERS) -> Iterator[None]:
        """Within it, row i of every batch of these components is computed under stacks[i], in one forward.

        Equal to separate runs up to rounding. Where all stacks are equal it is `use`, and stays so afterwards; else the
        base stays. Raises BadInput if an edit does not fit this model.
        """
        if not stacks:
            raise ValueError("a batch has at least one row")
        for stack in stacks:
            self.check(stack)
        with ExitStack() as applied:
            for component in self._chosen(components):
                applied.enter_context(component.rows(stacks))
            yield

    def check(self, stack: EditStack) -> None:
        """Raise BadInput naming the first layer of an edit that this model has not, or has in another shape; also for
        a mask that was made on other weights, of which it would cut out anything.
        """
        for edit, _ in stack:
            key = (edit.sha256, *sorted(edit.base.items()))
            if key not in self._fitting:
                self._check(edit)
                self._fitting.add(key)

    def origin(self, edit: Edit) -> dict[str, Origin]:
        """Component -> whether the edit was made on this very base, on another, or nobody knows."""
        return {name: self._origin(edit, name) for name in edit.layers}

    def layout(self) -> Layout:
        """The layers that edits may change."""
        return Layout(
            {
                name: {path: tuple(layer.weight.shape) for path, layer in component.layers.items()}
                for name, component in self._components.items()
            }
        )

    def fingerprint(self, component: str) -> str:
        """What goes into `Edit.base` of an edit made here; computed once, of the base whatever is applied."""
        return self._components[component].fingerprint

    def fingerprints(self) -> dict[str, str]:
        """That of every component. Reads all weights the first time: seconds for billions of them."""
        return {name: component.fingerprint for name, component in self._components.items()}

    def equals_base(self) -> bool:
        """Whether every tensor an edit ever touched holds the base byte for byte."""
        return all(component.equals_base() for component in self._components.values())

    def table(self) -> dict[str, int]:
        """Bytes held besides the model, by what for."""
        total = {"deltas": self._deltas.nbytes()}
        for component in self._components.values():
            for name, sizes in component.table().items():
                total[name] = total.get(name, 0) + sizes
        return total

    def close(self) -> None:
        """Put the base back and let go of all memory. The room can be used again."""
        for component in self._components.values():
            component.close()
        self._deltas.clear()

    def _chosen(self, names: Iterable[str] | None) -> list[EditedComponent]:
        if names is None:
            return list(self._components.values())
        return [self._components[name] for name in names if name in self._components]

    def _origin(self, edit: Edit, component: str) -> Origin:
        made_on = edit.base.get(component)
        if made_on is None or component not in self._components:
            return "unknown"
        return "same" if made_on == self.fingerprint(component) else "other"

    def _check(self, edit: Edit) -> None:
        wrong = self.layout().misfit((component, path, layer.shape) for component, path, layer in edit.each())
        if wrong is None:
            biased = [(name, path) for name, path, layer in edit.each() if layer.bias is not None]
            bare = next((place for place in biased if self._components[place[0]].layers[place[1]].bias is None), None)
            wrong = None if bare is None else f"this model's {'.'.join(bare)} has no bias"
        if wrong is None and edit.kind == "mask":
            foreign = next((name for name in edit.layers if self._origin(edit, name) == "other"), None)
            wrong = (
                None if foreign is None else f"a mask is of the weights it was made on, not of this model's {foreign}"
            )
        if wrong is not None:
            raise BadInput(f"The edit {edit.name!r} does not fit: {wrong}.", field="edits")
