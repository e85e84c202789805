"""What is measured of an arm's pictures, against readings and features made by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from studio.training.evaluate.cases import Case
from studio.training.evaluate.measures import TOLD, measured, prompt_means, read_picture
from studio.training.evaluate.meter import Meter
from studio.training.evaluate.results import Facts, Result
from studio.world.reading import Reading, SeenThing, Wanted

RED_STAR = Wanted((("star", "red"),), "flat", "white")


def reading(object: str = "star", colour: str = "red", style: str = "flat", invalid: bool = False) -> Reading:
    thing = SeenThing(object, colour)
    return Reading((thing,), "one", style, "white", "medium", "center", invalid, float(invalid))


def test_a_picture_that_is_right() -> None:
    values = read_picture(reading(), RED_STAR)
    assert {name for name, value in values.items() if value == 1} == set(values) - {"invalid"}
    assert values["invalid"] == 0


def test_shares_of_a_picture_with_a_wrong_style() -> None:
    values = read_picture(reading(style="neon"), RED_STAR)
    assert values["style"] == 0 and values["all"] == 0
    assert (values["accuracy"], values["shared"], values["quality"]) == (0.75, 1.0, 0.75)


def test_an_invalid_picture_is_worth_nothing_whatever_it_shows() -> None:
    values = read_picture(reading(invalid=True), RED_STAR)
    assert (values["invalid"], values["all"], values["quality"], values["accuracy"]) == (1, 0, 0, 1)


def test_what_is_not_wanted_is_not_measured() -> None:
    values = read_picture(reading(style="neon"), Wanted((("star", "red"),)))
    assert "style" not in values and values["accuracy"] == values["all"] == 1


class Marked:
    """Reads a picture's first pixel: the red channel says whether it is a star, the blue one is its feature."""

    def read(self, images: Any) -> list[Reading]:
        return [reading("star" if image[0, 0, 0] else "fish") for image in images]

    def features(self, images: Any) -> torch.Tensor:
        return torch.stack([torch.tensor([1.0, float(image[0, 0, 2])]) for image in images])


def test_measures_are_means_over_the_seeds_of_each_prompt() -> None:
    cases = [Case(prompt, seed, RED_STAR) for prompt in ("a red star", "a red star too") for seed in (1, 2)]
    pictures = np.zeros((4, 8, 8, 3), np.uint8)
    pictures[0, 0, 0, 0] = 1  # the first seed of the first prompt alone shows a star
    pictures[2:] = 255
    pictures[3, 0, 0] = (255, 0, 0)
    meter = Meter(Marked().read, Marked().features)
    results = [Result(*each) for each in zip(cases, meter(list(pictures)), strict=True)]
    means = measured(results)
    assert means["object"].tolist() == [0.5, 1.0]
    assert means["saturation"].tolist() == pytest.approx([0.5 / 64, 0.5 / 64])
    assert means["diversity"][0] == 0 and means["diversity"][1] > 0.9
    assert set(means) <= set(TOLD) and all(value.shape == (2,) for value in means.values())
    turned = measured([results[i] for i in (2, 0, 3, 1)])  # whatever the order, a prompt's seeds belong together
    assert turned["object"].tolist() == [1.0, 0.5] and turned["diversity"][1] == 0


def test_prompts_with_other_numbers_of_seeds_count_alike() -> None:
    values = torch.tensor([0.0, 1.0, 1.0, 0.5], dtype=torch.float64)
    assert prompt_means(values, {"a": [0, 1, 2], "b": [3]}).tolist() == pytest.approx([2 / 3, 0.5])


def test_what_was_not_read_is_no_number() -> None:
    with pytest.raises(ValueError, match="was not read"):
        measured([Result(Case("a red star", 1, RED_STAR), Facts("", {"saturation": 0.0}))])
