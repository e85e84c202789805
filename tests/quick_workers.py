"""Workers forked from one process that has the imports behind it, for tests that kill many of them."""

from __future__ import annotations

import multiprocessing
from types import SimpleNamespace
from typing import Any

import pytest

PRELOADED = [
    "studio.engine.runner",
    "studio.models.embedded",
    "studio.services.studio",
    # what loading a model imports by name
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "transformers.models.clip.modeling_clip",
]


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork workers in place of spawning them, as the product and the contract tests do.

    From the first line of the worker on, both are the same.
    """
    context = forking()
    monkeypatch.setattr("studio.engine.process.multiprocessing", SimpleNamespace(get_context=lambda method: context))


def forking() -> Any:  # its class is not there on every system
    """A context whose processes begin with the imports behind them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context
