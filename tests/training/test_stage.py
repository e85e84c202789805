"""What stages share: a checkpoint is there whole or as it was before, and a stop waits for the step under way."""

import errno
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import WorkspaceError
from studio.training.embedded.stage import Stage


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("PytorchStreamWriter failed writing file")]
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage("text", tmp_path, minutes=1)
    stage.save({"step": 1})

    def save(state: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(WorkspaceError, match="could not be written") as refusal:
        stage.save({"step": 2})
    assert refusal.value.hint is not None and "goes on from the checkpoint before" in refusal.value.hint
    assert stage.load() == {"step": 1} and [path.name for path in stage.folder.iterdir()] == ["checkpoint.pt"]


def test_the_first_signal_asks_and_the_second_breaks_off(tmp_path: Path) -> None:
    stage, before = Stage("text", tmp_path, minutes=float("inf")), signal.getsignal(signal.SIGTERM)
    with stage.stops_between_steps():
        assert not stage.paused
        signal.raise_signal(signal.SIGTERM)
        assert stage.paused and stage.progress(3, 4) == 0.75
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before
    assert Stage("text", tmp_path, minutes=1e-9).paused, "its time is up"
