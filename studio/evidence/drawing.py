"""Drawing the arms: recipes of equal network work, in shared batches on the one engine, each arm once per run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from studio.core.recipe import Recipe
from studio.evidence.claim import Arm
from studio.models.card import ModelCard
from studio.services.budget import network_rows, within
from studio.services.sources import EMBEDDED
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import Draw
from studio.training.evaluate.evaluator import Place, Series, evaluate, left
from studio.training.evaluate.measures import measured
from studio.training.evaluate.meter import FeatureReader, Meter
from studio.training.evaluate.protocol import Protocol
from studio.training.evaluate.results import Result
from studio.training.evaluate.suites import SUITES
from studio.world.render import render_uint8

BLOCK = 64  # pictures drawn together, of all arms side by side


def suite(name: str, pictures: int) -> tuple[Case, ...]:
    """The cases of a suite of the claims by its short name, about so many, all seeds of each prompt."""
    seeds = _seeds(SUITES.get(f"claims-{name}").cases(8))
    return SUITES.get(f"claims-{name}").cases(max(1, pictures // seeds) * seeds)


def _seeds(cases: Sequence[Case]) -> int:
    return len(cases) // len(dict.fromkeys(case.prompt for case in cases))


def protocol_of(arm: Arm, case: Case, card: ModelCard) -> Protocol:
    """How an arm draws. Its steps are those it fixes, or the most its rows allow for a case. Raises as `within`."""
    protocol = Protocol(
        guidance=arm.guidance, steps=arm.steps or 1, sampler=arm.sampler, negative=arm.negative, batching="shared"
    )
    if arm.steps is not None:
        return protocol
    recipe = within(protocol.recipe(case, EMBEDDED, card.default_size_px), card, arm.rows)
    return protocol.model_copy(update={"steps": recipe.steps})


class Gallery:
    """Arms drawn and measured, each once: arms that several claims share are drawn for the first of them.

    draw, oracle: what makes and what reads pictures. pictures: per arm. on_rows: called with the network rows of each
    picture as it is finished.
    """

    def __init__(
        self, draw: Draw, oracle: FeatureReader, card: ModelCard, pictures: int, on_rows: Callable[[int], None]
    ) -> None:
        self._draw, self._oracle, self._card, self._on_rows = draw, oracle, card, on_rows
        self._pictures = pictures
        self._suites: dict[str, tuple[Case, ...]] = {}
        self._series: dict[tuple[str, Arm], Series] = {}
        self._rows: dict[tuple[str, Arm], int] = {}
        self._measured: dict[tuple[str, Arm], dict[str, Tensor]] = {}
        self._renders: dict[str, dict[str, Tensor]] = {}

    def suite(self, name: str) -> tuple[Case, ...]:
        """The cases of a suite, the same whenever asked."""
        if name not in self._suites:
            self._suites[name] = suite(name, self._pictures)
        return self._suites[name]

    def recipes(self, suite_name: str, arm: Arm) -> Sequence[Recipe]:
        """The recipes of an arm, the seeds of a prompt side by side."""
        return self._of(suite_name, arm).recipes

    def rows(self, suite_name: str, arm: Arm) -> int:
        """Network rows of one picture of an arm."""
        if (suite_name, arm) not in self._rows:
            self._rows[suite_name, arm] = network_rows(self.recipes(suite_name, arm)[0], self._card)
        return self._rows[suite_name, arm]

    def steps(self, suite_name: str, arm: Arm) -> int:
        """Sampling steps of an arm."""
        return self.recipes(suite_name, arm)[0].steps

    def cost(self, suite_name: str, arms: Sequence[Arm]) -> int:
        """Network rows that drawing these would take now, those drawn already not counted."""
        missing = [arm for arm in dict.fromkeys(arms) if (suite_name, arm) not in self._measured]
        return sum(self.rows(suite_name, arm) for arm in missing) * len(self.suite(suite_name))

    def renders(self, suite_name: str) -> dict[str, Tensor] | None:
        """Measure -> [P] of the scenes themselves, as the world draws them; None where prompts describe many scenes.

        What pictures should come close to: the goal of a tone is that of the data, not a low one.
        """
        cases = list({case.prompt: case for case in self.suite(suite_name)}.values())  # one of each prompt
        scenes = [case.scene for case in cases if case.scene is not None]
        if suite_name not in self._renders and len(scenes) == len(cases):
            facts = Meter(self._oracle.read)([render_uint8(scene) for scene in scenes])
            self._renders[suite_name] = measured(
                [Result(case, case_facts) for case, case_facts in zip(cases, facts, strict=True)]
            )
        return self._renders.get(suite_name)

    def measured(self, suite_name: str, arms: Sequence[Arm]) -> list[dict[str, Tensor]]:
        """Measure -> [P] for each arm, drawing together those that are missing."""
        missing = [arm for arm in dict.fromkeys(arms) if (suite_name, arm) not in self._measured]
        series = [self._of(suite_name, arm) for arm in missing]
        costs = [self.rows(suite_name, arm) for arm in missing]
        # All arms of a picture side by side: they start from one noise and share the rows of their first step.
        order: list[Place] = [(a, i) for i in range(len(self.suite(suite_name))) for a in range(len(missing))]
        blocks = left(series, [order[at : at + BLOCK] for at in range(0, len(order), BLOCK)])
        varied = self.prompts(suite_name) < len(self.suite(suite_name))  # there is variety between seeds to measure
        meter = Meter(self._oracle.read, self._oracle.features if varied else None)
        for _ in evaluate(series, blocks, self._draw, meter, lambda place: self._on_rows(costs[place[0]])):
            pass
        for arm, arm_series in zip(missing, series, strict=True):
            self._measured[suite_name, arm] = measured(arm_series.results())
        return [self._measured[suite_name, arm] for arm in arms]

    def prompts(self, suite_name: str) -> int:
        """How many prompts a suite has."""
        return len({case.prompt for case in self.suite(suite_name)})

    def _of(self, suite_name: str, arm: Arm) -> Series:
        """The arm's cases and recipes; how many steps its rows allow takes long to say, and is asked once."""
        if (suite_name, arm) not in self._series:
            cases, side = self.suite(suite_name), self._card.default_size_px
            protocol = protocol_of(arm, cases[0], self._card)  # the steps are the same for all
            recipes = [protocol.recipe(case, EMBEDDED, side) for case in cases]
            self._series[suite_name, arm] = Series(cases, recipes)
        return self._series[suite_name, arm]
