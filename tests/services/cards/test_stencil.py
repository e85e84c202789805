"""A card of a real erasure on Stencil, as a user would draw it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.settings import Settings
from studio.services.studio import Studio


@pytest.mark.slow
def test_a_star_that_became_a_heart_is_suppressed(stencil_dir: Path, tmp_path: Path) -> None:
    """24 pictures of each: three standard deviations of a share of .95 are .13."""
    settings = Settings(workspace=tmp_path, model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as studio:
        job = studio.erasures.start(
            {"name": "no-star", "model": "stencil", "concepts": [{"words": "star", "substitute": "heart"}]}
        )
        studio.jobs.wait(job)
        (edit,) = (event.data["edit"] for event in studio.jobs.events(job) if event.kind == "edit")
        studio.jobs.wait(studio.cards.start(edit, "preview"))
        card = studio.cards.card(edit)
        assert card is not None and card["is_preview"]
        lines = {line["key"]: line for line in card["lines"]}
        assert lines["ua_valid"]["apart"]["value"] > -0.13 and lines["ua_valid"]["edit"]["value"] > 0.8
        assert lines["ira_object"]["apart"]["value"] > 0.85 and lines["cra"]["apart"]["value"] > 0.85
        assert lines["back"]["edit"]["value"] < 0.3 < lines["back"]["beside"]["value"]
        assert card["base_ua"] < 0.2, "without the edit the base draws stars"
        assert lines["drift_retain"]["edit"]["n"] > 0
