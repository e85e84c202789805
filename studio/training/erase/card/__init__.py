"""The report card of an erasure: what it did to its concept and to all else, from pictures of the one evaluator.

subject.py says what was erased, probes.py which prompts ask about it, budget.py how many of them; card.py and what it
brings together count and judge what came of them, and draw nothing; job.py draws.
"""
