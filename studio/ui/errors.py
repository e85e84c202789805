"""From exceptions to what the page says: a StudioError speaks for itself, anything else gets an id and is logged."""

from __future__ import annotations

import functools
import html
import logging
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from studio.core.errors import StudioError

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)


def sentence(error: Exception) -> str:
    """What to tell the user of an exception. One that is a bug is logged whole under the id that is shown."""
    if isinstance(error, StudioError):
        return str(error)
    code = secrets.token_hex(4)
    log.error("error %s", code, exc_info=error)
    return f"Something went wrong inside the studio; the log has it under {code}. What you made so far is kept."


def told(handler: Callable[P, R]) -> Callable[P, R]:
    """Let a handler's exceptions reach the user as a message on the page."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:  # the page's last line: whatever it is, it must not end in a silent page
            # Gradio shows the text of gr.Error as HTML.
            raise gr.Error(html.escape(sentence(error)), duration=10, print_exception=False) from error

    return wrapped
