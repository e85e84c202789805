"""From what is typed to what a recipe says: styles around a prompt, and wildcards drawn by the image's seed.

Both come from files that ship and from the workspace's own, which go first under an equal name:
presets/styles/*.json and presets/wildcards/*.txt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import BadInput, NotFound, StudioError
from studio.core.params import shown
from studio.prompts.styles import Style, read_style
from studio.prompts.wildcards import Wildcards, read_list

SHIPPED = Path(__file__).resolve().parents[2] / "presets"
MAX_STYLES = 8  # on one prompt


@dataclass(frozen=True)
class Wording:
    """What a recipe says."""

    prompt: str
    negative_prompt: str


@dataclass(frozen=True)
class Words:
    """The styles and wildcards at hand.

    problems: a sentence for each file that cannot be used.
    """

    styles: dict[str, Style]
    wildcards: Wildcards
    problems: tuple[str, ...] = ()

    def say(self, prompt: str, negative_prompt: str, styles: Sequence[str], seed: int) -> Wording:
        """Put styles around both prompts, one after the other, and then draw their wildcards.

        Raises NotFound for a style or list that is not there, BadInput for too many of either.
        """
        if len(styles) > MAX_STYLES:
            raise BadInput(f"A prompt takes at most {MAX_STYLES} styles, not {len(styles)}.", field="styles")
        for name in styles:
            if name not in self.styles:
                raise NotFound(f"There is no style named {shown(name)}.", field="styles")
            prompt, negative_prompt = self.styles[name].apply(prompt, negative_prompt)
        return Wording(self.wildcards.expand(prompt, seed), self.wildcards.expand(negative_prompt, seed))


def words(workspace: Path, shipped: Path = SHIPPED) -> Words:
    """Read all styles and wildcard lists. A broken one takes nothing from the others."""
    styles: dict[str, Style] = {}
    lists: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for folder in (shipped, workspace.absolute() / "presets"):
        for path in sorted((folder / "styles").glob("*.json")):
            try:
                styles[path.stem] = read_style(path)
            except (StudioError, OSError) as error:
                problems.append(str(error))
        for path in sorted((folder / "wildcards").glob("*.txt")):
            try:
                lists[path.stem] = read_list(path)
            except StudioError as error:
                problems.append(str(error))
    return Words(styles, Wildcards(lists), tuple(problems))
