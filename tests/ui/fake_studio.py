"""The studio with an engine that has no model: it draws scenes of the world, as slowly as asked. All else is real."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from studio.core.errors import Cancelled, NonFinite
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.backend import Backend, InlineBackend
from studio.services.recording import Recorder
from studio.services.studio import Studio
from studio.storage.archive import Archive
from studio.world.render import render
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES, one_object


class Sketcher:
    """In the place of `engine.runner.Engine`. step_s: seconds a step takes. fail_at: step of a job's first picture at
    which the job fails, None for never. hold: whether what begins from now on goes on until it is stopped. An edit of
    the stack tints the picture by its strength; tints: whether it does. crosstalk: how much
    erasures disturb each other. steers: how much of what attributes lack at the base a balance's looks reach.
    """

    def __init__(self, step_s: float, fail_at: int | None) -> None:
        self.step_s, self.fail_at = step_s, fail_at
        self.hold = False
        self.tints = True
        self.crosstalk = 0.1
        self.steers = 1.0

    def made_by(self) -> dict[str, Any]:
        return {"model": "stencil", "device": "cpu", "dtype": "fp32", "threads": 2}

    def steps(self, job: Mapping[str, Any], tell: Any, should_stop: Callable[[], bool]) -> Iterator[None]:
        if job["kind"] == "erase":
            yield from self._erasure(job, tell, should_stop)
            return
        if job["kind"] == "balance":
            yield from self._balance(job, tell, should_stop)
            return
        if job["kind"] == "neighbours":  # as near as they are early
            tell("started", {"steps": 1})
            tell("measure", {"step": 1, "values": {word: -place / 100 for place, word in enumerate(job["words"])}})
            tell("done", {"images": 0})
            return
        if job["kind"] == "interference":
            self._together(job, tell)
            return
        if job["kind"] in ("features", "read"):  # sketches have nothing to tell
            tell("started", {"images": 0})
            tell("done", {"images": 0})
            return
        if job["kind"] == "train" and "plan" in job:  # without one it tells numbers, as any other kind
            yield from self._training(job, tell, should_stop)
            return
        if job["kind"] != "generate":
            yield from self._measures(int(job["steps"]), tell, should_stop)
            return
        recipes = [Recipe.load(values) for values in job["recipes"]]
        tell("started", {"images": len(recipes)})
        total, done = sum(recipe.steps for recipe in recipes), 0
        for index, recipe in enumerate(recipes):
            picture = _picture(recipe if self.tints else recipe.model_copy(update={"edits": ()}))
            for step in range(1, recipe.steps + 1):
                time.sleep(self.step_s)
                while self.hold and not should_stop():
                    time.sleep(0.005)
                if should_stop():
                    raise Cancelled("The job was stopped.")
                if step == self.fail_at:
                    raise NonFinite("A NaN appeared at a <b>step</b>.")
                done += 1
                tell(
                    "progress",
                    {
                        "image": index,
                        "images": len(recipes),
                        "step": step,
                        "steps": recipe.steps,
                        "left_s": (total - done) * self.step_s,
                    },
                )
                blurred = picture.resize((32, 32)).filter(ImageFilter.GaussianBlur(5 * (1 - step / recipe.steps)))
                tell("preview", {"image": index, "png": _png(blurred)})
                yield
            data = {"image": index, "recipe": recipe.model_dump(mode="json"), "made_by": self.made_by(), "seconds": 1.0}
            data |= {"origin": job["origin"]} if "origin" in job else {}
            tell("image", {**data, "rgb": picture.tobytes(), "width": picture.width, "height": picture.height})
        tell("done", {"images": len(recipes), "seconds": 1.0})

    def _erasure(self, job: Mapping[str, Any], tell: Any, should_stop: Callable[[], bool]) -> Iterator[None]:
        """An edit of two layers, as large as the plan's completeness, and a little by its name."""
        tell("started", {"steps": 1})
        while self.hold and not should_stop():
            time.sleep(0.005)
        if should_stop():
            raise Cancelled("The job was stopped.")
        yield
        # Here and not above: they bring torch, which a page is built and opened without.
        from studio.training.handover import hand_over
        from tests.ui.stencil_edits import small_edit

        plan = job["plan"]
        measures = {f"{concept['words']}: {name}": value for concept in plan["concepts"]
                    for name, value in (("completeness", 0.9), ("leak", 0.05))}  # fmt: skip
        tell("measure", {"step": 1, "values": measures})
        made = {"method": "uce", "measures": measures}
        shares = [{**plan, "concepts": [concept], "sliders": False} for concept in plan["concepts"]]
        sliders = shares if plan.get("sliders") and len(shares) > 1 else []
        for place, share in enumerate(sliders, start=1):
            words = share["concepts"][0]["words"]
            part = small_edit(f"{plan['name']}: {words}", size=plan["completeness"] / (1 + place),
                              provenance={**made, "erasure": share, "solved_with": plan})  # fmt: skip
            facts = hand_over(part, Path(job["folder"]), steps=1, final=True, name=f"edit-{place}.safetensors")
            tell("edit", {**facts, "part": words})
            made.setdefault("parts", []).append({"words": words, "sha256": part.sha256})
        size = plan["completeness"] * len(plan["concepts"]) + sum(map(ord, plan["name"])) / 1e5
        edit = small_edit(plan["name"], size=size, provenance={**made, "erasure": plan})
        tell("edit", hand_over(edit, Path(job["folder"]), steps=1, final=True))
        tell("done", {"images": 0, "seconds": 0.2})

    def _balance(self, job: Mapping[str, Any], tell: Any, should_stop: Callable[[], bool]) -> Iterator[None]:
        """The base shows the first attribute alone; each look goes half of what is left, as far as it `steers`."""
        from studio.training.balance.outcome import BROKEN, FARTHEST, OF_BASE, outcome
        from studio.training.balance.plan import METHOD, read_plan
        from studio.training.handover import hand_over
        from tests.ui.stencil_edits import small_edit

        plan = read_plan(job["plan"])
        words = [attribute.words for attribute in plan.attributes]

        def measured(reach: float) -> dict[str, float]:
            shares = [(1 - reach) * (place == 0) + reach * aim for place, aim in enumerate(plan.targets)]
            off = max(abs(aim - share) for aim, share in zip(plan.targets, shares, strict=True))
            return {**dict(zip(words, shares, strict=True)), FARTHEST: off, BROKEN: 0.0}

        looks: list[dict[str, float]] = []

        def edit(check: Mapping[str, float]) -> Any:
            made = {"method": METHOD, "balance": job["plan"], "measures": check, "looks": looks}
            gammas = dict.fromkeys(words, float(self.steers > 0 and len(looks) > 1))
            return small_edit(plan.name, size=1.0, provenance={**made, "gammas": gammas})

        tell("started", {"steps": plan.rounds})
        try:
            for step in range(plan.rounds):
                for k in range(plan.pictures):
                    time.sleep(self.step_s)
                    while self.hold and not should_stop():
                        time.sleep(0.005)
                    if should_stop():
                        raise Cancelled("The job was stopped.")
                    done = (step * plan.pictures + k) / (plan.rounds * plan.pictures)
                    tell("progress", {"step": k, "steps": plan.pictures, "done": done, "left_s": 1.0})
                    yield
                looks.append(measured(self.steers * (1 - 0.5**step)))
                tell("measure", {"step": step, "values": looks[-1]})
        except Cancelled:
            if len(looks) > 1:
                tell("edit", hand_over(edit({}), Path(job["folder"]), len(looks) - 1, final=False))
            raise
        base = {f"{name}{OF_BASE}": value for name, value in measured(0).items()}
        check = {**looks[-1], **base}
        tell("measure", {"step": plan.rounds - 1, "values": check})
        made = edit(check)
        came_to = outcome(plan, looks, made.provenance["gammas"], check)
        facts = hand_over(made, Path(job["folder"]), plan.rounds - 1, final=True)
        tell("edit", {**facts, "ended": came_to.sentence})
        tell("done", {"images": 0, "seconds": 1.0})

    def _together(self, job: Mapping[str, Any], tell: Any) -> None:
        """Each concept goes 0.95 of its way by its own edit, and every other takes `crosstalk` from that."""
        from studio.engine.edits.manifest import read_manifest

        names = [member["edit"] for member in job["stack"]]
        manifests = [read_manifest(Path(job["edits"][name]))[0] for name in names]
        owners = [place for place, made in enumerate(manifests) for _ in made.provenance["erasure"]["concepts"]]
        values: dict[str, float] = {}
        for k, owner in enumerate(owners):
            for i in range(len(names)):
                values[f"{k}/{i}"] = 0.95 if i == owner else 0.0
                values |= {f"{k}/{i}/{j}": 0.0 for j in range(i + 1, len(names))}
                values[f"{k}/{i}/{i}"] = 0.95 if i == owner else self.crosstalk
        tell("started", {"steps": 1})
        tell("measure", {"step": 1, "values": values})
        tell("done", {"images": 0})

    def _training(self, job: Mapping[str, Any], tell: Any, should_stop: Callable[[], bool]) -> Iterator[None]:
        """An edit as large as the steps it has had; what is stopped after its first step hands over what it has."""
        from studio.training.handover import hand_over
        from tests.ui.stencil_edits import small_edit

        plan, step = job["plan"], 0

        def hand_over_at(step: int) -> None:
            edit = small_edit(plan["name"], size=step / 100, provenance=plan["provenance"])
            tell("edit", hand_over(edit, Path(job["folder"]), steps=step, final=step == plan["steps"]))

        try:
            for _ in self._measures(plan["steps"], lambda kind, data: kind != "done" and tell(kind, data), should_stop):
                step += 1
                yield
        except Cancelled:
            if step:
                hand_over_at(step)
            raise
        hand_over_at(step)
        tell("done", {"images": 0, "seconds": 2.0, "steps": step})

    def _measures(self, steps: int, tell: Any, should_stop: Callable[[], bool]) -> Iterator[None]:
        """Work that makes no pictures and measures something at each step."""
        tell("started", {"images": 0})
        for step in range(1, steps + 1):
            time.sleep(self.step_s)
            while self.hold and not should_stop():
                time.sleep(0.005)
            if should_stop():
                raise Cancelled("The job was stopped.")
            tell("measure", {"step": step, "values": {"loss": 1 / step}})
            left_s = (steps - step) * self.step_s
            tell("progress", {"step": step, "steps": steps, "left_s": left_s, "done": step / steps})
            yield
        tell("done", {"images": 0, "seconds": 1.0})


class FakeStudio(Studio):
    """A studio, to be opened and closed, whose engine is a `Sketcher`."""

    def __init__(self, folder: Path, step_s: float = 0.05, fail_at: int | None = None) -> None:
        super().__init__(Settings(workspace=folder))
        self.sketcher = Sketcher(step_s, fail_at)

    def _backend(self, archive: Archive, recorder: Recorder) -> Backend:
        backend = InlineBackend(self.sources.engine_config(), recorder)
        backend._engine = self.sketcher
        return backend

    def __enter__(self) -> FakeStudio:
        self.open()
        return self

    def ended(self, job_id: str | None, timeout_s: float = 20) -> str:
        """Wait for a job's end; give its id."""
        assert job_id is not None
        deadline = time.monotonic() + timeout_s
        while not self.jobs.events(job_id)[-1].final:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return job_id


def _picture(recipe: Recipe) -> Image.Image:
    said = recipe.prompt.split()

    def named(known: Sequence[str], salt: int) -> str:
        return next((word for word in said if word in known), known[(recipe.seed + salt) % len(known)])

    scene = one_object(
        named(OBJECTS, 0), named(COLOUR_NAMES, 1), style=named(STYLE_NAMES, 2), background=named(BACKGROUND_NAMES, 3)
    )
    picture = np.asarray(render(scene, recipe.width).resize((recipe.width, recipe.height)), dtype=np.float64)
    tint = sum(edit.strength for edit in recipe.edits)
    return Image.fromarray((picture * 0.7**tint).clip(0, 255).astype(np.uint8))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
