"""Serves the page over a fake studio with campaigns of pairs: python -m tests.e2e.serve_labels FOLDER ITEMS [PORT]."""

from __future__ import annotations

import sys
from pathlib import Path

from studio.core.settings import Settings
from studio.ui import app
from tests.ui.fake_studio import FakeStudio
from tests.ui.label.campaigns import campaign

GUIDELINE = "Prefer the picture that follows the prompt."


def main(folder: str, items: str, port: str = "0") -> None:
    settings = Settings(workspace=Path(folder), port=int(port))
    with FakeStudio(settings.workspace, step_s=0) as fake:
        if not fake.labels.campaigns():
            campaign(fake, "pair", 1, name="Told at the end", reveal="end")
            campaign(fake, "pair", 2, name="Told after each", reveal="after")
            campaign(fake, "pair", int(items), guideline=GUIDELINE)
        app.serve(settings, fake)


if __name__ == "__main__":
    main(*sys.argv[1:])
