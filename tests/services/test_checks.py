"""What a model cannot do: said in a menu and refused when it is queued, from one source."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, WrapperSpec
from studio.core.settings import Settings
from studio.guidance import GUIDANCE
from studio.services.checks import check_guidance, why_not
from studio.services.sources import Sources

AUTO = GuidanceSpec(method="autoguidance")


@pytest.fixture
def sources(settings: Settings, tiny_model: Path, tmp_path: Path) -> Sources:
    """With a model beside which an early checkpoint lies."""
    shutil.copytree(tiny_model, tmp_path / "models" / "tiny")
    (tmp_path / "models" / "tiny-early" / "unet").mkdir(parents=True)
    return Sources(settings.model_copy(update={"model_dir": tmp_path / "models" / "tiny"}))


def test_menu_and_refusal_agree_on_every_method(sources: Sources) -> None:
    for model, able in (("stencil", True), ("another", False)):
        for name in GUIDANCE.names():
            reason = why_not(sources, model, GUIDANCE.get(name)().networks())
            assert (reason is None) == (able or name != "autoguidance")
            if reason is None:
                check_guidance(GuidanceSpec(method=name), sources, model)
            else:
                with pytest.raises(BadInput, match=reason):
                    check_guidance(GuidanceSpec(method=name), sources, model)


def test_a_method_that_a_sum_adds_is_the_one_that_is_named(sources: Sources) -> None:
    summed = GuidanceSpec(method="cfg", wrappers=(WrapperSpec(wrapper="sum", added=AUTO),))
    with pytest.raises(BadInput, match="method autoguidance needs an early checkpoint of the model, and another has"):
        check_guidance(summed, sources, "another")
    check_guidance(summed, sources, "stencil")


def test_what_asks_nothing_of_an_early_checkpoint_is_not_refused(sources: Sources) -> None:
    check_guidance(GuidanceSpec(method="autoguidance", params={"autoguidance_scale": 1.0}), sources, "another")
