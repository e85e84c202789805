"""How a campaign's recipes stand against each other, by who preferred which picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from studio.core.recipe import Recipe
from studio.preference.label import Label, standing
from studio.preference.ratings import ELO_SCALE, Game, Rating, bradley_terry
from studio.preference.trueskill import Skill, TrueSkill

WIN, DRAW = 1.0, 0.5


@dataclass(frozen=True)
class Standing:
    """One recipe, its prompt and seed left out.

    rating: Bradley-Terry's, in logits around the mean of all, with its interval.
    skill: TrueSkill's, after the answers in their order; of a list, after each of its comparisons.
    """

    recipe: Recipe
    rating: Rating
    skill: Skill

    @property
    def points(self) -> float:
        """The rating on Elo's scale, around 1000."""
        return 1000 + ELO_SCALE * self.rating.value

    @property
    def low(self) -> float:
        """The lower end of its interval, likewise."""
        return 1000 + ELO_SCALE * self.rating.low

    @property
    def high(self) -> float:
        """The upper end."""
        return 1000 + ELO_SCALE * self.rating.high


def standings(labels: Iterable[Label]) -> list[Standing]:
    """The recipes of labelled pictures, the best first; [] where no two were compared.

    Answers to the question "overall" about pictures that were drawn here, blind, in items drawn at random; no checks
    and no repeats. Of a list, each answer counts once; a tie is half a win of each.
    """
    players: dict[Recipe, int] = {}
    games: list[Game] = []
    for label in standing(list(labels)):
        recipes = [picture.recipe for picture in label.pictures]
        counts = label.is_blind and label.purpose in ("train", "eval") and label.chosen_by == "random"
        if not counts or label.question != "overall" or None in recipes:
            continue
        blanks = [recipe.model_copy(update={"prompt": "", "seed": 0}) for recipe in recipes if recipe is not None]
        numbers = [players.setdefault(blank, len(players)) for blank in blanks]
        ties = label.answer.ties()
        results = [
            (comparison.winner, comparison.loser, WIN, comparison.weight) for comparison in label.answer.comparisons()
        ]
        results += [(first, second, DRAW, 1 / len(ties)) for first, second in ties]
        games += [
            Game(numbers[first], numbers[second], score, weight * label.weight)
            for first, second, score, weight in results
            if numbers[first] != numbers[second]
        ]
    compared = {number for game in games for number in game[:2]}
    ratings = bradley_terry(games, len(players)) if games else []
    skills = TrueSkill().rate(games, len(players))
    rows = [
        Standing(recipe, ratings[number], skills[number]) for recipe, number in players.items() if number in compared
    ]
    return sorted(rows, key=lambda row: -row.rating.value)
