"""Serves the page over a fake studio: python -m tests.ui.serve_fake FOLDER [SECONDS_PER_STEP [PORT]]."""

from __future__ import annotations

import sys
from pathlib import Path

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.ui import app
from tests.ui.fake_studio import FakeStudio


def main(folder: str, step_s: str = "0.001", port: str = "0") -> None:
    settings = Settings(workspace=Path(folder), port=int(port))
    with FakeStudio(settings.workspace, step_s=0) as fake:
        fake.ended(fake.pictures.submit([Recipe(prompt="a neon ring on a night background", seed=3, steps=1)]))
        fake.sketcher.step_s = float(step_s)
        app.serve(settings, fake)


if __name__ == "__main__":
    main(*sys.argv[1:])
