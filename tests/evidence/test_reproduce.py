"""A run of claims, with pictures made by hand and an oracle that knows them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from studio.core.errors import NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.evidence import reproduce as running
from studio.evidence.claim import CLAIMS, Claim, Condition, cfg
from studio.evidence.reproduce import chosen, reproduce
from studio.models.card import read_card
from studio.training.evaluate.meter import Picture
from studio.world.reading import Reading

CARD = read_card(Settings().model_dir)


def drawn_by_scale(recipes: Sequence[Recipe]) -> Iterator[tuple[int, Picture]]:
    """The greyer the higher the guidance scale, one more for every other seed."""
    for index, recipe in enumerate(recipes):
        level = 20 * float(recipe.guidance.params["guidance_scale"]) + recipe.seed % 2
        yield index, np.full((8, 8, 3), round(level), np.uint8)


class ByGrey:
    """Calls pictures below 50 invalid; sees nothing in any."""

    def read(self, images: Any) -> list[Reading]:
        return [
            Reading((), "empty", "flat", "white", "small", "center", bool(image[0, 0, 0] < 50), 0.0) for image in images
        ]

    def features(self, images: Any) -> torch.Tensor:
        return torch.ones(len(images), 4)


def claim(*conditions: Condition) -> Claim:
    arms = {"high": cfg(4.0), "low": cfg(2.0), "again": cfg(4.0)}
    return Claim("cfg", "Higher is whole.", "arXiv:0", "So.", arms, conditions)


def tried(*claims: tuple[str, Claim], **options: Any) -> list[dict[str, Any]]:
    return list(reproduce(claims, drawn_by_scale, ByGrey(), CARD, quick=True, **options))


def test_results_say_what_was_found_and_of_how_many() -> None:
    (result,) = tried(("one", claim(Condition("invalid", "high", "low", "lower", 0.5))))
    assert (result["name"], result["verdict"], result["quick"]) == ("one", "holds", True)
    (condition,) = result["conditions"]
    assert (condition["difference"], condition["low"], condition["high"], condition["n"]) == (-1.0, -1.0, -1.0, 28)
    assert result["pictures"] == result["prompts"] == 28
    high, low, again = result["arms"]
    assert (high["means"]["invalid"], low["means"]["invalid"]) == (0.0, 1.0) and high["means"] == again["means"]
    assert (high["steps"], high["rows"]) == (12, 24)
    # "again" is the same arm under another name: its rows count for the claim, and are drawn once.
    assert (result["rows"], result["drawn_rows"]) == (3 * 24 * 28, 2 * 24 * 28)


def test_an_arm_against_its_equal_tells_nothing() -> None:
    (result,) = tried(("one", claim(Condition("contrast", "high", "again", "higher"))))
    assert result["conditions"][0]["difference"] == 0 and result["verdict"] == "inconclusive"


def test_progress_goes_from_claim_to_claim_up_to_all() -> None:
    told: list[tuple[str, float, float]] = []
    one, two = (
        claim(Condition("invalid", "high", "low", "lower")),
        Claim(
            "cfg",
            "S.",
            "arXiv:0",
            "So.",
            {"higher": cfg(6.0), "high": cfg(4.0)},
            (Condition("invalid", "higher", "high", "lower"),),
        ),
    )
    tried(("one", one), ("two", two), progress=lambda *each: told.append(each))
    assert [name for name, _, _ in told] == ["one"] * 56 + ["two"] * 28
    shares = [done for _, done, _ in told]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    assert all(left >= 0 for _, _, left in told) and told[-1][2] == 0


def test_claims_are_chosen_by_method_or_by_their_own_name() -> None:
    assert [name for name, _ in chosen([])] == list(CLAIMS.names())
    assert [name for name, _ in chosen(["perp_neg", "pag", "perp_neg_field"])] == ["perp_neg", "perp_neg_field", "pag"]
    assert [name for name, _ in chosen(["interval_sigma"])] == ["interval"]


def test_an_unknown_method_is_told_which_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        chosen(["apg", "magic"])
    assert caught.value.message.count(".") == 1 and "'magic'" in caught.value.message
    assert all(name in caught.value.message for name in ("apg", "perp_neg", "interval_sigma"))


def test_a_full_run_has_eight_times_the_pictures_of_a_quick_one() -> None:
    assert running.PICTURES == 8 * running.QUICK_PICTURES == 224
