"""Quality: a kind of texts that the model reads worse, and that nobody named."""

from __future__ import annotations

from audit.core.measurement import Result
from audit.core.probe import POINTS, Alarm, Probe
from audit.inference.predictions import Predictions
from audit.probes import slices


@Probe(
    id="quality.weak_slice",
    challenge="quality",
    title="Accuracy lost on the weakest kind of texts",
    unit=POINTS,
    counts="difference of accuracies",
    better="lower",
    meaning=(
        "How much less often the model is right on one kind of texts, told by its words, length, punctuation, spelling "
        "or topic, than on all others: the largest gap among the kinds that a search finds."
    ),
    harm="A good average hides a kind of texts on which the model is of little use: short notes, say, or one product.",
    remedy=(
        "Read the misread texts below. Add such texts to the training data, or let a person read them while the "
        "product is in use."
    ),
    alarm=Alarm(0.2, "Of ten texts of that kind two more are misread than of all others."),
    rules=("MEASURE 2.3", "MEASURE 2.5", "Article 9(8)", "Article 13", "Article 15(1) and (3)", "A.6.2.4"),
    guide="docs/slices.md",
)
def weak_slice(predictions: Predictions) -> Result:
    """Accuracy of the rest less that of the worst slice that speaks of nobody.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.

    Raises
    ------
    NotAssessed
        If there is no slice that is large enough.

    Notes
    -----
    See :mod:`audit.probes.slices`.
    """
    return slices.measured(predictions, of_people=False)
