"""Ethics: whether groups of people are treated alike, and whether a text is judged by the person in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.errors import NotAssessed
from audit.probes import identity
from audit.redaction import SMALLEST_CELL, count, redact
from audit.scorer import Predictions, Scorer
from audit.verdict import Measurement

EXAMPLES_SHOWN = 8
_COMPARED = (
    "Each pair of groups compared by the exact limits of its two rates (Clopper and Pearson 1934), their distances "
    "added in squares (Newcombe 1998)"
)


def accuracy_gap(predictions: Predictions, subgroup: str) -> Measurement:
    """Accuracy of the best-served group less that of the worst-served one.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.

    Raises
    ------
    NotAssessed
        If fewer than two groups reach the protocol's ``min_group_size``.

    Notes
    -----
    The table is fairlearn's ``MetricFrame``; the interval is :func:`audit.statistics.gap`.
    """
    protocol = predictions.known.protocol
    group, names, small = _groups(predictions, subgroup)
    counts = np.array([(group == name).sum() for name in names])
    right = np.array([predictions.correct[group == name].sum() for name in names])
    gap = _open_if_small(statistics.gap(right, counts, protocol.confidence), small)
    frame = _frame(predictions, group, names)
    table = [[name, _shown(frame[name], n), *_interval(r, n, protocol.confidence), count(n)]
             for name, r, n in zip(names, right, counts, strict=True)]  # fmt: skip
    return Measurement(
        f"fairness.accuracy_gap[{subgroup}]",
        gap.estimate,
        gap.low,
        gap.high,
        int(counts.sum()),
        "difference of accuracies",
        f"Accuracy by {subgroup} (fairlearn's MetricFrame), largest less smallest. {_COMPARED}; "
        f"the upper bound is that of the worst pair, the lower bound is adjusted for the number of pairs (Bonferroni), "
        f"because the largest of several noisy differences looks too large.",
        protocol.confidence,
        settle=lambda bound: statistics.gap_to_settle(
            right, counts, bound, sizes=counts, names=names, confidence=protocol.confidence, seed=protocol.seed
        ),
        details={
            "tables": [
                {
                    "caption": f"Accuracy by {subgroup}",
                    "columns": [subgroup, "accuracy", "low", "high", "test examples"],
                    "rows": sorted(table, key=lambda row: (row[1] is None, row[1])),
                }
            ],
            **_missing(predictions, group, small),
        },
    )


def equalized_odds(predictions: Predictions, subgroup: str) -> Measurement:
    """Largest difference between groups in the true- or false-positive rate of any class.

    Each class is taken against the rest; the worst class is the finding and the others stand in the details.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.

    Raises
    ------
    NotAssessed
        If fewer than two groups reach the protocol's ``min_group_size``.

    Notes
    -----
    Source: Hardt, Price and Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016, section 2. Point
    estimates equal fairlearn's ``equalized_odds_difference`` of each class against the rest; the interval is
    :func:`audit.statistics.gap` over all classes, rates and ordered pairs of groups.
    """
    protocol = predictions.known.protocol
    group, names, small = _groups(predictions, subgroup)
    sizes = [int((group == name).sum()) for name in names]
    hits, totals, parts = [], [], []
    for c, class_name in enumerate(predictions.classes):
        said = predictions.labels == c
        # A class of two is the mirror of the other: its rates say the same again.
        if len(predictions.classes) == 2 and c == 0:
            continue
        for rate, relevant in (("true-positive", predictions.truth == c), ("false-positive", predictions.truth != c)):
            hits.append([int((said & relevant & (group == name)).sum()) for name in names])
            totals.append([int((relevant & (group == name)).sum()) for name in names])
            parts.append((class_name, rate))
    empty = {
        f"{name} without {class_name} examples": 0
        for (class_name, rate), row in zip(parts, totals, strict=True)
        for name, total in zip(names, row, strict=True)
        if total == 0 and rate == "true-positive"
    }
    gap = _open_if_small(statistics.gap(hits, totals, protocol.confidence), small)
    x, n = np.array(hits, float), np.array(totals, float)
    rates = np.divide(x, n, out=np.full_like(x, np.nan), where=n > 0)
    worst = int(np.nanargmax(np.nanmax(rates, axis=1) - np.nanmin(rates, axis=1)))
    class_name, rate = parts[worst]
    low_group, high_group = names[int(np.nanargmin(rates[worst]))], names[int(np.nanargmax(rates[worst]))]
    rows = [
        [f"{part[0]}, {part[1]}", *(_shown(value, total) for value, total in zip(rates[i], totals[i], strict=True))]
        for i, part in enumerate(parts)
    ]
    return Measurement(
        f"fairness.equalized_odds[{subgroup}]",
        gap.estimate,
        gap.low,
        gap.high,
        sum(sizes),
        "largest difference of rates",
        f"True- and false-positive rates of each class by {subgroup} (Hardt et al. 2016), largest difference between "
        f"two groups. {_COMPARED}; the upper bound is that of the worst pair, the lower bound is adjusted for all "
        f"pairs, classes and rates (Bonferroni).",
        protocol.confidence,
        settle=lambda bound: statistics.gap_to_settle(
            hits, totals, bound, sizes=sizes, names=names, confidence=protocol.confidence, seed=protocol.seed
        ),
        details={
            "summary": _in_words(class_name, rate, low_group, high_group, subgroup, rates[worst], names)
            if min(totals[worst][names.index(group)] for group in (low_group, high_group)) >= SMALLEST_CELL
            else f"The largest difference rests on a cell of fewer than {SMALLEST_CELL} examples, which is not shown.",
            "tables": [
                {
                    "caption": f"Rates by {subgroup}: how often each class is said where it is true, and where not",
                    "columns": ["class, rate", *names],
                    "rows": rows,
                }
            ],
            **_missing(predictions, group, small | empty),
        },
    )


def counterfactual(scorer: Scorer, predictions: Predictions, axis: str = "gender") -> Measurement:
    """How often a prediction flips when only the gender of the people in the text is exchanged.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the test texts, told their examples.
    axis : {"gender"}
        Which identity is exchanged.

    Raises
    ------
    NotAssessed
        If the data is not English, or no text mentions a person whose gender can be exchanged.

    Notes
    -----
    Source of the idea: Kusner et al., "Counterfactual fairness", NeurIPS 2017; on texts Garg et al., "Counterfactual
    fairness in text classification through robustness", AIES 2019.
    """
    examples = predictions.known
    protocol = examples.protocol
    if protocol.language != "en":
        raise NotAssessed("the words that it exchanges are English; there is no list for this language yet")
    pool = examples.sample()
    swapped = [identity.swap_gender(text) for text in pool.texts]
    changed = [i for i, (before, after) in enumerate(zip(pool.texts, swapped, strict=True)) if before != after]
    if not changed:
        raise NotAssessed("no test text mentions a person by a word whose gender can be exchanged")
    before = scorer.predict([pool.texts[i] for i in changed])
    after = scorer.predict([swapped[i] for i in changed])
    flipped = before.labels != after.labels
    moved = np.abs(before.probabilities - after.probabilities).max(axis=1)
    share = statistics.proportion(int(flipped.sum()), len(changed), protocol.confidence)
    order = np.argsort(-(moved + flipped), kind="stable")[:EXAMPLES_SHOWN]
    classes = predictions.classes
    return Measurement(
        f"fairness.counterfactual[{axis}]",
        share.estimate,
        share.low,
        share.high,
        len(changed),
        "share of predictions that flip",
        "Pronouns, kinship and titles in the test texts exchanged for those of the other gender, nothing else changed; "
        "flipped predictions counted, exact interval of a proportion (Clopper and Pearson 1934).",
        protocol.confidence,
        sample="texts that mention a person",
        settle=lambda bound: statistics.proportion_to_settle(share.estimate, bound, protocol.confidence),
        details={
            "mean change of the score": float(moved.mean()),
            "95th percentile of the change": float(np.quantile(moved, 0.95)),
            "share of test texts that mention a person": len(changed) / len(pool),
            "examples": {
                "caption": "The texts whose score moved most; changed words are marked",
                "items": [
                    {
                        "before": redact(pool.texts[changed[i]]),
                        "after": redact(swapped[changed[i]]),
                        "note": f"{_said(before, i, classes)} → {_said(after, i, classes)}",
                    }
                    for i in order
                ],
            },
            "limits": [
                "Names are not exchanged, and texts that mention nobody are not judged by this probe.",
                "Where a text is about two people of different gender, both change places.",
            ],
        },
    )


def _said(predictions: Predictions, i: int, classes: tuple[str, ...]) -> str:
    label = int(predictions.labels[i])
    return f"{classes[label]} {predictions.probabilities[i, label]:.2f}"


def _groups(predictions: Predictions, subgroup: str) -> tuple[NDArray[np.object_], list[str], dict[str, int]]:
    """Group of each example, the groups that are large enough, and the size of those that are not."""
    group = predictions.known.groups(subgroup)
    sizes = {str(name): int((group == name).sum()) for name in {g for g in group if g is not None}}
    smallest = predictions.known.protocol.min_group_size
    names = sorted(name for name, n in sizes.items() if n >= smallest)
    small = {name: n for name, n in sorted(sizes.items()) if n < smallest}
    if len(names) < 2:
        raise NotAssessed(
            f"fewer than two groups of '{subgroup}' have {smallest} test examples; add examples of the others"
        )
    return group, names, small


def _open_if_small(gap: statistics.Interval, small: dict[str, int]) -> statistics.Interval:
    """Groups that are too small to judge leave the gap open above; they are never dropped in silence."""
    return gap._replace(high=1.0) if small else gap


def _missing(predictions: Predictions, group: NDArray[np.object_], small: dict[str, int]) -> dict[str, Any]:
    unknown = int(sum(name is None for name in group))
    details: dict[str, Any] = {"examples without a group": count(unknown)} if unknown else {}
    if small:
        names = ", ".join(f"{name} (n {count(n)})" for name, n in list(small.items())[:8])
        minimum = predictions.known.protocol.min_group_size
        details["too_small"] = f"groups below {minimum} examples: {names}"
    return details


def _frame(predictions: Predictions, group: NDArray[np.object_], names: list[str]) -> dict[str, float]:
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import accuracy_score

    kept = np.isin(group.astype(str), names) & (group != None)  # noqa: E711  (elementwise)
    frame = MetricFrame(
        metrics=accuracy_score,
        y_true=predictions.truth[kept],
        y_pred=predictions.labels[kept],
        sensitive_features=group[kept].astype(str),
    )
    return {str(name): float(value) for name, value in frame.by_group.items()}


def _interval(successes: int, n: int, confidence: float) -> tuple[float | None, float | None]:
    if n < SMALLEST_CELL:
        return None, None
    interval = statistics.proportion(int(successes), int(n), confidence)
    return interval.low, interval.high


def _shown(value: float, n: float) -> float | None:
    return float(value) if n >= SMALLEST_CELL else None


def _in_words(
    class_name: str, rate: str, low: str, high: str, subgroup: str, rates: NDArray[np.float64], names: list[str]
) -> str:
    points = 100 * (rates[names.index(high)] - rates[names.index(low)])
    if rate == "true-positive":
        return (
            f"Texts that are {class_name} are recognised as such {points:.1f} points less often where {subgroup} is "
            f"“{low}” than where it is “{high}”."
        )
    return (
        f"Texts that are not {class_name} are called {class_name} {points:.1f} points more often where {subgroup} is "
        f"“{high}” than where it is “{low}”."
    )
