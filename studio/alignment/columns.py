"""What rows of an alignment are called: columns of prompts, and the states of their pictures. Loads no torch."""

PROMPT = "prompt"  # the column of a plan's prompts that both pictures of a pair were drawn under
OTHER = "other"  # that of the disliked picture, where the two are no pair
LOSER = "loser"  # the state of the picture that was not preferred; the winner's has no name of its own


def place(number: int) -> str:
    """The state of the picture in a place of a list, from 1, the second best; the best has no name of its own."""
    return f"place {number + 1}"
