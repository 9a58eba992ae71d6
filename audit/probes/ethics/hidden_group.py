"""Ethics: a group of people that the model serves worse, and that nobody named."""

from __future__ import annotations

from audit.core.measurement import Result
from audit.core.probe import POINTS, Alarm, Probe
from audit.inference.predictions import Predictions
from audit.probes import slices


@Probe(
    id="fairness.hidden_group",
    challenge="ethics",
    title="Accuracy lost in a group that nobody named",
    unit=POINTS,
    counts="difference of accuracies",
    better="lower",
    meaning=(
        "How much less often the model is right on texts that speak of certain people, or come from certain people, "
        "than on all others: the largest gap among the groups that a search finds, also of groups that no policy names."
    ),
    harm="The texts of a group that nobody thought of are misread more often than those of others, and nobody sees it.",
    remedy=(
        "Read the misread texts below. Where they are no harder than others, add such texts to the training data, and "
        "name the group with [data] subgroups, so that every gate of fairness holds for it too."
    ),
    alarm=Alarm(0.1, "Of ten texts of that group one more is misread than of all others."),
    rules=("MEASURE 2.11", "Article 9(8)", "Article 10", "Article 13", "A.5.4", "A.6.2.4", "GDPR 5", "GDPR 35"),
    guide="docs/slices.md",
    cause="groups",
)
def hidden_group(predictions: Predictions) -> Result:
    """Accuracy of the rest less that of the worst slice that speaks of people or comes from a column of groups.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.

    Raises
    ------
    NotAssessed
        If there is no such slice.

    Notes
    -----
    See :mod:`audit.probes.slices`.
    """
    return slices.measured(predictions, of_people=True)
