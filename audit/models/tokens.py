"""The tokenizer of a model, and how much of a text it knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audit.core.errors import AuditError
from audit.core.numbers import percent

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# Texts that are looked at, evenly over the data.
SAMPLE = 1000
WARNED, REFUSED = 0.2, 0.5  # shares of unknown tokens
# No language is written in so few words, or signs.
_FEW, _MANY = 10, 100


def load(folder: Path, source: str, config: Mapping[str, object]) -> PreTrainedTokenizerFast:
    """The fast tokenizer in a folder.

    Parameters
    ----------
    config : dict
        Of ``config.json``.

    Raises
    ------
    AuditError
        If it knows next to no words: for one without files transformers makes an empty one and says nothing.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True, use_fast=True)
    if len(tokenizer) <= _MANY:
        own = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
        words = set(tokenizer.get_vocab().values()) - own
        rows = config.get("vocab_size")
        if not words or (len(words) < _FEW and isinstance(rows, int) and rows >= _MANY):
            raise AuditError(
                f"model '{source}': its tokenizer knows {len(words)} words beside its special tokens; save the "
                f"tokenizer that the model was trained with into {folder}, with tokenizer.save_pretrained()."
            )
    return tokenizer


def unknown_share(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> float:
    """Share of the texts' tokens that stand for what the tokenizer does not know; one that vanishes counts as one."""
    texts = [text for text in texts if text.strip()]
    rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    unknown = tokenizer.unk_token_id
    missing = sum(sum(number == unknown for number in ids) if ids else 1 for ids in rows)
    return missing / max(sum(max(len(ids), 1) for ids in rows), 1)


def check_share(share: float, source: str) -> None:
    """Refuse a tokenizer that cannot read most of the texts.

    Raises
    ------
    AuditError
    """
    if share > REFUSED:
        raise AuditError(
            f"model '{source}': its tokenizer does not know {percent(share)} of the test texts' tokens; give the "
            f"tokenizer that the model was trained with, or texts in the language that it reads."
        )


def embedded(network: PreTrainedModel) -> int | None:
    """How many tokens a network has embeddings for; None where it reads characters or bytes without a list."""
    rows = getattr(network.config, "vocab_size", None)
    return rows if isinstance(rows, int) else None


def check_numbers(ids: Iterable[Sequence[int]], network: PreTrainedModel, source: str) -> None:
    """Refuse tokens for which a network has no embedding, before it fails on them or reads what lies behind them.

    Raises
    ------
    AuditError
    """
    check_highest(ids, embedded(network), source)


def check_highest(ids: Iterable[Sequence[int]], rows: int | None, source: str) -> None:
    """The same by how many tokens it has embeddings for; None where that is not known."""
    highest = max(map(max, filter(None, ids)), default=0)
    if rows is not None and highest >= rows:
        raise AuditError(
            f"model '{source}': its tokenizer gives a token the number {highest}, but the network has embeddings for "
            f"0 to {rows - 1} only; give the tokenizer that the model was trained with."
        )


def of_equal_length(lengths: Iterable[int], most: int) -> Iterator[list[int]]:
    """Texts that need no padding beside each other: of one length, at most so many tokens, at least one text.

    Parameters
    ----------
    lengths : iterable of int
        Tokens of each text.
    most : int
        Tokens read at once; 0 where each text is read alone.

    Yields
    ------
    list of int
        Which texts.
    """
    of_length: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
        of_length.setdefault(length, []).append(i)
    for length, group in of_length.items():
        size = max(1, most // length)
        yield from (group[start : start + size] for start in range(0, len(group), size))
