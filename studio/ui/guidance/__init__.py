"""The Guidance tab, subject by subject."""
