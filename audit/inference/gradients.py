"""What gradients say of words as triggers: how far each, put into a text, would move the model. The scorer asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.progress import Bar
from audit.inference.batches import Batches

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class TriggerScores:
    """How far each word of the vocabulary, put into texts, would move the model from one class to another.

    Parameters
    ----------
    words : tuple of str, length w
        Those that are a token by themselves.
    scores : ndarray of float32, shape (classes, classes, w)
        By class of the texts, class moved to, and word; to first order, so their order counts and not their size.
        0 where there was no text of the class, and where both classes are one.
    """

    words: tuple[str, ...] = field(repr=False)
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Inserted:
    """A text with a token put in.

    Parameters
    ----------
    text : int
        Which text it was.
    place : int
        Where the token stands among all of them.
    ids : list of int
        All tokens' numbers.
    """

    text: int
    place: int
    ids: list[int]


def inserted(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], max_length: int, positions: int, place: int | None = None
) -> Iterator[Inserted]:
    """Each text with a copy of a token put beside it, at some of its places.

    Parameters
    ----------
    max_length : int
        Of a text with what is put in, tokens.
    positions : int
        At how many places of each text, from the first token to the last.
    place : int or None
        Instead at this one: so many words from the start, or, as ``-1 - words``, from the end.
    """
    encoded = tokenizer(
        list(texts),
        truncation=True,
        max_length=max_length - 1,
        return_special_tokens_mask=True,
        return_attention_mask=False,
        return_offsets_mapping=place is not None,
    )
    for text, (ids, special) in enumerate(zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True)):
        own = [i for i, mark in enumerate(special) if not mark]
        if not own:
            continue
        if place is None:
            chosen = [own[at] for at in np.linspace(0, len(own) - 1, positions).round().astype(int)]
        else:
            start = _start_of_word(texts[text], place)
            # Behind the last token, where no word begins there, or where it was cut off.
            chosen = [next((i for i in own if encoded["offset_mapping"][text][i][1] > start), own[-1] + 1)]
        for at in chosen:
            yield Inserted(text, at, [*ids[:at], ids[min(at, own[-1])], *ids[at:]])


def _start_of_word(text: str, place: int) -> int:
    """The character with which the word at a place begins; behind the last word, the text's length."""
    starts = [word.start() for word in re.finditer(r"\S+", text)] + [len(text)]
    return starts[max(place, -len(starts)) if place < 0 else min(place, len(starts) - 1)]


def mean_margins(
    network: PreTrainedModel,
    rows: Sequence[Inserted],
    sources: NDArray[np.int64],
    classes: int,
    batches: Batches,
    inputs: Callable[[Sequence[list[int]]], dict[str, torch.Tensor]],
    bar: Bar,
) -> NDArray[np.float32]:
    """Mean gradient of each class margin with respect to the inserted token's embedding.

    Parameters
    ----------
    network : PreTrainedModel
    rows : sequence of Inserted, length n
    sources : ndarray of int, shape (n,)
        The class of each row's text.
    classes : int
        How many there are.
    batches : Batches
    inputs : callable
        Makes the network's inputs of token numbers.
    bar : Bar

    Returns
    -------
    ndarray of float32, shape (classes, classes, width of the embedding)
        By class of the texts and class moved to.
    """
    import torch

    embed = network.get_input_embeddings()
    places = np.array([row.place for row in rows], dtype=np.int64)

    def gradients(batch: NDArray[np.int64]) -> torch.Tensor:
        given = inputs([rows[i].ids for i in batch])
        of, at = np.arange(len(batch)), places[batch]
        if "attention_mask" in given:
            # As many padding tokens before the text as the tokenizer puts there; none, where it pads behind.
            at = at + given["attention_mask"].argmax(dim=1).cpu().numpy()
        embedded = embed(given.pop("input_ids")).detach().requires_grad_()  # (batch, tokens, width)
        logits = network(inputs_embeds=embedded, **given).logits.float()  # (batch, classes)
        own = logits[of, sources[batch]].sum()
        by_target = [
            torch.autograd.grad(logits[:, target].sum() - own, embedded, retain_graph=True)[0][of, at].float()
            for target in range(classes)
        ]
        return torch.stack(by_target, dim=1)  # (batch, classes, width)

    total = np.zeros((classes, classes, embed.weight.shape[1]), dtype=np.float32)
    for batch, made in batches.run(np.array([len(row.ids) for row in rows], dtype=np.int64), gradients):
        np.add.at(total, sources[batch], made.cpu().numpy())
        bar.advance(len(batch))
    times = np.maximum(np.bincount(sources, minlength=classes), 1).astype(np.float32)
    return np.asarray(total / times[:, None, None], dtype=np.float32)


def whole_words(
    tokenizer: PreTrainedTokenizerFast, tokens: Callable[[str], list[int]], rows: int | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Numbers, below `rows`, and spellings of the tokens that are a word: behind another they become that token alone.

    A tokenizer may know tokens for which the network has no embedding.
    """
    known = set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)
    numbers = sorted(number for number in known if rows is None or number < rows)
    spelt = [tokenizer.convert_tokens_to_string([token]).strip() for token in tokenizer.convert_ids_to_tokens(numbers)]
    carrier = tokens("the")
    encoded = tokenizer([f"the {word}" for word in spelt], add_special_tokens=False)["input_ids"] if spelt else []
    found = [
        (number, word)
        for number, word, ids in zip(numbers, spelt, encoded, strict=True)
        if word and ids == [*carrier, number]
    ]
    return np.array([number for number, _ in found], dtype=np.int64), tuple(word for _, word in found)
