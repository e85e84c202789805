"""Methods of erasing: the plan each makes of a request, and an edit of each on small models of three families."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.engine.config import EngineConfig
from studio.engine.edits.files import read_edit
from studio.engine.runner import Engine
from studio.erasure.columns import CARRIER, CONCEPT, SUBSTITUTE
from studio.services.sources import KINDS, LOSSES
from studio.training.erase import trained
from studio.training.erase.concept import Concept
from studio.training.erase.method import Method
from studio.training.erase.methods import METHODS
from studio.training.erase.plan import ErasePlan, read_plan
from studio.training.erase.trained import training_plan
from studio.training.lora.losses import build_loss
from studio.training.lora.plan import Plan
from tests.tiny_model import build
from tests.tiny_sdxl import build_xl

RETAINED = trained.RETAINED  # before the small models have fewer
TRAINED = [name for name, method in METHODS.items() if method.learning is not None]
STAR = {"words": "star", "substitute": "heart"}


def request(**changes: Any) -> ErasePlan:
    values = {"name": "gone", "model": "stencil", "in_world": True, "concepts": [STAR], **changes}
    plan = read_plan(values)
    concepts = tuple(concept.in_world() if plan.in_world else concept for concept in plan.concepts)
    return plan.model_copy(update={"concepts": concepts})


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_makes_a_plan_that_its_loss_can_be_trained_by(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "RETAINED", RETAINED)
    method = METHODS.get(name)
    plan = Plan.load(training_plan(request(method=name, preserves=("a red ring",)), method))
    loss = build_loss(plan.loss, plan.loss_params, LOSSES)
    plan.check_columns({need.condition for need in loss.needs} - {""})
    assert plan.retention is not None and plan.retention.prompts[:2] == ("", "a red ring")
    assert len(plan.retention.prompts) == RETAINED + 2
    assert not any("star" in text for text in plan.retention.prompts)
    assert plan.provenance["erasure"]["concepts"][0]["words"] == "star" and plan.provenance["method"] == name
    assert method.title and method.about.endswith(".") and method.source.startswith("arXiv:")


def test_rows_say_the_concept_and_its_substitute() -> None:
    rows = training_plan(request(method="ca"), METHODS.get("ca"))["prompts"]
    assert len(rows) > 50 and all("star" in row[CONCEPT] and "star" not in row[SUBSTITUTE] for row in rows)
    nothing = training_plan(request(method="ca", concepts=[{"words": "star"}]), METHODS.get("ca"))
    emptied = [row[SUBSTITUTE] for row in nothing["prompts"]]
    assert sum(text.startswith("an empty ") for text in emptied) > 40 and not any("star" in text for text in emptied)
    of_pairs = [text for text in emptied if not text.startswith("an empty ")]
    assert of_pairs and all(" of a" not in text for text in of_pairs)  # of two objects, the other is left


def test_a_carrier_gives_up_the_concept() -> None:
    plan = request(
        method="esd",
        in_world=False,
        concepts=[{"words": "man with a hat", "substitute": "man"}],
        training={"carrier": "man"},
    )
    values = training_plan(plan, METHODS.get("esd"))
    assert values["loss_params"]["from_carrier"] and values["pool"]["condition"] == CARRIER
    assert all("man" in row[CARRIER] and "hat" not in row[CARRIER] for row in values["prompts"])


def test_protect_and_source_are_heard() -> None:
    values = training_plan(request(method="abo", protect=0), METHODS.get("abo"))
    assert "retention" not in values and values["pool"]["steps"] == 12
    values = training_plan(request(method="abo", protect=2.5, training={"source": "base"}), METHODS.get("abo"))
    assert values["retention"]["weight"] == 2.5 and values["bank"]["condition"] == CONCEPT and "pool" not in values


@pytest.mark.parametrize(
    ("method", "concept", "sentence"),
    [
        ("uce", {"words": "star"}, "needs a substitute"),
        ("uce", {"words": "red"}, "needs a substitute"),
        ("ca", {"words": "red"}, "needs a substitute"),
        ("abo", {"words": "star"}, "needs a substitute"),
    ],
)
def test_what_a_method_cannot_leave_out_needs_a_substitute(method: str, concept: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        METHODS.get(method).check(Concept(**concept).in_world())


def test_what_does_harm_to_a_kind_is_refused_with_the_reason() -> None:
    method = replace(METHODS.get("abo"), refused={"colour": "other colours suffer."})
    with pytest.raises(BadInput, match="Careful does not erase 'red' well: other colours suffer"):
        method.check(Concept(words="red", substitute="blue").in_world())
    method.check(Concept(words="star", substitute="heart").in_world())


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="method of erasing"):
        METHODS.get("magic")


def made(method: Method, name: str, folder: Path, model: Path) -> Path:
    engine = Engine(EngineConfig({}, models_dir=model.parent, device="cpu", previews=False, kinds=KINDS, losses=LOSSES))
    plan = request(
        method=name,
        model=model.name,
        in_world=False,
        concepts=[{"words": "star", "substitute": "square"}],
        training={"steps": 2, "batch": 2, "way_steps": 2, "rank": 2},
    )
    payload: dict[str, Any] = (
        {"kind": "erase", "plan": plan.model_dump(mode="json")}
        if method.learning is None
        else {"kind": "train", "plan": training_plan(plan, method)}
    )
    events: list[tuple[str, dict[str, Any]]] = []
    job = {"id": "abc", "folder": str(folder), **payload}
    for _ in engine.steps(job, lambda kind, data: events.append((kind, data)), lambda: False):
        pass
    edits = [data for kind, data in events if kind == "edit"]
    assert len(edits) == 1 and edits[0]["final"]
    return Path(edits[0]["path"])


def model_of(family: str, factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "models-to-erase-from" / family
    if not folder.exists():
        (build if family == "sd" else build_xl)(folder)
    return folder


# Of SD all; of SDXL one that is solved, one on ways of its own and one that learns pictures, the others behind --slow.
OF_SDXL = ("uce", "esd", "negation")
CASES = [
    pytest.param(name, family, marks=[] if family == "sd" or name in OF_SDXL else pytest.mark.slow)
    for family in ("sd", "sdxl")
    for name in METHODS.names()
]


@pytest.mark.parametrize(("name", "family"), CASES)
def test_every_method_makes_an_edit_of_a_small_model(
    name: str, family: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    edit = read_edit(made(METHODS.get(name), name, tmp_path / "run", model_of(family, tmp_path_factory)))
    assert edit.layers["unet"] and edit.provenance["method"] == name
    assert edit.provenance["erasure"]["concepts"][0]["substitute"] == "square"
