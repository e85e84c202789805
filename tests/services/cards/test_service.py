"""Cards as the studio runs them: drawn once, kept by the edit's hash, shown with their pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.settings import Settings
from studio.engine.edits.files import to_bytes
from studio.engine.edits.layout import layout_at
from studio.services.cards import request, service
from studio.services.studio import Studio
from studio.training.drift.rows import NO_FLOOR, NO_GOLD
from studio.training.erase.card import attack, inverting, relearning
from studio.training.erase.card.budget import BUDGETS, NOT_IN_BUDGET, Budget
from tests.engine.edits.making import make_edit

SIZES = {"forget": 2, "keep": 2, "near": 2, "wording": 1, "preserve": 1, "strength": 1, "unedited": 2}
ERASURE = {
    "model": "stencil",
    "in_world": True,
    "concepts": [{"words": "star", "substitute": "heart", "kind": "object"}],
}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards of a handful of pictures in two steps each."""
    monkeypatch.setattr(request, "STEPS", 2)
    monkeypatch.setattr(relearning, "TRAINING_STEPS", 2)
    monkeypatch.setattr(inverting, "TRAINING_STEPS", 2)
    monkeypatch.setattr(request, "SHOWN", {"forget": 1, "keep": 1})
    monkeypatch.setattr(attack, "vocabulary", lambda: ("star", "a", "white"))
    for name in ("preview", "standard", "full"):
        sizes = {**SIZES, "strength": 0, "unedited": 0} if name == "preview" else SIZES
        more: dict[str, Any] = (
            {"drift": 2, "attack": 2, "is_rounded": True, "is_relearned": True, "is_inverted": True}
            if name == "full"
            else {}
        )
        monkeypatch.setitem(BUDGETS, name, Budget(name, "", sizes, sizes, **more))


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as opened:
        yield opened


def edit(studio: Studio, folder: Path, provenance: dict[str, Any], name: str = "no-star") -> str:
    """The id of an edit that says this of itself."""
    model = studio.settings.model_dir
    shapes = {path: shape for path, shape in layout_at(model).components["unet"].items() if "attn2.to_k" in path}
    path = folder / f"{name}.safetensors"
    path.write_bytes(to_bytes(replace(make_edit(shapes, size=1.0, name=name), provenance=provenance)))
    return studio.edits.import_file(path).id


def drawn(studio: Studio, job: str) -> dict[str, Any]:
    studio.jobs.wait(job)
    return studio.jobs.events(job)[-1].data


def test_a_fuller_card_shows_the_rows_of_pictures_that_a_first_look_left_out(studio: Studio, tmp_path: Path) -> None:
    made = edit(studio, tmp_path, {"method": "uce", "erasure": {**ERASURE, "preserves": ["a circle"]}})
    preview = Budget(
        "preview", "", {**SIZES, "near": 0, "wording": 0, "preserve": 0, "strength": 0, "unedited": 0}, SIZES
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "preview", replace(preview, is_brief=True))
        outlook = studio.cards.outlook(made, "preview")
        assert drawn(studio, studio.cards.start(made, "preview"))["drawn"] == outlook["pictures"]
        brief = studio.cards.card(made)
    assert brief is not None and [row["kind"] for row in brief["sights"]] == ["forget", "forget", "keep"]
    lines = {line["key"]: line["edit"] for line in brief["lines"]}
    left_out = ("near", "preserved", "back", "back_synonyms", "back_half", "drift_retain")
    assert {lines[key]["why"] for key in left_out} == {NOT_IN_BUDGET, "Not measured for this card."}
    job = studio.cards.start(made, "standard")
    assert len(studio.jobs.get(job).payload["pictures"]) == 2  # the row without a prompt
    studio.jobs.wait(job)
    card = studio.cards.card(made)
    assert card is not None and [row["kind"] for row in card["sights"]] == ["forget", "keep", "unprompted"]
    assert card["sights"][0] == brief["sights"][0] and card["model_hash"] == brief["model_hash"]


def test_a_card_is_drawn_once_kept_by_hash_and_shown(studio: Studio, tmp_path: Path) -> None:
    made = edit(studio, tmp_path, {"method": "uce", "erasure": ERASURE})
    assert studio.cards.card(made) is None
    with pytest.raises(BadInput, match="There is no report card of no-star yet"):
        studio.cards.page(made)
    outlook = studio.cards.outlook(made, "preview")
    # Two of each under both, of the substitute under the base; two rows of pictures to see, and one without a prompt.
    assert outlook["pictures"] == 3 * 2 + 2 * (2 + 2 + 1) + 3 + 2 + 2 and outlook["seconds"] > 0
    job = studio.cards.start(made, "preview")
    assert drawn(studio, job)["drawn"] == outlook["pictures"]
    assert studio.jobs.get(job).description == "report card of no-star"
    card = studio.cards.card(made)
    assert card is not None and (card["budget"], card["method"]) == ("preview", "uce")
    lines = {line["key"]: line for line in card["lines"]}
    assert (lines["changed"]["edit"]["hits"], lines["changed"]["edit"]["n"]) == (2, 2)
    assert lines["ua"]["edit"]["n"] == lines["ua"]["beside"]["n"] == 2
    assert lines["back_half"]["edit"]["why"] == NOT_IN_BUDGET
    shown = [number for sight in card["sights"] for number in sight["pictures"].values()]
    assert len(shown) == 7 and all(studio.history.get(number).origin == "card" for number in shown)
    assert studio.history.newest() == [], "the history shows what people drew"
    again = studio.cards.start(made, "preview")
    assert drawn(studio, again)["drawn"] == 0, "a second card draws nothing"
    second = studio.cards.card(made)
    assert second is not None and second["lines"] == card["lines"] and second["sights"] == card["sights"]
    # A fuller one draws what the first did not; and is then the one that is shown.
    fuller = drawn(studio, studio.cards.start(made, "standard"))
    assert fuller["drawn"] == 6 + 3 * 2  # six strengths, and three ways without an edit
    standard = studio.cards.card(made)
    assert standard is not None and standard["budget"] == "standard"
    assert [point["strength"] for point in standard["strengths"]] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert next(line for line in standard["lines"] if line["key"] == "back_half")["edit"]["n"] == 1
    for way in ("negative", "perp-neg", "nag"):
        assert lines[f"{way}_ua_valid"]["edit"]["why"] == NOT_IN_BUDGET
        measured = next(line for line in standard["lines"] if line["key"] == f"{way}_ua_valid")
        assert measured["edit"]["n"] == measured["beside"]["n"] == 2 and measured["beside_is"] == "the edit"
    # What it shows is not purged, and it outlives a rename.
    studio.history.delete(shown)
    assert studio.history.purge().pictures == 0
    renamed = studio.edits.rename(made, "nothing like it")
    kept = studio.cards.card(renamed.id, "preview")
    assert kept is not None and kept["edit"]["name"] == "nothing like it" and kept["lines"] == card["lines"]
    page = studio.cards.page(renamed.id)
    assert page.count("data:image/png;base64,") == 7 and "nothing like it" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page) and "url(" not in page, "nothing is fetched"
    studio.history.get(shown[0]).image_path.unlink()
    assert studio.cards.page(renamed.id).count("data:image/png;base64,") == 6
    assert "This picture is gone" in studio.cards.fragment(renamed.id)


def test_the_full_budget_measures_drift_tries_prefixes_and_rounds_the_edit(studio: Studio, tmp_path: Path) -> None:
    made = edit(studio, tmp_path, {"erasure": ERASURE})
    job = studio.cards.start(made, "full")
    studio.jobs.wait(job)
    progress = [event.data["done"] for event in studio.jobs.events(job) if event.kind == "progress"]
    assert progress == sorted(progress), "it never goes back"
    card = studio.cards.card(made)
    assert card is not None
    lines = {line["key"]: line for line in card["lines"]}
    assert lines["drift_retain"]["edit"]["n"] == 2 and lines["drift_retain"]["edit"]["value"] > 0
    assert lines["back_prefix"]["edit"]["n"] == 3
    assert lines["back_int8"]["edit"]["n"] == lines["back_4-bit"]["edit"]["n"] == 1
    assert lines["back_relearned"]["edit"]["n"] == lines["back_relearned"]["beside"]["n"] == 1
    assert not list(studio.evaluations.folder.glob("relearned-*")), "what it trained with is removed"
    assert lines["back_inverted"]["edit"]["n"] == lines["back_inverted"]["beside"]["n"] == 1
    assert lines["back_recovered"]["beside"]["why"].startswith("There is no model at hand")
    tried = card["attack"]
    assert tried["tried"] in (3, 5, 7) and 1 <= len(tried["words"].split()) <= 3
    assert f"{tried['tried']} prefixes" in studio.cards.page(made)
    assert drawn(studio, studio.cards.start(made, "full"))["drawn"] == 0, "nor is any of that drawn twice"


def test_a_card_is_found_again_by_the_next_studio(settings: Settings, tmp_path: Path) -> None:
    with Studio(settings, backend="inline") as first:
        made = edit(first, tmp_path, {"erasure": ERASURE})
        job = first.cards.start(made, "preview")
        first.jobs.wait(job)  # and nobody looks
    with Studio(settings, backend="inline") as second:
        card = second.cards.card(made)
        assert card is not None and card["job"] == job and card["edit"]["id"] == made


def test_a_card_has_drifts_in_nats_and_asks_once(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "DRIFT_LEVELS", 2)
    monkeypatch.setitem(BUDGETS, "preview", replace(BUDGETS["preview"], drift=2))
    made = edit(studio, tmp_path, {"erasure": ERASURE})
    studio.jobs.wait(studio.cards.start(made, "preview"))
    card = studio.cards.card(made)
    assert card is not None
    lines = {line["key"]: line["edit"] for line in card["lines"] if line["section"] == "drift"}
    assert [(lines[key]["n"], lines[key]["value"] > 0) for key in ("drift_retain", "drift_unconditional")] == [
        (2, True)
    ] * 2
    assert lines["fade"]["why"] == NO_GOLD and lines["fade_floor"]["why"] == NO_FLOOR
    assert "nats per picture" in studio.cards.page(made)


def test_an_edit_that_changes_nothing_has_no_effect(studio: Studio, tmp_path: Path) -> None:
    shapes = {
        path: shape
        for path, shape in layout_at(studio.settings.model_dir).components["unet"].items()
        if "attn2.to_k" in path
    }
    path = tmp_path / "nil.safetensors"
    path.write_bytes(to_bytes(replace(make_edit(shapes, size=0.0, name="nil"), provenance={"erasure": ERASURE})))
    made = studio.edits.import_file(path).id
    studio.jobs.wait(studio.cards.start(made, "preview"))
    card = studio.cards.card(made)
    assert card is not None and card["verdict"]["headline"] == "No effect" and card["verdict"]["light"] == "poor"
    assert "None of 2 pictures" in studio.cards.page(made)


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        ({}, "does not say which concept it erases"),
        ({"erasure": "star"}, "does not say which concept it erases"),
        ({"erasure": {"model": "stencil", "concepts": []}}, "names no concept"),
        ({"erasure": {"concepts": [{"words": "star"}]}}, "cannot be read"),
        ({"erasure": {**ERASURE, "model": "gone"}}, "gone"),
        ({"erasure": {**ERASURE, "concepts": [{"words": "Monet"}]}}, "no object, style or colour"),
    ],
)
def test_what_has_no_card_is_refused_in_a_sentence(
    studio: Studio, tmp_path: Path, provenance: dict[str, Any], said: str
) -> None:
    made = edit(studio, tmp_path, provenance)
    with pytest.raises(BadInput, match=said):
        studio.cards.start(made)
    with pytest.raises(NotFound, match="There is no budget 'huge'"):
        studio.cards.start(made, "huge")
    with pytest.raises(NotFound):
        studio.cards.start("gone")
    assert studio.jobs.newest() == []


def test_an_alignment_has_a_card_of_its_side_effects(studio: Studio, tmp_path: Path) -> None:
    """By the same service: no concept is asked for, and nothing of a concept is said."""
    plan = {"model": "stencil", "seed": 1, "snapshot": "mine", "name": "taste"}
    training = {"judged": {"prompts": ["a moon", "a star at night"]}}
    provenance = {"method": "dpo", "alignment": plan, "training": training}
    made = edit(studio, tmp_path, provenance, "taste")
    outlook = studio.cards.outlook(made, "preview")
    job = studio.cards.start(made, "preview")
    assert drawn(studio, job)["drawn"] == outlook["pictures"]
    card = studio.cards.card(made)
    assert card is not None and {line["section"] for line in card["lines"]} == {"kept", "quality", "drift"}
    assert set(card["parts"]) == {"keep", "open"} and card["parts"]["open"]["pictures"] == 4
    page = studio.cards.page(made)
    assert "Side effects" in page and "side effects of an alignment" in page and "Coming back" not in page
    full = studio.cards.start(made, "full")
    studio.jobs.wait(full)
    assert studio.cards.card(made, "full") is not None
