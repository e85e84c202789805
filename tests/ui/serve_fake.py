"""Serves the page over a fake studio: python -m tests.ui.serve_fake FOLDER [SECONDS_PER_STEP [PORT]]."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.ui import app
from tests.ui.fake_studio import FakeStudio


def main(folder: str, step_s: str = "0.001", port: str = "0") -> None:
    settings = Settings(workspace=Path(folder), port=int(port))
    fake = FakeStudio(settings.workspace, step_s=0)
    job = fake.submit([Recipe(prompt="a neon ring on a night background", seed=3, steps=1)])
    while not fake.jobs[job].events[-1].final:
        time.sleep(0.01)
    fake.step_s = float(step_s)
    app.serve(settings, fake)  # type: ignore[arg-type]  # it has the methods, and is no Studio


if __name__ == "__main__":
    main(*sys.argv[1:])
