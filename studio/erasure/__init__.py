"""Erasures: what takes a concept out of a model's weights, as arithmetic. A method is one file.

None of them loads, applies or saves anything: that is `studio.training` and `studio.engine.edits`.
"""
