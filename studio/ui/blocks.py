"""The page as Gradio has it, with a border around its listeners: values are read before they are handed on, and
whatever goes wrong, inside Gradio too, ends in a sentence.
"""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.state_holder import SessionState

from studio.core.errors import BadInput
from studio.ui import refusals, values
from studio.ui.errors import sentence


class Blocks(gr.Blocks):
    """gr.Blocks whose listeners get what their components hold, and whose errors are all `gr.Error` with a sentence."""

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], state: SessionState | None, explicit_call: bool = False
    ) -> list[Any]:
        """As Gradio's, of values that were read. Raises BadInput."""

        def current(component: Any) -> Any:
            return component if state is None else state.get(component._id, component)

        if block_fn.api_visibility != "private":  # endpoints read their parameters themselves, by name
            _check_count(block_fn, inputs)
            values.check_tree(inputs, texts=False)  # of texts too
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        return await super().preprocess_data(
            block_fn, values.read(block_fn.inputs, inputs, current), state, explicit_call
        )

    async def process_api(self, block_fn: BlockFunction | int, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """As Gradio's. Raises gr.Error alone; its status is told to `refusals`."""
        listener = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        try:
            if listener.fn is None:
                raise BadInput("Nothing here answers to that call: the browser does that alone.")
            if (event := kwargs.get("event_data")) is not None:
                values.check_tree(event._data)
            return await super().process_api(listener, inputs, *args, **kwargs)
        except gr.Error as error:
            refusals.note(error.__cause__ or error)
            raise
        except Exception as error:
            refusals.note(error)
            message = sentence(error)
            # The page shows a message as HTML, programs as text.
            message = html.escape(message) if listener.api_visibility == "private" else message
            raise gr.Error(message, duration=10, print_exception=False) from error


def _check_count(endpoint: BlockFunction, inputs: list[Any]) -> None:
    names = list(refusals.parameters(endpoint))
    if len(inputs) != len(names):
        listed = f" ({', '.join(names)})" if names else ""
        count = f"{len(names)} value{'s' * (len(names) != 1)}"
        message = f"The call of {endpoint.api_name} takes {count}{listed}, not {len(inputs)}."
        raise BadInput(message, f"{refusals.PREFIX}/info tells their defaults.")
