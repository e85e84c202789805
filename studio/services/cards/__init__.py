"""Report cards of erasures: started, counted, kept by the edit's hash, and shown."""

from studio.services.cards.service import CardService

__all__ = ["CardService"]
