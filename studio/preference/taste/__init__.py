"""The personal reward model: what somebody likes, learned from a few hundred answers on features of the pictures.

likelihood.py says how likely an answer is, answers.py what labels say, fit.py learns, model.py is what was learned,
validation.py how right it is on prompts it has not seen.
"""
