"""Columns of a plan's prompts that erasures ask by: the same sentence, with other words in the concept's place."""

CONCEPT = "concept"  # names what is erased
SUBSTITUTE = "substitute"  # what takes its place, or the sentence without the words
CARRIER = "carrier"  # what the concept is to be taken from: "cowboy", of "a cowboy with a hat"

TARGET = "target"  # of sliders: what the edit is for
NEUTRAL = "neutral"  # where the middle of a slider is
MORE, LESS = "more", "less"  # at its ends
