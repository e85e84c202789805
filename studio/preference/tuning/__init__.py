"""Settings found by votes alone: what people prefer of pictures that differ in a few numbers, and what to ask next.

votes.py says what was answered about which settings, posterior.py what is known after it, questions.py what to ask
next, standing.py what the best is so far and when enough was asked, simulated.py answers as a person of known taste
would.
Everything is a pure function of the votes and of seeds.
"""
