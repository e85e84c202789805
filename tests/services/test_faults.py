"""What must be survived: NaNs, no memory, no disk, and anything a user can type."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import EngineError, StudioError, WorkspaceError
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.checks import settled
from studio.services.studio import Studio
from studio.storage.png import read_png
from tests.services.soundness import check_sound
from tests.services.waiting import wait_for
from tests.small_disk import fill, mount
from tests.small_disk import small_disk as small_disk

Draw = Callable[..., Recipe]
STATM = Path("/proc/self/statm")  # Linux's account of this process, in pages


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


# -- numbers and memory ---------------------------------------------------------------------------------------------


def model_of(studio: Studio, draw: Draw) -> Any:
    """The model in the inline engine, to break from outside."""
    studio.pictures.draw([draw()])
    backend: Any = studio._opened.engine.running()
    return backend._engine.bundle("stencil")


@pytest.mark.parametrize(("sampler", "step"), [("ddim", 1), ("dpmpp_2m", 3), ("ddim", 8)])
def test_nan_at_a_step_fails_the_job_there_and_not_the_next(
    studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch, sampler: str, step: int
) -> None:
    model, calls = model_of(studio, draw), 0
    predict = model.predict

    def poisoned(*args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        answer = predict(*args, **kwargs)
        return answer * float("nan") if calls == step else answer

    with monkeypatch.context() as patch:
        patch.setattr(model, "predict", poisoned)
        job_id = studio.pictures.submit([draw(steps=8, sampler=sampler)])
        told = wait_for(studio, job_id, "failed").data
    assert told["type"] == "NonFinite" and f"at step {step} of 8" in told["error"] and calls == step
    assert (studio.jobs.get(job_id).status, studio.jobs.get(job_id).error) == ("failed", told["error"])
    assert studio.history.count() == 1 and len(studio.pictures.draw([draw(seed=1)])) == 1


def test_nan_from_the_decoder(studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(studio, draw)
    decode = model.decode
    with monkeypatch.context() as patch:
        patch.setattr(model, "decode", lambda latents: decode(latents) * float("inf"))
        with pytest.raises(EngineError, match="decoder gave values that are not numbers"):
            studio.pictures.draw([draw()])
    assert len(studio.pictures.draw([draw()])) == 1


def test_out_of_memory_suggests_something_smaller_and_the_next_job_runs(
    studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    with monkeypatch.context() as patch:
        patch.setattr(model_of(studio, draw), "predict", no_room)
        job_id = studio.pictures.submit([draw(width=512, height=256)])
        told = wait_for(studio, job_id, "failed").data
    assert told == {
        "error": "There was not enough memory on cpu for 512 x 256 pixels. Take 256 x 128.",
        "type": "OutOfMemory",
    }
    assert studio.jobs.get(job_id).status == "failed"
    assert len(studio.pictures.draw([draw()])) == 1


@pytest.mark.skipif(not STATM.exists(), reason="the system does not tell a process's memory")
def test_what_a_job_took_before_it_ran_out_of_memory_is_given_back(
    studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is kept keeps its frames, and these all the tensors there were."""
    taken: list[int] = []

    def fill_then_fail(*args: Any, **kwargs: Any) -> None:
        full = [torch.ones(25_000_000) for _ in range(5)]  # 500 MB, written to
        taken.append(resident() - before)
        raise torch.OutOfMemoryError(f"out of memory after {len(full)} tensors")

    model = model_of(studio, draw)
    before = resident()
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(model, "predict", fill_then_fail)
            with pytest.raises(EngineError, match="not enough memory"):
                studio.pictures.draw([draw()])
    assert min(taken) > 400_000_000
    assert resident() <= before * 1.05
    assert len(studio.pictures.draw([draw()])) == 1
    assert resident() <= before * 1.05


def resident() -> int:
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- the disk -------------------------------------------------------------------------------------------------------


def test_a_full_disk_fails_the_job_in_a_sentence_and_is_got_over(
    settings: Settings, draw: Draw, small_disk: Path
) -> None:
    settings = settings.model_copy(update={"workspace": small_disk / "workspace"})
    with Studio(settings, backend="inline") as studio:
        kept = studio.pictures.draw([draw()])[0]
        filler = fill(small_disk)
        job_ids = []
        for seed in range(1, 4):
            try:  # refused at once if the ledger has no room, else failed when the picture has none
                job_ids.append(studio.pictures.submit([draw(seed=seed)]))
                assert "disk is full" in wait_for(studio, job_ids[-1], "failed").data["error"]
            except WorkspaceError as error:
                assert "disk is full" in str(error)
        assert kept.image_path.exists() and studio.history.newest()[0].id == kept.id
        filler.unlink()
        assert len(studio.pictures.draw([draw(seed=9)])) == 1
        assert {studio.jobs.get(job_id).status for job_id in job_ids} <= {"failed"}  # the ledger has caught up
        check_sound(studio)
        assert studio.history.count() == 2


def test_a_full_disk_refuses_to_open_in_a_sentence(settings: Settings, small_disk: Path) -> None:
    settings = settings.model_copy(update={"workspace": small_disk / "workspace"})
    filler = fill(small_disk)
    with pytest.raises(WorkspaceError, match="disk is full"):
        Studio(settings, backend="inline").open()
    filler.unlink()
    Studio(settings, backend="inline").open().close()


def test_a_read_only_disk_refuses_to_open_in_a_sentence(settings: Settings, small_disk: Path) -> None:
    settings = settings.model_copy(update={"workspace": small_disk / "workspace"})
    Studio(settings, backend="inline").open().close()
    mount("-o", "remount,ro", str(small_disk))
    with pytest.raises(WorkspaceError, match="read-only"):
        Studio(settings, backend="inline").open()


def test_pictures_that_become_read_only(settings: Settings, draw: Draw, small_disk: Path) -> None:
    settings = settings.model_copy(update={"workspace": small_disk / "workspace"})
    with Studio(settings, backend="inline") as studio:
        images = str(studio.archive.images.root)
        mount("--bind", images, images)
        mount("-o", "remount,ro,bind", images)
        with pytest.raises(EngineError, match="read-only"):
            studio.pictures.draw([draw()])
        subprocess.run(["umount", images], check=True)
        assert len(studio.pictures.draw([draw()])) == 1
        check_sound(studio)


def test_a_deleted_folder_of_pictures_is_made_again(studio: Studio, draw: Draw) -> None:
    studio.pictures.draw([draw()])
    shutil.rmtree(studio.archive.images.root)
    assert studio.pictures.draw([draw(seed=1)])[0].image_path.exists()


# -- anything a user can type ---------------------------------------------------------------------------------------

PROMPTS = {
    "10,000 characters": "star " * 2000,
    "one long word": "x" * 10_000,
    "emoji": "a 🧑‍🚀 on 🏳️‍🌈 ⭐️",
    "right to left": "نجمة حمراء \u202eabc\u202c כוכב אדום",
    "combining": "Z" + "\u0301\u0323" * 500,
    "unbalanced": "((a red [star:1.2) ]]} {{ red",
    "weights that are none": "(star:1e999) (star:nan) (:) :::",
    "lora": "<lora:../../x:9e9>",
    "html": "<img src=x onerror=alert(1)></textarea><script>",
    "template": "{{ 7*7 }} ${jndi:ldap://x} %s %n {0}",
    "sql": "'; DROP TABLE generations; --",
    "nul and controls": "a\0b\x1b[31m\x7f\u2028\ufeff",
    "lines": "\n\n\ta red star\r\n",
    "nothing": "",
    "spaces": "   ",
}


def test_any_prompt_goes_through_and_comes_back(studio: Studio, draw: Draw) -> None:
    recipes = [draw(prompt=text, negative_prompt=text[::-1]) for text in PROMPTS.values()]
    made = studio.pictures.draw(recipes)
    for name, recipe, one in zip(PROMPTS, recipes, made, strict=True):
        assert one.recipe == settled(recipe) == studio.history.get(one.id).recipe == read_png(one.image_path).recipe, (
            name
        )
    assert studio.history.count() == len(PROMPTS)
    assert all("\n" not in entry.description for entry in studio.jobs.queue())
    assert studio.history.count("DROP TABLE") == 1 and studio.history.count("🧑‍🚀") == 1


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_a_character_is_refused(studio: Studio, draw: Draw, text: str) -> None:
    with pytest.raises(StudioError, match="prompt"):
        studio.pictures.submit([draw().model_copy(update={"prompt": text})])
