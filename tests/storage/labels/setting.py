"""A workspace with pictures to ask about, and a clock that one sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import func, insert, select

from studio.core.recipe import Recipe
from studio.preference.answer import Answer, Mode
from studio.preference.label import Purpose
from studio.storage.archive import Archive
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.items import NewItem
from studio.storage.labels.log import Circumstances, Receipt
from studio.storage.schema import generations


class SetClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class Setting:
    """An open workspace; names of people and numbers of answers are its own."""

    def __init__(self, root: Path, seed: int = 1) -> None:
        self.archive = Archive.open(root)
        self.labels = self.archive.labels
        self.clock = SetClock()
        self.labels.clock = self.clock
        self.labels.chance = Random(seed)
        self.sent = 0

    def pictures(self, count: int, prompt: str = "a star") -> list[int]:
        """Rows of the history; of their files nothing is read here."""
        return self.drawn([prompt] * count)

    def drawn(self, prompts: list[str]) -> list[int]:
        """A picture of each prompt, all in one transaction."""
        with self.archive._database.write() as connection:
            last = connection.execute(select(func.max(generations.c.id))).scalar_one() or 0
            numbers = range(last + 1, last + 1 + len(prompts))
            rows = [
                {
                    "id": number,
                    "image": f"{number:064x}",
                    "recipe": Recipe(prompt=prompt, seed=number).canonical_json(),
                    "prompt": prompt,
                    "negative_prompt": "",
                    "made_by": "{}",
                    "created_at": self.clock().isoformat(),
                    "model": "stencil",
                    "origin": "campaign",
                }
                for number, prompt in zip(numbers, prompts, strict=True)
            ]
            connection.execute(insert(generations), rows)
        return list(numbers)

    def campaign(self, name: str = "c", mode: Mode = "pair", **values: object) -> Campaign:
        fields = {"questions": ("overall",), **values}
        return self.labels.campaigns.add(name, {}, mode=mode, **fields)  # type: ignore[arg-type]

    def items(
        self, campaign: Campaign, count: int, pictures: int = 2, purpose: Purpose | None = None, prompts: int = 0
    ) -> list[int]:
        """Items of pictures of their own."""
        texts = [f"prompt {number % prompts if prompts else number}" for number in range(count)]
        drawn = self.drawn([text for text in texts for _ in range(pictures)])
        new = [
            NewItem(text, tuple(drawn[place * pictures : (place + 1) * pictures]), purpose)
            for place, text in enumerate(texts)
        ]
        return self.labels.items.add(campaign.id, new)

    def person(self, alias: str = "ada") -> str:
        return self.labels.annotators.ensure(alias).alias

    def id(self) -> str:
        self.sent += 1
        return f"vote-{self.sent}"

    def vote(self, token: str, answer: object = None) -> Receipt:
        chosen = answer if isinstance(answer, Answer) else Answer.pair("first")
        return self.labels.log.vote(self.id(), token, "overall", chosen, Circumstances())
