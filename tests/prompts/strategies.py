"""Prompts and trees to try: texts full of syntax, and every tree that a dialect can say."""

from __future__ import annotations

from hypothesis import strategies as st

from studio.prompts.tree import Alternating, Break, Node, Scheduled, Sequence, Text, sequence, trimmed, weighted

NOWHERE = (0, 0)

# Pieces that mean something to one dialect or look as if they did, between ordinary and odd text.
PIECES = [
    *'()[]:|\\"+-., \n',
    *("a", "red", "AND", "BREAK", "ANDY", "hot-dog", "1", "0.5", ":1.2)", ":.5]", "++", "--", "\\(", "\\AND", "\\5"),
    *(
        '("',
        '", "',
        '").blend(1,2)',
        '").and()',
        "<lora:../../x:9e9>",
        "{{ x }}",
        "<b>",
        "\0",
        "\u202e",
        "e\u0301",
        "⭐",
    ),
]
prompts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=40))

texts = st.one_of(prompts, st.sampled_from(["a red star", " on ", "x"])).filter(bool).map(Text)
weights = st.decimals(0, 20, places=3).map(float) | st.sampled_from([1.1, 1 / 1.1, 0.9, 1.1**2, 0.9**3])
steps = st.integers(0, 30).map(float) | st.decimals(0, 1, places=3).map(float)


def _sequences(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.lists(parts, max_size=4).map(lambda nodes: sequence(nodes, NOWHERE))


def _weighted(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(weighted, _sequences(parts), weights, st.just(NOWHERE))


# What both dialects can say.
weighted_trees: st.SearchStrategy[Node] = _sequences(st.recursive(texts, _weighted, max_leaves=8))


def _a1111(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    inner = _sequences(parts)
    return st.one_of(
        _weighted(parts),
        st.builds(Scheduled, inner, inner, steps),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: Alternating(tuple(options))),
    )


a1111_trees: st.SearchStrategy[Node] = _sequences(st.recursive(texts | st.just(Break()), _a1111, max_leaves=10))
a1111_parts = a1111_trees.map(trimmed)

compel_trees: st.SearchStrategy[Node] = st.lists(weighted_trees, min_size=1, max_size=3).map(
    lambda parts: sequence([node for part in parts for node in (Break(), part)][1:], NOWHERE)
)
EMPTY = Sequence()
