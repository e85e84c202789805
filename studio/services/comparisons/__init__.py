"""Comparisons: recipes as rows, seeds and prompts as columns, drawn cell by cell and measured."""
