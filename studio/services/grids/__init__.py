"""Grids: one recipe, varied along up to three axes."""
