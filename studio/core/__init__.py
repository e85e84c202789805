"""Words every other room shares: errors, declared parameters, registries, settings, the recipe.

Imports nothing of ours and nothing heavier than pydantic, so a verb that only reads a recipe starts at once.
"""
