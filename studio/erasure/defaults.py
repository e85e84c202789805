"""The numbers methods begin with, known to those too that must not load torch."""

COMPLETENESS = 0.999  # .95 leaves blends of the concept and its target: the concept is a small share of its vectors
PROTECT = 1.0  # of what is preserved, against what is edited; both are means
