r"""The dialect of compel, which InvokeAI also speaks.

word+ counts 1.1 times, word++ 1.1 * 1.1 times, word- 0.9 times; (a phrase)+, "a phrase"+ and (a phrase)1.3 likewise;
nesting multiplies. ("a", "b").blend(1, 0.8) is the weighted mean of two prompts' encodings, with no_normalize as last
argument their weighted sum; ("a", "b").and() puts the encodings one after the other. Brackets and quotes that carry no
weight go; a backslash before one of ( ) " + - . , = \ or a digit makes it text.

Brackets without a partner are text, and so is what we do not have: .swap(), .attend(), withLora().
Weights in .and(1, 0.5) weight the words of their part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.prompts.brackets import partners
from studio.prompts.numbers import read_number, written
from studio.prompts.tree import MAX_DEPTH, Blend, Break, Node, Sequence, Span, Text, Weighted, sequence, weighted

UP, DOWN = 1.1, 0.9
MAX_SIGNS = 32  # a longer run of + or - is a line somebody drew

_SIGN_WEIGHTS = {sign * n: base**n for sign, base in (("+", UP), ("-", DOWN)) for n in range(1, MAX_SIGNS + 1)}
_WRITTEN_AS_SIGNS = {weight: signs for signs, weight in _SIGN_WEIGHTS.items() if len(signs) <= 5}
_TOKEN = re.compile(
    r'\\(?P<escaped>[()"+\-.,=\\0-9])'
    r"|(?P<open>\()"
    # What would be its weight comes with a closing bracket; if it turns out to close nothing, both are text.
    r'|(?P<close>[)"])(?P<weight>\++|-+|[0-9]{1,6}+(?![0-9])(?:\.[0-9]{1,30}+(?![0-9]))?)?'
    r"|(?P<signs>[+\-]+)"
    r'|(?P<word>[^\s()",.+\-\\]+|\\)'
    r"|(?P<gap>[\s,.]+)"
)
_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*+)"\s*([,)])', re.DOTALL)
_CALL = re.compile(r"\s*\.\s*(blend|and|add)\s*\(([^()]*)\)\s*")


def parse(source: str) -> Node:
    """Read a prompt; time grows with its length.

    Raises BadInput if .blend() or .and() is given other than one number per prompt, or a blend weights of sum 0.
    """
    call = _call(source)
    if call is None:
        return _prompt(source, (0, len(source)))
    name, spans, arguments = call
    return (_blend if name == "blend" else _and)(source, spans, arguments)


def _blend(source: str, spans: list[Span], arguments: list[str]) -> Node:
    normalise = arguments[-1:] != ["no_normalize"]
    weights = _weights("blend", arguments if normalise else arguments[:-1], len(spans))
    if normalise and abs(sum(weights)) < 1e-6:
        raise BadInput(
            f"The weights of a blend are divided by their sum, and {', '.join(map(written, weights))} sum to 0.",
            "Change one, or add no_normalize at their end.",
        )
    return Blend(tuple(_prompt(source, span) for span in spans), weights, normalise, (0, len(source)))


def _and(source: str, spans: list[Span], arguments: list[str]) -> Node:
    nodes: list[Node] = []
    for span, weight in zip(spans, _weights("and", arguments, len(spans)), strict=True):
        # A weight takes the place of one pair of brackets, which is how `print_tree` writes it.
        part = _prompt(source, span, MAX_DEPTH - (weight != 1))
        nodes += [Break((span[0] - 1, span[0])), weighted(part, weight, span)]
    return sequence(nodes[1:], (0, len(source)))


def _call(source: str) -> tuple[str, list[Span], list[str]] | None:
    """Read ("a", "b").name(arguments): the name, where the quoted prompts stand, the arguments. None for other text."""
    opening = re.match(r"\s*\(", source)
    at, spans = opening.end() if opening else len(source), list[Span]()
    while quoted := _QUOTED.match(source, at):
        spans.append(quoted.span(1))
        at = quoted.end()
        if quoted[2] == ")":
            call = _CALL.fullmatch(source, at)
            return call and (call[1], spans, [text.strip() for text in call[2].split(",")] if call[2].strip() else [])
    return None


def _weights(name: str, arguments: list[str], count: int) -> tuple[float, ...]:
    weights = tuple(weight for text in arguments if (weight := read_number(text)) is not None)
    if arguments and not len(weights) == len(arguments) == count:
        raise BadInput(
            f".{name}() takes one number for each of its {count} prompts, or none, not {shown(', '.join(arguments))}."
        )
    return weights or (1.0,) * count


@dataclass
class _Open:
    """What has been read since an opening bracket.

    word: which of the items begins the word being read, if one is.
    deepest: how many more brackets may be nested.
    """

    start: int
    deepest: int
    items: list[Node] = field(default_factory=list)
    word: int | None = None

    def add(self, text: Text, *, in_word: bool) -> None:
        self.word = (len(self.items) if self.word is None else self.word) if in_word else None
        self.items.append(text)

    def weigh_word(self, weight: float, end: int) -> None:
        word = self.items[self.word :]
        del self.items[self.word :]
        self.word = None
        span = (word[0].span[0], end)
        self.items.append(weighted(sequence(word, span), weight, span))


def _prompt(source: str, span: Span, deepest: int = MAX_DEPTH) -> Node:
    tokens = list(_TOKEN.finditer(source, *span))
    brackets = [
        (n, "quote" if token["close"] == '"' else "round", _may_open(token), _may_close(token))
        for n, token in enumerate(tokens)
        if token["open"] or token["close"]
    ]
    partner = partners(brackets, deepest)
    stack = [_Open(span[0], deepest)]
    for number, token in enumerate(tokens):
        if number not in partner:
            _add(stack[-1], token)
        elif partner[number] > number:
            stack.append(_Open(token.start(), stack[-1].deepest - 1))
            if token["weight"]:  # of a quote that turned out to open
                stack[-1].add(_text(token, "weight"), in_word=token["weight"].isdigit())
        else:
            group = stack.pop()
            _close(group, token, stack[-1])
    return sequence(stack[0].items, span)


def _may_open(token: re.Match[str]) -> bool:
    if token["close"] != '"':
        return token["open"] is not None
    previous_char = token.string[token.start() - 1] if token.start() > token.pos else " "
    return previous_char.isspace() or previous_char in "(,"


def _may_close(token: re.Match[str]) -> bool:
    """A quote closes before a weight, white space or punctuation; the one in 5"x stands for inches."""
    if token["close"] != '"':
        return token["close"] is not None
    next_char = token.string[token.end()] if token.end() < token.endpos else " "
    return token["weight"] is not None or next_char.isspace() or next_char in "),."


def _add(group: _Open, token: re.Match[str]) -> None:
    """Take one token that pairs with no other."""
    if token["escaped"]:
        start = token.start()
        group.add(Text(token["escaped"], (start, start + 2), ((0, start + 1),)), in_word=True)
    elif token["signs"]:
        ends = token.end() == token.endpos or re.match(r'[\s()",.]', token.string[token.end()]) is not None
        if ends and group.word is not None and group.deepest and token[0] in _SIGN_WEIGHTS:
            group.weigh_word(_SIGN_WEIGHTS[token[0]], token.end())
        else:
            group.add(_text(token), in_word=True)
    else:
        group.add(_text(token), in_word=token["word"] is not None)


def _close(group: _Open, token: re.Match[str], outer: _Open) -> None:
    sign = token["weight"] or "1"
    span = (group.start, token.end())
    weight = _SIGN_WEIGHTS.get(sign) or read_number(sign)
    outer.word = None
    outer.items.append(weighted(sequence(group.items, span), 1 if weight is None else weight, span))
    if weight is None:
        outer.add(_text(token, "weight"), in_word=False)


def _text(token: re.Match[str], group: str | int = 0) -> Text:
    return Text(token[group], token.span(group), ((0, token.start(group)),))


def print_tree(tree: Node) -> str:
    """Write a tree in this dialect; `parse` gives it back.

    Raises BadInput for what it cannot say: schedules, alternation, AND, negative weights, a break inside a weight.
    """
    if isinstance(tree, Blend):
        arguments = [*map(written, tree.weights), *([] if tree.normalise else ["no_normalize"])]
        return f"({', '.join(map(_quoted, tree.parts))}).blend({', '.join(arguments)})"
    parts = _split_at_breaks(tree)
    return _print(tree) if len(parts) == 1 else f"({', '.join(map(_quoted, parts))}).and()"


def _quoted(part: Node) -> str:
    return f'"{_print(part)}"'


def _split_at_breaks(tree: Node) -> list[Node]:
    parts: list[list[Node]] = [[]]
    for node in tree.parts if isinstance(tree, Sequence) else (tree,):
        if isinstance(node, Break):
            parts.append([])
        else:
            parts[-1].append(node)
    return [sequence(part, tree.span) for part in parts]


def _print(node: Node) -> str:
    match node:
        case Text():
            return _escape(node.text)
        case Sequence():
            printed = [""]
            for part in node.parts:
                text = _print(part)
                # A digit or a full stop would be read as going on with the weight before it.
                after_weight = isinstance(part, Text) and printed[-1][-1:].isdigit() and text[:1] in (*".0123456789",)
                printed.append(f"\\{text}" if after_weight else text)
            return "".join(printed)
        case Weighted(weight=weight) if weight >= 0:
            return f"({_print(node.part)}){_WRITTEN_AS_SIGNS.get(weight) or written(weight)}"
        case _:
            raise BadInput(
                f"compel's dialect has no word for {_NAMES.get(type(node).__name__, 'this')}.",
                "Write the prompt in the A1111 dialect.",
            )


_NAMES = {
    "Weighted": "a negative weight",
    "Break": "a new chunk inside brackets",
    "Scheduled": "words that change at a step",
    "Alternating": "words that take turns",
    "Conjunction": "prompts joined by AND",
    "Blend": "a blend within a prompt",
}


def _escape(text: str) -> str:
    """Signs between two letters or digits ("hot-dog") are text as they are."""
    text = re.sub(r'[()"\\]', r"\\\g<0>", text)
    return re.sub(r"(?<![^\W_])[+\-]|[+\-](?![^\W_])", r"\\\g<0>", text)
