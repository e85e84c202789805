"""One component of a model under edits: its layers, the copies kept of them, and the three executors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from torch import Tensor, nn

from studio.engine.edits.deltas import DeltaCache
from studio.engine.edits.fingerprint import fingerprint
from studio.engine.edits.merged import Merged
from studio.engine.edits.pointer import Pointers
from studio.engine.edits.pristine import Pristine, plain_tensors
from studio.engine.edits.rows import Rows
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.edits.targets import Target, targets


class EditedComponent:
    """Makes the weights of one module follow a stack. Holds no memory before the first edit."""

    def __init__(self, name: str, module: nn.Module, deltas: DeltaCache, max_set_bytes: int) -> None:
        self.name = name
        self.module = module
        self.stack = EMPTY  # what the weights are at the moment
        self._swapped = False  # by pointers
        self._deltas = deltas
        self._max_set_bytes = max_set_bytes
        self._begin()

    def _begin(self) -> None:
        self._pristine = Pristine(self.layers)
        self._merged = Merged(self.name, self._pristine, self._deltas)
        self._pointers = Pointers(self.name, self._pristine, self._deltas, self._max_set_bytes)
        self._rows = Rows(self.name, self.layers)

    @cached_property
    def layers(self) -> dict[str, Target]:
        """What edits may change, by path."""
        return targets(self.module)

    @cached_property
    def fingerprint(self) -> str:
        """Of the base, whatever is applied at the moment."""
        originals: dict[int, Tensor] = {
            id(self._pristine.parameter(key)): self._pristine[key] for key in self._pristine.touched()
        }
        return fingerprint(self.module, originals)

    def use(self, stack: EditStack, swap: bool = False) -> None:
        """Let the weights be base and stack. swap: by pointers, for what is about to be switched on and off.

        If it fails the base is in place.
        """
        own_stack = stack.part((self.name,))
        swap = swap and len(own_stack) > 0 and not _is_compiled(self.module)
        if self._pristine.moved(self._pointers.pointed):
            self._start_anew()
        if own_stack == self.stack and swap == self._swapped:
            return
        with plain_tensors():
            self.stack, self._swapped = EMPTY, False  # so it is if one of the next lines fails
            try:
                if swap:
                    self._merged.use(EMPTY)
                    self._pointers.point(own_stack)
                else:
                    self._pointers.leave()
                    self._merged.use(own_stack)
            except BaseException:
                self._pointers.leave()
                raise
        self.stack, self._swapped = own_stack, swap

    @contextmanager
    def rows(self, stacks: Sequence[EditStack]) -> Iterator[None]:
        """Within it, each row of a batch has its own stack. Where all are equal, the weights take the stack on."""
        own_stacks = [stack.part((self.name,)) for stack in stacks]
        if all(stack == own_stacks[0] for stack in own_stacks):
            self.use(own_stacks[0])
            yield
        else:
            self.use(EMPTY)
            with self._rows.applied(own_stacks):
                yield

    def equals_base(self) -> bool:
        """Whether every tensor that any edit ever touched here holds W0 byte for byte."""
        return self._pristine.equals()

    def close(self) -> None:
        """Put the base back and let go of all memory."""
        self.use(EMPTY)
        self._begin()

    def table(self) -> dict[str, int]:
        """Bytes held, by what for."""
        return {
            "pristine": self._pristine.nbytes(),
            "sets": self._pointers.nbytes(),
            "rows": self._rows.nbytes(),
        }

    def _start_anew(self) -> None:
        """Somebody moved the module. The base goes where it is now, and nothing of before is used again."""
        with plain_tensors():
            self._pristine.start_anew()
        self._begin()
        self.stack, self._swapped = EMPTY, False


def _is_compiled(module: nn.Module) -> bool:
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None
