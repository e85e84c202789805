"""The prompt language: what a prompt says, before any model reads it.

    from studio.prompts import compile, parse
    plan = compile(parse("a (red:1.3) star", "a1111"), steps=20)

parse -> a tree (tree.py), the same for every dialect -> compile -> a plan (plan.py): what to encode at which step ->
lay_out (layout.py): its tokens in chunks -> weighting.encode: the embedding. Beside these: wildcards.py and styles.py
make prompts, infotext.py reads other programs' settings. Only weighting.py brings in torch.
"""

from studio.prompts.dialects import DIALECTS, parse, print_tree, unclosed
from studio.prompts.layout import Layout, Overflow, Tokeniser, lay_out
from studio.prompts.plan import PromptPlan, compile
from studio.prompts.tree import Dialect, Node

__all__ = [
    "DIALECTS",
    "Dialect",
    "Layout",
    "Node",
    "Overflow",
    "PromptPlan",
    "Tokeniser",
    "compile",
    "lay_out",
    "parse",
    "print_tree",
    "unclosed",
]
