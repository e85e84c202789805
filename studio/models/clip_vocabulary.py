"""CLIP's byte-level byte pair encoding, built from a vocabulary and its merges.

Agrees with transformers' CLIPTokenizer, which needs seconds of imports where this needs `tokenizers` alone.
Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (arXiv:2103.00020),
section 2.4, and the code published with it.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

WORD_END = "</w>"  # marks a token that ends a word
START, END = "<|startoftext|>", "<|endoftext|>"
SHIPPED_MERGES = Path(__file__).resolve().parents[2] / "assets" / "architectures" / "clip-merges.txt.gz"

# Contractions, runs of letters, single digits, runs of anything else; what lies between is dropped.
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def build(vocabulary: dict[str, int], lines: Sequence[str]) -> Tokenizer:
    """Build the tokenizer. vocabulary: token -> id. lines: of merges.txt, each two tokens; "#version" is passed over.

    Raises KeyError if the vocabulary lacks the marks of start and end, and what `tokenizers` does.
    """
    merges = [tuple(line.split(" ")) for line in lines if line.strip() and not line.startswith("#version")]
    pairs = [(pair[0], pair[1]) for pair in merges]
    model = BPE(vocab=vocabulary, merges=pairs, end_of_word_suffix=WORD_END, unk_token=END)
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([START, END])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )  # type: ignore[assignment]  # the stubs give these properties no setters
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )  # type: ignore[assignment]
    tokenizer.post_processor = processors.RobertaProcessing(
        (END, vocabulary[END]), (START, vocabulary[START]), trim_offsets=False, add_prefix_space=False
    )  # type: ignore[assignment]
    return tokenizer


def letters() -> list[str]:
    """How the vocabulary writes each of the 256 bytes: printable ones as themselves, the rest from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]


def shipped() -> tuple[dict[str, int], list[str]]:
    """Give CLIP's own vocabulary of 49,408 tokens and its merges. Raises OSError if the file is gone."""
    lines = gzip.decompress(SHIPPED_MERGES.read_bytes()).decode("utf-8").splitlines()
    tokens = [*letters(), *(letter + WORD_END for letter in letters()), *(line.replace(" ", "") for line in lines)]
    return {token: i for i, token in enumerate([*tokens, START, END])}, lines
