"""Which pictures a campaign asks about: prompts and recipes, put together as pairs, lists or single pictures.

A pure function of its arguments and a seed. What is compared is either seeds of one recipe, or recipes (models, edits,
guidance) at one seed. No recipe comes twice in a campaign, and so no two pictures of an item are equal by their making.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, Protocol, get_args

import numpy as np

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.preference.hidden_words import draw_words

Form = Literal["pair", "list", "single"]
FORMS: tuple[Form, ...] = get_args(Form)
PICTURES: dict[Form, int] = {"pair": 2, "list": 4, "single": 1}
MAX_ITEMS = 5_000
MAX_ARMS = 8
CHECKS_SHARE = 0.05  # of all items, at most
FEW_STEPS = 8  # with fewer, a picture of one step may be none the worse
_SEEDS = 2**32  # of torch's generator on the CPU, which reads no more of a seed
_TRIES = 100  # to draw a recipe that is not there yet


class Prompt(Protocol):
    """What labellers read, and the sentences that pictures of it may be drawn with."""

    @property
    def text(self) -> str:
        """The prompt as labellers read it."""
        ...

    def saying(self, words: Sequence[str]) -> str:
        """The same with words that labellers do not read."""
        ...


@dataclass(frozen=True)
class TypedPrompt:
    """A prompt somebody wrote; hidden words come after it."""

    text: str

    def saying(self, words: Sequence[str]) -> str:
        """The prompt, and the words after a comma each."""
        return ", ".join((self.text, *words))


@dataclass(frozen=True)
class PlannedItem:
    """One item before anything of it is drawn.

    prompt: as labellers read it.
    recipes: of its pictures, in the item's own order.
    arms: which of the campaign's recipes each is of.
    wrong: of an attention check, the picture that cannot be the better one; None of all others.
    """

    prompt: str
    recipes: tuple[Recipe, ...]
    arms: tuple[int, ...]
    wrong: int | None = None


@dataclass(frozen=True)
class Design:
    """How items are put together.

    form: pair, list (of 4) or single.
    count: of items, attention checks aside.
    seed: of all that is drawn at random.
    same_seed: whether several recipes are compared at one seed, so that nothing else differs.
    checks: share of attention checks among all that is asked, 0 to CHECKS_SHARE.
    hidden_share: share of the items whose pictures are drawn with hidden words, 0 to 1.
    hidden_words: groups of them; each picture gets one of every group.
    liked: how much each word was liked, 0 to 1 (studio.preference.hidden_words.liking).
    Raises BadInput for what is out of range.
    """

    form: Form = "pair"
    count: int = 30
    seed: int = 0
    same_seed: bool = True
    checks: float = 0.0
    hidden_share: float = 0.0
    hidden_words: tuple[tuple[str, ...], ...] = ()
    liked: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise BadInput(f"A campaign asks about a {', a '.join(FORMS)}, not {shown(self.form)}.", field="form")
        if type(self.count) is not int or not 1 <= self.count <= MAX_ITEMS:
            message = f"A campaign has 1 to {MAX_ITEMS:,} items, not {shown(self.count)}."
            raise BadInput(message, field="count")
        if not 0 <= self.checks <= CHECKS_SHARE:
            message = f"At most {CHECKS_SHARE:.0%} of the items are attention checks, not {shown(self.checks)}."
            raise BadInput(message, "More of them tire whoever labels.", field="checks")
        if not 0 <= self.hidden_share <= 1:
            raise BadInput(f"A share is 0 to 1, not {shown(self.hidden_share)}.", field="hidden_share")
        if self.hidden_share and not all(self.hidden_words):
            raise BadInput("A group of hidden words is empty.", field="hidden_words")


def plan_items(
    prompts: Sequence[Prompt], arms: Sequence[Recipe], design: Design, *, present: Sequence[Recipe] = ()
) -> list[PlannedItem]:
    """The items of a campaign, and behind them its attention checks, which are asked in between.

    prompts: taken in turns.
    arms: the recipes that are compared, 1 to MAX_ARMS; prompt and seed are set here.
    present: recipes that there are already, none of which comes again.
    Raises BadInput for no prompt, no recipe, too many, or equal ones; and where no recipe is left to be drawn.
    """
    if not prompts:
        raise BadInput("A campaign needs a prompt.", "Write one, or let them be drawn.", field="prompts")
    if not 1 <= len(arms) <= MAX_ARMS:
        raise BadInput(f"A campaign compares 1 to {MAX_ARMS} recipes, not {len(arms)}.", field="recipes")
    blanks = [arm.model_copy(update={"prompt": "", "seed": 0}) for arm in arms]
    if len(set(blanks)) < len(blanks):
        raise BadInput("Two of the recipes to compare are equal.", "Remove one, or change it.", field="recipes")
    rng = np.random.default_rng(design.seed)
    planner = _Planner(rng, arms, design, {recipe.digest() for recipe in present})
    number_of_hidden = round(design.hidden_share * design.count) if design.hidden_words else 0
    is_hidden = [bool(k < number_of_hidden) for k in rng.permutation(design.count)]
    turns = planner.arm_turns()
    items = [planner.item(prompts[k % len(prompts)], next(turns), has_hidden=is_hidden[k]) for k in range(design.count)]
    checks = (planner.check(prompts, number) for number in range(check_count(design)))
    return [*items, *(check for check in checks if check is not None)]


def check_count(design: Design) -> int:
    """How many attention checks there are: one at least where there are any, for each is asked once of everybody."""
    if not design.checks:
        return 0
    return max(1, int(design.checks * design.count / (1 - design.checks) + 1e-9))


class _Planner:
    def __init__(self, rng: np.random.Generator, arms: Sequence[Recipe], design: Design, digests: set[str]) -> None:
        self._rng = rng
        self._arms = arms
        self._design = design
        self._digests = digests
        self._size = PICTURES[design.form]

    def arm_turns(self) -> Iterator[tuple[int, ...]]:
        """The arms of one item after the other: every combination equally often, in an order of its own each round."""
        size, count = self._size, len(self._arms)
        if count >= size:
            combos = list(combinations(range(count), size))
        else:  # fewer recipes than pictures: each of them as often as it goes, at further seeds
            combos = [tuple((first + k) % count for k in range(size)) for first in range(count)]
        while True:
            for k in self._rng.permutation(len(combos)):
                order = self._rng.permutation(size)
                yield tuple(combos[int(k)][int(place)] for place in order)

    def item(self, prompt: Prompt, arms: tuple[int, ...], *, has_hidden: bool) -> PlannedItem:
        shares_seed = self._design.same_seed and len(self._arms) > 1
        for _ in range(_TRIES):
            recipes = self._recipes(prompt, arms, shares_seed, has_hidden)
            digests = {recipe.digest() for recipe in recipes}
            if len(digests) == len(recipes) and not digests & self._digests:
                self._digests |= digests
                return PlannedItem(prompt.text, recipes, arms)
        raise BadInput("No further picture can be drawn that is not there already.", "Take more prompts or recipes.")

    def _recipes(
        self, prompt: Prompt, arms: tuple[int, ...], shares_seed: bool, has_hidden: bool
    ) -> tuple[Recipe, ...]:
        seeds: dict[int, int] = {}  # by how often the arm came before: those beside each other share one
        recipes: list[Recipe] = []
        seen_arms: list[int] = []
        words: tuple[str, ...] = ()
        for arm in arms:
            round_of_arm = seen_arms.count(arm) if shares_seed else len(seen_arms)
            seen_arms.append(arm)
            if round_of_arm not in seeds:
                seeds[round_of_arm] = self.seed()
                # Where recipes are compared at one seed, their words are one too: nothing else may differ.
                words = self._words() if has_hidden else ()
            values = {"prompt": prompt.saying(words), "seed": seeds[round_of_arm]}
            recipes.append(self._arms[arm].model_copy(update=values))
        return tuple(recipes)

    def seed(self) -> int:
        return int(self._rng.integers(_SEEDS))

    def _words(self) -> tuple[str, ...]:
        return draw_words(self._rng, self._design.hidden_words, self._design.liked)

    def check(self, prompts: Sequence[Prompt], number: int) -> PlannedItem | None:
        """An attention check: a picture beside its own at a single step, or beside that of another prompt.

        None where neither can be made.
        """
        prompt = prompts[int(self._rng.integers(len(prompts)))]
        arm = int(self._rng.integers(len(self._arms)))
        is_degradable = self._arms[arm].steps >= FEW_STEPS
        wrong_texts = [candidate.text for candidate in prompts if candidate.text != prompt.text]
        if not is_degradable and not wrong_texts:
            return None
        is_degraded = is_degradable and (number % 2 == 0 or not wrong_texts)
        wrong = int(self._rng.integers(self._size))
        recipes: list[Recipe] = []
        seed = self.seed()
        for place in range(self._size):
            values = {"prompt": prompt.text, "seed": seed if is_degraded and self._size == 2 else self.seed()}
            if place == wrong:
                text = wrong_texts[int(self._rng.integers(len(wrong_texts)))] if wrong_texts else prompt.text
                values |= {"steps": 1} if is_degraded else {"prompt": text}
            recipes.append(self._arms[arm].model_copy(update=values))
        self._digests |= {recipe.digest() for recipe in recipes}
        return PlannedItem(prompt.text, tuple(recipes), (arm,) * self._size, wrong)


def recipes_of(items: Sequence[PlannedItem]) -> list[Recipe]:
    """The recipes of all pictures, item after item."""
    return [recipe for item in items for recipe in item.recipes]


def again(item: PlannedItem, seed: int) -> PlannedItem:
    """The same item with other pictures: what is drawn where two came out alike. seed: of the first round."""
    seeds = {old: (seed + k) % _SEEDS for k, old in enumerate(dict.fromkeys(recipe.seed for recipe in item.recipes))}
    recipes = tuple(recipe.model_copy(update={"seed": seeds[recipe.seed]}) for recipe in item.recipes)
    return PlannedItem(item.prompt, recipes, item.arms, item.wrong)
