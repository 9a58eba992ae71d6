"""Whether the errors show that rows belong together of which the policy does not say so."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from audit import statistics
from audit.core.sentences import Sentence
from audit.inference.predictions import Predictions

# Of audits whose rows are independent, so many in a thousand are warned.
LEVEL = 0.001
_CAUTION = Sentence(
    "errors of neighbouring rows resemble each other more than chance allows: if rows of one author or item belong "
    "together, name the column with [data] cluster"
)


@dataclass(frozen=True)
class Dependence:
    """What is to be said where errors surely go along with the order of the rows; empty elsewhere."""

    caution: str = field(repr=False)
    caveats: list[str] = field(repr=False)


def dependence(predictions: Predictions) -> Dependence:
    """What is to be said of errors that go along with the order of the rows, which nobody declared to mean something.

    Rows of one author or item often stand together. That alike *texts* err alike is no sign of it: what a model gets
    wrong depends on the text, so that is found among independent rows too.

    Parameters
    ----------
    predictions : Predictions
        In the order in which the rows stand in their file.

    Notes
    -----
    See :func:`audit.statistics.serial_correlation`. Strata are the classes, crossed with all subgroups, by which files
    are often sorted; of near copies only the first counts, since they are clusters as it is.
    """
    known = predictions.known
    rows = np.arange(len(known))
    if known.protocol.cluster:
        return Dependence("", [])
    if known.clusters is not None:
        rows = np.sort(np.unique(known.clusters, return_index=True)[1])
    strata = statistics.cluster_ids([*zip(known.labels.tolist(), *known.subgroups.values(), strict=True)])
    if len(rows) <= statistics.LAGS:
        return Dependence("", [])
    found = statistics.serial_correlation(~predictions.correct[rows], strata[rows])
    if found.p > LEVEL:
        return Dependence("", [])
    caveat = Sentence(
        "Errors of neighbouring rows resemble each other more than chance allows, also within each class and subgroup "
        "(permutation test, p = {p:.2g}). Either rows of one author or item stand together, and the interval, which "
        "takes rows for independent, is too narrow (design effect at least about {effect:.2f}), or the file is sorted "
        "by something that makes texts hard. In the first case name the column with [data] cluster.",
        p=found.p,
        effect=found.design_effect,
    )
    return Dependence(_CAUTION, [caveat])
