"""Strengths of edits and parameters of guidance, found by votes alone.

sliders.py: what of a recipe can be tuned, and how far. plan.py: what a tuning is started with. reading.py: from what
was drawn and answered to what is known. tuning.py: one as it stands. service.py: starting, asking on, taking over.
"""
