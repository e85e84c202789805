"""Campaigns of labels, for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from studio.preference.campaign import CHECKS_SHARE, MAX_ARMS, MAX_ITEMS
from studio.services.labels.design import CampaignDesign, base_recipe
from studio.services.labels.plan import MAX_NAME_CHARS, CampaignPlan
from studio.ui.api.values import Plain, Seed

if TYPE_CHECKING:
    from studio.services.studio import Studio

CampaignName = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


class CampaignApi:
    """The endpoints, as methods of an open studio. Each raises StudioError, whose sentence the client gets."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def campaigns(self, archived: bool = False) -> list[Plain]:
        """List the campaigns of labels, newest first: how far each is drawn and answered. archived: those as well."""
        return [self._studio.campaigns.facts(campaign) for campaign in self._studio.labels.campaigns(archived)]

    def campaign(self, campaign: CampaignName) -> Plain:
        """Tell how a campaign stands, by its name or number."""
        return self._studio.campaigns.facts(self._studio.labels.find(campaign))

    def make_campaign(
        self,
        name: CampaignName,
        count: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 30,
        mode: Literal["pair", "best", "best_worst", "ranking", "thumb"] = "pair",
        questions: Annotated[list[Literal["overall", "prompt", "look"]] | None, Field(max_length=3)] = None,
        prompts: Annotated[list[str] | None, Field(max_length=1000)] = None,
        hidden_share: Annotated[float, Field(ge=0, le=1)] = 0.0,
        hidden_words: Annotated[list[list[str]] | None, Field(max_length=4)] = None,
        recipes: Annotated[list[dict[str, Any]] | None, Field(max_length=MAX_ARMS)] = None,
        same_seed: bool = True,
        seed: Seed = None,
        guideline: Annotated[str, Field(max_length=20_000)] = "",
        people: Annotated[int, Field(ge=1, le=100)] = 1,
        checks: bool = True,
        reveal: Literal["never", "after", "end"] = "never",
    ) -> Plain:
        """Make a campaign and have its pictures drawn, ahead of whoever labels; gives how it stands.

        prompts: null draws open ones of Stencil's world. recipes: those that are compared, as of `generate`; null: one
        of Stencil's. hidden_words: groups of words that pictures are drawn with and prompts do not say.
        reveal: when it is told what each picture was.
        """
        base = base_recipe(self._studio.sources)
        arms = [{"recipe": recipe} for recipe in recipes or [base.model_dump(mode="json")]]
        design = CampaignDesign.load(
            {
                "count": count,
                "prompts": prompts or [],
                "hidden_share": hidden_share,
                "hidden_words": hidden_words or [],
                "same_seed": same_seed,
                "seed": seed,
                "arms": arms,
                **({} if checks else {"checks": 0.0}),
            }
        )
        plan = CampaignPlan(
            name,
            source="planned",
            mode=mode,
            questions=tuple(questions or ("overall",)),
            guideline=guideline,
            target_per_item=people,
            check_share=CHECKS_SHARE if checks else 0.0,
            reveal=reveal,
        )
        return self._studio.campaigns.facts(self._studio.campaigns.make(plan, design))

    def draw_campaign(self, campaign: CampaignName, on: bool = True) -> Plain:
        """Draw what is missing of a campaign, or (on=false) stop drawing; what is drawn is kept."""
        id = self._studio.labels.find(campaign).id
        if on:
            self._studio.campaigns.resume(id)
        else:
            self._studio.campaigns.drawing.stop(id)
        return self.campaign(campaign)

    def methods(self) -> tuple[Callable[..., Any], ...]:
        """What is exposed, each under its own name."""
        return (
            self.campaigns,
            self.campaign,
            self.make_campaign,
            self.draw_campaign,
        )
