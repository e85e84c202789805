"""The page: `build` lays it out, `serve` opens it to the browser and to nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.core.errors import EnvironmentProblem
from studio.core.settings import Settings

if TYPE_CHECKING:
    import gradio as gr

    from studio.services.generate import Studio
