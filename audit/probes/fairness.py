"""Ethics: whether groups of people are treated alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.errors import NotAssessed
from audit.probes import mentions
from audit.redaction import SMALLEST_CELL, count
from audit.scorer import Predictions
from audit.verdict import Measurement


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
        f"Accuracy by {subgroup} (fairlearn's MetricFrame), largest less smallest. Each pair of groups compared by "
        f"Newcombe's hybrid score interval; the upper bound is that of the worst pair, the lower bound is adjusted "
        f"for the number of pairs (Bonferroni), because the largest of several noisy differences looks too large.",
        protocol.confidence,
        details={
            "tables": [
                {
                    "caption": f"Accuracy by {subgroup}",
                    "columns": [subgroup, "accuracy", "low", "high", "test examples"],
                    "rows": sorted(table, key=lambda row: (row[1] is None, row[1])),
                }
            ],
            **_missing(predictions, group, small),
            **_limits(subgroup),
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
        int(sum((group == name).sum() for name in names)),
        "largest difference of rates",
        f"True- and false-positive rates of each class by {subgroup} (Hardt et al. 2016), largest difference between "
        f"two groups. Each pair compared by Newcombe's hybrid score interval; the upper bound is that of the worst "
        f"pair, the lower bound is adjusted for all pairs, classes and rates (Bonferroni).",
        protocol.confidence,
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
            **_limits(subgroup),
        },
    )


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


def _limits(subgroup: str) -> dict[str, Any]:
    """What must be said of groups that were read off the text."""
    if not mentions.is_mention(subgroup):
        return {}
    return {
        "limits": [
            "These groups are who the texts mention, found by word lists, not who wrote them: a difference says that "
            "texts about some people are read less well, nothing about their authors. Texts that mention nobody or "
            "more than one group stand outside."
        ]
    }


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
