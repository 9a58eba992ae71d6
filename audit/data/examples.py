"""Examples: text, label and subgroups, read from files, the Hub or the embedded demo, and checked. No model here."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from audit.core import hub
from audit.core.cache import CacheWarning, read_sealed, scratch, write_sealed
from audit.core.errors import AuditError
from audit.core.files import sha256
from audit.core.records import ClustersRecord, SpellingsRecord, SplitRecord
from audit.data import labels as label_names
from audit.data import tables
from audit.data.labels import LabelReading
from audit.policy.policy import DEMO, DataPolicy, Policy, TransferPolicy, did_you_mean
from audit.statistics import anytime_confidence, cluster_ids, shared_out
from audit.text import duplicates, mentions
from audit.text.identity import AXES
from audit.text.paths import check_all, check_content
from audit.text.personal_data import certain
from audit.text.redaction import called, count, masked, printable

if TYPE_CHECKING:
    from datasets import Dataset

Role = Literal["train", "test", "production"]
# A counterfactual pair file has the form of the Equity Evaluation Corpus (Kiritchenko and Mohammad, *SEM 2018).
MOST_GROUPS = 50  # whose sizes the record holds
PAIR_COLUMNS = ("sentence", "template", "person", "gender", "race", "emotion")
# No second label.
UNLABELLED = -1
# How programs write a cell that is empty. Not "NA": that is Namibia, and North America.
MISSING = {"nan", "NaN", "NAN", "None", "null", "Null", "NULL", "N/A", "n/a", "#N/A", "<NA>", "NaT"}


@dataclass(frozen=True)
class Protocol:
    """How evidence is to be read: the policy's settings that every probe needs, carried by the data themselves."""

    confidence: float = 0.95
    min_group_size: int = 30
    language: str = "en"
    max_examples: int = 0
    seed: int = 0
    cases: int = 150
    cluster: str = ""
    second_label_is: Literal["truth", "peer"] = "truth"
    order: tuple[str, ...] = ()
    threshold: float = 0.5


def fingerprint(values: Iterable[str]) -> str:
    """SHA-256 over texts in their order, each with its length, so that none runs into the next."""
    digest = hashlib.sha256()
    for value in values:
        encoded = value.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return f"sha256:{digest.hexdigest()}"


def drawn(purpose: str, texts: Sequence[str]) -> NDArray[np.int64]:
    """Indices of texts that are no examples, in a random order that their content decides: :meth:`Examples.drawn`."""
    return np.array(sorted(range(len(texts)), key=lambda i: (_draw(purpose, texts[i]), texts[i])), dtype=np.int64)


def _draw(purpose: str, text: str) -> str:
    return _digest(f"{purpose}/{' '.join(text.casefold().split())}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Spellings:
    """How the cells of a subgroup column were read.

    Parameters
    ----------
    read_as : mapping of str to str
        From each spelling to the group that it was counted to.
    missing : mapping of str to int
        Cells of each word that stands for an empty one.
    """

    read_as: Mapping[str, str]
    missing: Mapping[str, int]

    def describe(self) -> SpellingsRecord:
        """What the record says of them."""
        return {
            "read_as": {printable(cell): printable(group) for cell, group in sorted(self.read_as.items())},
            "missing": {printable(cell): count(n) for cell, n in sorted(self.missing.items())},
        }


@dataclass(frozen=True)
class Examples:
    """Labelled texts.

    Parameters
    ----------
    texts : tuple of str, length n
    labels : ndarray of int, shape (n,)
        Indices into `classes`.
    classes : tuple of str
        In the model's order.
    subgroups : mapping of str to ndarray of object, shape (n,)
        Group of each example by column; None where it is not known.
    source : str
        As the policy writes it.
    skipped : mapping of str to int
        Rows left out, by reason.
    label_reading : LabelReading
    spellings : mapping of str to Spellings
        How the cells of each subgroup column were read, where that is not as they stand.
    absent : int
        Rows whose id is empty or is not in the file of groups: they have no group.
    protocol : Protocol
        How evidence from these examples is to be read.
    clusters : ndarray of int, shape (n,), optional
        Which examples belong together, as those of one author do, as :func:`audit.statistics.cluster_ids` counts
        them; None exactly where each is a cluster of its own.
    unnamed : int
        Rows of which the policy's column says no author or item.
    rows : ndarray of int, shape (n,), optional
        Which row of the source each is, counted from 1; those that were left out count.
    second : ndarray of int, shape (n,), optional
        The class by a second labelling; `UNLABELLED` where there is none, the number of classes where it is none of
        them.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    subgroups: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    source: str = ""
    skipped: Mapping[str, int] = field(default_factory=dict)
    label_reading: LabelReading = field(default_factory=LabelReading)
    spellings: Mapping[str, Spellings] = field(default_factory=dict)
    absent: int = 0
    protocol: Protocol = field(default_factory=Protocol)
    clusters: NDArray[np.int64] | None = None
    unnamed: int = 0
    rows: NDArray[np.int64] | None = None
    second: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Let clusters of one row each be none at all.

        Raises
        ------
        ValueError
            If clusters, rows or second labels are not as many as texts: whoever put rows in left them behind.
        """
        for name in ("clusters", "rows", "second"):
            beside = getattr(self, name)
            if beside is not None and len(beside) != len(self.texts):
                raise ValueError(f"{len(self.texts)} texts and {name} of {len(beside)}")
        if self.clusters is not None and len(np.unique(self.clusters)) == len(self.clusters):
            object.__setattr__(self, "clusters", None)

    def __repr__(self) -> str:
        # Tracebacks, logs and debuggers print it: nothing that an author wrote, or is.
        return f"Examples({len(self)} of {self.source!r}, classes={self.classes})"

    def __len__(self) -> int:
        return len(self.texts)

    def row(self, i: int) -> int | None:
        """Which row of the source this example is, counted from 1; None where they come from none."""
        return None if self.rows is None else int(self.rows[i])

    def row_of(self, text: str) -> int | None:
        """Which row of the source holds this text first, counted from 1; None where none does."""
        return self.row(self.texts.index(text)) if text in self.texts else None

    def stand_in(self, texts: Iterable[str]) -> NDArray[np.bool_]:
        """Which examples have a text that is among these, to the last character; shape (n,)."""
        known = set(texts)
        return np.array([text in known for text in self.texts], dtype=bool)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Examples:
        """The examples at these indices, or where this mask is true."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            texts=tuple(self.texts[i] for i in index),
            labels=self.labels[index],
            subgroups={name: column[index] for name, column in self.subgroups.items()},
            clusters=None if self.clusters is None else self.clusters[index],
            rows=None if self.rows is None else self.rows[index],
            second=None if self.second is None else self.second[index],
        )

    def groups(self, column: str) -> NDArray[np.object_]:
        """The group of each example; ``a*b`` crosses two columns, ``mention:gender`` is read off the text."""
        parts = [self.subgroups[name] for name in column.split("*")]
        if len(parts) == 1:
            return parts[0]
        crossed = [None if None in row else " × ".join(row) for row in zip(*parts, strict=True)]
        return np.array(crossed, dtype=object)

    @cached_property
    def firsts(self) -> NDArray[np.int64]:
        """The first row that has the same text, to the last character, of each row; shape (n,)."""
        ids = cluster_ids(self.texts)
        return np.asarray(np.unique(ids, return_index=True)[1][ids], dtype=np.int64)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """Which rows have a text that no row before has; shape (n,)."""
        return np.asarray(self.firsts == np.arange(len(self)))

    def different(self, rows: Sequence[int] | NDArray[np.integer] | None = None) -> int:
        """How many different texts stand in these rows, by default in all: copies of one tell no more than it."""
        return len(set(self.texts if rows is None else (self.texts[i] for i in rows)))

    def drawn(self, purpose: str, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Rows in a random order that their content alone decides: the first k are a sample of k.

        By SHA-256 of the purpose and the text, in small letters and with single spaces. No seed and no order of rows
        comes in, so that nobody draws again until the sample suits him.

        Parameters
        ----------
        purpose : str
            Most often a probe's id: what is drawn for one says nothing of what is drawn for another.
        among : ndarray of bool, shape (n,), optional
            Which rows may be drawn; by default all.

        Returns
        -------
        ndarray of int
            Equal texts stand together, by label and groups.
        """
        if purpose not in self._orders:
            self._orders[purpose] = self._order(purpose)
        order = self._orders[purpose]
        return order if among is None else order[among[order]]

    @cached_property
    def _orders(self) -> dict[str, NDArray[np.int64]]:
        """Orders by purpose: several findings of a probe draw by one, and hashing long texts takes its time."""
        return {}

    def _order(self, purpose: str) -> NDArray[np.int64]:
        columns = [self.subgroups[name] for name in sorted(self.subgroups)]

        def key(row: int) -> tuple[str, ...]:
            text, label = self.texts[row], self.classes[self.labels[row]]
            return _draw(purpose, text), text, label, *(str(column[row]) for column in columns)

        return np.array(sorted(range(len(self)), key=key), dtype=np.int64)

    @property
    def is_cut(self) -> bool:
        """Whether :meth:`sample` leaves examples out."""
        return 0 < self.protocol.max_examples < len(self)

    def sample(self) -> Examples:
        """The sample of ``max_examples`` that all costly probes share, since it is scored once; or all."""
        return self.take(self.drawn("sample")[: self.protocol.max_examples]) if self.is_cut else self

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over texts, labels and subgroups, in whatever order; the same for a CSV file and its Parquet copy."""
        return fingerprint(sorted(map(fingerprint, self._rows)))

    @cached_property
    def ordered_fingerprint(self) -> str:
        """The same of the rows in their order, which a training depends on."""
        return fingerprint(chain.from_iterable(self._rows))

    @property
    def _rows(self) -> Iterator[tuple[str, ...]]:
        """What identifies each row: text, label, groups."""
        labels = [self.classes[label] for label in self.labels]
        columns = [map(str, self.subgroups[name]) for name in sorted(self.subgroups)]
        return zip(self.texts, labels, *columns, strict=True)

    @cached_property
    def keys(self) -> list[tuple[str, str, int]]:
        """What identifies each example in another audit: hash of the text, label, and which of equal ones it is."""
        seen: Counter[tuple[str, str]] = Counter()
        keys = []
        for text, label in zip(self.texts, self.labels, strict=True):
            pair = (_digest(text), self.classes[label])
            keys.append((*pair, seen[pair]))
            seen[pair] += 1
        return keys

    def describe(self) -> SplitRecord:
        """What the record says of them; no text."""
        return deepcopy(self._described)

    @cached_property
    def _described(self) -> SplitRecord:
        counts = np.bincount(self.labels, minlength=len(self.classes))
        by_convention = dict(self.label_reading.by_convention)
        groups = {column: spellings.describe() for column, spellings in self.spellings.items()}
        described: SplitRecord = {
            "path": self.source,
            "rows": len(self),
            "fingerprint": self.fingerprint,
            "classes": dict(zip(self.classes, map(int, counts), strict=True)),
            "skipped": dict(self.skipped),
        }
        if by_convention:
            described["labels"] = by_convention
        if groups:
            described["groups"] = groups
        if self.subgroups:
            described["subgroups"] = {column: self._sizes(column) for column in self.subgroups}
        if self.absent:
            described["absent"] = self.absent
        if self.clusters is not None or self.protocol.cluster:
            described["clusters"] = self._describe_clusters()
        return described

    def _sizes(self, column: str) -> dict[str, int | str]:
        """Rows of each group of a column, the largest first, those without one under the empty name."""
        sizes = Counter("" if group is None else str(group) for group in self.subgroups[column])
        return {masked(group): count(size) for group, size in sizes.most_common(MOST_GROUPS)}

    def _describe_clusters(self) -> ClustersRecord:
        clusters = np.arange(len(self)) if self.clusters is None else self.clusters
        sizes = np.unique(clusters, return_counts=True)[1]
        found: ClustersRecord = {
            "number": len(sizes),
            "shared": int(sizes[sizes > 1].sum()),
            "largest": int(sizes.max()),
        }
        return {**found, "unnamed": self.unnamed} if self.unnamed else found


@dataclass(frozen=True, repr=False)
class Production:
    """Texts of use as they came, and the labels of a random sample of them.

    Parameters
    ----------
    texts : tuple of str, length n
    labels : ndarray of int, shape (n,)
        Indices of the classes; -1 where there is no label.
    dropped : int
        Rows whose label the policy leaves out: these are texts like any, and count as not labelled.
    label_reading : LabelReading
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    dropped: int = 0
    label_reading: LabelReading = field(default_factory=LabelReading)

    def __len__(self) -> int:
        return len(self.texts)


def split_validation(examples: Examples, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row indices to train on and to hold out for validation: whole texts, in a seeded order.

    What is held out was then never trained on. Texts are held out as long as their rows fit into the share, so that it
    is never exceeded, and missed by fewer rows than the rarest text has that is left.
    """
    order, firsts = np.random.default_rng(seed).permutation(len(examples)), examples.firsts
    # The place of a text's first row is a fair draw among texts; that of its foremost row would favour repeated ones.
    texts = order[examples.is_first[order]]
    rows, held_out = np.bincount(firsts, minlength=len(examples)), np.zeros(len(examples), dtype=bool)
    left = int(len(examples) * share)
    for text in texts:
        if rows[text] <= left:
            held_out[text] = True
            left -= rows[text]
    return np.flatnonzero(~held_out[firsts]), np.flatnonzero(held_out[firsts])


def load(policy: Policy, role: Role, classes: Sequence[str], cache: Path) -> Examples:
    """Read, map and check one split.

    Parameters
    ----------
    policy : Policy
    role : {"train", "test"}
    classes : sequence of str
        The model's class names in order; empty: taken from the data.
    cache : Path
        Folder for the cache files of ``datasets``.

    Raises
    ------
    AuditError
        For a missing file or column, an unknown label, a class or subgroup without rows, or no usable row.
    """
    settings = policy.data
    source = getattr(settings, role)
    name = f"{policy.name}: [data] {role} = '{source}'"
    columns = _read(policy, role, source, name, cache)
    for key, column in [("text", settings.text), ("label", settings.label)]:
        _require(column, columns, name, f"[data] {key}")
    parts = {part for column in settings.subgroups for part in column.split("*")}
    mentioned = {part for part in parts if mentions.axis_of(part) is not None}
    plain = parts - mentioned
    absent = np.zeros(len(columns[settings.text]), dtype=bool)
    if settings.groups and (role == "test" or settings.id in columns):
        elsewhere = plain | ({settings.cluster} - {"", settings.id})
        joined, absent = _groups_elsewhere(columns, sorted(elsewhere), policy, role, name, cache)
        columns = {**columns, **joined}
    if role == "test":
        _check_mentions(mentioned, policy)
        for column in sorted(plain):
            _require(column, columns, name, "[data] subgroups")
        if settings.cluster:
            _require(settings.cluster, columns, name, "[data] cluster")
        if settings.second_label:
            _require(settings.second_label, columns, name, "[data] second_label")

    texts = [_clean(value) for value in columns[settings.text]]
    raw = [_clean(value) for value in columns[settings.label]]
    ours = _share_of_file(texts, role, policy, name)
    keep = ours & [bool(text) and bool(label) for text, label in zip(texts, raw, strict=True)]
    skipped = {
        "empty text": sum(here and not text for here, text in zip(ours, texts, strict=True)),
        "no label": sum(here and bool(text) and not label for here, text, label in zip(ours, texts, raw, strict=True)),
    }
    if not keep.any():
        raise AuditError(f"{name}: no usable row is left of {len(texts)}; text or label is empty everywhere.")
    dropped = label_names.left_out(set(raw), settings, name)
    usable = keep & [label not in dropped for label in raw]
    skipped[label_names.DROPPED] = int(keep.sum() - usable.sum())
    keep = usable
    if not keep.any():
        raise AuditError(f"{name}: no row is left; [data] drop_labels names every label of the data.")
    kept = [label for label, ok in zip(raw, keep, strict=True) if ok]
    names = tuple(classes) or label_names.infer(set(kept), settings.label_map, name, dropped=dropped)
    if personal := [each for each in names if certain(each)]:
        raise AuditError(
            f"{name}: class '{printable(personal[0])}' is called by personal data, and what classes are called stands "
            f"in every table of the report; give it another name with [data] label_map, or in "
            "the model's config.json."
        )
    labels, by_convention = label_names.read(kept, names, settings.label_map, name, dropped=dropped)
    second, of_second = None, set[str]()
    if role == "test" and settings.second_label:
        cells = [_clean(cell) for cell, ok in zip(columns[settings.second_label], keep, strict=True) if ok]
        of_second = set(cells) - MISSING - {""}
        second = _second_labels(cells, of_second, set(kept), names, settings, name)
    named = (*settings.label_map, *settings.drop_labels)
    unmatched = frozenset(named) - label_names.matching({*raw, *of_second}, named)
    missing = [names[i] for i in range(len(names)) if not (labels == i).any()]
    if missing:
        raise AuditError(
            f"{name}: class '{printable(missing[0])}' has no rows; give data of every class that the model knows, "
            f"correct [model] labels or [data] label_map, or say with [model] merge what that class of a model that is "
            f'only loaded counts as, or that it is left out: "".'
        )
    subgroups: dict[str, NDArray[np.object_]] = {}
    spellings = {}
    for column in sorted(plain & set(columns)):
        cells = [_clean(cell) for cell, ok in zip(columns[column], keep, strict=True) if ok]
        subgroups[column], spellings[column] = _groups(cells)
    kept_texts = tuple(text for text, ok in zip(texts, keep, strict=True) if ok)
    if role == "test":
        # Whom training texts mention is asked by no probe, and the lists take a millisecond a text.
        subgroups |= {part: mentions.mentions(kept_texts, str(mentions.axis_of(part))) for part in sorted(mentioned)}
    owners: list[str | None] = [None] * len(kept_texts)
    is_clustered = bool(settings.cluster) and settings.cluster in columns  # JSON may have a column without a name
    if is_clustered:
        owners = [_owner(cell) for cell, ok in zip(columns[settings.cluster], keep, strict=True) if ok]
    examples = Examples(
        texts=kept_texts,
        labels=labels,
        classes=names,
        subgroups=subgroups,
        source=source,
        skipped={reason: rows for reason, rows in skipped.items() if rows},
        label_reading=LabelReading(by_convention, unmatched),
        spellings={column: each for column, each in spellings.items() if each.read_as or each.missing},
        absent=int((absent & keep).sum()),
        protocol=_protocol(policy, len(kept_texts), names),
        clusters=_clusters(owners, kept_texts, policy.privacy.near_duplicate if role == "test" else None),
        unnamed=owners.count(None) if is_clustered else 0,
        rows=np.flatnonzero(keep) + 1,
        second=second,
    )
    if role == "test":
        for column in settings.subgroups:
            found = {group for group in examples.groups(column) if group is not None}
            if len(found) < 2:
                raise AuditError(
                    f"{name}: subgroup column '{column}' has {len(found)} group(s) with rows; a comparison needs two."
                )
            _check_shares(policy, column, found)
    return examples


def _second_labels(
    cells: Sequence[str], found: set[str], first: set[str], classes: tuple[str, ...], settings: DataPolicy, name: str
) -> NDArray[np.int64]:
    """The second label of each row, as :class:`Examples` holds them.

    Parameters
    ----------
    cells : sequence of str, length n
    found, first : set of str
        The second and the first labels that there are; both are read alike, so that numbers mean the same in both.
    """
    column = f"column '{settings.second_label}' ([data] second_label)"
    if not found:
        raise AuditError(f"{name}: {column} is empty in all rows; fill it in some drawn at random, or leave it out.")
    none_of_them = label_names.left_out(found, settings, name)
    known = (found - none_of_them) | first
    of = label_names.meanings(known, classes, settings.label_map, name, dropped=none_of_them)
    if unknown := sorted(label for label in known if of[label] is None):
        raise AuditError(
            f"{name}: {column} has '{printable(unknown[0], 60)}', none of the model's classes "
            f"({', '.join(map(printable, classes))}); say which it means with [data] label_map, or that it is none of "
            f"them with [data] drop_labels."
        )
    index = {label: len(classes) for label in none_of_them} | {label: i for label, i in of.items() if i is not None}
    return np.array([index[cell] if cell in found else UNLABELLED for cell in cells], dtype=np.int64)


def load_texts(policy: Policy, source: Role | Path, cache: Path) -> tuple[str, ...]:
    """The texts alone, without labels and empty ones: of a split, or of a further file with the same text column.

    Raises
    ------
    AuditError
        For a missing file or column, an unknown type, or no text.
    """
    if isinstance(source, Path):
        name = str(source)
        if not tables.shards(source):
            raise AuditError(f"{name}: {tables.not_read(source)}")
        columns = tables.read(source, name, cache, wanted=(policy.data.text,))
    else:
        named = getattr(policy.data, source)
        if named is None:
            raise AuditError(f"{policy.name}: [data] {source} is missing; name the file with the {source} texts.")
        name = f"{policy.name}: [data] {source} = '{named}'"
        columns = _read(policy, source, named, name, cache)
    _require(policy.data.text, columns, name, "[data] text")
    texts = [_clean(value) for value in columns[policy.data.text]]
    if not isinstance(source, Path):
        ours = _share_of_file(texts, source, policy, name)
        texts = [text for text, here in zip(texts, ours, strict=True) if here]
    kept = tuple(text for text in texts if text)
    if not kept:
        raise AuditError(f"{name}: no row has a text.")
    return kept


def load_production(policy: Policy, classes: Sequence[str], cache: Path) -> Production:
    """Read the texts of use, and the labels of those that have one.

    Parameters
    ----------
    policy : Policy
        Names a source of them.
    classes : sequence of str
        The model's, in order.
    cache : Path
        Folder for the cache files of ``datasets``.

    Raises
    ------
    AuditError
        For a missing file or column, an unknown label, or a column of labels that is empty.
    """
    settings = policy.data
    source = str(settings.production)
    name = f"{policy.name}: [data] production = '{source}'"
    if source == DEMO:
        raise AuditError(f"{name}: the demo has no texts of use; name a file of your own, or leave the key out.")
    columns = _read(policy, "production", source, name, cache)
    _require(settings.text, columns, name, "[data] text")
    texts = [_clean(value) for value in columns[settings.text]]
    raw = [""] * len(texts)
    if settings.production_label:
        _require(settings.production_label, columns, name, "[data] production_label")
        raw = [_clean(value) for value in columns[settings.production_label]]
    raw = ["" if label in MISSING - set(classes) else label for label in raw]
    rows = [(text, label) for text, label in zip(texts, raw, strict=True) if text]
    if not rows:
        raise AuditError(f"{name}: no row has a text.")
    given = [label for _, label in rows if label]
    if settings.production_label and not given:
        raise AuditError(
            f"{name}: column '{printable(settings.production_label)}' ([data] production_label) has no label in any "
            "row; label a random sample of the rows, or leave the key out."
        )
    dropped = label_names.left_out(set(given), settings, name)
    kept = [label for label in given if label not in dropped]
    found, by_convention = label_names.read(kept, classes, settings.label_map, name, dropped=dropped)
    index = iter(found.tolist())
    labels = [-1 if not label or label in dropped else next(index) for _, label in rows]
    named = (*settings.label_map, *settings.drop_labels)
    return Production(
        tuple(text for text, _ in rows),
        np.array(labels, dtype=np.int64),
        len(given) - len(kept),
        LabelReading(by_convention, frozenset(named) - label_names.matching(set(given), named)),
    )


def _protocol(policy: Policy, n: int, classes: Sequence[str]) -> Protocol:
    """How evidence from so many test examples of these classes is to be read."""
    confidence, looks = policy.audit.confidence, policy.audit.looks
    return Protocol(
        anytime_confidence(confidence, n) if looks == "any" else shared_out(confidence, looks),
        policy.audit.min_group_size,
        policy.data.language,
        policy.data.max_examples,
        policy.audit.seed,
        policy.quality.behaviour_cases,
        policy.data.cluster,
        policy.data.second_label_is,
        label_names.ordered(classes, policy.model.order, policy.name),
        policy.model.threshold,
    )


def load_elsewhere(
    policy: Policy, settings: TransferPolicy, home: Examples, size: int, cache: Path
) -> tuple[Examples, int]:
    """Read a labelled data set from elsewhere, on which models of the policy's own data are tried.

    Parameters
    ----------
    home : Examples
        The policy's test data. Rows of other labels than its classes are left out, and a sample is drawn in
        which the classes have its shares: a model that leans to one class would else seem to gain or lose by them.
    size : int
        How many rows at most.
    cache : Path
        Folder for the cache files of ``datasets``.

    Returns
    -------
    examples : Examples
    left_out : int
        How many rows have no text, or a label that is none of the classes.

    Raises
    ------
    AuditError
        For a missing file or column, or where a class is left without rows.
    """
    name, classes = f"{policy.name}: [claims] transfer = '{settings.data}'", home.classes
    columns = _read(policy, "test", settings.data, name, cache, elsewhere=settings)
    for key, column in [("text", settings.text), ("label", settings.label)]:
        _require(column, columns, name, f"[[claims.transfer]] {key}")
    texts, raw = ([_clean(value) for value in columns[column]] for column in (settings.text, settings.label))
    rows = [(text, label) for text, label in zip(texts, raw, strict=True) if text and label]
    present = {label for _, label in rows}
    if unmatched := set(settings.label_map) - label_names.matching(present, settings.label_map):
        raise AuditError(
            f"{name}: label_map names '{printable(min(unmatched))}', but no row has such a label; correct it or "
            f"leave it out."
        )
    meanings = label_names.meanings(present, classes, settings.label_map, name)
    kept = [(text, found) for text, label in rows if (found := meanings[label]) is not None]
    labels = np.array([label for _, label in kept], dtype=np.int64)
    missing = [classes[i] for i in range(len(classes)) if not (labels == i).any()]
    if missing:
        raise AuditError(
            f"{name}: class '{printable(missing[0])}' has no rows; say what its labels mean with "
            "[[claims.transfer]] label_map, or name data of every class that the model knows."
        )
    examples = Examples(
        tuple(text for text, _ in kept),
        labels,
        classes,
        source=settings.data,
        protocol=_protocol(policy, len(home), classes),
    )
    shares = np.bincount(home.labels, minlength=len(classes)) / len(home)
    total = min(size, float((np.bincount(labels) / shares).min()))
    drawn = [
        examples.drawn("elsewhere", labels == i)[: max(1, int(share * total + 1e-9))] for i, share in enumerate(shares)
    ]
    return examples.take(np.sort(np.concatenate(drawn))), len(texts) - len(kept)


def _check_shares(policy: Policy, column: str, found: Iterable[str]) -> None:
    """Refuse a reference share of a group that no test example has: it may be another one's, misspelt."""
    shares, groups = policy.representation.get(column, {}), sorted(found)
    if unknown := next((group for group in shares if group not in groups), None):
        raise AuditError(
            f"{policy.name}: [representation.{column}] names '{printable(unknown)}', which no test example has as its "
            f"group{did_you_mean(unknown, groups)}"
        )


def _check_mentions(parts: Iterable[str], policy: Policy) -> None:
    """Refuse groups by mention on an axis or in a language for which there are no lists."""
    for part in sorted(parts):
        axis = str(mentions.axis_of(part))
        if axis not in AXES:
            known = [f"{mentions.PREFIX}{name}" for name in AXES]
            raise AuditError(f"{policy.name}: [data] subgroups has an unknown '{part}'{did_you_mean(part, known)}")
        if policy.data.language != "en":
            raise AuditError(
                f"{policy.name}: [data] subgroups = '{part}' groups by English words, and [data] language is "
                f"'{policy.data.language}'; name columns of the data instead."
            )


def load_pairs(policy: Policy, cache: Path) -> dict[str, tuple[str, ...]] | None:
    """Read the policy's file of counterfactual pairs.

    Parameters
    ----------
    policy : Policy
    cache : Path
        Folder for the cache files of ``datasets``.

    Returns
    -------
    dict of str to tuple of str, or None
        The columns of the file as cleaned text, those of the Equity Evaluation Corpus among them: sentence, template,
        person, gender, race, emotion. Rows without a sentence are left out. None where the policy names no file.

    Raises
    ------
    AuditError
        For a missing, unreadable or empty file, an unknown type or a missing column.
    """
    source = policy.data.pairs
    if source is None:
        return None
    name = f"{policy.name}: [data] pairs = '{source}'"
    path = policy.path(source, "[data] pairs")
    if not tables.shards(path):
        raise AuditError(f"{name}: {tables.not_read(path)}")
    columns = tables.read(path, name, cache, wanted=PAIR_COLUMNS)
    for column in PAIR_COLUMNS:
        _require(column, columns, name, "a counterfactual pair file")
    rows = zip(*(map(_clean, values) for values in columns.values()), strict=True)
    keep = [row for row in rows if row[list(columns).index("sentence")]]
    if not keep:
        raise AuditError(f"{name}: no row has a sentence.")
    pairs = dict(zip(columns, zip(*keep, strict=True), strict=True))
    return pairs | {axis: tuple(group or "" for group in _groups(pairs[axis])[0]) for axis in ("gender", "race")}


def _share_of_file(texts: list[str], role: Role, policy: Policy, name: str) -> NDArray[np.bool_]:
    """Which rows belong to this split: all, or where one file serves as both, those that the share gives it.

    The split goes by a seeded hash of the text, so that equal texts never stand on both sides.
    """
    settings = policy.data
    everything = np.ones(len(texts), dtype=bool)
    if settings.train != settings.test:
        if settings.test_share:
            raise AuditError(
                f"{policy.name}: [data] test_share is for one file that serves as train and test; here they differ."
            )
        return everything
    if not settings.test_share:
        path = policy.path(settings.test, "[data] test")
        if settings.test != DEMO and (tables.shards(path) or tables.saved(path) == "table"):
            raise AuditError(
                f"{name} names the same file for train and test; say which share is held out with "
                f"[data] test_share = 0.3."
            )
        return everything  # a Hub data set or the demo has splits of its own
    held_out = np.array([_fraction(text, policy.audit.seed) < settings.test_share for text in texts], dtype=bool)
    return held_out if role == "test" else ~held_out


def _fraction(text: str, seed: int) -> float:
    return int(_digest(f"{seed}/{text}")[:16], 16) / 2**64


def _require(column: str, columns: tables.Columns, name: str, key: str) -> None:
    if column not in columns:
        raise AuditError(f"{name} has no column '{column}' ({key}){did_you_mean(column, columns)}")
    for row, cell in enumerate(columns[column], 1):
        if isinstance(cell, list | dict | bytes):
            kind = {list: "a list", dict: "an object", bytes: "bytes"}[type(cell)]
            raise AuditError(
                f"{name}: row {row} has {kind} in column '{column}' ({key}); expected one text, number or truth value."
            )


def _clean(value: object) -> str:
    """A cell as text; missing values of every kind become empty. Integers that pandas made floats come back."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):  # Arrow reads dates in JSON as times
        value = value.isoformat(" ").removesuffix(" 00:00:00")
    # NUL would end the string in some of the native code downstream.
    return tables.without_surrogates(str(value).replace("\x00", " ").strip())


def _groups_elsewhere(
    columns: tables.Columns, wanted: Sequence[str], policy: Policy, role: Role, name: str, cache: Path
) -> tuple[tables.Columns, NDArray[np.bool_]]:
    """The subgroup columns of the file of groups, in the order of the data's own rows, told by their ids.

    Beside them which of these rows it does not have.
    """
    source, key = policy.data.groups, policy.data.id
    there = f"{policy.name}: [data] groups = '{source}'"
    path = policy.path(source, "[data] groups")
    if not tables.shards(path):
        raise AuditError(f"{there}: {tables.not_read(path)}")
    people = tables.read(path, there, cache, wanted=(key, *wanted))
    for each, place in ((columns, name), (people, there)):
        _require(key, each, place, "[data] id")
    own = [column for column in wanted if column in people]
    if twice := [column for column in own if column in columns]:
        raise AuditError(f"{there}: column '{twice[0]}' stands in the data too; remove it from one of them.")
    row_of: dict[str, int] = {}
    cells = {column: [_clean(cell) for cell in people[column]] for column in own}
    for row, whose in enumerate(_whole(_clean(cell)) for cell in people[key]):
        if not whose:
            continue
        first = row_of.setdefault(whose, row)
        if any(_folded(column[row]) != _folded(column[first]) for column in cells.values()):
            raise AuditError(
                f"{there}: rows {first + 1} and {row + 1} have one '{key}' and different groups; keep one."
            )
    rows = [row_of.get(_whole(_clean(cell))) for cell in columns[key]]
    if role == "test" and all(row is None for row in rows):
        raise AuditError(
            f"{there}: no '{key}' of the data stands in it; name the column that both have with [data] id."
        )
    joined = {column: [None if row is None else values[row] for row in rows] for column, values in cells.items()}
    return joined, np.array([row is None for row in rows], dtype=bool)


def _owner(cell: object) -> str | None:
    """Whose row it is, by its cell in the column of clusters; None where that is empty. It is shown nowhere."""
    owner = _whole(_clean(cell))
    return None if not owner or owner in MISSING else owner


def _clusters(owners: Sequence[str | None], texts: Sequence[str], near_duplicate: float | None) -> NDArray[np.int64]:
    """Which rows belong together: those of one owner; of the rows that are alone in that, those that say the same.

    Texts join no owners of several rows: one that many have copied would make a single cluster of them all.
    """
    rows = Counter(owners)
    keys: list[str | int | None] = [owner if owner is not None and rows[owner] > 1 else None for owner in owners]
    if near_duplicate is not None:
        alone = [row for row, key in enumerate(keys) if key is None]
        families = duplicates.families([texts[row] for row in alone], near_duplicate)
        for row, family in zip(alone, families.tolist(), strict=True):
            keys[row] = family
    return cluster_ids(keys)


def _groups(cells: Sequence[str]) -> tuple[NDArray[np.object_], Spellings]:
    """The group of each cell: one for all spellings of it, named by the most frequent; None where there is none.

    Groups are named as they may be shown, so that no table, drawing or file of the audit says more.
    """
    counts = Counter(cells)
    missing = {cell: counts[cell] for cell in sorted(MISSING & set(counts))}
    names: dict[str, str] = {}
    for cell in sorted(set(counts) - set(missing) - {""}, key=lambda cell: (-counts[cell], cell)):
        names.setdefault(_folded(cell), cell)
    of = {cell: names[_folded(cell)] if cell and cell not in missing else None for cell in counts}
    read_as = {cell: group for cell, group in of.items() if group is not None and group != cell}
    shown = called(names.values())
    groups = [None if group is None else shown[group] for group in map(of.__getitem__, cells)]
    return np.array(groups, dtype=object), Spellings(read_as, missing)


def _folded(cell: str) -> str:
    """What spellings of one group have in common, as of labels; nor does it count that 34 is written 34.0."""
    return _whole(label_names.folded(cell))


def _whole(cell: str) -> str:
    """34 where 34.0 is written, as pandas writes a column of integers in which some are missing."""
    return cell.partition(".")[0] if re.fullmatch(r"-?\d+\.0+", cell) else cell


def _read(
    policy: Policy, role: Role, source: str, name: str, cache: Path, *, elsewhere: TransferPolicy | None = None
) -> tables.Columns:
    """The columns of a source, as lists; `elsewhere` are the settings that name it, if they are not those of [data]."""
    settings = elsewhere or policy.data
    if source == DEMO:
        from audit import demo

        assert role != "production"
        rows = demo.reviews(role)
        return {column: [row[column] for row in rows] for column in rows[0]}
    path = policy.path(source, "[claims] transfer" if elsewhere else f"[data] {role}")
    if tables.shards(path):
        separator = "" if elsewhere else policy.data.separator
        return tables.read(path, name, cache, separator=separator, wanted=(settings.text, settings.label))
    if tables.saved(path):
        return tables.read_saved(path, role, name)
    if path.is_dir():
        check_all(path, name, check_content)
        return _read_hub(str(path), role, name, cache)
    if path.exists() or "${" in source or source.startswith((".", "/", "~")) or tables.is_file_name(source):
        raise AuditError(f"{name}: {tables.not_read(path, ', a folder of them, a Hub data set or demo')}")
    return _read_hub(source, role, name, cache)


def _read_hub(source: str, role: Role, name: str, cache: Path) -> tables.Columns:
    """``owner/name``, ``owner/name[configuration]``, ``…:split``; the split is the role's where none is named."""
    match = re.fullmatch(r"(?P<id>[^:\[\]]+)(\[(?P<config>[\w.-]+)\])?(:(?P<split>[\w.-]+))?", source)
    if match is None:
        raise AuditError(
            f"{name}: expected a file, a folder or a Hub data set such as 'owner/name[configuration]:split'."
        )
    from datasets import load_dataset

    split = match["split"] or role
    if Path(source).is_dir():
        with tables.readable(name), scratch(cache) as empty:
            return tables.columns_of(
                load_dataset(match["id"], match["config"], split=split, cache_dir=str(empty)), name
            )
    hub.work_offline_if_unreachable()
    with tables.readable(name):
        return tables.columns_of(_download(match["id"], match["config"], split, cache), name)


def _download(source: str, configuration: str | None, split: str, cache: Path) -> Dataset:
    """A data set of the Hub, from the library's cache where there is no network; a damaged copy there is made again."""
    import datasets
    import pyarrow as pa

    def load(mode: str) -> Dataset:
        return datasets.load_dataset(source, configuration, split=split, cache_dir=str(cache), download_mode=mode)

    sealed = cache / f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.json"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(f"{sealed}.lock"):
        known = read_sealed(sealed) or {}
        try:
            dataset = load("reuse_dataset_if_exists")
            damaged = any(known.get(each, digest) != digest for each, digest in _digests(dataset).items())
        except (pa.ArrowException, ValueError, OSError):
            # Without a copy that was whole once, it is the data set or the network that is at fault.
            if not known:
                raise
            damaged = True
        if damaged:
            message = f"{cache}: the copy of '{source}' in the cache is not as it was made; it is made again"
            warnings.warn(message, CacheWarning, stacklevel=2)
            dataset = load("reuse_cache_if_exists")
        with suppress(OSError):  # then it is not held against anything the next time
            write_sealed(sealed, known | _digests(dataset))
    return dataset


def _digests(dataset: Dataset) -> dict[str, str]:
    """The SHA-256 of each file that a data set is read from."""
    return {each["filename"]: sha256(Path(each["filename"])) for each in dataset.cache_files}
