"""The Compare tab, subject by subject."""
