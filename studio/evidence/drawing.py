"""Drawing the arms: recipes of equal network work, in shared batches on the one engine, each arm once per run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from studio.core.recipe import Recipe
from studio.evidence.claim import Arm
from studio.evidence.measuring import Reader, measure
from studio.evidence.prompts import Prompt, Suite, suite
from studio.models.card import ModelCard
from studio.services.budget import network_rows, within
from studio.world.render import render_uint8

BLOCK = 64  # pictures of one job; between jobs, progress is told

Picture = npt.NDArray[np.uint8]


class Draw(Protocol):
    """What makes pictures: recipes in, [H, W, 3] each, in their order. on_picture: called after each with its index."""

    def __call__(self, recipes: Sequence[Recipe], on_picture: Callable[[int], None], /) -> list[Picture]: ...


def engine_draw(engine: Any) -> Draw:
    """Draw with an engine (studio.engine.runner.Engine). Raises what its jobs do."""

    def draw(recipes: Sequence[Recipe], on_picture: Callable[[int], None]) -> list[Picture]:
        made: dict[int, Picture] = {}

        def tell(kind: str, data: dict[str, Any]) -> None:
            if kind == "image":
                shape = (data["height"], data["width"], 3)
                made[data["image"]] = np.frombuffer(data["rgb"], dtype=np.uint8).reshape(shape)
                on_picture(data["image"])

        plain = [recipe.model_dump(mode="json") for recipe in recipes]
        engine.run({"kind": "generate", "recipes": plain, "edits": {}}, tell, lambda: False)
        return [made[index] for index in range(len(recipes))]

    return draw


def recipe_of(arm: Arm, prompt: Prompt, seed: int, card: ModelCard) -> Recipe:
    """The recipe of one picture. Its steps are fixed by the arm, or the most its rows allow. Raises as `within`."""
    text = f"{prompt.text} AND {prompt.negative} :-1" if arm.negative == "composed" else prompt.text
    side = card.default_size_px
    recipe = Recipe(
        prompt=text,
        negative_prompt=prompt.negative if arm.negative == "field" else "",
        seed=seed,
        width=side,
        height=side,
        sampler=arm.sampler,
        guidance=arm.guidance,
        batching="shared",
        steps=arm.steps or 1,
    )
    return recipe if arm.steps is not None else within(recipe, card, arm.rows)


class Gallery:
    """Arms drawn and measured, each once: arms that several claims share are drawn for the first of them.

    pictures: per arm. on_rows: called with the network rows of each picture as it is finished.
    """

    def __init__(
        self, draw: Draw, oracle: Reader, card: ModelCard, pictures: int, on_rows: Callable[[int], None]
    ) -> None:
        self._draw, self._oracle, self._card, self._on_rows = draw, oracle, card, on_rows
        self._pictures = pictures
        self._suites: dict[str, Suite] = {}
        self._measured: dict[tuple[str, Arm], dict[str, Tensor]] = {}
        self._renders: dict[str, dict[str, Tensor]] = {}

    def suite(self, name: str) -> Suite:
        """The prompts of a suite, the same whenever asked."""
        if name not in self._suites:
            self._suites[name] = suite(name, self._pictures)
        return self._suites[name]

    def recipes(self, suite_name: str, arm: Arm) -> list[Recipe]:
        """The recipes of an arm, the seeds of a prompt side by side."""
        chosen = self.suite(suite_name)
        first = recipe_of(arm, chosen.prompts[0], 0, self._card)  # the steps are the same for all
        fixed = Arm(arm.guidance, arm.rows, first.steps, arm.sampler, arm.negative)
        return [
            recipe_of(fixed, prompt, chosen.seed(p, k), self._card)
            for p, prompt in enumerate(chosen.prompts)
            for k in range(chosen.seeds)
        ]

    def rows(self, suite_name: str, arm: Arm) -> int:
        """Network rows of one picture of an arm."""
        return network_rows(self.recipes(suite_name, arm)[0], self._card)

    def steps(self, suite_name: str, arm: Arm) -> int:
        """Sampling steps of an arm."""
        return self.recipes(suite_name, arm)[0].steps

    def cost(self, suite_name: str, arms: Sequence[Arm]) -> int:
        """Network rows that drawing these would take now, those drawn already not counted."""
        missing = [arm for arm in dict.fromkeys(arms) if (suite_name, arm) not in self._measured]
        return sum(self.rows(suite_name, arm) for arm in missing) * self.suite(suite_name).pictures

    def renders(self, suite_name: str) -> dict[str, Tensor] | None:
        """Measure -> [P] of the scenes themselves, as the world draws them; None where prompts describe many scenes.

        What pictures should come close to: the goal of a tone is that of the data, not a low one.
        """
        prompts = self.suite(suite_name).prompts
        scenes = [prompt.scene for prompt in prompts if prompt.scene is not None]
        if suite_name not in self._renders and len(scenes) == len(prompts):
            pictures = np.stack([render_uint8(scene) for scene in scenes])
            self._renders[suite_name] = measure(pictures, Suite(prompts, 1), self._oracle)
        return self._renders.get(suite_name)

    def measured(self, suite_name: str, arms: Sequence[Arm]) -> list[dict[str, Tensor]]:
        """Measure -> [P] for each arm, drawing together those that are missing."""
        missing = [arm for arm in dict.fromkeys(arms) if (suite_name, arm) not in self._measured]
        if missing:
            by_arm = [self.recipes(suite_name, arm) for arm in missing]
            costs = [self.rows(suite_name, arm) for arm in missing]
            # All arms of a picture side by side: they start from one noise and share the rows of their first step.
            order = [(a, i) for i in range(len(by_arm[0])) for a in range(len(missing))]
            pictures: dict[tuple[int, int], Picture] = {}
            for at in range(0, len(order), BLOCK):
                block = order[at : at + BLOCK]
                made = self._draw(
                    [by_arm[a][i] for a, i in block], lambda index, block=block: self._on_rows(costs[block[index][0]])
                )
                pictures |= dict(zip(block, made, strict=True))
            for a, arm in enumerate(missing):
                own = np.stack([pictures[a, i] for i in range(len(by_arm[a]))])
                self._measured[suite_name, arm] = measure(own, self.suite(suite_name), self._oracle)
        return [self._measured[suite_name, arm] for arm in arms]
