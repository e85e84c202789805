"""Prompts to begin with: of the kind that Stencil draws best, one for each thing that the world can do.

The first is in the prompt box of a page opened for the first time. Their pictures, drawn with one seed for all, are in
assets/samples (`generate` makes them) and fill the page before anything is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

SEED, STEPS, SIZE_PX = 7, 30, 128
FIRST_COUNT = 4  # pictures that the first click draws


@dataclass(frozen=True)
class Example:
    """A prompt to begin with.

    name: what its button says, and, with dashes, its file in assets/samples.
    prompt: the whole prompt.
    """

    name: str
    prompt: str

    @property
    def file_name(self) -> str:
        return f"{self.name.replace(' ', '-')}.png"


EXAMPLES = (
    Example("heart and circle", "a shaded red heart left of a shaded blue circle on a grey background"),
    Example("neon ring", "a neon cyan ring on a night background"),
    Example("outlined house", "an outlined orange house on a meadow background"),
    Example("painted flower", "a watercolor pink flower on a white background"),
    Example("checkered fish", "a checkered green fish on a sunset background"),
    Example("moon at night", "a shaded yellow moon on a night background"),
)
FIRST = EXAMPLES[0]
