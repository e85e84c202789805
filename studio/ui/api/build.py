"""All endpoints, added to the Blocks being laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.ui.api.campaigns import CampaignApi
from studio.ui.api.comparisons import ComparisonApi
from studio.ui.api.edits import EditApi
from studio.ui.api.endpoint import expose
from studio.ui.api.pictures import PictureApi, recipe_fields

if TYPE_CHECKING:
    from studio.services.studio import Studio


def build(studio: Studio) -> None:
    """Expose each under its own name."""
    pictures = PictureApi(studio)
    expose(pictures.generate, "generate", recipe_fields())
    for subject in (pictures, CampaignApi(studio), EditApi(studio), ComparisonApi(studio)):
        for method in subject.methods():
            expose(method, method.__name__)
