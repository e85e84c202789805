"""From exceptions to what the page says: a StudioError speaks for itself, anything else gets an id and is logged."""

from __future__ import annotations

import functools
import html
import logging
import re
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio as gr
from gradio.utils import get_upload_folder

from studio.core.errors import AssetError, BadInput, NotFound, StudioError

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_private_folders: set[Path] = set()


def sentence(error: BaseException) -> str:
    """What to tell the user of an exception. One that is a bug is logged whole under the id that is shown.

    Files of this machine are told by their names alone: who asks over the network knows no folder of ours, and the
    folder of an upload tells nobody anything.
    """
    if isinstance(error, StudioError):
        return without_folders(str(error))
    code = secrets.token_hex(4)
    log.error("error %s", code, exc_info=error)
    return f"Something went wrong inside the studio; the log has it under {code}. What you made so far is kept."


def status(error: BaseException | None) -> int:
    """The HTTP status of an exception; None: of a refusal that no exception stands behind.

    404 what is not there, 422 what cannot be taken, files among it, 409 what stands in the way of any call just now (a
    full disk, no memory), 500 a bug.
    """
    match error:
        case NotFound():
            return 404
        case BadInput() | AssetError() | gr.Error() | None:
            return 422
        case StudioError():
            return 409
        case _:
            return 500


def hide_folders(*folders: Path | None) -> None:
    """From now on, `sentence` names what lies in these folders without them; so it does for uploads and temporary
    files, for the home folder and for the studio's own.
    """
    _private_folders.update(folder for folder in folders if folder is not None)


def without_folders(message: str) -> str:
    """A message in which paths into our folders are file names."""
    private = {
        Path(get_upload_folder()),
        Path(tempfile.gettempdir()),
        Path.home(),
        Path.cwd(),
        _ROOT,
        *_private_folders,
    }
    roots = {str(form) for folder in private for form in (folder, folder.resolve()) if form.is_absolute()}
    for root in sorted(roots, key=len, reverse=True):
        if len(Path(root).parts) > 1 and root in message:  # "/" may be somebody's home
            message = re.sub(re.escape(root) + r"((?:[/\\][^/\\\s'\"]+)*)(?=[\s.,:;'\")]|[/\\]|$)", _name, message)
    return message


def _name(path: re.Match[str]) -> str:
    return re.split(r"[/\\]", path[0])[-1]


def on_page(handler: Callable[P, R]) -> Callable[P, R]:
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
