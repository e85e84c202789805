"""Claims: what a paper says of its method, tried on the embedded model and read by the world's oracle.

Each entry of studio/evidence/claims states two or more arms of equal network work, what is measured and which way it
has to go; a run answers holds, does not hold or inconclusive, from paired differences with their intervals.
"""
