"""What every probe must hold to, checked on examples of its arguments; and small data to make such examples of.

For whoever writes a probe, here or in a package of their own: :func:`check_probe` raises AssertionError, in any test
framework. It says nothing of whether the probe measures the right thing: that takes an independent source.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from jsonschema import ValidationError
from numpy.typing import ArrayLike, NDArray

from audit.core import evidence
from audit.core.errors import NotAssessed
from audit.core.identifiers import CHALLENGES, base_id
from audit.core.looks import Looks, at_once
from audit.core.measurement import Measurement, Result
from audit.core.probe import POINTS, SHARE, DeclaredProbe, Probe, stopped_by
from audit.core.records import Record
from audit.core.verdict import Finding, Gate, Verdict, judge
from audit.data.examples import Examples, Protocol
from audit.inference.predictions import Predictions
from audit.policy.policy import AuditPolicy, DataPolicy, GateSettings, ModelPolicy, Policy
from audit.record import declarations, record
from audit.report.i18n import words
from audit.report.i18n.language import ENGLISH, TAGS, say
from audit.report.page import page, standards
from audit.report.page.evidence import Limits, views
from audit.run.stopping import Stopping
from audit.text.redaction import withholding

if TYPE_CHECKING:
    from audit.inference.scorer import Scorer

# Whatever a probe's parameters are.
Arguments = Mapping[str, Any]
_T = TypeVar("_T")
# Planted at the end of every text; the values belong to nobody (RFC 2606, the example of ISO 13616, Ofcom's numbers).
PERSONAL = ("jo.quill@example.org", "DE89 3704 0044 0532 0130 00", "+44 7700 900123")
PLANTED = " Write to {}, pay to {} or call {}.".format(*PERSONAL)
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_FIELD = re.compile(r"\{([a-z_0-9]+)(?::[^{}]*)?\}")
_MARKUP = re.compile(r"<style>.*?</style>|<[^>]*>", re.DOTALL)
_TOLERANCE = 1e-9


def check_probe(
    probe: DeclaredProbe[...],
    gate: Gate | float,
    *,
    passes: Arguments,
    fails: Arguments,
    refuses: Sequence[Arguments] = (),
    shuffled: Arguments | None = None,
    folder: Path | None = None,
) -> None:
    """Check that a probe does what an audit, its record and its reports rely on.

    It is declared whole; it refuses with a reason what it cannot measure; its estimate lies in its interval, and that
    in its range; test rows in another order change nothing; what it gives fits the record and is shown on the page, in
    each language; e-mail addresses, accounts and telephone numbers in texts do not leave it, and no text at all where
    the policy asks for that; its gate passes one model and fails another, and if it measures in looks, also where it is
    stopped as soon as that is settled.

    Parameters
    ----------
    probe : DeclaredProbe
        A function under its :class:`~audit.core.probe.Probe`.
    gate : Gate or float
        A number is a bound in the direction of the declaration.
    passes, fails : mapping
        Arguments by name of a model that must pass the gate, and of one that must not. Scorers among them must answer
        any text.
    refuses : sequence of mapping
        Arguments that cannot be measured. Empty only where there are none.
    shuffled : mapping, optional
        The arguments of `passes` with test rows in another order. `test_data`, predictions and the examples that these
        are about are shuffled without it, wherever they stand in the arguments. Nothing may change by it; what is
        drawn among the rows is drawn by :meth:`audit.data.examples.Examples.drawn`.
    folder : Path, optional
        Where the documentation is, if the guide is a file; by default the working folder.

    Raises
    ------
    AssertionError
        With one sentence.
    """
    declared = probe.declaration
    _check_declaration(probe, folder or Path())
    gate = gate if isinstance(gate, Gate) else _gate(declared, gate)
    _require(declared.better != "higher" or gate.min is not None, declared, "higher is better, so its gate has a min")
    _require(declared.better != "lower" or gate.max is not None, declared, "lower is better, so its gate has a max")
    for arguments in refuses:
        _check_refusal(probe, arguments)
    rule = _Watched()
    with stopped_by(rule):
        _check_verdicts(probe, gate, passes, fails, shuffled)
    if rule.is_asked:
        with stopped_by(Stopping(_policy(declared, gate))):
            _check_verdicts(probe, gate, passes, fails, shuffled)
    for arguments in (passes, fails):
        _check_privacy(probe, arguments, gate)


class _Watched:
    """Runs probes that measure in looks to the end, and knows whether there was one."""

    is_asked = False

    def __call__(self, declaration: Probe, full_id: str, looks: Looks) -> Result:
        self.is_asked = True
        return at_once(looks)


def _policy(declared: Probe, gate: Gate) -> Policy:
    """One that gates the probe, and stops it when that is settled."""
    group, _, name = declared.id.partition(".")
    return Policy(
        model=ModelPolicy(source="example"),
        data=DataPolicy(test="example"),
        gates={group: {name: GateSettings(min=gate.min, max=gate.max)}},
        audit=AuditPolicy(stopping="settled"),
    )


def _check_verdicts(
    probe: DeclaredProbe[...], gate: Gate, passes: Arguments, fails: Arguments, shuffled: Arguments | None
) -> None:
    declared, measured = probe.declaration, _measured(probe, passes)
    for name, expected, each in (
        ("passes", (Verdict.PASS, Verdict.NOT_EXCEEDED), measured),
        ("fails", (Verdict.FAIL,), _measured(probe, fails)),
    ):
        finding = _finding(declared, each, gate)
        _require(finding.verdict in expected, declared, f"with the arguments of `{name}` the verdict is: {finding}")
        _check_shown(declared, finding)
    _check_order(probe, passes, shuffled, measured)


def _require(holds: bool, declared: Probe, otherwise: str) -> None:
    if not holds:
        raise AssertionError(f"{declared.id}: {otherwise}.")


def _gate(declared: Probe, bound: float) -> Gate:
    _require(declared.better != "either", declared, "neither direction is better; give a Gate with min or max")
    return Gate(min=bound) if declared.better == "higher" else Gate(max=bound)


# ---- the declaration


def _check_declaration(probe: DeclaredProbe[...], folder: Path) -> None:
    declared = probe.declaration
    _require(bool(_ID.fullmatch(declared.id)), declared, "an id is two names with a dot between them, in small letters")
    _require(declared.challenge in CHALLENGES, declared, f"'{declared.challenge}' is no challenge")
    _require(
        bool(declared.title) and not declared.title.endswith("."), declared, "its title is a few words, no sentence"
    )
    # A claim of the document that is refuted harms nobody.
    judges = declared.better != "either" and declared.challenge != "claims"
    for name in ("meaning", *(("harm", "remedy") if judges else ())):
        text = getattr(declared, name)
        _require(
            bool(text) and text.strip() == text and text.endswith("."),
            declared,
            f"its {name} is no sentence; end `{name}` with a full stop",
        )
    # What a metric of the policy counts, only its owner knows; other units say it by themselves.
    if declared.unit in ("", SHARE, POINTS) and declared.brackets != "metric":
        _require(bool(declared.counts), declared, "it does not say what the number counts; give `counts`")
    _require(bool(declared.measured_on), declared, "it does not say what it is measured on")
    least, most = declared.range
    _require(least is None or most is None or least < most, declared, f"its range {declared.range} is empty")
    if judges:
        alarm = declared.alarm
        _require(
            alarm is not None,
            declared,
            "it does not say from which value on a finding without a gate is worrying; give `alarm=Alarm(value, why)`",
        )
        assert alarm is not None
        _require(bool(alarm.reason), declared, "it does not say why it is worrying from that value on")
        _require(_lies_in(alarm.value, declared.range), declared, f"its alarm {alarm.value} is not in its range")
    _require(not declared.cause or declared.cause in words.CAUSES, declared, f"no cause is called '{declared.cause}'")
    _require(declared.severity in words.SEVERITIES, declared, f"no severity is called '{declared.severity}'")
    for lever in declared.levers:
        _require(lever in words.LEVERS, declared, f"no lever is called '{lever}'")
    rules = {rule.name for standard in standards.STANDARDS for rule in standard.rules}
    for name in declared.rules:
        _require(name in rules, declared, f"no standard has a rule '{name}'")
    if declared.guide and "://" not in declared.guide:
        path = declared.guide.partition("#")[0]
        _require((folder / path).is_file(), declared, f"its guide {path} does not exist")
    _require(
        bool(declared.brackets) == bool(declared.bracket),
        declared,
        "`brackets` and `bracket` go together: one is missing",
    )


# ---- what it measures


def _measured(probe: DeclaredProbe[...], arguments: Arguments) -> Measurement:
    try:
        measured = probe(**arguments)
    except NotAssessed as refusal:
        raise AssertionError(f"{probe.id}: it refuses what it must measure: {refusal.reason.rstrip('.')}.") from None
    except ValueError as error:
        raise AssertionError(f"{probe.id}: {error}.") from error
    _check_interval(probe.declaration, measured)
    return measured


def _check_interval(declared: Probe, m: Measurement) -> None:
    _require(base_id(m.id) == declared.id, declared, f"it measures under another id, {m.id}")
    _require(bool(m.method), declared, "it does not say how it was measured")
    _require(m.n > 0 and bool(m.sample), declared, f"it does not say on what it rests: n is {m.n} {m.sample}")
    if m.low == math.inf:
        _require(bool(m.unbounded), declared, "nothing bounds it, and it says not why")
        return
    if m.estimate is None:
        _require(bool(m.undecided), declared, "it has no estimate, and says not why")
        return
    numbers = [value for value in (m.low, m.estimate, m.high) if value is not None]
    _require(all(map(math.isfinite, numbers)), declared, f"its figures {numbers} are not all finite")
    _require(numbers == sorted(numbers), declared, f"low, estimate and high, {numbers}, are not in this order")
    _require(
        all(_lies_in(value, declared.range) for value in numbers),
        declared,
        f"its figures {numbers} do not all lie in its range {declared.range}",
    )


def _lies_in(value: float, within: tuple[float | None, float | None]) -> bool:
    least, most = within
    return (least is None or value >= least - _TOLERANCE) and (most is None or value <= most + _TOLERANCE)


def _check_refusal(probe: DeclaredProbe[...], arguments: Arguments) -> None:
    declared = probe.declaration
    try:
        measured = probe(**arguments)
    except NotAssessed as refusal:
        reason = refusal.reason
    else:
        raise AssertionError(f"{declared.id}: it must refuse these arguments, and measures {measured.estimate}.")
    _require(bool(reason.strip()) and "\n" not in reason, declared, f"its refusal is no sentence: {reason!r}")
    finding = Finding(declared.id, declared.challenge, declared.title, Verdict.NOT_ASSESSED, reason)
    _check_shown(declared, finding)


def _check_order(
    probe: DeclaredProbe[...], arguments: Arguments, shuffled: Arguments | None, measured: Measurement
) -> None:
    declared = probe.declaration
    if shuffled is None:
        shuffled = _with_rows_shuffled(arguments)
        told = shuffled is not arguments or "test data" not in declared.measured_on
        _require(told, declared, "it is measured on test data; say in `shuffled` how its rows are shuffled")
    if shuffled is arguments:
        return
    other = _measured(probe, shuffled)
    for name in ("id", "estimate", "low", "high", "n", "confidence", "stopped", "undecided", "unbounded", "too_small"):
        before, after = getattr(measured, name), getattr(other, name)
        changes = f"test rows in another order change its {name} from {before} to {after}"
        _require(_plain(before) == _plain(after), declared, changes)
    before, after = (Counter(map(_unordered, each.evidence)) for each in (measured, other))
    for kind, *content in (*(before - after), *(after - before)):
        shown = ", ".join(content)
        raise AssertionError(f"{declared.id}: test rows in another order change what it shows, {kind}: {shown}.")


def _unordered(piece: evidence.Evidence) -> tuple[str, ...]:
    """A piece of evidence without the order of its rows, and without the texts that are examples of many."""
    if isinstance(piece, evidence.Pairs):
        return piece.kind, piece.caption, str(len(piece.items))
    value = {name: item for name, item in evidence.to_json(piece).items() if name != "kind"}
    return piece.kind, *(part for name, item in sorted(value.items()) for part in (name, *_rows(item)))


def _rows(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else [value]
    return tuple(sorted(json.dumps(_plain(part), sort_keys=True, default=str) for part in parts))


def _plain(value: object) -> object:
    """A value that does not differ for the last digits of a sum in another order."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return float(f"{value:.9g}") if isinstance(value, float) and math.isfinite(value) else value


# ---- what is shown


def _finding(declared: Probe, measured: Measurement, gate: Gate) -> Finding:
    verdict, reason = judge(measured, gate)
    return Finding(measured.id, declared.challenge, declared.title, verdict, reason, measured, gate)


def _check_shown(declared: Probe, finding: Finding) -> None:
    """The finding fits the record, and the page shows all of it in each language."""
    value = _recorded(declared, finding)
    for template, name in _unfilled(value):
        raise AssertionError(f"{declared.id}: the sentence “{template}” has no value for {{{name}}}.")
    for piece in finding.measurement.evidence if finding.measurement else ():
        shown = not _is_full(piece) or views([piece], Limits())
        _require(bool(shown), declared, f"nothing can be shown of a piece of its evidence, {piece.kind}")
    pages = {language: page.render(value, language) for language in TAGS}
    shown_title = say(declared.title) in html.unescape(_MARKUP.sub("", pages[ENGLISH]))
    _require(shown_title, declared, "its title is not on the page")


def _unfilled(value: object) -> Iterator[tuple[str, str]]:
    """Sentences anywhere in a record, and what they have no value for."""
    if isinstance(value, Mapping):
        if isinstance(value.get("template"), str):
            template, values = value["template"], value.get("values", {})
            yield from ((template, name) for name in _FIELD.findall(template) if name not in values)
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _unfilled(part)


def _is_full(piece: evidence.Evidence) -> bool:
    """Whether there is something in a piece of evidence; a table without rows may stay away."""
    return all(getattr(piece, field.name) not in ((), []) for field in fields(piece))


def _recorded(declared: Probe, finding: Finding) -> Record:
    """The record of an audit that found this alone, as it is read again."""
    facts: record.Facts = {
        "gated": [finding.id] if finding.gate else [],
        "always_gated": [],
        "declarations": declarations.to_json([declared]),
        "model": {"source": "example"},
        "data": {"test": {}, "train": {}},
        "policy": {"audit": {}},
        "policy_file": None,
        "energy": [],
        "kept": [],
        "grids": [],
        "scoring": {"texts": 0, "forward_passes": 0, "cache_hits": 0},
        "provenance": {"versions": {}},
    }
    recorded = record.as_dict(finding)
    failed = finding.verdict is Verdict.FAIL
    value = record.build(
        [recorded], [facts], failed=failed, interrupted=False, created="2000-01-01T00:00:00Z", duration_s=0.0
    )
    try:
        read: Record = json.loads(record.as_text(value))
        return read
    except ValidationError as error:
        where = "/".join(map(str, error.absolute_path))
        raise AssertionError(
            f"{declared.id}: what it gives does not fit the record, {where}: {error.message}."
        ) from None


def _check_privacy(probe: DeclaredProbe[...], arguments: Arguments, gate: Gate) -> None:
    declared = probe.declaration
    planted = _with_personal_data(arguments)
    if planted is arguments:
        return
    try:
        probe(**planted)
    except NotAssessed as refusal:  # it looks for texts of another kind
        _require(not any(each in refusal.reason for each in PERSONAL), declared, "its refusal shows personal data")
        return
    value = _recorded(declared, _finding(declared, _measured(probe, planted), gate))
    for where, shown in (("record", json.dumps(value, ensure_ascii=False)), ("page", page.render(value, "en"))):
        for personal in PERSONAL:
            _require(
                _compact(personal) not in _compact(shown), declared, f"personal data of a text stand in the {where}"
            )
    with withholding(True):
        value = _recorded(declared, _finding(declared, _measured(probe, planted), gate))
    shown = json.dumps(value, ensure_ascii=False)
    _require("Write to" not in shown, declared, "a text stands in the record though the policy withholds texts")


def _compact(text: str) -> str:
    return "".join(text.split()).lower()


# ---- other arguments of the same kind


def _with_rows_shuffled(arguments: Arguments) -> Arguments:
    """Arguments whose predictions, and the examples that these are about, are in another order, one for each length."""
    about = {id(each.examples) for each in _inside(arguments, Predictions)} | {id(arguments.get("test_data"))}

    def order(n: int) -> NDArray[np.int64]:
        return np.random.default_rng(n).permutation(n)

    def change(value: object) -> object:
        if isinstance(value, Predictions):
            rows = value.rows[order(len(value))]
            return type(value)(rows, value.classes, value.examples and changed(value.examples))
        if isinstance(value, Examples) and id(value) in about:
            return value.take(order(len(value)))
        return None

    changed = _Change(change)
    return changed(arguments)


def _with_personal_data(arguments: Arguments) -> Arguments:
    """Arguments in which personal data stand at the end of each text."""

    def change(value: object) -> object:
        if isinstance(value, Predictions) and value.examples is not None:
            return replace(value, examples=changed(value.examples))
        if isinstance(value, Examples):
            return replace(value, texts=tuple(f"{text}{PLANTED}" for text in value.texts))
        return None

    changed = _Change(change)
    return changed(arguments)


class _Change:
    """Changes what stands anywhere in mappings, sequences and dataclasses; what stands twice stays one thing.

    Parameters
    ----------
    change : callable
        From a value to another in its place, None where it stays or is to be looked into.
    """

    def __init__(self, change: Callable[[object], object]) -> None:
        self._change, self._done = change, dict[int, tuple[object, object]]()

    def __call__(self, value: _T) -> _T:
        """The value, the very same where nothing in it changes."""
        if id(value) not in self._done:
            changed = self._change(value)
            self._done[id(value)] = value, self._inside(value) if changed is None else changed
        return cast(_T, self._done[id(value)][1])

    def _inside(self, value: object) -> object:
        parts = _parts(value)
        changed = {name: self(part) for name, part in parts.items()}
        if all(changed[name] is part for name, part in parts.items()):
            return value
        if isinstance(value, Mapping):
            return changed
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{str(name): part for name, part in changed.items()})
        if isinstance(value, tuple):
            return getattr(value, "_make", tuple)(changed.values())  # named or not
        return list(changed.values())


def _parts(value: object) -> Mapping[object, object]:
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    return dict(enumerate(value)) if isinstance(value, list | tuple) else {}


def _inside(value: object, kind: type[_T]) -> Iterator[_T]:
    if isinstance(value, kind):
        yield value
    for part in _parts(value).values():
        yield from _inside(part, kind)


# ---- small data


def examples(
    labels: ArrayLike,
    classes: Sequence[str] = ("negative", "positive"),
    *,
    texts: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    **protocol: Any,
) -> Examples:
    """Examples with these labels; without texts each has one of its own."""
    truth = np.asarray(labels, dtype=np.int64)
    columns: dict[str, NDArray[np.object_]] = {
        name: np.array(list(column), dtype=object) for name, column in (groups or {}).items()
    }
    return Examples(
        texts=tuple(texts) if texts is not None else tuple(f"text {i}" for i in range(len(truth))),
        labels=truth,
        classes=tuple(classes),
        subgroups=columns,
        protocol=Protocol(**protocol),
    )


def predictions(labels: ArrayLike, about: Examples) -> Predictions:
    """Predictions that give each example the class in `labels`, with probability 0.8."""
    rows, classes = np.asarray(labels, dtype=np.int64), len(about.classes)
    probabilities = np.full((len(rows), classes), 0.2 / (classes - 1), dtype=np.float32)
    probabilities[np.arange(len(rows)), rows] = 0.8
    return Predictions(probabilities, about.classes, about)


class _Rule:
    """Answers by a pure function of the text."""

    def __init__(self, rule: Callable[[str], Sequence[float]], classes: Sequence[str]) -> None:
        self.rule, self.classes = rule, tuple(classes)

    def predict(self, texts: Sequence[str]) -> Predictions:
        rows = np.array([self.rule(text) for text in texts], dtype=np.float32)
        return Predictions(rows.reshape(len(texts), len(self.classes)), self.classes)


def scorer(rule: Callable[[str], Sequence[float]], classes: Sequence[str] = ("negative", "positive")) -> Scorer:
    """A scorer whose probabilities are a function of the text alone."""
    return cast("Scorer", _Rule(rule, classes))
