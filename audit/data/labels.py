"""What labels mean: the one place where those of the data, the policy and the model's configuration are read.

Names are compared without case, and integers without decimals. Beyond that, only what the field agrees on is known:
``neg``, ``neu``, ``pos``, and some sets of integers. Whatever else is not a class must be mapped or left out.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError
from audit.policy.policy import DataPolicy, did_you_mean
from audit.text.personal_data import certain
from audit.text.redaction import printable

SENTIMENTS = ("negative", "neutral", "positive")
SYNONYMS = {"neg": "negative", "neu": "neutral", "pos": "positive"}
# Sets of labels that the data sets of the field use, in the order of the sentiments. Only a whole set says anything:
# 1 is positive beside 0, and neutral beside 0 and 2.
_SCALES = (
    ("0", "1"), ("-1", "1"), ("0", "4"), ("false", "true"),
    ("0", "1", "2"), ("-1", "0", "1"), ("0", "2", "4"),
)  # fmt: skip
CONVENTIONS: Mapping[Set[str], Mapping[str, str]] = {
    frozenset(scale): dict(zip(scale, SENTIMENTS if len(scale) == 3 else SENTIMENTS[::2], strict=True))
    for scale in _SCALES
}
# The reason for which rows with such labels are left out.
DROPPED = "label in drop_labels"
# With more different labels than this it is rather another column.
MOST = 20
# Nobody calls a class so, as some do "none" or "null".
_EMPTY = {"nan", "<na>", "nat", "#n/a"}
_GENERIC = re.compile(r"LABEL_[0-9]+")
_NUMBERED = re.compile(r"(?P<number>-?[0-9]{1,9})(?P<unit>[ _-]?stars?)?")


@dataclass(frozen=True)
class LabelReading:
    """How the labels of a split were read.

    Parameters
    ----------
    by_convention : mapping of str to str
        From labels to the classes that they stand for by convention alone: neither their names nor the policy say so.
    unmatched : frozenset of str
        What label_map and drop_labels name and the data do not hold.
    """

    by_convention: Mapping[str, str] = field(default_factory=dict)
    unmatched: frozenset[str] = frozenset()


def folded(name: str) -> str:
    """A name without what nobody sees or means: case, width, space, and signs that take no room."""
    seen = (c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join("".join(seen).casefold().split())


def normal(label: str) -> str:
    """What the spellings of one label have in common: as for any name, nor does it count that 1 is written 1.0."""
    same = folded(label)
    number = re.fullmatch(r"([+-]?)(0|[1-9][0-9]*)(\.0*)?", same)
    if number is None:
        return same
    return f"-{number[2]}" if number[1] == "-" and number[2] != "0" else number[2]


def sentiment(label: str) -> str:
    """The normal form of a label, the usual short form of a sentiment written out: ``NEG`` is ``negative``."""
    return SYNONYMS.get(normal(label), normal(label))


def matching(names: Iterable[str], labels: Iterable[str]) -> set[str]:
    """Which labels of the data are named, in whatever spelling."""
    wanted = set(map(normal, names))
    return {label for label in labels if normal(label) in wanted}


def left_out(labels: Iterable[str], settings: DataPolicy, name: str) -> set[str]:
    """The labels whose rows the policy leaves out.

    Raises
    ------
    AuditError
        If it says of one of them what it means, too.
    """
    if both := matching(settings.drop_labels, settings.label_map):
        raise AuditError(f"{name}: [data] label_map and drop_labels both name {_quoted(both)}; keep one of the two.")
    return matching(settings.drop_labels, labels)


def infer(
    labels: Set[str], label_map: Mapping[str, str], name: str, *, dropped: Set[str] = frozenset()
) -> tuple[str, ...]:
    """The classes that data speak of, where no model says them; sentiments in their order, then the others by name.

    Parameters
    ----------
    labels, dropped : set of str
        Those of the rows that are used, and those whose rows are left out.
    label_map : mapping of str to str
    name : str
        What the data are called in messages.

    Raises
    ------
    AuditError
        For less than two classes or too many, for numbers that nothing gives a meaning to, and for a label_map that
        misspells a class.
    """
    names = set(_mapped(labels, label_map, name).values())
    convention = _convention(names, dropped)
    spellings: dict[str, set[str]] = {}
    for each in names:
        spellings.setdefault(convention.get(normal(each), sentiment(each)), set()).add(each)
    if len(spellings) < 2:
        raise AuditError(f"{name}: all rows have the label {_quoted(labels)}; at least two classes are needed.")
    if len(spellings) > MOST:
        raise AuditError(f"{name}: the label column holds {len(labels)} different values; is it the right column?")
    if empty := {label for label in labels - matching(label_map, labels) if folded(label) in _EMPTY}:
        raise AuditError(f"{name}: {_what(empty)} how programs write an empty cell, and no class; {_advice(empty)}")
    numbers = {label for label in labels - matching(label_map, labels) if _is_number(label)}
    if numbers and not convention:
        raise AuditError(
            f"{name}: {_what(numbers)} no class by name, and no convention says what is meant; "
            f"{_advice(numbers, ', or name the classes with [model] labels')}"
        )
    if set(spellings) & set(SENTIMENTS):
        # Beside classes that are sentiments, a word that is almost one is a slip.
        for value in sorted(map(sentiment, label_map.values())):
            if value.isalpha() and value not in SENTIMENTS and difflib.get_close_matches(value, SENTIMENTS, cutoff=0.8):
                raise AuditError(
                    f"{name}: label_map has the value '{printable(value)}', which is no class"
                    f"{did_you_mean(value, SENTIMENTS)}"
                )
    # A class that is spelt in one way keeps it.
    found = {key if convention or len(of) > 1 else next(iter(of)) for key, of in spellings.items()}
    order = {key: i for i, key in enumerate(SENTIMENTS)}
    return tuple(sorted(found, key=lambda each: (order.get(sentiment(each), len(order)), each)))


def meanings(
    labels: Set[str],
    classes: Sequence[str],
    label_map: Mapping[str, str],
    name: str,
    *,
    dropped: Set[str] = frozenset(),
) -> dict[str, int | None]:
    """The index of the class that each label means; None for those that mean none.

    Parameters
    ----------
    labels, label_map, name, dropped
        As :func:`infer` takes them.
    classes : sequence of str
        In the model's order.

    Raises
    ------
    AuditError
        For a label_map with a value that is no class, and where the model numbers its classes otherwise than the
        convention that the data's numbers would be read by.
    """
    of = _of_class(classes)
    names = _mapped(labels, label_map, name)
    convention: Mapping[str, str] = {}
    if not any(_lookup(each, of) is not None for each in names.values()):
        convention = _convention(set(names.values()), dropped)
    for value in sorted(label_map.values()):
        if _lookup(value, of) is None and normal(value) not in convention:
            raise AuditError(
                f"{name}: label_map has the value '{printable(value)}', which is none of the model's classes "
                f"({_listed(classes)}){did_you_mean(value, classes)}"
            )
    indices = {label: _lookup(convention.get(normal(each), each), of) for label, each in names.items()}
    if convention and {normal(each) for each in (*names.values(), *dropped)} == set(map(str, range(len(classes)))):
        _check_order({int(normal(names[label])): i for label, i in indices.items()}, classes, convention, name)
    return indices


def read(
    labels: Sequence[str],
    classes: Sequence[str],
    label_map: Mapping[str, str],
    name: str,
    *,
    dropped: Set[str] = frozenset(),
) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Labels as indices of classes.

    Parameters
    ----------
    labels : sequence of str, length n
    classes, label_map, name, dropped
        As :func:`meanings` takes them.

    Returns
    -------
    indices : ndarray of int, shape (n,)
    by_convention : dict of str to str
        As :class:`LabelReading` holds it.

    Raises
    ------
    AuditError
        As :func:`meanings`, and for labels that mean none of the classes.
    """
    present = set(labels)
    indices = meanings(present, classes, label_map, name, dropped=dropped)
    if unknown := {label for label, i in indices.items() if i is None}:
        if len(unknown) > MOST:
            raise AuditError(
                f"{name}: {len(unknown)} different labels are none of the model's classes ({_listed(classes)}); is it "
                f"the right column?"
            )
        raise AuditError(
            f"{name}: {_what(unknown)} none of the model's classes ({_listed(classes)}); {_advice(unknown)}"
        )
    by_convention = {
        normal(label): classes[i]
        for label in sorted(present - matching(label_map, present))
        if (i := indices[label]) is not None and normal(label) != normal(classes[i])
    }
    return np.array([indices[label] for label in labels], dtype=np.int64), by_convention


def ordered(classes: Sequence[str], order: Sequence[str], name: str) -> tuple[str, ...]:
    """Classes from the lowest to the highest; empty where nothing orders them.

    Parameters
    ----------
    classes : sequence of str
    order : sequence of str
        The policy's, from the worst to the best; without it numbers, and so many stars, say it themselves.
    name : str
        What the policy is called in messages.

    Raises
    ------
    AuditError
        If the policy's order does not name each class once.
    """
    if order:
        of = _of_class(classes)
        found = [_lookup(each, of) for each in order]
        if sorted(i for i in found if i is not None) != list(range(len(classes))) or None in found:
            raise AuditError(
                f"{name}: [model] order names {_listed(order)}, and the classes are {_listed(classes)}; name each of "
                f"them once, from the worst to the best."
            )
        return tuple(classes[i] for i in found if i is not None)
    numbered = [match for each in classes if (match := _NUMBERED.fullmatch(normal(each)))]
    places = [int(match["number"]) for match in numbered]
    if len({*places}) < len(classes) or len({match["unit"] is None for match in numbered}) > 1:
        return ()
    return tuple(name for _, name in sorted(zip(places, classes, strict=True)))


def leaning(classes: Sequence[str], order: Sequence[str]) -> dict[str, float]:
    """How good the text is that each class speaks of, from -1, the worst, to 1; empty where nothing says it.

    Parameters
    ----------
    classes : sequence of str
    order : sequence of str
        Them from the lowest to the highest, or nothing.

    Notes
    -----
    Numbers alone do not say which end is the good one: of school marks it is 1 in one country, and 6 in the next.
    """
    of = {name: sentiment(name) for name in classes}
    if {"positive", "negative"} & {*of.values()}:
        signs = {"positive": 1.0, "negative": -1.0}
        return {name: signs.get(each, 0.0) for name, each in of.items()}
    if len(order) < 2 or all(map(_is_number, order)):
        return {}
    return {name: 2 * i / (len(order) - 1) - 1 for i, name in enumerate(order)}


def check_agreement(readings: Sequence[LabelReading], name: str) -> None:
    """Refuse labels of the policy that no split holds, and a number that means two things in two splits.

    Raises
    ------
    AuditError
        Names the labels.
    """
    unmatched = frozenset.intersection(*(each.unmatched for each in readings)) if readings else frozenset()
    if unmatched:
        raise AuditError(
            f"{name}: [data] label_map or drop_labels names {_quoted(unmatched)}, but no row has such a label; correct "
            f"it or leave it out."
        )
    known: dict[str, str] = {}
    for label, meant in (pair for each in readings for pair in each.by_convention.items()):
        if known.setdefault(label, meant) != meant:
            raise AuditError(
                f"{name}: by convention the label '{label}' would mean {known[label]} in one of train and test and "
                f"{meant} in the other; say what it means with [data] label_map."
            )


def of_model(config: Mapping[str, object], source: str, order: Sequence[str]) -> tuple[str, ...]:
    """Class names in output order: those of a model's configuration, else the policy's.

    Parameters
    ----------
    config : mapping
        What stands in config.json, which is not trusted.
    source : str
        The model as the policy calls it.
    order : sequence of str
        The policy's [model] labels.

    Raises
    ------
    AuditError
        If nothing names them, or where two of id2label, label2id and the policy contradict each other.
    """
    named = config.get("id2label") or {}
    try:
        numbered = [(int(key), str(label)) for key, label in named.items()]  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        raise AuditError(f"model '{source}': id2label in config.json is not a map of numbers to names.") from None
    if len(numbered) > MOST:
        raise AuditError(
            f"model '{source}': its config.json names {len(numbered):,} classes; an audit is of classifiers into "
            f"{MOST} at most."
        )
    own = tuple(label for _, label in sorted(numbered, key=lambda pair: pair[0]))
    inverse = _inverse(config.get("label2id"))
    of = {sentiment(label): i for i, label in numbered}
    for label, i in inverse.items():
        if of.get(sentiment(label), i) != i:
            there = of[sentiment(label)]
            raise AuditError(
                f"model '{source}': config.json contradicts itself: '{printable(label)}' is number {i} in label2id and "
                f"number {there} in id2label; correct the one that is wrong."
            )
    telling = not _is_generic(inverse) and sorted(inverse.values()) == list(range(len(own) or len(inverse)))
    generic = _is_generic({label: i for i, label in enumerate(own)})
    if generic and telling:
        own, generic = tuple(sorted(inverse, key=inverse.__getitem__)), False
    if not order and all(map(_GENERIC.fullmatch, own)):
        raise AuditError(
            f"model '{source}': its config.json does not name the classes; give their order with [model] labels."
        )
    if generic and own and order and len(own) != len(order):
        raise AuditError(
            f"model '{source}' has {len(own)} classes, but [model] labels names {len(order)}; name each of them."
        )
    if not generic and order and list(map(sentiment, own)) != list(map(sentiment, order)):
        raise AuditError(
            f"model '{source}': its config.json orders the classes {_listed(own)}, but [model] labels says "
            f"{_listed(order)}; correct the policy, and use [data] label_map for the data's own names."
        )
    names = tuple(order) or own
    if twice := {name for name in names if names.count(name) > 1}:
        raise AuditError(
            f"model '{source}': several of its classes are called {_quoted(twice)} ({_listed(names)}); give each a "
            f"name of its own in id2label of config.json, or with [model] labels where that is generic."
        )
    return names


def _inverse(label2id: object) -> dict[str, int]:
    """A configuration's label2id; empty where it is no map of names to numbers."""
    try:
        return {str(label): int(i) for label, i in label2id.items()}  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError, OverflowError):
        return {}


def _is_generic(numbered: Mapping[str, int]) -> bool:
    """Whether names say no more than their numbers: LABEL_0, or 0 itself."""
    return all(_GENERIC.fullmatch(label) or normal(label) == str(i) for label, i in numbered.items())


def _of_class(classes: Sequence[str]) -> dict[str, int]:
    """From each spelling of a class to its index; the exact one goes before those that are only alike."""
    of: dict[str, int] = {}
    for spelling in (sentiment, normal, str):
        of |= {spelling(name): i for i, name in enumerate(classes)}
    return of


def _lookup(name: str, of: Mapping[str, int]) -> int | None:
    return next((of[each] for each in (name, normal(name), sentiment(name)) if each in of), None)


def _mapped(labels: Iterable[str], label_map: Mapping[str, str], name: str) -> dict[str, str]:
    """What the policy calls each label, else its own name; an exact key goes before one in another spelling."""
    of = {normal(key): value for key, value in label_map.items()}
    names = {label: label_map.get(label, of.get(normal(label), label)) for label in labels}
    for label in sorted(set(names) - set(label_map)):
        keys = matching([label], label_map)
        if len({sentiment(label_map[key]) for key in keys}) > 1:
            raise AuditError(
                f"{name}: label_map has {_quoted(keys)} for the label '{printable(label, 60)}', and they mean "
                f"different classes; keep one of them."
            )
    return names


def _convention(names: Set[str], dropped: Set[str]) -> Mapping[str, str]:
    """What labels mean by convention; nothing where it would depend on whether the rows left out count."""
    used = frozenset(map(normal, names))
    whole = used | frozenset(map(normal, dropped))
    known = [CONVENTIONS[each] for each in (whole, used) if each in CONVENTIONS]
    return known[0] if known and all(each[label] == known[0][label] for each in known for label in used) else {}


def _check_order(
    indices: Mapping[int, int | None], classes: Sequence[str], convention: Mapping[str, str], name: str
) -> None:
    for number, i in sorted(indices.items()):
        if i is not None and i != number:
            raise AuditError(
                f"{name}: by convention the label '{number}' means {convention[str(number)]}, but the model calls its "
                f"class {number} '{printable(classes[number])}' ({_listed(classes)}); say which class each number "
                f"means with [data] label_map."
            )


def _is_number(label: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[0-9][0-9.,]*|true|false", normal(label)))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(printable, names))


def _quoted(labels: Iterable[str]) -> str:
    return ", ".join(f"'{printable(label, 60)}'" for label in sorted(labels))


def _what(labels: Set[str]) -> str:
    return f"label {_quoted(labels)} is" if len(labels) == 1 else f"labels {_quoted(labels)} are"


def _advice(labels: Set[str], more: str = "") -> str:
    """What to write into the policy. Which class is meant is not known, so that no class stands in it."""
    from audit.policy import toml

    as_they_are = (label if len(label) <= 60 and not certain(label) else printable(label, 60) for label in labels)
    names = sorted(set(as_they_are))
    each, rows = ("it", "its rows") if len(labels) == 1 else ("each", "their rows")
    return (
        f"say which class {each} means with [data] label_map = {toml.inline(dict.fromkeys(names, '…'))}"
        f"{',' if more else ' or'} leave {rows} out with [data] drop_labels = {toml.value(names)}{more}."
    )
