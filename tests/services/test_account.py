"""The account of a picture: what guidance did at each step, kept beside the picture and gone with it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from studio.core.errors import NotFound
from studio.core.recipe import GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.engine.events import Event
from studio.services import account
from studio.services.studio import Studio

Draw = Callable[..., Recipe]


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def cfg(scale: float) -> GuidanceSpec:
    return GuidanceSpec(params={"guidance_scale": scale})


def test_curves_say_what_the_method_did(studio: Studio, draw: Draw) -> None:
    recipes = [draw(steps=4, guidance=cfg(scale), batching="shared") for scale in (1.0, 3.0)]
    plain, guided = studio.pictures.finish(studio.pictures.submit(recipes, account=True))
    told = account.of(studio, guided.id)
    assert told.steps == 4 and told.rows == (2, 4, 6, 8) and told.nfe == 8
    assert account.of(studio, plain.id).nfe == 4
    curves = {curve.name: curve.values for curve in told.curves}
    assert all(len(values) == 4 for values in curves.values())
    assert curves["w_eff"] == pytest.approx([3.0] * 4, abs=1e-4)  # what classifier-free guidance promises
    assert list(told.sigma) == sorted(told.sigma, reverse=True)
    assert "3" in told.describe


def test_as_a_table(studio: Studio, draw: Draw) -> None:
    (one,) = studio.pictures.finish(studio.pictures.submit([draw(steps=3, guidance=cfg(2.0))], account=True))
    told = account.of(studio, one.id)
    table = list(csv.DictReader(io.StringIO(account.to_csv(told))))
    assert [line["step"] for line in table] == ["1", "2", "3"]
    assert float(table[1]["w_eff"]) == pytest.approx(2.0, abs=1e-3)
    assert table[0]["turn"] == ""  # the first step has none before it
    assert math.isnan(next(curve for curve in told.curves if curve.name == "turn").values[0])


def test_the_steps_are_decoded_on_demand_and_end_in_the_picture(studio: Studio, draw: Draw) -> None:
    (one,) = studio.pictures.finish(studio.pictures.submit([draw(steps=4)], account=True))
    png, steps = account.strip(studio, one.id, count=3)
    strip = Image.open(io.BytesIO(png)).convert("RGB")
    picture = Image.open(one.image_path).convert("RGB")
    assert steps == (1, 3, 4) and strip.size == (3 * picture.width, picture.height)
    last = strip.crop((2 * picture.width, 0, 3 * picture.width, picture.height))
    pairs = zip(last.tobytes(), picture.tobytes(), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 2  # half precision in between
    assert strip.crop((0, 0, picture.width, picture.height)).tobytes() != last.tobytes()


def test_without_being_asked_for_there_is_none_and_the_pixels_are_the_same(studio: Studio, draw: Draw) -> None:
    (plain,) = studio.pictures.draw([draw(seed=3)])
    with pytest.raises(NotFound, match="has no account"):
        account.of(studio, plain.id)
    (told,) = studio.pictures.finish(studio.pictures.submit([draw(seed=3)], account=True))
    assert told.image_path.read_bytes() == plain.image_path.read_bytes()
    assert account.of(studio, told.id).steps == draw().steps


def test_it_goes_with_its_picture(studio: Studio, draw: Draw) -> None:
    (one,) = studio.pictures.finish(studio.pictures.submit([draw(seed=4)], account=True))
    path = studio.archive.images.account_path(one.sha256)
    assert path.is_file()
    studio.history.delete([one.id])
    studio.history.purge()
    assert not path.exists()


def test_colours_of_a_picture(studio: Studio, draw: Draw) -> None:
    (one,) = studio.pictures.draw([draw()])
    found = account.colours(studio, one.id)
    assert set(found) == {"saturation", "brightness", "contrast", "clipped"}
    assert all(0 <= value <= 1 for value in found.values()) and found["brightness"] > 0


def test_the_steps_are_there_for_who_asks_only_when_they_are_decoded(
    studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a job tells on its way may be gone at its end, and on a busy machine nobody is there before."""
    (one,) = studio.pictures.finish(studio.pictures.submit([draw(steps=3)], account=True))
    told = studio.jobs.events

    def late(job: str, since: int = 0, wait_s: float = 0) -> list[Event]:
        while not (events := told(job, 0, wait_s=wait_s)) or not events[-1].final:
            pass
        return [event for event in told(job, since) if event.seq > since]

    monkeypatch.setattr(studio.jobs, "events", late)
    png, steps = account.strip(studio, one.id, count=2)
    assert steps == (1, 3) and Image.open(io.BytesIO(png)).width == 2 * one.recipe.width
