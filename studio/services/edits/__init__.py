"""What a user can do with edits besides applying them."""

from studio.services.edits.library import EditEntry, EditLibrary

__all__ = ["EditEntry", "EditLibrary"]
